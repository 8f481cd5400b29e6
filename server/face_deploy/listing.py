"""All versions of a repository, as a table."""

from face_deploy.store import Deployment, Store
from face_server.versions import NETWORKS

HEADER = ("network", "version", "", "how", "source", "model.pt")

_DIGEST_LENGTH = 12
_SECONDS = len("2026-11-22T10:00:00")


def rows(store: Store) -> list[tuple[str, ...]]:
    """A row a version, oldest first within a network."""
    live = store.live()
    return [
        (
            network,
            str(version.number),
            "live" if version.number == live[network] else "",
            _how(version.deployment),
            version.source,
            version.sha256[:_DIGEST_LENGTH],
        )
        for network in NETWORKS
        for version in store.versions(network)
    ]


def _how(deployment: Deployment | None) -> str:
    if deployment is None:
        return "exported"
    what = "deployed" if deployment.copy_of is None else f"rollback to {deployment.copy_of}"
    return f"{what}, {deployment.time[:_SECONDS]}Z"
