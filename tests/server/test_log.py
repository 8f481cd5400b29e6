import io
import json

from face_server.log import LogReader, json_line


def test_a_reader_that_goes_away_does_not_stop_the_reading():
    told = []

    def sink(line):
        told.append(line)
        if len(told) == 2:
            raise BrokenPipeError

    log = LogReader(io.StringIO("one\ntwo\nthree\nfour\n"), sink)
    log.join()
    assert told == ["one", "two"]
    assert log.lines == ["one", "two", "three", "four"]


def test_the_reason_is_the_model_that_did_not_load_else_the_last_word():
    harmless = 'E1122 05:00:00.000001 42 pinned.cc:1] "CudaDriverHelper has not been initialized."'
    failed = "E1122 05:00:00.000002 42 life.cc:642] \"failed to load 'pnet' version 1: Internal: no\""
    traced = (
        "E1122 05:00:00.000002 42 x.cc:1] \"failed to load 'onet' version 1: Internal: ValueError: /m/1/model.pt is "
        'damaged: \\"x\\"\\n\\nAt:\\n  /m/model.py(44): initialize\\n"'
    )
    by_callers = ['E1122 05:00:00.000003 42 x.cc:1] "a request"', 'mtcnn: refused ids=5d2a message="factor is 7"']
    once = "pnet gives 2 outputs; run `faces export` again"
    twice = f"{once};"
    silent = "its log does not say why"
    for lines, reason in (
        ([harmless, failed, "bye"], "model 'pnet' cannot be loaded: no"),
        ([traced, traced.replace("onet'", "mtcnn'")], "model 'onet' cannot be loaded: /m/1/model.pt is damaged: \"x\""),
        (
            [failed.replace("no", f"sample 'faces': {twice} {twice}")],
            f"model 'pnet' cannot be loaded: sample 'faces': {once}",
        ),
        ([harmless, "error: no port"], "error: no port"),
        ([*by_callers, "Signal (11) received."], "Signal (11) received."),
        ([harmless, "a", *by_callers], silent),
        ([], silent),
    ):
        log = LogReader(io.StringIO("".join(f"{line}\n" for line in lines)), None)
        log.join()
        assert log.reason() == reason


def test_lines_of_triton_as_json():
    quoted = 'W1122 05:00:00.000001 42 log.py:49] "mtcnn: refused message=\\"factor is 7\\" id=\\u00fc"'
    bare = "I1122 05:00:00.000001 42 pb_stub.cc:2145]  Non-graceful termination detected. "
    broken = 'E1122 05:00:00.000001 42 server.cc:631] "begins here'
    for line, level, source, message in (
        (quoted, "warning", "log.py:49", 'mtcnn: refused message="factor is 7" id=ü'),
        (bare, "info", "pb_stub.cc:2145", " Non-graceful termination detected. "),
        (broken, "error", "server.cc:631", "begins here"),
    ):
        fields = json.loads(json_line(line))
        assert fields.pop("time").endswith("+00:00")
        assert fields == {"level": level, "source": source, "message": message}


def test_other_lines_as_json():
    assert json.loads(json_line("Traceback:"))["message"] == "Traceback:"
    ours = '{"event": "executed"}'
    assert json_line(ours) == ours
