"""Installs and starts the peers."""

from contextlib import ExitStack, closing
from pathlib import Path

from face_bench import progress
from face_bench.contenders import InProcess
from face_bench.errors import PeerError
from face_bench.peers.catalogue import PEERS, Peer
from face_bench.peers.environments import ensure
from face_bench.peers.worker import Worker
from face_bench.report import PeerStatus


def start_peers(cache: Path, stack: ExitStack) -> tuple[list[InProcess], list[PeerStatus]]:
    """Those that can be installed and started, stopped when the stack is left; and how it went for all."""
    started, statuses = [], []
    for peer in PEERS:
        try:
            worker = stack.enter_context(closing(_start(peer, cache)))
        except PeerError as error:
            progress.say(f"going on without {peer.name}: {error}")
            statuses.append(PeerStatus(peer.name, {}, str(error)))
            continue
        started.append(InProcess(worker))
        statuses.append(PeerStatus(peer.name, worker.about))
    return started, statuses


def _start(peer: Peer, cache: Path) -> Worker:
    with progress.activity(f"{peer.name}: environment (made once, may fetch gigabytes) and start") as show:
        return Worker(peer, ensure(peer, cache, show))
