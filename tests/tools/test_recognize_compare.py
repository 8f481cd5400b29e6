"""`faces recognize` and `faces compare`: arguments, output, exit status."""

import json
from pathlib import Path

import numpy as np
import pytest

from face_client import InvalidInput, ServerUnavailable
from face_command.main import main
from tests.fakes import TRAINED, UNTRAINED

pytestmark = pytest.mark.usefixtures("plain")


@pytest.fixture
def photos(tmp_path, picture, encode):
    """Two pictures of different sizes."""
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path, image in zip(paths, (picture, picture[:, :20]), strict=True):
        path.write_bytes(encode(image, "PNG"))
    return [str(path) for path in paths]


@pytest.fixture
def faces_by_picture(transport, make_answer):
    """faces_by_picture(2, 0, …): so many faces in the pictures, in the order in which they are asked about."""

    def answer_with(*counts):
        left = list(counts)
        transport.reply = lambda _request: make_answer(left.pop(0))

    return answer_with


def test_recognize_prints_the_table_of_detect(transport, photos, capsys):
    assert main(["recognize", photos[0]]) == 0
    out = capsys.readouterr().out
    assert out == f"image\tfaces\tbox\tprobability\n{photos[0]}\t1\t0.0 10.0 20.0 40.0\t0.9000\n"
    assert transport.requests[0].model == "face_recognition"


@pytest.mark.usefixtures("transport")
def test_json_has_the_embedding_of_each_face(photos, capsys):
    assert main(["recognize", "--json", *photos]) == 0
    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [document["image"] for document in documents] == photos
    (face,) = documents[0]["faces"]
    assert list(face) == ["box", "probability", "landmarks", "embedding"]
    assert face["embedding"] == [1.0] + [0.0] * 511


def test_parameters_reach_the_server(transport, photos):
    assert main(["recognize", photos[0], "--align", "--margin", "14", "--max-faces", "2"]) == 0
    assert transport.requests[0].parameters == {"align": True, "margin": 14, "max_faces": 2}


def test_all_faces_as_arrays(faces_by_picture, photos, tmp_path):
    faces_by_picture(2, 1)
    file = tmp_path / "new" / "all.npz"
    assert main(["recognize", *photos, "--in-flight", "1", "--embeddings", str(file)]) == 0
    with np.load(file) as arrays:
        assert {name: array.shape for name, array in arrays.items()} == {
            "images": (3,),
            "weights": (3,),
            "embeddings": (3, 512),
            "boxes": (3, 4),
            "probabilities": (3,),
            "landmarks": (3, 5, 2),
        }
        assert arrays["images"].tolist() == [photos[0], photos[0], photos[1]]
        assert arrays["embeddings"].argmax(axis=1).tolist() == [0, 1, 0]
        assert set(arrays["weights"]) == {TRAINED.sha256}


def test_arrays_of_pictures_without_faces(faces_by_picture, photos, tmp_path):
    faces_by_picture(0, 0)
    assert main(["recognize", *photos, "--embeddings", str(tmp_path / "all")]) == 0
    with np.load(tmp_path / "all") as arrays:
        assert arrays["embeddings"].shape == (0, 512)
        assert arrays["images"].shape == (0,)


def test_a_file_that_cannot_be_written_is_told_before_the_work(transport, photos, tmp_path, capsys):
    assert main(["recognize", photos[0], "--embeddings", str(tmp_path)]) == 2
    sentence = f"--embeddings is {tmp_path}, which is a folder; name a file"
    assert capsys.readouterr().err == f"faces recognize: {sentence}\n"
    assert transport.requests == []


@pytest.mark.usefixtures("transport")
def test_a_file_of_embeddings_is_replaced_and_no_other(photos, tmp_path, capsys):
    file = tmp_path / "all.npz"
    arguments = ["recognize", *photos, "--embeddings", str(file)]
    assert main(arguments) == main(arguments) == 0
    np.savez(file, mine=np.arange(3))
    before = file.read_bytes()
    assert main(arguments) == 2
    assert f"--embeddings would overwrite {file}" in capsys.readouterr().err
    assert file.read_bytes() == before
    assert main([*arguments, "--force"]) == 0
    assert file.read_bytes() != before


@pytest.mark.parametrize("verb", [["recognize", "--embeddings"], ["cluster", "--sheet"]])
def test_a_forgotten_file_name_costs_no_picture(transport, photos, capsys, verb):
    """`faces recognize --embeddings *.png`: the first picture stands where the file should."""
    before = [Path(photo).read_bytes() for photo in photos]
    assert main([*verb, *photos]) == 2
    assert f"would overwrite {photos[0]}" in capsys.readouterr().err
    assert main([*verb, photos[0], *photos, "--force"]) == 2
    assert f"would overwrite {photos[0]}, which is read" in capsys.readouterr().err
    assert [Path(photo).read_bytes() for photo in photos] == before
    assert transport.requests == []


