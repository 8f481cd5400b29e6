"""What the measurement of identification says of the searches that it saw."""

from face_bench.identification import _searches
from face_bench.metrics import parse


def growth(counts):
    """counts: searches with at most so many faces, by their bucket."""
    lines = [f'face_names_batch_faces_bucket{{le="{most}"}} {count}' for most, count in counts.items()]
    return parse("\n".join([*lines, "face_names_batch_faces_sum 24", "face_names_batch_faces_count 4", ""]))


def test_searches_are_told_by_how_many_faces_met():
    grown = growth({1: 1, 2: 1, 4: 1, 8: 2, 16: 4, 32: 4, 64: 4})
    assert list(_searches(grown)) == ["6.0 on average of 4", "0 to 1 in 25 %", "5 to 8 in 25 %", "9 to 16 in 50 %"]
    assert list(_searches(parse("face_names_batch_faces_count 0\n"))) == []
