"""Parameters in the query, in forms and in JSON: the same names, the same values, one sentence for what is wrong."""

import random
import re

import pytest
from starlette.requests import Request

from face_client.errors import InvalidInput
from face_client.options import PARAMETERS, SELECTIONS
from face_gateway import parameters
from face_gateway.parameters import read_parameters


def request(query=""):
    return Request({"type": "http", "query_string": query.encode(), "headers": []})


def some_options(source, names):
    """Random ones, of the parameters' types and ranges."""
    made = {}
    for name in source.sample(names, source.randrange(len(names))):
        of = PARAMETERS[name]
        if of.type is float:
            made[name] = round(source.uniform(of.low, of.high), 3)
        elif of.type is int:
            made[name] = source.randint(of.low, of.high)
        elif of.type is bool:
            made[name] = source.random() < 0.5
        else:
            made[name] = source.choice(SELECTIONS)
    return made


def test_text_and_json_say_the_same():
    source = random.Random(3)
    names = list(parameters.Crop.model_fields.keys() & PARAMETERS.keys())
    assert sorted(names) == sorted(PARAMETERS)
    for _ in range(300):
        options = some_options(source, names)
        texts = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in options.items()}
        cut = source.randrange(len(options) + 1)
        in_query = dict(list(texts.items())[:cut])
        in_form = dict(list(texts.items())[cut:])
        query = "&".join(f"{name}={value}" for name, value in in_query.items())
        assert read_parameters(parameters.Crop, request(query), in_form).options == options
        assert read_parameters(parameters.Crop, request(), options).options == options


def test_nothing_said_is_nothing_sent():
    assert read_parameters(parameters.Detect, request(), {}).options == {}


@pytest.mark.parametrize(
    ("query", "fields", "sentence"),
    [
        ("", {"image": "photo.jpg"}, "'image' is no file: send image=@photo.jpg in a form"),
        ("min_face=3", {}, "parameter 'min_face' is unknown, known are min_face_size, "),
        ("", {"image_size": 9}, "parameter 'image_size' is unknown"),
        ("min_face_size=3", {}, "min_face_size is '3': it must be greater than or equal to 10"),
        ("min_face_size=nan", {}, "min_face_size is 'nan': it must be a finite number"),
        ("", {"max_faces": 1.5}, "max_faces is '1.5': it must be a valid integer"),
        ("", {"max_faces": None}, "max_faces is 'None'"),
        ("rotations=perhaps", {}, "rotations is 'perhaps': it must be a valid boolean"),
        ("selection=best", {}, "selection is 'best': it must be 'all', 'largest'"),
        ("min_face_size=20&min_face_size=30", {}, "'min_face_size' is there twice"),
        ("min_face_size=20", {"min_face_size": 20}, "'min_face_size' is there twice"),
    ],
)
def test_what_is_wrong_is_one_sentence(query, fields, sentence):
    with pytest.raises(InvalidInput, match=re.escape(sentence)):
        read_parameters(parameters.Detect, request(query), fields)


def test_objects_and_lists_come_as_text_too():
    wanted = read_parameters(parameters.Identify, request('collections=a, b&where={"site": 1}'), {})
    assert (wanted.collections, wanted.where) == (["a", "b"], {"site": 1})
    wanted = read_parameters(parameters.Identify, request(), {"collections": ["a,b"], "where": {"site": 1}})
    assert (wanted.collections, wanted.where) == (["a,b"], {"site": 1})
    assert read_parameters(parameters.Identify, request('collections=["a,b"]'), {}).collections == ["a,b"]
    with pytest.raises(InvalidInput, match=r"where is '\{': it must be JSON"):
        read_parameters(parameters.Identify, request("where={"), {})
    with pytest.raises(InvalidInput, match="person is missing: whose faces these are"):
        read_parameters(parameters.Enrol, request(), {})


def test_what_a_form_is_built_of():
    told = parameters.described()
    assert list(told) == list(PARAMETERS)
    assert told["threshold_pnet"] == {
        "type": "number",
        "default": 0.6,
        "help": PARAMETERS["threshold_pnet"].text,
        "minimum": 0.1,
        "maximum": 1,
    }
    assert told["selection"]["choices"] == list(SELECTIONS)
