"""Pictures in, names out: both galleries over a client whose server is made."""

import asyncio
import io
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from face_client import AsyncFaceClient, FaceClient
from face_client.errors import InvalidImage, InvalidInput, NoFace
from face_client.messages import Response
from face_gallery import AsyncGallery, FaceRefused, Gallery
from face_gallery.quality import DEFAULT_GATE, LIMITS, Gate
from face_gallery.records import checked_name
from tests.fakes import FakeTransport, answer
from tests.gallery.people import units

_ANY = dict.fromkeys(("max_yaw", "max_pitch", "max_roll", "max_burnt"), 1000.0)
_NONE = {**_ANY, **{limit.name: 0.0 for limit in LIMITS if limit.is_least}}
"""The limits of a gate that lets pass any face."""


def picture(number: int) -> bytes:
    """Whose width says which person it shows."""
    file = io.BytesIO()
    Image.new("RGB", (100 + number, 200)).save(file, "PNG")
    return file.getvalue()


def reply(request):
    """A face of 80 pixels of the person that the picture's width says; two where it is odd, none where it is 100."""
    width = Image.open(io.BytesIO(request.inputs["encoded_image"][0, 0])).size[0]
    number = width - 100
    count = 0 if number == 0 else 1 + number % 2
    response = answer(count)
    outputs = dict(response.outputs)
    outputs["boxes"] = np.array([[10, 10, 90 - 10 * i, 100] for i in range(count)], np.float32).reshape(1, count, 4)
    outputs["embeddings"] = units(2, number)[np.newaxis, :count]
    return type(response)(outputs)


@contextmanager
def opened(folder, gate):
    transport = FakeTransport(reply)
    with FaceClient(transport=transport) as client, Gallery(client, folder / "a.gallery", gate=gate) as gallery:
        yield gallery


@pytest.fixture
def gallery(tmp_path):
    with opened(tmp_path, None) as gallery:
        yield gallery


def test_enrolled_and_identified(gallery):
    enrolled = gallery.add("Ada", [picture(2), picture(4)], metadata={"site": "A"})
    assert (enrolled.person, len(enrolled.faces), enrolled.refused) == ("Ada", 2, [])
    gallery.add("Bo", [picture(6)])
    (found,) = gallery.identify(picture(4))
    assert found.person == "Ada"
    assert found.distance == pytest.approx(0, abs=1e-3)
    assert found.match.metadata == {"site": "A"}
    assert [(person.name, person.faces) for person in gallery.people()] == [("Ada", 2), ("Bo", 1)]
    assert gallery.verify("Bo", picture(6)).same
    assert not gallery.verify("Bo", picture(2)).same
    assert gallery.remove("Ada") == 2
    assert [found.person for found in gallery.identify(picture(4))] == [None]


def test_the_crop_is_kept_and_where_it_was(gallery):
    gallery.add("Ada", [picture(2)])
    (face,) = gallery.store.faces()
    assert Image.open(io.BytesIO(face.crop)).size == (160, 160)
    assert face.details["box"] == [10.0, 10.0, 90.0, 100.0]
    assert gallery.client.recognize(picture(2)).weights is not None


def test_a_picture_that_will_not_do_is_told_and_loses_no_other(gallery):
    enrolled = gallery.add("Ada", [picture(0), picture(2), b"no picture"])
    assert len(enrolled.faces) == 1
    assert [(number, type(error)) for number, error in enrolled.refused] == [(0, NoFace), (2, InvalidImage)]
    with pytest.raises(NoFace, match="no face was found"):
        gallery.add("Bo", [picture(0)])
    with pytest.raises(InvalidInput, match="there are no pictures of 'Bo'"):
        gallery.add("Bo", [])
    assert [person.name for person in gallery.people()] == ["Ada"]


def test_the_gate_refuses_and_force_does_not(tmp_path):
    with opened(tmp_path, DEFAULT_GATE) as gallery:
        with pytest.raises(FaceRefused, match="shows 2 faces"):
            gallery.add("Ada", [picture(3)])
        assert len(gallery.add("Ada", [picture(3)], force=True).faces) == 1
        (found,) = gallery.identify(picture(3))[:1]
        assert found.person == "Ada"


