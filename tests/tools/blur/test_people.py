"""`faces blur --gallery`: whose faces are covered, and what happens to those of whom nobody can be sure."""

import json

import numpy as np
import pytest
from PIL import Image

from face_client import InvalidInput
from face_client.errors import UnfitWeights
from face_command.main import main
from face_gallery.errors import GalleryUnavailable, UnknownPerson
from face_gallery.opening import open_store
from face_gallery.register import Register
from face_tools.blur.people import But, Only
from tests import clips
from tests.fakes import TRAINED as SERVED
from tests.gallery.people import OTHERS, TRAINED, enrol, faces_of, near, units

pytestmark = pytest.mark.usefixtures("plain")

PEOPLE = units(3)


@pytest.fixture
def where(tmp_path):
    """Ada, Ben and Cy."""
    path = tmp_path / "people.gallery"
    with open_store(path) as store:
        enrol(store, PEOPLE, ["Ada", "Ben", "Cy"])
    return path


@pytest.fixture
def register(where):
    with open_store(where) as store:
        yield Register(store)


def between(first, second):
    """Like both."""
    row = first + second
    return row / np.linalg.norm(row)


STRANGER = units(1, seed=99)[0]
ADA, BEN, CY = PEOPLE


def judged(selection, rows, width=None):
    """For each face alone: who it is, and whether it is covered."""
    faces = faces_of(np.array(rows, np.float32))
    if width is not None:
        faces.boxes[:, 2] = faces.boxes[:, 0] + width
    persons = selection.persons(faces)
    return [(person, selection.covers({person: 1}, {person: 1})) for person in persons]


def test_only_some_are_covered(register):
    close = near(PEOPLE, 0.3)
    assert judged(Only(register, ["Ada", "Cy"]), [*close, STRANGER]) == [
        ("Ada", True),
        ("Ben", False),
        ("Cy", True),
        (None, False),
    ]


def test_all_but_some_are_covered(register):
    close = near(PEOPLE, 0.3)
    assert judged(But(register, ["Ada", "Cy"]), [*close, STRANGER]) == [
        ("Ada", False),
        ("Ben", True),
        ("Cy", False),
        (None, True),
    ]


def test_who_looks_like_two_is_covered_either_way(register):
    both = between(ADA, BEN)
    for name in ("Ada", "Ben"):
        assert judged(Only(register, [name]), [both]) == [(name, True)]
        assert judged(But(register, [name]), [both]) == [(None, True)]
    assert judged(But(register, ["Ada", "Ben"]), [both])[0][1] is False


def test_a_poor_face_is_nobodys_proof(register):
    assert judged(But(register, ["Ada"]), [ADA], width=30) == [(None, True)]
    assert judged(Only(register, ["Ada"]), [ADA], width=30) == [("Ada", True)]


def test_a_threshold_of_ones_own(register):
    far = near(ADA[None], 0.8)
    assert judged(But(register, ["Ada"]), far)[0][1] is False
    assert judged(But(register, ["Ada"], threshold=0.3), far) == [(None, True)]


@pytest.fixture
def crowded(tmp_path):
    """Five people of one kind, A to E, each less like A than the one before, and all nearer to A than the threshold."""
    rows = np.stack([near(ADA[None], spread, seed=7)[0] for spread in (0.2, 0.3, 0.4, 0.5, 0.6)])
    with open_store(tmp_path / "crowded.gallery") as store:
        enrol(store, rows, list("ABCDE"))
        yield Register(store)


@pytest.mark.parametrize("named", [["E"], ["D", "E"], ["A", "B", "C"], ["B", "E"], list("ABCD")])
def test_many_who_are_alike(crowded, named):
    """However many are nearer than who is named, or than who is not."""
    likely = min(named)
    assert judged(Only(crowded, named), [ADA]) == [(likely, True)]
    assert judged(But(crowded, named), [ADA]) == [(None, True)]


def test_all_of_many_who_are_alike(crowded):
    assert judged(But(crowded, list("ABCDE")), [ADA]) == [("A", False)]


