"""Pictures in, faces on the page: at their places, by its settings, to be saved and asked for in other ways."""

import io
import json
import re
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.e2e.page.looking import assert_boxes
from tests.pictures import astronaut, crowd, wall


def encoded(pixels, kind="PNG", **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def turned():
    """A JPEG as a phone writes it that was held upright: the pixels lie, and EXIF says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(np.rot90(astronaut()[:, :400]), "JPEG", quality=95, exif=exif)


def heic():
    """What Chromium cannot show."""
    import pillow_heif

    file = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(astronaut())).save(file, quality=90)
    return file.getvalue()


PORTRAIT = ("portrait.png", "image/png", encoded(astronaut()))
WALL = ("wall.png", "image/png", encoded(wall()))


def boxes_of(faces):
    return np.array([face.box for face in faces])


def assert_faces_at(visit, faces, width, height):
    visit.expect_faces(len(faces))
    assert_boxes(visit.frame(), boxes_of(faces), width, height)


@pytest.mark.parametrize("size", [(1440, 900), (360, 740)], ids=["wide", "phone"])
def test_a_photo_dropped_shows_its_faces_in_their_places(visit, client, size):
    there = visit(viewport={"width": size[0], "height": size[1]})
    there.drop(WALL)
    assert_faces_at(there, client.detect(WALL[2]), 1920, 1080)
    # To the last digit, as only the bytes of the file itself give them.
    shown = json.loads(there.page.locator("#call-text").inner_text())["images"][0]["faces"]
    assert shown == client.detect(WALL[2]).to_dict()["faces"]


def test_a_photo_that_is_turned_by_its_metadata(visit, client):
    there = visit()
    there.drop(("phone.jpg", "image/jpeg", turned()))
    faces = client.detect(turned())
    assert len(faces) == 1
    assert_faces_at(there, faces, 400, 512)


def test_a_format_that_the_browser_cannot_show(visit, client):
    there = visit()
    there.drop(("phone.heic", "image/heic", heic()))
    assert_faces_at(there, client.detect(heic()), 512, 512)
    expect(there.page.get_by_text("This browser cannot show pictures of this format")).to_be_visible()


def test_a_picture_out_of_the_clipboard(visit):
    there = visit(permissions=["clipboard-read", "clipboard-write"])
    there.page.evaluate(
        """async () => {
            const sample = await (await fetch("/static/sample.jpg")).blob();
            const canvas = document.createElement("canvas");
            const picture = await createImageBitmap(sample);
            [canvas.width, canvas.height] = [picture.width, picture.height];
            canvas.getContext("2d").drawImage(picture, 0, 0);
            const png = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
            await navigator.clipboard.write([new ClipboardItem({ "image/png": png })]);
        }"""
    )
    there.page.keyboard.press("Control+V")
    there.expect_faces(1)


def test_the_sample(visit):
    there = visit(path="#sample")
    there.expect_faces(1)
    for label in ("decode", "PNet", "RNet", "ONet"):
        expect(there.page.locator(".legend")).to_contain_text(label)


def test_settings_act_at_once(visit, client):
    there = visit()
    there.drop(WALL)
    everything = client.detect(WALL[2])
    there.expect_faces(len(everything))
    there.page.get_by_label("Smallest face", exact=True).fill("24")
    size = int(there.page.get_by_label("Smallest face, as a number").input_value())
    fewer = client.detect(WALL[2], min_face_size=size)
    assert 0 < len(fewer) < len(everything)
    assert_faces_at(there, fewer, 1920, 1080)
    there.page.get_by_text("More options").click()
    there.page.get_by_label("Most faces").fill("2")
    there.page.get_by_label("Most faces").press("Enter")
    assert_faces_at(there, client.detect(WALL[2], min_face_size=size, max_faces=2), 1920, 1080)
    there.page.get_by_role("button", name="Defaults").click()
    there.expect_faces(len(everything))


def test_turned_faces(visit, client):
    lying = encoded(np.ascontiguousarray(np.rot90(astronaut(), -1)))
    there = visit()
    there.drop(("lying.png", "image/png", lying))
    there.expect_faces(len(client.detect(lying)))
    there.page.get_by_text("More options").click()
    there.page.get_by_label("Turned faces too").check()
    faces = client.detect(lying, rotations=True)
    [turned] = [place for place, face in enumerate(faces) if face.angle == 90]
    expect(there.page.locator("#call-text")).to_contain_text('"angle": 90')
    assert_faces_at(there, faces, 512, 512)
    there.page.get_by_role("option", name=f"Face {turned + 1},").click()
    expect(there.page.locator(".facts")).to_contain_text("90° clockwise")
    # Its crop in the list stands upright: as that of the portrait itself, but for the box's own digits.
    thumbnail = there.frame('#faces [aria-selected="true"] canvas')
    there.drop(PORTRAIT)
    expect(there.page.get_by_role("heading", name="portrait.png")).to_be_visible()
    there.expect_faces(1)
    assert np.abs(thumbnail.astype(int) - there.frame("#faces canvas")).mean() < 12


def test_a_slider_on_its_way_asks_no_more_than_it_must(visit, client):
    there = visit()
    there.drop(PORTRAIT)
    there.expect_faces(1)
    slider = there.page.get_by_label("Threshold of ONet", exact=True)
    slider.focus()
    for _ in range(30):
        slider.press("ArrowRight")
    there.expect_faces(len(client.detect(PORTRAIT[2], threshold_onet=1.0)))
    assert len(there.asked("/v1/detect")) < 10


def test_several_pictures(visit, client):
    there = visit()
    pixels, _ = crowd()
    there.drop(PORTRAIT, WALL, ("crowd.jpg", "image/jpeg", encoded(pixels, "JPEG", quality=92)))
    strip = there.page.get_by_role("listbox", name="Pictures")
    for name, faces in (("portrait.png", 1), ("wall.png", len(client.detect(WALL[2])))):
        expect(strip.get_by_role("option", name=re.compile(f"{name}, {faces} face"))).to_be_visible()
    expect(strip.get_by_role("option", name=re.compile(r"crowd.jpg, \d+ faces"))).to_be_visible()
    strip.get_by_role("option").first.focus()
    there.page.keyboard.press("ArrowRight")
    expect(there.page.get_by_role("heading", name="wall.png")).to_be_visible()
    assert_faces_at(there, client.detect(WALL[2]), 1920, 1080)
    there.page.get_by_role("button", name="Remove wall.png").click()
    expect(strip.get_by_role("option")).to_have_count(2)


def saved(there, button):
    with there.page.expect_download() as download:
        there.page.get_by_role("button", name=button).click()
    return download.value


def test_faces_and_copies_are_saved(visit, client):
    there = visit()
    there.drop(PORTRAIT)
    there.expect_faces(1)
    there.page.get_by_role("option", name="Face 1").click()
    crop = saved(there, "Save this face")
    assert crop.suggested_filename == "portrait-face1.png"
    assert np.array_equal(np.array(Image.open(crop.path())), client.detect(PORTRAIT[2], crops=True)[0].crop)
    with zipfile.ZipFile(saved(there, "Save all faces").path()) as archive:
        assert len(archive.namelist()) == 2
    copy = saved(there, "Save the copy")
    assert copy.suggested_filename == "portrait-without-faces.jpg"
    assert Image.open(copy.path()).size == (512, 512)
    assert len(client.detect(copy.path().read_bytes())) == 0


def test_the_calls_give_what_is_shown(visit, tmp_path):
    there = visit(permissions=["clipboard-read", "clipboard-write"])
    name = 'it\'s a "photo".png'
    (tmp_path / name).write_bytes(PORTRAIT[2])
    there.drop((name, *PORTRAIT[1:]))
    there.expect_faces(1)
    there.page.get_by_label("Smallest face, as a number").fill("40")
    there.page.get_by_label("Smallest face, as a number").press("Enter")
    text = there.page.locator("#call-text")
    there.page.get_by_label("curl", exact=True).check()
    expect(text).to_contain_text("min_face_size=40")
    there.page.get_by_role("button", name="Copy", exact=True).click()
    expect(there.page.get_by_role("button", name="Copied")).to_be_visible()
    call = there.page.evaluate("navigator.clipboard.readText()")
    there.page.get_by_label("Python", exact=True).check()
    program = text.inner_text()
    there.page.get_by_label("JSON", exact=True).check()
    shown = json.loads(text.inner_text())
    answer = subprocess.run(call, shell=True, cwd=tmp_path, capture_output=True, check=True, timeout=120).stdout
    assert json.loads(answer) == shown
    printed = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, check=True, text=True, timeout=120
    ).stdout
    assert printed.strip() == f"{shown['images'][0]['faces'][0]['box']} {shown['images'][0]['faces'][0]['probability']}"
