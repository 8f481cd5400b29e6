import io

from face_server.log import LogReader


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
    for lines, reason in (
        ([harmless, failed, "bye"], "failed to load 'pnet' version 1: Internal: no"),
        ([harmless, "error: no port"], "error: no port"),
        ([harmless, "a", "b"], f"{harmless}\na\nb"),
        ([], "it wrote nothing"),
    ):
        log = LogReader(io.StringIO("".join(f"{line}\n" for line in lines)), None)
        log.join()
        assert log.reason() == reason