def test_a_name_in_two_collections(where, register):
    with open_store(where) as store:
        enrol(store, CY[None], ["Ada"], collection="guests", metadata={"site": "B"})
    for selection in (Only, But):
        with pytest.raises(InvalidInput, match="'Ada' is a name in the collections 'default', 'guests'"):
            selection(register, ["Ada"])
    for choice in ({"collections": ["guests"]}, {"where": {"site": "B"}}):
        assert judged(Only(register, ["Ada"], **choice), [CY, ADA]) == [("Ada", True), (None, False)]
        assert judged(But(register, ["Ada"], **choice), [CY, ADA]) == [("Ada", False), (None, True)]
    assert judged(But(register, ["Ada"], collections=["default"]), [CY, ADA]) == [("Cy", True), ("Ada", False)]


def test_who_is_named_and_has_no_face(where, register):
    with open_store(where) as store:
        (face,) = enrol(store, STRANGER[None], ["Di"])
        store.remove_faces([face])
    for selection in (Only(register, ["Ada", "Di"]), But(register, ["Di"])):
        with pytest.raises(UnfitWeights, match="no face of 'Di' that is embedded by trained"):
            selection.persons(faces_of(ADA[None]))


def test_who_is_named_and_is_not_in_the_index_in_use(where, register):
    with open_store(where) as store:
        (face,) = (each.id for each in store.faces() if each.person == 1)
        store.add_embeddings(OTHERS, {face: BEN})
    with pytest.raises(UnfitWeights, match="no face of 'Cy' that is embedded by others"):
        Only(register, ["Cy"]).persons(faces_of(ADA[None], OTHERS))


def test_tracks():
    """`only`: once is enough. `but`: more than half of what is seen around."""
    only, but = object.__new__(Only), object.__new__(But)
    only.names = but.names = frozenset({"Ada", "Ben"})
    for near_votes, shown in (
        ({"Ada": 3, None: 2}, True),
        ({"Ada": 2, None: 2}, False),
        ({"Ada": 2, "Ben": 2}, False),
        ({None: 3}, False),
        ({}, False),
    ):
        assert but.covers(near_votes, {"Ada": 100}) != shown
    assert only.covers({None: 1}, {"Ada": 1, None: 50})
    assert not only.covers({None: 1}, {"Cy": 9, None: 50})


def test_a_name_that_nobody_has(register):
    with pytest.raises(UnknownPerson, match="'Adda'"):
        Only(register, ["Ada", "Adda"])
    with pytest.raises(InvalidInput):
        But(register, [" Ada"])


# The command


@pytest.fixture
def two_faces(command_transport, make_answer):
    """The server finds Ada at the left and a stranger at the right, in each picture."""

    def reply(_request):
        answer = make_answer(2)
        answer.outputs["boxes"][:] = [[[10, 10, 70, 80], [100, 10, 160, 80]]]
        answer.outputs["probabilities"][:] = 0.999
        answer.outputs["embeddings"][:] = np.array([[ADA, STRANGER]])
        points = np.array([[28, 38], [52, 38], [40, 50], [32, 62], [48, 62]])
        answer.outputs["landmarks"][:] = [[points, np.add(points, (90, 0))]]
        answer.outputs["faces"][:] = np.random.RandomState(0).randint(0, 256, (1, 2, 160, 160, 3))
        return answer

    assert SERVED.sha256 == TRAINED.sha256
    command_transport.reply = reply
    return command_transport


def run(*arguments):
    return main(["blur", *map(str, arguments)])


@pytest.mark.usefixtures("two_faces")
def test_pictures(where, tmp_path, encode, capsys):
    source, out = tmp_path / "a.png", tmp_path / "out.png"
    source.write_bytes(encode(np.full((100, 200, 3), 200, np.uint8), "PNG"))
    options = ["--gallery", where, "--method", "mask", "--json"]
    for option, covered in (("--only", [True, False]), ("--but", [False, True])):
        assert run(source, out, *options, option, "Ada") == 0
        faces = json.loads(capsys.readouterr().out)["faces"]
        assert [face["covered"] for face in faces] == covered
        assert [face.get("person") for face in faces] == ["Ada", None]
        pixels = np.asarray(Image.open(out).convert("RGB"))
        assert [bool(pixels[45, x].max() == 0) for x in (40, 130)] == covered


