"""The page in Debian's Chromium, from the real gateway before a real Triton."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect, sync_playwright

from tests import clips
from tests.e2e.gateway.paged import Paged
from tests.e2e.page.looking import Visit
from tests.pictures import astronaut

# What playwright waits for an element or an answer; other tests may have the processors.
PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)

# Chromium's own camera, which shows a clip again and again, instead of one of this machine.
FAKE_CAMERA = ("--use-fake-device-for-media-stream",)

CLIP_SECONDS = 8


@pytest.fixture(scope="module")
def page_url(triton):
    """Of a gateway without keys and gallery."""
    with Paged(triton.grpc_url) as gateway:
        yield gateway.url


@pytest.fixture(scope="module")
def driver():
    """Not for the whole session: its event loop runs in this thread, and other tests have loops of their own."""
    with sync_playwright() as driver:
        yield driver


@contextmanager
def chromium(driver, *switches):
    """A browser; skips the test where there is none."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no chromium: .ci/packages installs it")
    browser = driver.chromium.launch(executable_path=program, args=list(switches))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def browser(driver):
    with chromium(driver) as browser:
        yield browser


@pytest.fixture
def visit(browser, page_url):
    """Opens the page and watches over it: nothing of another origin, no error in its console. Called with the address,
    without one that of `page_url`, and options of playwright's context."""
    with watched(browser, page_url) as open_page:
        yield open_page


@contextmanager
def watched(browser, default_url):
    """What `visit` is, for another browser."""
    visits = []

    def open_page(url=default_url, path="", **options):
        context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
        context.set_default_timeout(PATIENCE_MS)
        visits.append(Visit(context, url))
        return visits[-1].open(path)

    yield open_page
    for each in visits:
        each.close()
    for each in visits:
        each.check()


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """What a camera sees that goes over the portrait, from side to side and back, so that it has no end: 640x480."""
    portrait = np.array(Image.fromarray(astronaut()).resize((900, 900), Image.Resampling.LANCZOS))
    turns = np.arange(clips.RATE * CLIP_SECONDS) / (clips.RATE * CLIP_SECONDS)
    lefts = np.round(130 - 130 * np.cos(2 * np.pi * turns)).astype(int)
    path = tmp_path_factory.mktemp("clip") / "clip.mjpeg"
    pictures = (portrait[20:500, left : left + 640] for left in lefts)
    return clips.write(path, pictures, codec="mjpeg", pixels="yuvj420p", options={"qmin": "2", "qmax": "3"})


@pytest.fixture
def screenshots(tmp_path):
    """The folder for pictures of the page: with TRITON_FACES_SCREENSHOTS that of the documentation."""
    return Path(os.environ.get("TRITON_FACES_SCREENSHOTS") or tmp_path)
