"""The versions of a model repository: candidates, history, and what a rollback goes back to.

History is only added to. A candidate becomes the next version by one rename; a rollback copies an old version to a new
number. So the highest version is always the live one, and every state that ever was live can be told.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from face_admin.deploy.errors import DeployError
from face_repository.layout import EXPORT_RECORD, EXPORTED
from face_repository.versions import NETWORKS, latest, numbers

_RECORD = "deployment.json"


@dataclass(frozen=True)
class Deployment:
    """Why a version exists. time: ISO 8601, UTC, the same for all networks that were switched together.

    replaced: the version that was live before. copy_of: the one that a rollback brought back.
    """

    time: str
    replaced: int
    copy_of: int | None = None


@dataclass(frozen=True)
class Version:
    """One version of one network, as its folder tells. source: of its weights. sha256: of its `model.pt`."""

    network: str
    number: int
    source: str
    sha256: str
    deployment: Deployment | None


class Store:
    """The cascade's networks in the repository at `path`. Raises DeployError where it lacks one."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        missing = [name for name in NETWORKS if not numbers(self.path / name)]
        if missing:
            raise DeployError(f"the model repository {path} has no {', '.join(missing)}: run `faces export` first")

    def live(self) -> dict[str, int]:
        """The highest version of each network."""
        return {name: latest(self.path / name) for name in NETWORKS}

    def file(self, network: str, number: int) -> Path:
        """The `model.pt` of a version."""
        return self._folder(network, number) / EXPORTED

    def versions(self, network: str) -> list[Version]:
        """All versions of a network, oldest first."""
        return [self._version(network, number) for number in numbers(self.path / network)]

    def next_number(self, network: str) -> int:
        """Of the version that would be added now."""
        return latest(self.path / network) + 1

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """A folder for candidates, as `<network>/<version>/`, that Triton does not see; gone afterwards."""
        try:
            folder = Path(mkdtemp(dir=self.path, prefix=".candidate-"))
        except OSError as error:
            raise DeployError(f"cannot write to the model repository {self.path}: {error.strerror}") from error
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def add(self, staging: Path, networks: Mapping[str, Deployment]) -> dict[str, int]:
        """Makes the staged candidates the next versions, all or none; returns their numbers."""
        added: dict[str, int] = {}
        try:
            for network, deployment in networks.items():
                number = self.next_number(network)
                staged = staging / network / str(number)
                (staged / _RECORD).write_text(json.dumps(asdict(deployment), indent=2) + "\n")
                staged.rename(self._folder(network, number))
                added[network] = number
        except OSError as error:
            self.remove(added)
            raise DeployError(f"cannot write to the model repository {self.path}: {error.strerror}") from error
        return added

    def copy(self, staging: Path, versions: Mapping[str, int]) -> None:
        """Stages these versions as the next ones, without what a checkout has in their folders (.gitkeep)."""
        for network, number in versions.items():
            target = staging / network / str(self.next_number(network))
            shutil.copytree(self._folder(network, number), target, ignore=shutil.ignore_patterns(".*"))

    def remove(self, versions: Mapping[str, int]) -> None:
        """Takes versions away that nobody uses."""
        for network, number in versions.items():
            shutil.rmtree(self._folder(network, number))

    def way_back(self) -> dict[str, int]:
        """The networks that the last deployment switched, with the versions that were live before.

        Raises DeployError where nothing was deployed, or what was live before is gone.
        """
        live = [self._version(network, number) for network, number in self.live().items()]
        deployed = {version.network: version.deployment for version in live if version.deployment}
        if not deployed:
            raise DeployError("there is nothing to roll back: no live network was deployed")
        last = max(deployment.time for deployment in deployed.values())
        back = {network: deployment.replaced for network, deployment in deployed.items() if deployment.time == last}
        for network, number in back.items():
            if not self.file(network, number).is_file():
                raise DeployError(f"version {number} of {network}, which was live before, is gone")
        return back

    def _folder(self, network: str, number: int) -> Path:
        return self.path / network / str(number)

    def _version(self, network: str, number: int) -> Version:
        folder = self._folder(network, number)
        export = _object(folder / EXPORT_RECORD) or {}
        return Version(
            network,
            number,
            source=str(export.get("source", "?")),
            sha256=str(export.get("model_sha256", "")),
            deployment=_deployment(folder / _RECORD),
        )


def _deployment(path: Path) -> Deployment | None:
    """What a record says; None where there is none, as beside files that were exported. Raises DeployError."""
    record = _object(path)
    if record is None:
        return None
    for key, kinds in (("time", (str,)), ("replaced", (int,)), ("copy_of", (int, type(None)))):
        if key not in record:
            raise DeployError(f"{path} is damaged: it has no {key!r}")
        if type(record[key]) not in kinds:
            raise DeployError(f"{path} is damaged: its {key!r} is {json.dumps(record[key])[:60]}")
    return Deployment(record["time"], record["replaced"], record["copy_of"])


def _object(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None where there is no file. Raises DeployError where it cannot be read."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DeployError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise DeployError(f"{path} is damaged: {error}") from error
    if not isinstance(value, dict):
        raise DeployError(f"{path} is damaged: it holds no JSON object")
    return value
