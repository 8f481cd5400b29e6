"""When an execution is told of: after its callers have their answers, in order, and before the process ends."""

import threading

import pytest

from face_runtime.answers import Outcome
from face_runtime.log import Log
from face_runtime.observer import Observer
from face_runtime.record import Record
from tests.runtime.stand_in import LINES, METRICS


@pytest.fixture
def observer():
    return Observer("mtcnn_0_0", Log("mtcnn", "mtcnn_0_0"), log_executions=True)


def record(faces):
    made = Record()
    with made.stage("decode"):
        made.faces.append(faces)
    return made


def outcomes(name):
    return [Outcome(name, None, "")]


def test_who_has_an_answer_does_not_wait_until_it_is_told(observer, monkeypatch):
    go = threading.Event()
    monkeypatch.setattr(observer._process, "update", lambda: go.wait(60))
    observer.executed(outcomes("a"), record(1))
    assert not LINES
    go.set()
    for name in "bcd":
        observer.executed(outcomes(name), record(2))
    observer.close()
    assert [text.rpartition("ids=")[2] for _, text in LINES] == ["a", "b", "c", "d"]
    assert METRICS["mtcnn_image_faces", ""] == [1, 2, 2, 2]
    assert len(METRICS["mtcnn_stage_seconds", "decode"]) == 4


def test_at_most_one_execution_is_not_told_yet(observer, monkeypatch):
    go, told = threading.Event(), []
    monkeypatch.setattr(observer._process, "update", lambda: go.wait(60))
    observer.executed(outcomes("a"), record(1))
    second = threading.Thread(target=lambda: told.append(observer.executed(outcomes("b"), record(1))))
    second.start()
    second.join(0.05)
    assert not told
    go.set()
    second.join(60)
    assert told
    observer.close()
    assert len(LINES) == 2


def test_what_goes_wrong_comes_out_with_the_next(observer, monkeypatch):
    def fails():
        raise OSError("no such file")

    with monkeypatch.context() as broken:
        broken.setattr(observer._process, "update", fails)
        observer.executed(outcomes("a"), record(1))
        observer._reporter.submit(lambda: None).result()
    with pytest.raises(OSError, match="no such file"):
        observer.executed(outcomes("b"), record(1))
    observer.executed(outcomes("c"), record(1))
    observer.close()
    assert [text.rpartition("ids=")[2] for _, text in LINES] == ["b", "c"]