def test_what_was_found_before_ctrl_c_is_kept(transport, make_answer, photos, tmp_path):
    def reply(_request):
        if len(transport.requests) > 1:
            raise KeyboardInterrupt
        return make_answer()

    transport.reply = reply
    file = tmp_path / "all.npz"
    assert main(["recognize", *photos, "--in-flight", "1", "--embeddings", str(file)]) == 130
    with np.load(file) as arrays:
        assert arrays["images"].tolist() == photos[:1]
    sheet = tmp_path / "sheet.png"
    transport.requests.clear()
    assert main(["cluster", *photos, "--in-flight", "1", "--sheet", str(sheet)]) == 130
    assert len(json.loads(sheet.with_suffix(".json").read_text())["unclustered"]) == 1


@pytest.mark.parametrize("arguments", [["recognize"], ["compare"]])
def test_no_facenet_on_the_server(transport, photos, capsys, arguments):
    transport.is_ready = lambda model, _timeout: model != "facenet"
    assert main([*arguments, *photos, "--url", "127.0.0.1:9"]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert "no server with model 'facenet' is ready at 127.0.0.1:9" in line
    assert "faces export --facenet" in line
    assert transport.requests == []


def test_random_weights_do_not_judge_and_whoever_wants_them_is_warned(transport, photos, capsys):
    transport.weights = UNTRAINED
    assert main(["compare", *photos]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("faces compare: the server's FaceNet has random weights, so its embeddings tell nobody apart")
    assert err.endswith("go on all the same with --random-weights\n")
    assert transport.requests == []
    assert main(["compare", *photos, "--random-weights"]) == 0
    assert capsys.readouterr().err.startswith("faces compare: WARNING: the server's FaceNet has random weights")
    assert main(["recognize", *photos, "--json"]) == 0
    out, err = capsys.readouterr()
    assert err.startswith("faces recognize: WARNING: the server's FaceNet has random weights")
    assert json.loads(out.splitlines()[0])["weights"]["random"] is True


def test_a_server_that_refuses_but_is_there(transport, photos, capsys):
    def reply(_request):
        raise ServerUnavailable("its queue is full")

    transport.reply = reply
    assert main(["recognize", photos[0], "--retries", "1"]) == 1
    assert capsys.readouterr().err == f"{photos[0]}: its queue is full (request {transport.requests[0].id})\n"


@pytest.mark.usefixtures("transport")
def test_compare_says_what_it_found(photos, capsys):
    assert main(["compare", *photos]) == 0
    assert capsys.readouterr().out == ("distance\tcosine\tverdict\n0.000\t1.000\tthe same person (threshold 1.1)\n")


def test_compare_of_two_persons(transport, make_answer, photos, capsys):
    def reply(request):
        answer = make_answer()
        if "image" in request.inputs:
            # The blank picture that parameters are tried on.
            return answer
        # Two files of different lengths.
        answer.outputs["embeddings"][:] = np.eye(512)[len(request.inputs["encoded_image"][0, 0]) % 512]
        return answer

    transport.reply = reply
    assert main(["compare", *photos, "--json", "--align"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document == {
        "a": photos[0],
        "b": photos[1],
        "distance": pytest.approx(2**0.5),
        "cosine": 0,
        "same": False,
        "threshold": 1.1,
    }
    assert transport.requests[-1].parameters == {"selection": "largest", "align": True}
    assert main(["compare", *photos, "--threshold", "1.5"]) == 0


def test_compare_without_a_face(transport, make_answer, photos, capsys, tmp_path):
    transport.reply = lambda _request: make_answer(0)
    missing = str(tmp_path / "missing.png")
    assert main(["compare", photos[0], missing]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [f"{photos[0]}: no face was found", f"{missing}: No such file or directory"]


def test_compare_that_the_server_refuses(transport, photos, capsys):
    def refuse(_request):
        raise InvalidInput("margin is 500, must be less than image_size (160)")

    transport.reply = refuse
    assert main(["compare", *photos, "--margin", "500"]) == 2
    assert capsys.readouterr().err == "faces compare: margin is 500, must be less than image_size (160)\n"
    assert len(transport.requests) == 1


@pytest.mark.parametrize("threshold", ["0", "-1", "near", "inf"])
def test_a_threshold_that_cannot_be(photos, threshold):
    with pytest.raises(SystemExit) as caught:
        main(["compare", *photos, "--threshold", threshold])
    assert caught.value.code == 2


def test_compare_with_a_server_that_goes_away(goes_away, photos, capsys):
    goes_away(0)
    assert main(["compare", *photos, "--timeout", "0.2"]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert "no server with model 'face_recognition'" in line


def test_what_was_found_before_the_server_went_away_is_kept(goes_away, photos, tmp_path):
    goes_away(1)
    file = tmp_path / "all.npz"
    assert main(["recognize", *photos, "--in-flight", "1", "--timeout", "0.2", "--embeddings", str(file)]) == 3
    with np.load(file) as arrays:
        assert arrays["images"].tolist() == photos[:1]
