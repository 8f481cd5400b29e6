"""`faces blur` on pictures: files, what is in them, table, JSON, exit status."""

import io
import json
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from face_client import ServerError
from face_command.main import main
from face_pictures.decoding import decode_image
from face_pictures.marks import COVERED, marked
from face_tools import pictures
from face_tools.blur import RECALL, blur_faces
from face_tools.blur.files import _written
from face_tools.pictures import find

pytestmark = pytest.mark.usefixtures("plain", "transport")

# What must not be in any file that is written.
SECRET = "51.4779N 0.0015W Anna"
BOX = [[0, 10, 20, 40]]


def run(*arguments):
    return main(["blur", *map(str, arguments)])


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def large():
    """RGB [80, 120, 3], smooth, no two corners alike."""
    y, x = np.mgrid[0:80, 0:120]
    return np.stack([x * 2, y * 3, (x + y)], axis=2).astype(np.uint8)


def pixels(path):
    return np.array(Image.open(path).convert("RGB"))


def test_a_folder_of_pictures(photos, tmp_path, transport, capsys):
    out = tmp_path / "out"
    assert run(photos, out) == 0
    assert files_in(out) == ["a.jpg", "below/b.PNG"]
    np.testing.assert_array_equal(pixels(out / "below" / "b.PNG"), blur_faces(pixels(photos / "below" / "b.PNG"), BOX))
    assert all(request.parameters == RECALL for request in transport.requests)
    assert capsys.readouterr().out.splitlines() == [
        "file\twritten to\tcovered",
        f"{photos / 'a.jpg'}\t{out / 'a.jpg'}\t1",
        f"{photos / 'below' / 'b.PNG'}\t{out / 'below' / 'b.PNG'}\t1",
    ]


def test_options_reach_the_pixels_and_the_server(photos, tmp_path, transport):
    source, target = photos / "below" / "b.PNG", tmp_path / "new" / "x.png"
    options = ["--method", "mask", "--shape", "box", "--grow", 0.1, "--threshold-onet", 0.2, "--rotations"]
    assert run(source, target, *options) == 0
    np.testing.assert_array_equal(pixels(target), blur_faces(pixels(source), BOX, method="mask", shape="box", grow=0.1))
    assert transport.requests[-1].parameters == {**RECALL, "threshold_onet": 0.2, "rotations": True}


def test_lines_of_json(photos, tmp_path, capsys):
    (photos / "c.jpg").write_bytes(b"\xff\xd8\xff no picture")
    out = tmp_path / "out"
    assert run(photos, out, "--json", "--method", "pixelate") == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == {
        "image": str(photos / "a.jpg"),
        "written": str(out / "a.jpg"),
        "width": 40,
        "height": 30,
        "method": "pixelate",
        "shape": "ellipse",
        "grow": 0.3,
        "faces": [{"box": [0, 10, 20, 40], "probability": 0.9, "covered": True}],
    }
    assert lines[1]["image"] == str(photos / "c.jpg")
    assert lines[1]["error"]["type"] == "InvalidImage"
    assert not (out / "c.jpg").exists()


def test_a_picture_without_a_face_is_written_clean(photos, tmp_path, transport, make_answer, capsys):
    transport.reply = lambda _request: make_answer(0)
    target = tmp_path / "b.png"
    assert run(photos / "below" / "b.PNG", target) == 0
    np.testing.assert_array_equal(pixels(target), pixels(photos / "below" / "b.PNG"))
    assert capsys.readouterr().out.splitlines()[1].endswith("\tno face")


def test_what_fails_is_not_written(photos, tmp_path, transport, capsys):
    good = transport.reply

    def reply(request):
        if len(transport.requests) == 2:
            raise ServerError("out of order")
        return good(request)

    transport.reply = reply
    out = tmp_path / "out"
    assert run(photos, out, "--in-flight", 1) == 1
    # The first request is the one that tries the parameters.
    assert files_in(out) == ["below/b.PNG"]
    assert f"{photos / 'a.jpg'}: out of order" in capsys.readouterr().err