@pytest.mark.parametrize(
    ("options", "said"), [(("--only", "Ada"), "1 of 2"), (("--only", "Cy"), "0 of 2"), (("--but", "Ada"), "1 of 2")]
)
@pytest.mark.usefixtures("two_faces")
def test_faces_that_are_shown_are_counted(where, tmp_path, encode, options, said, capsys):
    """As faces: "no face" would be read as that there is none."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.png").write_bytes(encode(np.full((100, 200, 3), 200, np.uint8), "PNG"))
    clips.write(folder / "b.mp4", [clips.background()] * 3)
    assert run(folder, tmp_path / "out", "--gallery", where, *options) == 0
    assert [line.rpartition("\t")[2] for line in capsys.readouterr().out.splitlines()[1:]] == [said, f"{said} tracks"]


@pytest.mark.usefixtures("two_faces")
@pytest.mark.parametrize("kind", ["png", "mp4"])
def test_a_gallery_of_another_network_ends_the_run(tmp_path, encode, kind, capsys):
    """It is no fault of each picture."""
    folder, where = tmp_path / "in", tmp_path / "others.gallery"
    folder.mkdir()
    with open_store(where) as store:
        enrol(store, PEOPLE, ["Ada", "Ben", "Cy"], weights=OTHERS)
    for name in "abc":
        if kind == "png":
            (folder / f"{name}.png").write_bytes(encode(np.full((100, 200, 3), 200, np.uint8), "PNG"))
        else:
            clips.write(folder / f"{name}.mp4", [clips.background()] * 2)
    assert run(folder, tmp_path / "out", "--gallery", where, "--but", "Ada") == 3
    assert capsys.readouterr().err.count("run `faces gallery reindex`") == 1
    assert not list((tmp_path / "out").glob("*"))


@pytest.mark.usefixtures("two_faces")
def test_a_gallery_that_goes_away_ends_the_run(where, tmp_path, photos, monkeypatch, capsys):
    def gone(*_arguments, **_options):
        raise GalleryUnavailable("the database is away")

    monkeypatch.setattr(Register, "identify", gone)
    assert run(photos, tmp_path / "out", "--gallery", where, "--but", "Ada") == 1
    assert capsys.readouterr().err == "faces blur: the database is away\n"


@pytest.mark.usefixtures("two_faces")
def test_videos(where, tmp_path, capsys):
    source = clips.write(tmp_path / "a.mp4", [clips.background()] * 6)
    options = ["--gallery", where, "--but", "Ada", "--method", "mask"]
    assert run(source, tmp_path / "out.mp4", *options) == 0
    assert capsys.readouterr().out.endswith("\t1 of 2 tracks\n")
    for picture in clips.read(tmp_path / "out.mp4"):
        assert [bool(picture[45, x].max() < 20) for x in (40, 130)] == [False, True]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--only", "Ada"], "give both or neither"),
        (["--gallery", "people.gallery"], "give both or neither"),
        (["--gallery", "people.gallery", "--only", "Ada", "--but", "Ben"], "give both or neither"),
        (["--gallery", "people.gallery", "--only", "Adda"], "nobody is enrolled as 'Adda'"),
    ],
)
@pytest.mark.usefixtures("two_faces")
def test_what_cannot_be_done(where, tmp_path, photos, options, sentence, monkeypatch, capsys):
    monkeypatch.chdir(where.parent)
    assert run(photos, tmp_path / "out", *options) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("two_faces")
def test_no_gallery_is_made(tmp_path, photos, capsys):
    assert run(photos, tmp_path / "out", "--gallery", tmp_path / "new.gallery", "--but", "Ada") == 1
    assert "new.gallery" in capsys.readouterr().err
    assert not (tmp_path / "new.gallery").exists()


@pytest.mark.parametrize(
    "option", [("--collection", "a"), ("--where", "a=1"), ("--threshold", "1"), ("--random-weights",)]
)
def test_people_are_chosen_from_a_gallery_only(option, capsys):
    assert main(["blur", "a.jpg", "out", *option]) == 2
    assert f"{option[0]} is about the people of a gallery: name it with --gallery" in capsys.readouterr().err
