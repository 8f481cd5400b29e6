"""FaceClient against the real server: every way to give an image, and every option."""

import io

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from face_client import FaceClient, InvalidImage, InvalidInput, ModelNotLoaded, TooManyPixels
from tests.e2e.test_batching import assert_same
from tests.pictures import DATA, astronaut, reference, wall

PATH = DATA / "astronaut.png"


@pytest.mark.parametrize("image", [PATH, str(PATH), PATH.read_bytes(), Image.open(PATH), astronaut()])
def test_any_kind_of_image(client, image):
    faces = client.detect(image)
    np.testing.assert_allclose(faces.boxes, reference("astronaut.png", 20)[0], atol=0.002)
    assert (faces.width, faces.height) == (512, 512)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "HEIF", "AVIF", "JPEG2000", "PPM"])
def test_every_format_decodes_on_the_server_as_it_does_here(client, kind):
    pillow_heif.register_heif_opener()
    buffer = io.BytesIO()
    Image.fromarray(astronaut()).save(buffer, kind)
    here = np.array(Image.open(io.BytesIO(buffer.getvalue())).convert("RGB"))
    assert_same(client.detect(buffer.getvalue()), client.detect(here))


def test_the_exif_orientation_is_applied(client):
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.fromarray(astronaut()).transpose(Image.Transpose.ROTATE_90).save(buffer, "PNG", exif=exif)
    assert_same(client.detect(buffer.getvalue()), client.detect(astronaut()))


def test_options(client):
    picture = wall()
    everyone = client.detect(picture)
    assert len(client.detect(picture, min_face_size=100)) < len(everyone)
    assert len(client.detect(picture, max_faces=3)) == 3
    largest = client.detect(picture, selection="largest")
    np.testing.assert_allclose(largest.boxes, everyone.boxes[:1], atol=1e-3)
    assert client.detect(picture, selection="probability").probabilities[0] == everyone.probabilities.max()
    assert len(client.detect(picture, threshold_onet=1.0)) == 0


def test_crops(client):
    faces = client.detect(astronaut(), crops=True, image_size=182, margin=32)
    expected = np.load(DATA / "astronaut_crops.npz")["margin32_size182"]
    # A box that differs in its last bits may round to another pixel; here none does.
    np.testing.assert_array_equal(faces.crops, expected)


def test_max_side_gives_boxes_in_the_callers_pixels(client):
    faces = client.detect(wall(), max_side=960)
    (small,) = client.detect(astronaut(), max_side=256)
    assert len(faces) >= 8
    np.testing.assert_allclose(small.box, reference("astronaut.png", 20)[0][0], atol=6)


def test_a_batch_goes_on_after_a_bad_image(client):
    answers = list(client.detect_each([PATH, b"junk", astronaut()]))
    assert [type(answer).__name__ for answer in answers] == ["Faces", "InvalidImage", "Faces"]


def test_errors(client):
    with pytest.raises(InvalidInput, match="min_face_size is 1, must be from 10"):
        client.detect(PATH, min_face_size=1)
    with pytest.raises(InvalidImage):
        client.detect(b"junk")


def test_a_truncated_file_is_an_invalid_image_whoever_reads_it(client):
    """This process does where it shrinks the picture, else the server."""
    data = PATH.read_bytes()
    for half in (data[: len(data) // 2], data[:20]):
        errors = []
        for max_side in (None, 100):
            with pytest.raises(InvalidImage) as raised:
                client.detect(half, max_side=max_side)
            errors.append(raised.value)
        assert type(errors[0]) is type(errors[1]) is InvalidImage
        assert str(errors[0]) == str(errors[1])


def test_too_many_pixels(client, encode):
    with pytest.raises(TooManyPixels, match=r"encoded_image has 10000x5001 = 50010000 pixels; at most 50000000"):
        client.detect(encode(Image.new("1", (10000, 5001)), "PNG"))
    with pytest.raises(TooManyPixels, match=r"^image has 10000x5001 pixels, must have at most 50,000,000"):
        client.detect(np.zeros((5001, 10000), np.uint8))


def test_the_size_of_a_file_is_that_of_the_upright_picture(client, encode):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = client.detect(encode(Image.open(PATH).convert("RGB").resize((300, 200)), "JPEG", exif=exif))
    assert (turned.width, turned.height) == (200, 300)


def test_a_model_that_the_server_lacks_is_said_at_once(triton):
    absent = pytest.raises(ModelNotLoaded, match="'facenet2' is not found")
    with FaceClient(triton.grpc_url, model="facenet2", retries=1000, timeout=1000) as client, absent:
        client.detect(PATH)
