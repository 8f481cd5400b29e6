"""The camera: Chromium's own, which shows a clip in which a face goes from side to side."""

import time

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.e2e.page.conftest import CLIP_SECONDS, FAKE_CAMERA, chromium, watched
from tests.e2e.page.looking import coloured, keep


@pytest.fixture
def visit(driver, clip, page_url):
    """The page in a browser with that camera."""
    switches = (*FAKE_CAMERA, f"--use-file-for-fake-video-capture={clip}")
    with chromium(driver, *switches) as browser, watched(browser, page_url) as open_page:
        yield open_page


def seen_boxes(there, seconds):
    """x1 of the box that is drawn, in shares of the frame, as it goes."""
    places = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        mask = coloured(there.frame("#camera-frame"))
        if mask.any():
            places.append(np.argwhere(mask)[:, 1].min() / mask.shape[1])
    return places


def test_boxes_go_with_the_face(visit, client, screenshots):
    there = visit(permissions=["camera"])
    there.page.get_by_role("button", name="Camera").click()
    expect(there.page.locator("#camera-faces")).to_have_text("1")
    there.page.wait_for_timeout(3000)
    print("frames/s", there.page.locator("#camera-rate").inner_text())
    print("ms, median", there.page.locator("#camera-latency").inner_text())
    assert float(there.page.locator("#camera-rate").inner_text()) > 0
    assert float(there.page.locator("#camera-latency").inner_text()) > 0
    keep(there.page, screenshots / "page-camera.png")
    places = seen_boxes(there, CLIP_SECONDS)
    assert max(places) - min(places) > 0.25
    # Of the same moment: what is drawn lies around the face that is shown.
    looked = there.frame("#camera-frame")
    [face] = client.detect(looked, max_faces=1, selection="largest")
    ys, xs = np.nonzero(coloured(looked))
    drawn = np.array([xs.min(), ys.min(), xs.max(), ys.max()])
    assert np.abs(drawn - face.box).max() < 0.5 * (face.box[2] - face.box[0])
    there.page.get_by_role("button", name="Stop").click()
    expect(there.page.locator("#camera-status")).to_have_text("Stopped.")
    count = len(there.asked("/v1/detect"))
    there.page.wait_for_timeout(500)
    assert len(there.asked("/v1/detect")) <= count


def test_frames_are_no_wider_than_is_set_and_settings_hold(visit):
    there = visit(permissions=["camera"])
    there.page.get_by_role("button", name="Camera").click()
    expect(there.page.locator("#camera-faces")).to_have_text("1")
    there.page.get_by_label("Width that is sent").select_option("320")
    there.page.get_by_label("Smallest face, as a number").fill("200")
    there.page.get_by_label("Smallest face, as a number").press("Enter")
    expect(there.page.locator("#camera-faces")).to_have_text("0")
    there.page.get_by_role("button", name="Close").click()
    last = there.asked("/v1/detect")[-1]
    assert last.url.endswith("?min_face_size=200")


def test_it_stops_when_it_is_out_of_sight(visit):
    there = visit(permissions=["camera"])
    there.page.get_by_role("button", name="Camera").click()
    expect(there.page.locator("#camera-faces")).to_have_text("1")
    there.page.evaluate(
        """() => {
            Object.defineProperty(document, "hidden", { value: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    expect(there.page.locator("#camera-status")).to_have_text("Stopped, as the page was out of sight.")
    assert there.page.evaluate("document.getElementById('video').srcObject") is None


def test_a_camera_that_is_not_allowed(visit):
    there = visit(permissions=[])
    there.page.get_by_role("button", name="Camera").click()
    expect(there.page.locator("#camera-status")).to_contain_text("The camera is not allowed here.")
    expect(there.page.get_by_role("button", name="Start again")).to_be_visible()


def test_no_camera(browser, page_url):
    with watched(browser, page_url) as visit:
        there = visit(permissions=["camera"])
        there.page.get_by_role("button", name="Camera").click()
        expect(there.page.locator("#camera-status")).to_have_text("There is no camera.")


def test_a_page_that_may_have_no_camera(visit):
    """As over plain HTTP from another machine: there browsers call a page insecure."""
    there = visit()
    there.page.add_init_script("Object.defineProperty(window, 'isSecureContext', { value: false })")
    there.open()
    there.page.get_by_role("button", name="Camera").click()
    expect(there.page.locator("#camera-status")).to_contain_text("over https or from this machine")
