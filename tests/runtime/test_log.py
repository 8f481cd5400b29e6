"""Lines in the log: their two forms, and whose fault is an error."""

import json

import pytest

from face_runtime.answers import CALLERS, Refused, Request
from face_runtime.log import Log
from face_runtime.settings import LOG_FORMAT_VARIABLE
from tests.runtime.stand_in import LINES, InferenceRequest


def test_text_is_logfmt_behind_tritons_prefix():
    log = Log("mtcnn", "mtcnn_0_0")
    log.info("executed", requests=2, seconds=0.123456, rows={"pnet": 3, "rnet": 4}, ids=["a", "b c"])
    log.warning("refused", message='it is "bad"', id="")
    log.error("lost")
    assert LINES == [
        ("info", 'mtcnn: executed requests=2 seconds=0.1235 rows.pnet=3 rows.rnet=4 ids=a,"b c"'),
        ("warning", 'mtcnn: refused message="it is \\"bad\\"" id=""'),
        ("error", "mtcnn: lost "),
    ]


def test_json_is_one_object_a_line_on_the_standard_error(monkeypatch, capfd):
    monkeypatch.setenv(LOG_FORMAT_VARIABLE, "json")
    Log("mtcnn", "mtcnn_0_1").warning("refused", id="two\nlines", rows={"pnet": 1})
    assert not LINES
    (line,) = capfd.readouterr().err.splitlines()
    fields = json.loads(line)
    assert fields.pop("time").endswith("+00:00")
    assert fields == {
        "level": "warning",
        "model": "mtcnn",
        "worker": "mtcnn_0_1",
        "event": "refused",
        "id": "two\nlines",
        "rows": {"pnet": 1},
    }


@pytest.mark.parametrize(
    ("reasons", "level"),
    [(CALLERS, "warning"), (("network", "memory", "no_facenet"), "error"), (("cancelled",), "info")],
)
def test_a_callers_fault_is_a_warning_the_servers_an_error_and_a_caller_who_is_gone_neither(reasons, level):
    for reason in reasons:
        request = Request(InferenceRequest(request_id="one"))
        request.refusal = Refused(reason, "why not")
        Log("mtcnn", "mtcnn_0_0").refused(request.outcome)
        assert LINES.pop() == (level, f'mtcnn: refused reason={reason} message="why not" id=one')
