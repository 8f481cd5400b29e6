"""What the REST API answers is what gRPC answers, number for number."""

import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from face_client.similarity import compare_faces
from face_tools.blur.covering import blur_faces
from face_tools.blur.selecting import RECALL
from tests.e2e.gateway.asking import (
    IMAGE,
    NO_PICTURE,
    PORTRAIT,
    PROBLEM,
    as_json,
    encoded,
    form,
    of_data_url,
    some_pictures,
)
from tests.pictures import astronaut, wall


def answer_of(response, kind="application/json"):
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == kind
    return response.json()


def only(response):
    """The one picture of an answer, without its name."""
    (image,) = answer_of(response)["images"]
    del image["image"]
    return image


@pytest.mark.parametrize("options", [{}, {"min_face_size": 40, "threshold_onet": 0.9, "max_faces": 3}])
def test_three_kinds_of_bodies_and_grpc_agree(paged, client, options):
    file = encoded(wall(), "JPEG")
    expected = json.loads(json.dumps(client.detect(file, **options).to_dict()))
    assert len(expected["faces"]) >= 3
    raw = only(paged.post("/v1/detect", data=file, headers=IMAGE, params=options))
    assert raw == expected
    assert only(paged.post("/v1/detect", files=form(file), data=options)) == expected
    assert only(paged.post("/v1/detect", files=form(file), params=options)) == expected
    assert only(paged.post("/v1/detect", **as_json(file, **options))) == expected


def test_embeddings_and_weights_are_those_of_grpc(paged, client):
    expected = client.recognize(PORTRAIT)
    found = only(paged.post("/v1/recognize", data=PORTRAIT, headers=IMAGE))
    (face,) = found["faces"]
    np.testing.assert_array_equal(np.float32(face["embedding"]), expected.embeddings[0])
    assert found["weights"] == expected.weights.to_dict()
    assert found["weights"]["random"] is True
    assert face["box"] == expected.to_dict()["faces"][0]["box"]


def test_several_pictures_are_each_alone_also_among_many_callers(paged, client):
    files = some_pictures(24)
    expected = [json.loads(json.dumps(client.detect(file).to_dict())) for file in files]
    assert len({len(each["faces"]) for each in expected}) > 1

    def ask(start):
        some = [(start + step) % len(files) for step in range(7)]
        found = answer_of(paged.post("/v1/detect", files=form(*(files[each] for each in some))))["images"]
        names = [each.pop("image") for each in found]
        return names == [f"{number}.png" for number in range(7)] and found == [expected[each] for each in some]

    with ThreadPoolExecutor(12) as pool:
        assert all(pool.map(ask, range(24)))


def test_a_bad_picture_has_its_problem_in_its_place(paged, client):
    good, bad, last = answer_of(paged.post("/v1/detect", files=form(PORTRAIT, NO_PICTURE, PORTRAIT)))["images"]
    assert good["faces"] == last["faces"] == json.loads(json.dumps(client.detect(PORTRAIT).to_dict()))["faces"]
    assert bad["error"]["type"] == "/problems#InvalidImage"
    assert "not a picture in a known format" in bad["error"]["detail"]
    alone = paged.post("/v1/detect", files=form(NO_PICTURE))
    assert (alone.status_code, alone.headers["Content-Type"]) == (422, PROBLEM)
    assert alone.json()["detail"] == bad["error"]["detail"]


def test_what_is_wrong_with_a_parameter_is_said(paged):
    for options, sentence in (
        ({"min_face_size": 1}, "min_face_size is '1'"),
        ({"min_face": 40}, "parameter 'min_face' is unknown, known are min_face_size"),
        ({"threshold_pnet": "nan"}, "threshold_pnet is 'nan'"),
    ):
        told = paged.post("/v1/detect", data=PORTRAIT, headers=IMAGE, params=options)
        assert (told.status_code, told.headers["Content-Type"]) == (400, PROBLEM)
        assert told.json()["detail"].startswith(sentence)


def test_two_pictures_are_compared(paged, client):
    mirrored = encoded(np.ascontiguousarray(astronaut()[:, ::-1]))
    first, second = (client.recognize(file, max_faces=1, selection="largest") for file in (PORTRAIT, mirrored))
    expected = compare_faces(first, second, 0.5, random_weights=True)
    told = answer_of(paged.post("/v1/compare", files=form(PORTRAIT, mirrored), data={"threshold": 0.5}))
    assert told.pop("images") == ["0.png", "1.png"]
    weights = first.weights.to_dict()
    assert told == json.loads(json.dumps({**expected._asdict(), "threshold": 0.5, "weights": weights}))
    no_face = paged.post("/v1/compare", files=form(PORTRAIT, encoded(np.zeros((60, 70, 3), np.uint8))))
    assert (no_face.status_code, no_face.json()["type"]) == (422, "/problems#NoFace")