def test_a_file_that_changes_meanwhile(photos, tmp_path, transport, encode, picture):
    """What is written is the picture that was looked at, whatever the file is by then."""
    source, good = photos / "below" / "b.PNG", transport.reply

    def reply(request):
        if "encoded_image" in request.inputs:
            source.write_bytes(encode(picture[::-1], "PNG"))
        return good(request)

    transport.reply = reply
    assert run(source, tmp_path / "x.png") == 0
    np.testing.assert_array_equal(pixels(source), picture[::-1])
    np.testing.assert_array_equal(pixels(tmp_path / "x.png"), blur_faces(picture, BOX))


def test_a_picture_that_a_server_reads_otherwise(photos, tmp_path, transport, capsys):
    good = transport.reply
    transport.reply = lambda request: _with_size(good(request), 30, 40)
    assert run(photos / "a.jpg", tmp_path / "x.jpg") == 1
    assert f"{photos / 'a.jpg'}: the server reads the file as a picture of another size" in capsys.readouterr().err
    assert not (tmp_path / "x.jpg").exists()


def _with_size(answer, width, height):
    answer.outputs["picture_size"] = np.array([[width, height]], np.int32)
    return answer


def test_a_picture_that_a_format_has_no_place_for(photos, tmp_path, encode, capsys):
    source, out = photos / "c.png", tmp_path / "out.webp"
    source.write_bytes(encode(np.zeros((40, 16_400, 3), np.uint8), "PNG"))
    assert run(source, out, "--json") == 1
    output = capsys.readouterr()
    assert output.err.startswith(f"{out} cannot be written: WEBP, 16400×40 pixels: ")
    assert json.loads(output.out)["error"]["type"] == "OutputError"
    assert sorted(tmp_path.iterdir()) == [photos]


def test_only_files_of_ones_own_are_replaced(photos, tmp_path, encode, picture, capsys):
    out = tmp_path / "out"
    assert run(photos, out) == run(photos, out) == 0
    mine = encode(picture, "JPEG")
    (out / "a.jpg").write_bytes(mine)
    assert run(photos, out) == 2
    assert f"OUT would overwrite {out / 'a.jpg'}, which this command did not write" in capsys.readouterr().err
    assert (out / "a.jpg").read_bytes() == mine
    assert run(photos, out, "--force") == 0


@pytest.fixture
def _fresh_stdin():
    """A process reads its standard input once."""
    pictures._stdin.cache_clear()
    yield
    pictures._stdin.cache_clear()


@pytest.mark.usefixtures("_fresh_stdin")
def test_standard_input(photos, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO((photos / "a.jpg").read_bytes())))
    assert run("-", tmp_path / "x.jpg") == run("-", tmp_path / "out") == 0
    assert files_in(tmp_path / "out") == ["stdin.png"]
    expected = blur_faces(pixels(photos / "a.jpg"), BOX)
    np.testing.assert_array_equal(pixels(tmp_path / "out" / "stdin.png"), expected)
    assert Image.open(tmp_path / "x.jpg").size == (40, 30)


@pytest.mark.parametrize("where", [".", "below/.."])
def test_what_is_read_is_never_overwritten(photos, where, capsys):
    before = (photos / "a.jpg").read_bytes()
    assert run(photos, photos / where, "--force") == 2
    assert "which is read" in capsys.readouterr().err
    assert run(photos / "a.jpg", photos / "a.jpg", "--force") == 2
    assert (photos / "a.jpg").read_bytes() == before


def test_out_within_the_folder_is_not_read_again(photos, transport):
    out = photos / "anonymous"
    assert run(photos, out) == run(photos, out) == 0
    assert files_in(out) == ["a.jpg", "below/b.PNG"]
    # And one for each run, that tries the parameters.
    assert len(transport.requests) == 2 * (2 + 1)


def test_other_commands_read_what_was_covered(photos, tmp_path):
    out = tmp_path / "out"
    assert run(photos, out) == 0
    assert [picture.path.name for picture in find([str(out)])] == ["a.jpg", "b.PNG"]


