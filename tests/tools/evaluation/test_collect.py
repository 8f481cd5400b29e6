"""Which pictures are asked for."""

import pytest

from face_client import InvalidInput
from face_tools.evaluation.results import ResultsFile, evenly, missing_files


@pytest.mark.parametrize(
    ("count", "expected"),
    [(None, "abcdefghij"), (10, "abcdefghij"), (99, "abcdefghij"), (1, "a"), (3, "adg"), (4, "acfh")],
)
def test_spread_over_the_list(count, expected):
    assert "".join(evenly(list("abcdefghij"), count)) == expected


def test_a_longer_try_out_never_names_a_picture_twice():
    for count in range(1, 20):
        assert len(set(evenly([str(i) for i in range(20)], count))) == count


def test_missing_files(tmp_path):
    (tmp_path / "there").touch()
    pictures = {name: tmp_path / name for name in ("there", "known", "gone")}
    with ResultsFile(tmp_path / "results.jsonl", {}) as results:
        results.add("known", {})
        assert missing_files(pictures, results) == ["gone"]
        assert missing_files({}, results) == []
        with pytest.raises(InvalidInput, match="none of the 1 pictures is there; gone was looked for at"):
            missing_files({"gone": tmp_path / "gone"}, results)
