"""`faces batch SOURCE TARGET`: from what was asked for to a target that is complete."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa

from face_batch import report
from face_batch.addresses import is_remote, split_query
from face_batch.cluster import Hands, Servers, Tasks, connected, make_board
from face_batch.engines import Networks, fingerprint, read_networks, served_fingerprint
from face_batch.errors import BatchError, TargetRefused
from face_batch.holding import Held
from face_batch.manifest import Run, Target
from face_batch.metrics import Metrics
from face_batch.running import Running
from face_batch.sources import list_source
from face_batch.working import Work
from face_cascade import DetectionParameters
from face_cascade import InvalidInput as WrongParameter
from face_client.options import DEFAULT_URL
from face_command.console import message, tracked
from face_tools.connection import check_ready, open_client, parameters_from, tls_from

_NAMED = 3
_LINE_EVERY_S = 60.0


def do(args: argparse.Namespace) -> int:
    """Lists, or goes on; runs; reports. Returns the exit status. Raises BatchError, FaceError."""
    _check(args)
    target = Target.at(args.target)
    there = target.run()
    if there is not None and not args.resume and not args.dry_run:
        state = "is complete" if target.is_complete else f"has {len(target.done(there))} of {there.shards} shards"
        raise TargetRefused(
            f"{args.target} holds a run of {there.source} that {state}: go on with --resume, or name another"
        )
    networks, facts = _computed_by(args)
    wanted = _wanted(args, facts)
    if there is not None and (difference := there.difference(wanted)):
        raise TargetRefused(f"{args.target} holds another run: {difference}; name another target")
    items = None if there is not None else _list(args)
    # The way to the source may be another one by now.
    run = replace(wanted, items=len(items)) if items is not None else replace(there or wanted, query=wanted.query)
    if args.dry_run:
        return _tell_plan(args, run, target, items)
    if there is not None and target.is_complete and len(target.done(run)) == run.shards:
        message(f"{args.target} is complete: {run.items:,} pictures in {run.shards} files")
        return 0
    with Held(target):
        target.place.clean()
        if items is not None:
            target.begin(run, items)
        _run(args, run, target, networks)
    return 0


def _check(args: argparse.Namespace) -> None:
    if args.mode is None:
        args.mode = "remote" if _has_url(args) else "workers"
    try:
        DetectionParameters.parse(dict(parameters_from(args)))
    except WrongParameter as error:
        raise TargetRefused(str(error)) from error


def _has_url(args: argparse.Namespace) -> bool:
    return bool(args.url != DEFAULT_URL)


def _computed_by(args: argparse.Namespace) -> tuple[Networks, dict[str, str]]:
    """The networks that go to the workers, none where servers have them; and what the answers depend on."""
    if args.mode != "remote":
        networks = read_networks(args.repository, args.embeddings, message)
        return networks, fingerprint(networks)
    with open_client(args) as client:
        models = (client.recognizer, client.embedder) if args.embeddings else (client.model,)
        check_ready(client, *models, wait=args.wait)
        return {}, served_fingerprint(client, args.embeddings)


def _served(args: argparse.Namespace) -> dict[str, Any]:
    return {
        "url": args.url,
        "timeout": args.timeout,
        "retries": args.retries,
        "in_flight": args.in_flight,
        "tls": tls_from(args),
    }


def _wanted(args: argparse.Namespace, facts: dict[str, str]) -> Run:
    bare, query = split_query(args.source)
    return Run(
        source=bare,
        items=0,
        shard_size=args.shard_size,
        embeddings=args.embeddings,
        crops=args.crops,
        every=args.every,
        query=query,
        column=args.column,
        options=dict(parameters_from(args)),
        fingerprint={**facts, "computed by": "servers" if args.mode == "remote" else args.mode},
    )


def _list(args: argparse.Namespace) -> pa.Table:
    listing = list_source(args.source, args.column)
    for note in listing.notes:
        message(note)
    return listing.items.slice(0, args.limit) if args.limit else listing.items


def _tell_plan(args: argparse.Namespace, run: Run, target: Target, items: pa.Table | None) -> int:
    done = len(target.done(run)) if items is None else 0
    if items is None:
        items = target.manifest()
    suffixes = Counter(PurePosixPath(path).suffix.lower() or "none" for path in items["path"].to_pylist())
    size = sum(max(0, each) for each in items["size"].to_pylist())
    print(f"{run.items:,} pictures and videos, {size / 1e6:,.1f} MB: ", end="")
    print(", ".join(f"{number:,} {suffix}" for suffix, number in suffixes.most_common()))
    for path in items["path"].slice(0, _NAMED).to_pylist():
        print(f"  {path}")
    print(f"{run.shards} files of up to {run.shard_size:,} in {args.target}, {done} of them there")
    return 0


def _run(args: argparse.Namespace, run: Run, target: Target, networks: Networks) -> None:
    """All shards that are not there, then the report and the word that all are."""
    metrics = Metrics(args.metrics_port, args.metrics_host)
    begun, start = datetime.now(UTC), time.monotonic()
    work = Work(
        run,
        args.target if is_remote(args.target) else target.place.address,
        _served(args) if args.mode == "remote" else {},
    )
    with connected(args.ray, args.workers), _hands(args, work, networks) as (hands, board):
        running = Running(run, target, hands, board, message)
        progress = running.progress
        try:
            for _ in tracked(
                _one_by_one(running, run, metrics),
                total=run.items,
                done=running.done_items,
                note=lambda: _note(running),
            ):
                pass
        except (BatchError, KeyboardInterrupt):
            message(f"{progress.done} of {run.shards} files are there; go on with --resume")
            raise
    seconds = time.monotonic() - start
    facts = {
        "begun": begun.isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "pictures of this run": progress.counts.items,
        "seconds to start": round(seconds - progress.at_work, 1),
        "pictures a second, once started": round(progress.rate, 1),
        "mode": args.mode,
    }
    summary = report.summarize(target, run)
    report.write(target, run, summary, facts)
    target.succeed()
    failed = sum(progress.counts.failures.values())
    message(
        f"{progress.counts.items:,} pictures in {seconds:.0f} s ({progress.rate:.1f}/s once started), "
        f"{progress.counts.faces:,} faces, {failed:,} could not be read: {args.target}, and its _faces/report.html"
    )


@contextmanager
def _hands(args: argparse.Namespace, work: Work, networks: Networks) -> Iterator[tuple[Hands, Any]]:
    board = make_board()
    hands: Hands = Servers(work, networks, board) if args.mode == "node" else Tasks(work, networks, board, args.workers)
    try:
        yield hands, board
    finally:
        hands.close()


def _one_by_one(running: Running, run: Run, metrics: Metrics) -> Iterator[int]:
    """An item a turn, for the bar. Where nobody sees one, as in a job's log, a line now and then stands for it."""
    told = time.monotonic()
    for more in running:
        progress = running.progress
        metrics.show(progress.counts, progress.done, running.left)
        yield from range(more)
        if not sys.stderr.isatty() and time.monotonic() - told >= _LINE_EVERY_S:
            told = time.monotonic()
            reached = running.done_items + progress.counts.items
            left = f", {(run.items - reached) / progress.rate / 60:.0f} minutes left" if progress.rate else ""
            message(f"{reached:,} of {run.items:,} pictures, {progress.rate:.1f}/s, {_note(running)}{left}")


def _note(running: Running) -> str:
    counts = running.progress.counts
    return f"{counts.faces:,} faces, {sum(counts.failures.values()):,} failed"