def test_without_a_mark(photos, tmp_path):
    target = tmp_path / "x.jpg"
    assert run(photos / "a.jpg", target) == 0
    assert marked(target) == COVERED
    assert run(photos / "a.jpg", target, "--no-mark") == 0
    assert marked(target) is None
    assert b"faces" not in target.read_bytes()
    assert run(photos / "a.jpg", target) == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["a.jpg", "x.gif"], "a picture is written to"),
        (["a.jpg", "x.mp4"], "a picture is written to"),
        (["nothing", "out"], "no pictures (.3g2, .3gp, .apng, "),
    ],
)
def test_what_cannot_be_done(photos, arguments, sentence, capsys):
    (photos / "nothing").mkdir()
    assert run(photos / arguments[0], photos / arguments[1]) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a.JPG", "a.JPG"),
        ("a.heic", "a.heic.jpg"),
        ("a.bmp", "a.bmp.png"),
        ("a.gif", "a.gif.png"),
        ("a", "a.png"),
        ("a.mov", "a.mov"),
        ("a.AVI", "a.AVI.mp4"),
        ("a.m2ts", "a.m2ts.mp4"),
        ("a.VOB", "a.VOB.mp4"),
    ],
)
def test_names(tmp_path, name, written):
    assert _written(tmp_path / name) == tmp_path / written


# What files say beside their pixels


def exif():
    """GPS, a camera's number, a thumbnail that shows the picture."""
    tags = Image.Exif()
    tags[0x010E] = tags[0x013B] = SECRET
    tags.get_ifd(0x8825)[29] = SECRET
    tags.get_ifd(0x8769)[0xA431] = SECRET
    return tags


def with_segment(jpeg, marker, payload):
    """A JPEG with one more segment at its start."""
    return jpeg[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(payload) + 2) + payload + jpeg[2:]


