"""What Triton says, by gRPC or HTTP, as errors."""

import pytest

from face_client import (
    DeadlineExceeded,
    InvalidImage,
    InvalidInput,
    ModelNotLoaded,
    ServerError,
    ServerOverloaded,
    ServerUnavailable,
    TooManyPixels,
)
from face_client.errors import error_from_http, error_from_status


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("StatusCode.INVALID_ARGUMENT", InvalidInput),
        ("UNAVAILABLE", ServerUnavailable),
        ("StatusCode.DEADLINE_EXCEEDED", DeadlineExceeded),
        ("StatusCode.CANCELLED", ServerUnavailable),
        ("StatusCode.NOT_FOUND", ModelNotLoaded),
        ("StatusCode.INTERNAL", ServerError),
        ("StatusCode.SOMETHING_NEW", ServerError),
        (None, ServerError),
    ],
)
def test_status_to_error(status, kind):
    error = error_from_status(status, "why")
    assert type(error) is kind
    assert str(error) == "why"


def test_the_ensemble_that_a_step_failed_in_is_not_part_of_the_sentence():
    error = error_from_status("INVALID_ARGUMENT", "in ensemble 'face_recognition', factor is 7, must be at most 0.9")
    assert str(error) == "factor is 7, must be at most 0.9"
    assert str(error_from_status("INTERNAL", "lost in ensemble 'x', y")) == "lost in ensemble 'x', y"


def test_a_refusal_that_another_request_of_the_batch_has_earned():
    words = "incomplete string data for inference input 'encoded_image', expecting string of length 5 but only 3 bytes"
    for message in (words, f"in ensemble 'face_recognition', {words}"):
        error = error_from_status("INVALID_ARGUMENT", message)
        assert type(error) is ServerUnavailable
        assert str(error) == f"another request in the same batch was malformed: {words}"
    assert type(error_from_status("INVALID_ARGUMENT", f"selection is '{words}'")) is InvalidInput


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        ("INVALID_ARGUMENT", "encoded_image is damaged or truncated: its pixels cannot be read", InvalidImage),
        ("INVALID_ARGUMENT", "in ensemble 'face_recognition', encoded_image is empty; it must …", InvalidImage),
        ("INVALID_ARGUMENT", "encoded_image has 9x9 = 81 pixels; at most 80 are allowed", TooManyPixels),
        ("INVALID_ARGUMENT", "image has 9x9 pixels, must have at most 80 in all", TooManyPixels),
        ("INVALID_ARGUMENT", "image has 2 times 9x9 pixels, must have at most 80 in all", TooManyPixels),
        ("INVALID_ARGUMENT", "encoded_image has more than 80 pixels in its 2 pictures; send them …", TooManyPixels),
        ("INVALID_ARGUMENT", "selection is 'encoded_image is empty', must be …", InvalidInput),
        ("UNAVAILABLE", "in ensemble 'face_recognition', Exceeds maximum queue size", ServerOverloaded),
        ("INTERNAL", "Stub process 'mtcnn_0_1' is not healthy.", ServerUnavailable),
        ("UNAVAILABLE", "model facenet is not loaded, so there are no embeddings: run `faces export`", ModelNotLoaded),
        ("UNAVAILABLE", "Request for unknown model: 'mtcnn' has no available versions", ServerUnavailable),
    ],
)
def test_words_say_more(status, message, kind):
    assert type(error_from_status(status, message)) is kind


def test_what_says_nothing_of_the_endpoint():
    neighbour = error_from_status("INVALID_ARGUMENT", "incomplete string data for inference input 'encoded_image', x")
    missing = error_from_status("NOT_FOUND", "Request for unknown model: 'x' is not found")
    loading = error_from_status("UNAVAILABLE", "Request for unknown model: 'x' has no available versions")
    gone = error_from_status("UNAVAILABLE", "failed to connect")
    assert [error.of_endpoint for error in (neighbour, missing, loading, gone)] == [False, False, False, True]


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (400, "factor is 7, must be at most 0.9", InvalidInput),
        (400, "encoded_image is empty; it must hold a picture", InvalidImage),
        (400, "Exceeds maximum queue size", ServerOverloaded),
        (400, "selection is 'Exceeds maximum queue size'", InvalidInput),
        (404, "Request for unknown model: 'x' is not found", ModelNotLoaded),
        (429, "slow down", ServerUnavailable),
        (500, "a fault", ServerError),
        (500, "Stub process is not healthy", ServerUnavailable),
        (502, "bad gateway", ServerUnavailable),
        (503, "Exceeds maximum queue size", ServerOverloaded),
        (504, "gateway timeout", DeadlineExceeded),
        (418, "teapot", ServerError),
        (None, "connection refused", ServerUnavailable),
    ],
)
def test_http(status, message, kind):
    error = error_from_http(status, message)
    assert type(error) is kind
    assert str(error) == message
