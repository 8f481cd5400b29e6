"""What these commands write is known again."""

import pytest
from PIL import Image

from face_pictures.marks import KEEP_MARKS, mark, marked


@pytest.mark.parametrize("suffix", sorted(KEEP_MARKS))
def test_a_mark_is_read_again(tmp_path, suffix):
    path = tmp_path / f"picture{suffix}"
    for size in ((40, 30), (700, 500)):
        picture = Image.effect_noise(size, 99).convert("RGB")
        picture.save(path)
        assert marked(path) is None
        picture.save(path, exif=mark("contact sheet"))
        assert marked(path) == "contact sheet"


def test_what_is_no_picture_has_no_mark(tmp_path):
    (tmp_path / "words.png").write_bytes(b"\x89PNG\r\n\x1a\n words")
    assert marked(tmp_path / "words.png") is None
    assert marked(tmp_path / "missing.png") is None
    assert marked(tmp_path) is None