def test_crops_are_those_of_grpc(paged, client):
    file = encoded(wall(), "JPEG")
    expected = client.detect(file, crops=True, image_size=96)
    options = {"image_size": 96}
    told = only(paged.post("/v1/crop", data=file, headers=IMAGE, params=options))
    for face, crop in zip(told["faces"], expected.crops, strict=True):
        np.testing.assert_array_equal(of_data_url(face["crop"]), crop)
    zipped = paged.post("/v1/crop", data=file, headers={**IMAGE, "Accept": "application/zip"}, params=options)
    assert zipped.headers["Content-Type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(zipped.content))
    answer = json.loads(archive.read("answer.json"))
    assert len(archive.namelist()) == len(expected.crops) + 1
    for face, crop in zip(answer["images"][0]["faces"], expected.crops, strict=True):
        np.testing.assert_array_equal(Image.open(archive.open(face["crop"])), crop)


def test_faces_are_covered_as_the_command_covers_them(paged, client):
    file = encoded(wall(), "PNG")
    options = {"method": "pixelate", "shape": "box", "format": "png"}
    faces = client.detect(file, **RECALL)
    expected = blur_faces(wall(), faces, method="pixelate", shape="box", grow=0.3)
    assert not np.array_equal(expected, wall())

    def ask(accept):
        headers = {**IMAGE, "Accept": accept}
        response = paged.post("/v1/blur", data=file, headers=headers, params=options)
        assert response.status_code == 200, response.text
        return response

    as_picture = ask("image/*")
    assert as_picture.headers["Content-Type"] == "image/png"
    np.testing.assert_array_equal(Image.open(io.BytesIO(as_picture.content)), expected)
    told = only(ask("application/json"))
    np.testing.assert_array_equal(of_data_url(told["picture"]), expected)
    assert [face["box"] for face in told["faces"]] == [face["box"] for face in faces.to_dict()["faces"]]
    archive = zipfile.ZipFile(io.BytesIO(ask("application/zip").content))
    (image,) = json.loads(archive.read("answer.json"))["images"]
    np.testing.assert_array_equal(Image.open(archive.open(image["picture"])), expected)


def test_somebody_is_enrolled_identified_and_forgotten(paged):
    mirrored = encoded(np.ascontiguousarray(astronaut()[:, ::-1]))
    fields = {"person": "Ada", "collection": "guests", "metadata": json.dumps({"site": "A"})}
    enrolled = answer_of(paged.post("/v1/gallery/people", files=form(PORTRAIT, NO_PICTURE), data=fields))
    assert (enrolled["person"], enrolled["faces"]) == ("Ada", 1)
    (refused,) = enrolled["refused"]
    assert (refused["image"], refused["error"]["type"]) == ("1.png", "/problems#InvalidImage")
    (person,) = answer_of(paged.get("/v1/gallery/people", params={"collection": "guests"}))["people"]
    assert (person["person"], person["faces"], person["metadata"]) == ("Ada", 1, {"site": "A"})

    def who(file, **options):
        options = {"threshold": 0.02, "collections": "guests", **options}
        (face,) = only(paged.post("/v1/identify", data=file, headers=IMAGE, params=options))["faces"]
        return face

    known = who(PORTRAIT)
    assert (known["person"], known["collection"], known["candidates"][0]["metadata"]) == (
        "Ada",
        "guests",
        {"site": "A"},
    )
    assert known["distance"] < 0.002
    assert who(mirrored)["person"] is None
    assert who(PORTRAIT, where=json.dumps({"site": "B"}))["candidates"] == []
    forgotten = answer_of(paged.ask("DELETE", "/v1/gallery/people/Ada", params={"collection": "guests"}))
    assert forgotten == {"person": "Ada", "collection": "guests", "faces": 1}
    assert who(PORTRAIT)["person"] is None
    again = paged.ask("DELETE", "/v1/gallery/people/Ada", params={"collection": "guests"})
    assert (again.status_code, again.json()["type"]) == (404, "/problems#UnknownPerson")


def test_metadata_may_be_any_json(paged):
    """But nothing that could not be told again: JSON can say half of a surrogate pair, which UTF-8 cannot."""
    deep = '{"a": ' + "[" * 200 + "]" * 200 + "}"
    texts = {'{"a": "\\ud83d\\ude00", "b": [null, 1.5]}': 200, '{"a": "\\ud800"}': 400, '{"a": 1e999}': 400, deep: 400}
    for text, status in texts.items():
        fields = {"person": "Bo", "collection": "odd", "metadata": text, "force": "true"}
        enrolled = paged.post("/v1/gallery/people", files=form(PORTRAIT), data=fields)
        assert enrolled.status_code == status, enrolled.text
    (person,) = answer_of(paged.get("/v1/gallery/people", params={"collection": "odd"}))["people"]
    assert person["metadata"] == {"a": "😀", "b": [None, 1.5]}
    for where, status in (('{"a": "😀"}', 200), ('{"a": "\\ud800"}', 400)):
        asked = {"collections": "odd", "where": where}
        identified = paged.post("/v1/identify", data=PORTRAIT, headers=IMAGE, params=asked)
        assert identified.status_code == status, identified.text


def test_what_the_service_can_do(paged):
    told = answer_of(paged.get("/v1/service"))
    assert {name: told[name] for name in ("recognition", "identification", "enrolment", "keys")} == {
        "recognition": True,
        "identification": True,
        "enrolment": True,
        "keys": False,
    }
    assert told["parameters"]["min_face_size"]["type"] == "number"
