"""What became of a request."""

import grpc
import pytest

from face_bench.wire import BAD_ANSWERED, EXPECTED, GOOD, REFUSED, REJECTED, WRONG_ANSWER, Request, ask


class Failed(grpc.RpcError):
    def __init__(self, code):
        self._code = code

    def code(self):
        return self._code


class Client:
    """Answers with a number of faces, or fails with a status."""

    def __init__(self, answer):
        self.answer = answer

    def faces(self, _request, timeout):
        assert timeout == 7
        if isinstance(self.answer, grpc.StatusCode):
            raise Failed(self.answer)
        return self.answer


GOOD_REQUEST = Request("a picture", b"", expected=3)
BAD_REQUEST = Request("no picture", b"")


@pytest.mark.parametrize(
    ("request_sent", "answer", "outcome"),
    [
        (GOOD_REQUEST, 3, GOOD),
        (GOOD_REQUEST, 2, WRONG_ANSWER),
        (GOOD_REQUEST, 0, WRONG_ANSWER),
        (GOOD_REQUEST, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT"),
        (GOOD_REQUEST, grpc.StatusCode.UNAVAILABLE, REJECTED),
        (GOOD_REQUEST, grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"),
        (BAD_REQUEST, grpc.StatusCode.INVALID_ARGUMENT, REFUSED),
        (BAD_REQUEST, grpc.StatusCode.INTERNAL, "INTERNAL"),
        (BAD_REQUEST, grpc.StatusCode.UNAVAILABLE, REJECTED),
        (BAD_REQUEST, 0, BAD_ANSWERED),
    ],
)
def test_an_outcome_has_one_word(request_sent, answer, outcome):
    assert ask(Client(answer), request_sent, 7) == outcome


def test_only_faces_and_refusals_are_expected():
    assert set(EXPECTED) == {GOOD, REFUSED}
