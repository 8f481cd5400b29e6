"""Errors as problem documents: every class of the tree has one."""

import pytest

import face_client.errors
import face_gallery.errors
import face_gateway.errors
from face_client.errors import FaceError, InvalidImage, ServerUnavailable
from face_gateway import problems
from face_gateway.errors import KeyNeeded, NoSuchMethod, TooManyRequests


def tree(kind):
    return {kind, *(each for child in kind.__subclasses__() for each in tree(child))}


OURS = {
    each
    for each in tree(FaceError)
    if each.__module__ in (face_client.errors.__name__, face_gallery.errors.__name__, face_gateway.errors.__name__)
    or each.__module__ == FaceError.__module__
}


def test_every_error_has_a_status_of_its_own_or_of_the_one_above():
    assert len(OURS) > 20
    for error in OURS:
        name, kind = problems.kind_of(error.__new__(error))
        assert kind.status >= 400
        nearest = next(each for each in error.__mro__ if each in problems.KINDS)
        assert name == nearest.__name__
    # What is more than a branch is not left to the fallback.
    told_as_faults = {error.__name__ for error in OURS if problems.kind_of(error.__new__(error))[0] == "FaceError"}
    assert told_as_faults == {"FaceError", "GalleryError", "NotLetIn", "VideoError"}


def test_callers_are_told_what_is_theirs():
    for error in OURS - {FaceError}:
        status = problems.kind_of(error.__new__(error))[1].status
        assert (status < 500) == issubclass(
            error,
            (
                face_client.errors.InvalidInput,
                face_client.errors.ServerOverloaded,
                face_gateway.errors.KeyNeeded,
                face_gateway.errors.NotAllowed,
                face_gateway.errors.NoSuchPath,
                TooManyRequests,
            ),
        ), error


def test_a_problem():
    error = InvalidImage("encoded_image is empty")
    assert problems.document(error, "id-1") == {
        "type": "/problems#InvalidImage",
        "title": "The picture cannot be read",
        "status": 422,
        "detail": "the file is empty",
        "request_id": "id-1",
    }
    error.request_id = "id-1-77"
    answer = problems.response(error, "id-1")
    assert (answer.status_code, answer.media_type) == (422, "application/problem+json")
    assert b'"request_id":"id-1-77"' in answer.body


def test_addresses_behind_the_gateway_stay_there():
    error = ServerUnavailable("failed to connect to all addresses; last error: UNKNOWN: ipv4:10.0.0.7:8001: …")
    assert problems.document(error)["detail"] == "the server that finds the faces cannot be reached"


@pytest.mark.parametrize(
    ("error", "header", "value"),
    [
        (TooManyRequests("slowly", 2.1), "retry-after", "3"),
        (ServerUnavailable("away"), "retry-after", "1"),
        (KeyNeeded("which?"), "www-authenticate", 'Bearer realm="faces"'),
        (NoSuchMethod("no", "POST"), "allow", "POST"),
        (InvalidImage("no"), "retry-after", None),
    ],
)
def test_headers_that_belong_to_a_status(error, header, value):
    assert problems.response(error).headers.get(header) == value


def test_the_page_of_problems_has_them_all():
    page = problems.as_html()
    assert all(f'id="{each.__name__}"' in page for each in problems.KINDS)
