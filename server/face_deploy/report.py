"""The comparison as a table for people."""

from collections.abc import Mapping, Sequence

from face_deploy.answers import Accuracy
from face_deploy.comparison import Comparison

HEADER = ("", "live", "candidate")

Row = tuple[str, str, str]


def rows(comparison: Comparison, live: Mapping[str, Accuracy], candidate: Mapping[str, Accuracy]) -> list[Row]:
    """live, candidate: by subset; empty without labels."""
    old_ms, new_ms = (f"{1000 * seconds / comparison.pictures:.1f}" for seconds in comparison.seconds)
    table: list[Row] = [
        ("faces found", str(comparison.faces[0]), str(comparison.faces[1])),
        ("found by both (IoU ≥ 0.5)", "", f"{comparison.matched}, agreement {_share(comparison.agreement)}"),
        ("the same box (IoU ≥ 0.9)", "", f"{comparison.tight}, agreement {_share(comparison.tight_agreement)}"),
        ("landmarks apart, of the width", "", _share(comparison.landmark_shift)),
        ("ms a picture, on this machine", old_ms, new_ms),
    ]
    for subset in candidate:
        table += _accuracy(subset, live[subset], candidate[subset])
    return table


def _accuracy(subset: str, live: Accuracy, candidate: Accuracy) -> Sequence[Row]:
    of = f"({subset}, {candidate.faces} faces)"
    return [
        (f"average precision {of}", f"{live.average_precision:.3f}", f"{candidate.average_precision:.3f}"),
        (f"recall {of}", f"{live.recall:.3f}", f"{candidate.recall:.3f}"),
        (f"found, but not labelled ({subset})", str(live.false), str(candidate.false)),
    ]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