@pytest.mark.parametrize(
    ("second", "probability", "refused"),
    [((100, 10, 180, 100), 0.95, True), ((100, 10, 160, 60), 0.95, True), ((100, 10, 130, 40), 0.95, False)],
)
def test_small_and_unlikely_faces_behind_do_not_count(tmp_path, second, probability, refused):
    """A second face as large, of five eighths and of three eighths of the first one's size."""

    def two(sure):
        def reply_with(request):
            outputs = dict(reply(request).outputs)
            outputs["boxes"] = np.array([[[10, 10, 90, 100], second]], np.float32)
            outputs["probabilities"] = np.array([[0.99, sure]], np.float32)
            return Response(outputs)

        return reply_with

    gate = Gate(**{**_NONE, "min_probability": 0.9})
    for sure, is_refused in ((probability, refused), (0.7, False)):
        transport = FakeTransport(two(sure))
        with FaceClient(transport=transport) as client, Gallery(client, tmp_path / "a.gallery", gate=gate) as gallery:
            if is_refused:
                with pytest.raises(FaceRefused, match="shows 2 faces"):
                    gallery.add("Ada", [picture(3)])
            else:
                assert len(gallery.add("Ada", [picture(3)]).faces) == 1


def test_identified_only_if_good_enough(tmp_path):
    transport = FakeTransport(reply)
    with FaceClient(transport=transport) as client, Gallery(client, tmp_path / "a.gallery", gate=None) as gallery:
        gallery.add("Ada", [picture(2)])
        (found,) = gallery.identify(picture(2))
        assert (found.person, found.refusals) == ("Ada", ())
        assert "faces" not in transport.requests[-1].outputs
        (found,) = gallery.identify(picture(2), gate=DEFAULT_GATE)
        assert "faces" in transport.requests[-1].outputs, "what is judged is in the crop"
        assert found.person is None is found.match
        assert any("sharpness" in refusal for refusal in found.refusals)
        assert found.to_dict()["refusals"] == found.refusals
        assert found.candidates[0].person == "Ada"
        (found,) = gallery.identify(picture(2), gate=Gate(**_NONE))
        assert found.person == "Ada"


def test_who_looks_like_somebody_else_is_refused(tmp_path):
    with opened(tmp_path, Gate(min_size=0)) as gallery:
        gallery.add("Ada", [picture(2)], force=True)
        with pytest.raises(FaceRefused, match=r"looks like 'Ada' \(distance 0\.00, below 1\.10\)"):
            gallery.add("Bo", [picture(2)])


@pytest.mark.parametrize("name", ["", " Ada", "Ada\n", "a" * 201, "nul\0", "\ud800", 7])
def test_names_that_cannot_be(gallery, name):
    with pytest.raises(InvalidInput, match="person is"):
        gallery.add(name, [picture(2)])


def test_names_are_what_they_look_like(gallery):
    assert checked_name("person", "Jose\u0301") == "José"
    gallery.add("Jose\u0301", [picture(2)])
    assert gallery.verify("José", picture(2)).same
    odd = "Robert'); DROP TABLE people;-- % ? \" 😀"
    gallery.add(odd, [picture(4)])
    assert [found.person for found in gallery.identify(picture(4))] == [odd]
    assert gallery.remove(odd) == 1


def nested(levels):
    return {"a": nested(levels - 1)} if levels else {}


@pytest.mark.parametrize(
    "metadata", [[1], {"a": float("nan")}, {"a": object()}, {1: 2}, "text", {"a": "\ud800"}, {"\ud800": 1}, nested(22)]
)
def test_metadata_that_is_none(gallery, metadata):
    with pytest.raises(InvalidInput, match="metadata "):
        gallery.add("Ada", [picture(2)], metadata=metadata)


def test_exported_and_imported(gallery, tmp_path):
    gallery.add("Ada", [picture(2), picture(4)], metadata={"site": "A"})
    assert gallery.export(tmp_path / "a.parquet") == 2
    gallery.remove("Ada")
    assert gallery.import_(tmp_path / "a.parquet").faces == 2
    (found,) = gallery.identify(picture(4))
    assert (found.person, found.match.metadata) == ("Ada", {"site": "A"})


def test_asynchronous_is_the_same(tmp_path):
    async def work():
        client = AsyncFaceClient(transport=_Asynchronous())
        async with client, AsyncGallery(client, tmp_path / "a.gallery", gate=None) as gallery:
            await gallery.add("Ada", [picture(2), picture(4)])
            assert [found.person for found in await gallery.identify(picture(4))] == ["Ada"]
            assert (await gallery.verify("Ada", picture(2))).same
            assert [person.name for person in await gallery.people()] == ["Ada"]
            assert await gallery.remove("Ada") == 2

    asyncio.run(work())


class _Asynchronous:
    """The made server for asyncio."""

    def __init__(self):
        self._made = FakeTransport(reply)

    async def is_ready(self, model, timeout):
        return self._made.is_ready(model, timeout)

    async def infer(self, *arguments, **options):
        return self._made.infer(*arguments, **options)

    async def close(self):
        self._made.close()
