"""What a run of the fuzz leaves behind: a page to read, and the requests to look into."""

from pathlib import Path

from tests.e2e.fuzz.processes import Census
from tests.e2e.fuzz.run import Result

_MIB = 1024 * 1024


def keep_faults(result: Result, out: Path) -> None:
    """Each request with a bad outcome as `fault-N.pb`; those of an earlier run go."""
    for old in out.glob("fault-*.pb"):
        old.unlink()
    for number, (outcome, _) in enumerate(result.faults, 1):
        (out / f"fault-{number}.pb").write_bytes(outcome.request.SerializeToString())


def write_summary(result: Result, census: Census, seed: int, file: Path) -> bool:
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
