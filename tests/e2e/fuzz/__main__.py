"""`python -m tests.e2e.fuzz`: thousands of bad requests to one embedded server, and a summary."""

import argparse
import random
import sys
from pathlib import Path

from face_command.arguments import whole
from face_command.console import message, tracked
from face_repository.layout import default_repository
from face_server import EmbeddedTriton, ServerError, Settings
from tests.e2e.fuzz.messages import Message
from tests.e2e.fuzz.processes import TAKES, Census
from tests.e2e.fuzz.run import Result, Sender, outcomes, special_outcomes

_MIB = 1024 * 1024

_EPILOG = """\
examples:
  python -m tests.e2e.fuzz                           10,000 requests by a random seed
  python -m tests.e2e.fuzz --count 500 --seed 7      the same 500 every time
  python -m tests.e2e.fuzz --replay fuzz/fault-1.pb  one kept request again

Writes summary.md, and each request with a bad outcome as fault-N.pb: a ModelInferRequest of the KServe protocol.
Exit status: 0; 1 where anything was wrong with an answer, a process died, or memory grew.
"""


def main() -> int:
    args = _parser().parse_args()
    seed = random.SystemRandom().randrange(2**32) if args.seed is None else args.seed
    try:
        with EmbeddedTriton(args.repository, Settings()) as triton, Sender(triton.grpc_url) as sender:
            if args.replay:
                return _replay(sender, args.replay)
            if triton.missing_models:
                message(f"fuzz: {', '.join(triton.missing_models)} was not exported, and so is not asked")
            return _fuzz(sender, Census(triton.pid), args.count, seed, args.out)
    except ServerError as error:
        message(f"fuzz: {error}")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "fuzz", description=__doc__, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=whole(1, 10**9), default=10_000, metavar="N", help="requests (%(default)s)")
    parser.add_argument(
        "--seed", type=whole(0, 2**32 - 1), metavar="N", help="same seed, same requests (default: a random one)"
    )
    parser.add_argument("--out", type=Path, default=Path("fuzz"), help="folder for the results (%(default)s)")
    parser.add_argument("--repository", type=Path, default=default_repository(), help="models (%(default)s)")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="send one kept request, and nothing else")
    return parser


def _fuzz(sender: Sender, census: Census, count: int, seed: int, out: Path) -> int:
    result = Result()
    message(f"fuzz: seed {seed}; special cases first")
    for name, outcome in special_outcomes(sender):
        result.add(outcome, name)
    # What the largest pictures need, the server keeps: memory counts from here.
    census.take(0)
    for sent, outcome in enumerate(tracked(outcomes(sender, count, seed), count, what="requests"), 1):
        result.add(outcome)
        if sent % max(1, count // TAKES) == 0:
            census.take(sent)
    out.mkdir(parents=True, exist_ok=True)
    _keep_faults(result, out)
    good = _write_summary(result, census, seed, out / "summary.md")
    print((out / "summary.md").read_text())
    return 0 if good else 1


def _keep_faults(result: Result, out: Path) -> None:
    """Each request with a bad outcome as `fault-N.pb`; those of an earlier run go."""
    for old in out.glob("fault-*.pb"):
        old.unlink()
    for number, (outcome, _) in enumerate(result.faults, 1):
        (out / f"fault-{number}.pb").write_bytes(outcome.request.SerializeToString())


def _write_summary(result: Result, census: Census, seed: int, file: Path) -> bool:
    """Returns whether all is well."""
    first, last = census.takes[0], census.takes[-1]
    grown = census.grown()
    assert result.slowest is not None
    slow, slow_name = result.slowest
    lines = [
        f"# Fuzz: {result.total:,} requests, seed {seed}",
        "",
        f"- {len(result.faults)} with a fault; processes that died: {len(census.died())}; "
        f"still growing in the second half: {', '.join(grown) or 'nowhere'}",
        f"- slowest: {slow.seconds:.1f} s, {slow_name or 'by seed'}, {slow.status}",
        "",
        "| status | requests |",
        "|---|---|",
        *(f"| {status} | {count:,} |" for status, count in result.counts.most_common()),
        "",
        f"| process | MiB after the special cases | after {census.middle.sent:,} | after {last.sent:,} |",
        "|---|---|---|---|",
        *(
            f"| {name} | {held / _MIB:.0f} | {census.middle.memory.get(name, 0) / _MIB:.0f} "
            f"| {last.memory.get(name, 0) / _MIB:.0f} |"
            for name, held in sorted(first.memory.items())
        ),
        "",
        *(
            f"- fault-{number}.pb ({name or 'by seed'}, {outcome.request.model_name}): {outcome.fault}; {outcome.text}"
            for number, (outcome, name) in enumerate(result.faults, 1)
        ),
    ]
    file.write_text("\n".join(lines).rstrip() + "\n")
    return not (result.faults or census.died() or grown)


def _replay(sender: Sender, file: Path) -> int:
    outcome = sender.one(Message.FromString(file.read_bytes()))
    print(f"{outcome.status} after {outcome.seconds:.2f} s: {outcome.text or 'an answer'}")
    print(outcome.fault or "nothing wrong with it")
    return 1 if outcome.fault else 0


if __name__ == "__main__":
    sys.exit(main())
