"""Pictures for perf_analyzer."""

import base64
import json

import numpy as np
import pytest
from tritonclient.utils import deserialize_bytes_tensor

from face_client import decode_image
from face_load.command import main


def content(tensor):
    return base64.b64decode(tensor["content"]["b64"])


def test_both_files_hold_every_picture(tmp_path):
    assert main(["perf-data", "--sizes", "96x54,64x36", "--out", str(tmp_path)]) == 0
    raw = [step["image"] for step in json.loads((tmp_path / "perf_raw.json").read_text())["data"]]
    jpeg = [step["encoded_image"] for step in json.loads((tmp_path / "perf_jpeg.json").read_text())["data"]]
    assert [tensor["shape"] for tensor in raw] == [[54, 96, 3], [36, 64, 3]]
    assert [tensor["shape"] for tensor in jpeg] == [[1], [1]]
    for pixels, file in zip(raw, jpeg, strict=True):
        sent = np.frombuffer(content(pixels), np.uint8).reshape(pixels["shape"])
        (picture,) = deserialize_bytes_tensor(content(file))
        # The same picture, but for what JPEG changes in one as small.
        assert np.abs(decode_image(picture).astype(int) - sent).mean() < 12


def test_an_argument_that_it_does_not_know_is_told(capsys, tmp_path):
    with pytest.raises(SystemExit):
        main(["perf-data", "--users", "3", "--out", str(tmp_path)])
    assert "unrecognized arguments: --users 3" in capsys.readouterr().err