def jpeg_with_everything(picture, encode):
    """EXIF with a thumbnail, XMP, IPTC, a comment, a second picture as MPF has it, and a film behind the end."""
    secret = SECRET.encode()
    small = encode(picture[::4, ::4], "JPEG", comment=SECRET)
    jpeg = encode(picture, "JPEG", exif=exif(), comment=SECRET, quality=95)
    jpeg = with_segment(jpeg, 0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>" + secret + b"</x:xmpmeta>")
    jpeg = with_segment(jpeg, 0xED, b"Photoshop 3.0\x008BIM\x04\x04" + secret)
    jpeg = with_segment(jpeg, 0xE1, b"Exif\0\0MM\0*" + small)
    jpeg = with_segment(jpeg, 0xE2, b"MPF\0MM\0*" + secret)
    return jpeg + small + b"ftypmp42" + secret


def png_with_everything(picture, encode):
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", SECRET)
    info.add_text("Comment", SECRET, zip=True)
    info.add_itxt("XML:com.adobe.xmp", SECRET)
    return encode(picture, "PNG", pnginfo=info, exif=exif(), dpi=(123, 321)) + SECRET.encode()


def tiff_with_everything(picture, encode):
    return encode(picture, "TIFF", exif=exif(), description=SECRET, artist=SECRET, tiffinfo={700: SECRET.encode()})


def webp_with_everything(picture, encode):
    return encode(picture, "WebP", exif=exif(), xmp=SECRET.encode(), quality=95)


def heic_with_everything(picture, encode):
    return encode(picture, "HEIF", exif=exif().tobytes(), xmp=SECRET.encode())


KINDS = {
    "jpg": jpeg_with_everything,
    "png": png_with_everything,
    "tif": tiff_with_everything,
    "webp": webp_with_everything,
    "heic": heic_with_everything,
}


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_but_pixels_is_written(large, encode, tmp_path, kind):
    source = tmp_path / f"a.{kind}"
    source.write_bytes(KINDS[kind](large, encode))
    assert SECRET.encode() in source.read_bytes()
    assert run(source, tmp_path / "out") == 0
    (target,) = (tmp_path / "out").iterdir()
    data = target.read_bytes()
    assert SECRET.encode() not in data
    with Image.open(target) as image:
        image.load()
        assert dict(image.getexif()).items() <= {**layout_tags(image), 0x0131: f"triton-faces {COVERED}"}.items()
        assert (
            not set(image.info)
            - {"exif", "jfif", "jfif_version", "jfif_unit", "jfif_density", "compression"}
            - {*("dpi", "resolution", "loop", "background", "timestamp", "duration")}
        )
        assert getattr(image, "n_frames", 1) == 1
    assert structure(data, kind if kind != "heic" else "jpg") <= ALLOWED[kind if kind != "heic" else "jpg"]


def layout_tags(image):
    """Tags of a TIFF that are about its pixels."""
    if image.format != "TIFF":
        return {}
    about_pixels = (256, 257, 258, 259, 262, 273, 277, 278, 279, 284, 317)
    return {tag: value for tag, value in image.getexif().items() if tag in about_pixels}


ALLOWED = {
    # JFIF, the mark, tables, frame, scan, end.
    "jpg": {0xD8, 0xE0, 0xE1, 0xDB, 0xC0, 0xC4, 0xDA, 0xD9},
    "png": {b"IHDR", b"IDAT", b"IEND", b"eXIf"},
    "webp": {b"VP8X", b"VP8 ", b"EXIF"},
    "tif": set(),
}


def structure(data, kind):
    """Which parts a file has; what lies behind its end is one, too."""
    if kind == "jpg":
        return set(jpeg_markers(data))
    if kind == "png":
        return {name for name, _ in chunks(data, 8, ">I4s", 4)}
    if kind == "webp":
        return {name for name, _ in chunks(data, 12, "<4sI", 0)}
    return set()


def jpeg_markers(data):
    at = 0
    while at < len(data):
        assert data[at] == 0xFF, "something lies between or behind the segments"
        marker = data[at + 1]
        yield marker
        at += 2
        if marker not in (0xD8, 0xD9):
            at += struct.unpack_from(">H", data, at)[0]
        if marker == 0xE1:
            assert data.count(b"\xff\xd8") == 1, "a thumbnail"
        if marker == 0xDA:
            while not (data[at] == 0xFF and data[at + 1] != 0):
                at += 1


def chunks(data, at, form, behind):
    while at < len(data):
        fields = struct.unpack_from(form, data, at)
        name, size = fields if isinstance(fields[0], bytes) else fields[::-1]
        yield name, size
        at += 8 + size + behind + (size % 2 if form[0] == "<" else 0)
    assert at == len(data)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_in_the_pixels(large, encode, tmp_path, orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    source, target = tmp_path / "a.png", tmp_path / "b.png"
    source.write_bytes(encode(large, "PNG", exif=tags))
    assert run(source, target) == 0
    upright = decode_image(source.read_bytes())
    assert upright.shape[:2] == ((120, 80) if orientation >= 5 else (80, 120))
    np.testing.assert_array_equal(pixels(target), blur_faces(upright, BOX))
    assert 0x0112 not in Image.open(target).getexif()


def test_what_lies_under_transparency_is_neither_looked_at_nor_written(large, tmp_path, transport):
    opacity = np.full((80, 120, 1), 255, np.uint8)
    opacity[:40] = 0
    source, target = tmp_path / "a.png", tmp_path / "b.png"
    Image.fromarray(np.concatenate([large, opacity], axis=2)).save(source)
    assert run(source, target) == 0
    written = pixels(target)
    assert Image.open(target).mode == "RGB"
    assert (written[:10, 40:] == 255).all()
    np.testing.assert_array_equal(written[60:], large[60:])
    sent = transport.requests[-1].inputs["image"]
    assert (sent[0, :40] == 255).all()
    assert (sent[0, 40:] == large[40:]).all()


def test_a_colour_profile_is_applied_and_not_kept(large, encode, tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    linear = swapped_primaries(profile)
    source, target = tmp_path / "a.png", tmp_path / "b.png"
    for given, differs in ((profile, False), (linear, True), (b"no profile", False)):
        source.write_bytes(encode(large, "PNG", icc_profile=given))
        assert run(source, target, "--method", "mask") == 0
        written = pixels(target)
        assert "icc_profile" not in Image.open(target).info
        assert (abs(written[60:].astype(int) - large[60:]).max() > 20) == differs


def swapped_primaries(profile):
    """A profile whose red is blue."""
    changed = profile.replace(b"rXYZ", b"tmpX").replace(b"bXYZ", b"rXYZ").replace(b"tmpX", b"bXYZ")
    assert changed != profile
    return changed


def test_further_frames_are_left_out_and_that_is_said(large, tmp_path, capsys):
    moving = io.BytesIO()
    Image.fromarray(large).save(
        moving, "GIF", save_all=True, append_images=[Image.fromarray(255 - large), Image.fromarray(large // 2)]
    )
    source = tmp_path / "a.gif"
    source.write_bytes(moving.getvalue())
    assert run(source, tmp_path / "out") == 0
    assert files_in(tmp_path / "out") == ["a.gif.png"]
    assert "the first of 3 frames or pages was written, and no other" in capsys.readouterr().err
