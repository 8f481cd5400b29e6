"""What the stand-ins for other packages share."""

import pickle
import threading

import numpy as np
import pytest
from PIL import Image

from face_client import FaceClient, InvalidInput, facenet_pytorch, mtcnn
from face_client.drop_in import Connection, grey_levels, warn_of_fractions


def test_one_client_for_all_threads():
    connection = Connection("127.0.0.1:1")
    clients = []
    threads = [threading.Thread(target=lambda: clients.append(connection.client)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(clients) == 8
    assert len(set(map(id, clients))) == 1
    assert clients[0].url == "127.0.0.1:1"


def test_a_given_client_is_used():
    with FaceClient("127.0.0.1:1") as client:
        assert Connection("127.0.0.1:2", client).client is client


@pytest.mark.parametrize("make", [facenet_pytorch.MTCNN, facenet_pytorch.InceptionResnetV1, mtcnn.MTCNN])
def test_detectors_travel_to_other_processes(make):
    used = make(url="127.0.0.1:1")
    first = used._connection.client
    copy = pickle.loads(pickle.dumps(used))
    assert copy._connection.client is not first
    assert copy._connection.client.url == "127.0.0.1:1"


def test_a_given_client_travels_too():
    used = mtcnn.MTCNN(client=FaceClient("127.0.0.1:1", timeout=3))
    assert pickle.loads(pickle.dumps(used))._connection.client.timeout == 3


@pytest.mark.parametrize(
    ("picture", "warned"),
    [
        (np.full((9, 9, 3), 0.5), True),
        (np.full((9, 9, 3), 1, np.float16), True),
        (np.zeros((9, 9, 3)), False),
        (np.full((9, 9, 3), 1.5), False),
        (np.ones((9, 9, 3), np.uint8), False),
        (Image.new("F", (9, 9), 0.5), False),
    ],
)
def test_fractions_are_told(picture, warned, recwarn):
    warn_of_fractions(picture, stacklevel=2)
    assert [warning.filename for warning in recwarn] == [__file__] * warned
    assert all("multiply it by 255" in str(warning.message) for warning in recwarn)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int64, np.float16, np.float32, np.float64])
def test_grey_levels_of_every_number_type(dtype):
    numbers = np.arange(120).astype(dtype).reshape(2, 60)
    levels = grey_levels(numbers, "image")
    assert levels.dtype == np.uint8
    np.testing.assert_array_equal(levels, numbers)


def test_fractions_are_rounded():
    np.testing.assert_array_equal(grey_levels(np.array([-0.5, 0.49, 1.51, 254.99998, 255.5]), ""), [0, 0, 2, 255, 255])


@pytest.mark.parametrize("numbers", [[-1], [256], [-0.6], [255.6], [np.nan], [np.inf, 3], [True], ["a"], [1j], [None]])
def test_what_is_no_grey_level(numbers):
    with pytest.raises(InvalidInput, match="image"):
        grey_levels(np.array(numbers), "image")
    assert grey_levels(np.empty((0, 3)), "image").shape == (0, 3)
