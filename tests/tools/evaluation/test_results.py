"""Results on disk: nothing is lost, nothing is mixed; and which pictures are asked for."""

import json

import pytest

from face_client import InvalidInput
from face_tools.evaluation.results import ResultsFile, evenly, missing_files

SETTINGS = {"set": "wider", "parameters": {"min_face_size": 10, "factor": 0.79}}


def test_records_are_there_again(tmp_path):
    path = tmp_path / "new folder" / "results.jsonl"
    with ResultsFile(path, SETTINGS) as results:
        results.add("a/1.jpg", {"faces": [1.5]})
        results.add("b.jpg", {"faces": []})
    with ResultsFile(path, SETTINGS) as results:
        assert len(results) == 2
        assert results["a/1.jpg"] == {"faces": [1.5]}
        assert "b.jpg" in results
        assert "c.jpg" not in results
    assert json.loads(path.read_text().splitlines()[0]) == {"settings": SETTINGS}


def test_what_is_added_is_on_disk_before_the_end(tmp_path):
    results = ResultsFile(tmp_path / "results.jsonl", SETTINGS)
    results.add("a.jpg", {"faces": []})
    assert len((tmp_path / "results.jsonl").read_text().splitlines()) == 2
    results.close()


@pytest.mark.parametrize("cut", range(1, 30))
def test_a_line_that_was_cut_off_is_asked_again(tmp_path, cut):
    path = tmp_path / "results.jsonl"
    with ResultsFile(path, SETTINGS) as results:
        results.add("a.jpg", {"faces": [1]})
        results.add("b.jpg", {"faces": [22]})
    path.write_bytes(path.read_bytes()[:-cut])
    with ResultsFile(path, SETTINGS) as results:
        assert "a.jpg" in results
        assert "b.jpg" not in results
        results.add("b.jpg", {"faces": [3]})
    with ResultsFile(path, SETTINGS) as results:
        assert results["b.jpg"] == {"faces": [3]}


def test_other_settings_are_refused_by_name(tmp_path):
    path = tmp_path / "results.jsonl"
    ResultsFile(path, SETTINGS).close()
    before = path.read_bytes()
    other = {"set": "wider", "parameters": {"min_face_size": 20, "factor": 0.79, "margin": 3}}
    with pytest.raises(InvalidInput) as caught:
        ResultsFile(path, other)
    assert str(caught.value) == (
        f"{path} was made with other settings: parameters.margin not set there and 3 now, "
        "parameters.min_face_size 10 there and 20 now; give the same ones to go on, or choose another folder"
    )
    assert path.read_bytes() == before


@pytest.mark.parametrize("text", ["no JSON\n", "[1]\n", '{"image": "a"}\n', '{"settings": {}}\n{"faces": []}\n'])
def test_another_file_is_refused(tmp_path, text):
    path = tmp_path / "results.jsonl"
    path.write_text(text)
    with pytest.raises(InvalidInput, match="is not a file of results"):
        ResultsFile(path, SETTINGS)


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
