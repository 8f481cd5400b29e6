"""What `faces deploy` does, step by step, from its arguments. Everything raises DeployError."""

import argparse
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from face_client import FaceClient
from face_command import console
from face_deploy import store as listing
from face_deploy.comparison import MIN_AGREEMENT, Gate
from face_deploy.errors import ControlError, DeployError
from face_deploy.judging import Album, Answers, check_alive, differs, find_pictures, judge, with_labels
from face_deploy.store import Deployment, Store
from face_deploy.switching import Control, admin_key, running, switch
from face_export.exporter import export_stage, model_path
from face_export.readers import read_stage
from face_repository.versions import NETWORKS, to_text
from face_tools.connection import parameters_from, tls_from


def compare_only(args: argparse.Namespace) -> None:
    """Export and compare with the highest versions, without a server. Also raises ExportError."""
    store, album = Store(args.repository), _album(args)
    with store.staging() as staging:
        _judge(args, album, store, store.live(), _export(args, store, staging))


def deploy(args: argparse.Namespace) -> None:
    """Export, compare, show, ask, switch. Also raises ExportError."""
    store, album = Store(args.repository), _album(args)
    with _control(args) as control, _client(args) as client, store.staging() as staging:
        control.check()
        before = running(store, control)
        candidates = _export(args, store, staging)
        answers = _judge(args, album, store, before, candidates)
        options = parameters_from(args)
        difference = differs(client, answers.live, album.pictures, options)
        if difference:
            raise DeployError(
                f"the server at {args.url} does not answer as {to_text(before)} of {store.path} do: {difference}; "
                "start it again, or give its own --repository"
            )
        if not args.yes:
            _ask(f"switch the server at {args.url} to the new {', '.join(candidates)}?")

        def check() -> None:
            difference = differs(client, answers.candidate, album.pictures, options)
            if difference:
                raise DeployError(f"the server does not answer as the candidate does: {difference}")

        time = _now()
        deployments = {network: Deployment(time, before[network]) for network in candidates}
        _say_switched(args, switch(store, control, staging, deployments, check))


def roll_back(args: argparse.Namespace) -> None:
    """Bring back what was live before the last deployment."""
    store = Store(args.repository)
    with _control(args) as control, _client(args) as client, store.staging() as staging:
        control.check()
        before, way_back, time = running(store, control), store.way_back(), _now()
        store.copy(staging, way_back)
        deployments = {network: Deployment(time, before[network], copy_of=old) for network, old in way_back.items()}
        _say_switched(args, switch(store, control, staging, deployments, lambda: check_alive(client)))


def show_versions(args: argparse.Namespace) -> None:
    """A table of the versions, and what the server says."""
    console.print_table(listing.HEADER, listing.rows(Store(args.repository)))
    try:
        with Control(args.url, "", tls_from(args)) as control:
            switched = control.switched_to()
    except ControlError as error:
        console.message(str(error))
    else:
        # Before a switch only its own environment tells.
        console.message(f"the server at {args.url} runs {to_text(switched) or 'what was live when it started'}")


def _control(args: argparse.Namespace) -> Control:
    return Control(args.url, admin_key(args.key_file), tls_from(args))


def _client(args: argparse.Namespace) -> FaceClient:
    return FaceClient(args.url, timeout=args.timeout, tls=tls_from(args))


def _export(args: argparse.Namespace, store: Store, staging: Path) -> dict[str, Path]:
    """The new `model.pt` files, by network."""
    files = {}
    for network in NETWORKS:
        weights = getattr(args, network)
        if weights is not None:
            number = store.next_number(network)
            export_stage(network, read_stage(network, weights, args.trust), staging, number)
            files[network] = model_path(staging, network, number)
    return files


def _album(args: argparse.Namespace) -> Album:
    album = find_pictures(args.photos)
    return album if args.labels is None else with_labels(album, args.labels)


def _judge(
    args: argparse.Namespace, album: Album, store: Store, before: Mapping[str, int], candidates: Mapping[str, Path]
) -> Answers:
    live = {network: store.file(network, number) for network, number in before.items()}
    return judge(live, candidates, album, _gate(args), parameters_from(args))


def _gate(args: argparse.Namespace) -> Gate:
    agreement = args.min_agreement
    if agreement is None and args.labels is None:
        agreement = MIN_AGREEMENT
    return Gate(agreement, args.max_loss, args.min_recall, args.max_landmark_shift, args.max_slowdown)


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        raise DeployError("nobody is there to be asked: give --yes to switch; nothing was changed")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise DeployError("nothing was changed")


def _now() -> str:
    return datetime.now(UTC).replace(tzinfo=None).isoformat()


def _say_switched(args: argparse.Namespace, versions: Mapping[str, int]) -> None:
    console.message(f"the server at {args.url} answers with {to_text(versions)}")
