"""A visit to the page: what comes in, what is to be seen, and what must not happen meanwhile."""

import base64
import io
from urllib.parse import urlsplit

import numpy as np
from PIL import Image
from playwright.sync_api import expect

# As in page.css.
BOX = (0x35, 0xE5, 0x9B)

# Chromium says so of every answer that is no success, whatever a page does with it.
_TOLD_OF_STATUS = "Failed to load resource"

_FILES = """(files) => {
    const transfer = new DataTransfer();
    for (const [name, type, text] of files) {
        const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
        transfer.items.add(new File([bytes], name, { type }));
    }
    return transfer;
}"""


class Visit:
    """One page in a context of its own."""

    def __init__(self, context, url):
        self.url = url
        self.origin = urlsplit(url)[:2]
        self.complaints = []
        self.requests = []
        self._context = context
        self.page = context.new_page()
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("request", lambda request: self.requests.append(request))

    def open(self, path=""):
        """Ready when the page knows the service."""
        self.page.goto(f"{self.url}/{path}")
        self.page.locator("body[data-ready]").wait_for()
        return self

    def close(self):
        self._context.close()

    def check(self):
        """Nothing came from elsewhere, and nothing was complained about: no error of a script, none of the policy."""
        assert self.complaints == []
        elsewhere = [r.url for r in self.requests if not r.url.startswith(("data:", "blob:"))]
        assert [url for url in elsewhere if urlsplit(url)[:2] != self.origin] == []

    def _on_console(self, message):
        if message.type in ("error", "warning") and _TOLD_OF_STATUS not in message.text:
            self.complaints.append(f"{message.type}: {message.text}")

    def drop(self, *files):
        """Files (name, type, bytes) fall on the page."""
        listed = [(name, kind, base64.b64encode(data).decode()) for name, kind, data in files]
        transfer = self.page.evaluate_handle(_FILES, listed)
        for event in ("dragenter", "dragover", "drop"):
            self.page.dispatch_event("body", event, {"dataTransfer": transfer})

    @property
    def status(self):
        return self.page.locator("#status")

    def expect_faces(self, count):
        """Until so many are found."""
        expect(self.status).to_contain_text(f"{count} face{'' if count == 1 else 's'} found in")

    def asked(self, path):
        """The requests for a path, so far."""
        return [request for request in self.requests if urlsplit(request.url).path == path]

    def frame(self, where="#picture .frame"):
        """What is to be seen of the picture, RGB [H,W,3]."""
        return np.array(Image.open(io.BytesIO(self.page.locator(where).screenshot())).convert("RGB"))


def keep(page, path):
    """A screenshot for the documentation, in 256 colours: a photo in all of its own would take a megabyte. The
    commonest 64 are exact, which are those of the page itself."""
    page.mouse.move(0, 0)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    codes = np.array(picture).astype(int) @ [1 << 16, 1 << 8, 1]
    colours, counts = np.unique(codes, return_counts=True)
    own = np.sort(colours[np.argsort(counts)[-64:]])
    others = picture.quantize(256 - len(own), dither=Image.Dither.FLOYDSTEINBERG)
    place = np.searchsorted(own, codes).clip(0, len(own) - 1)
    small = Image.fromarray(np.where(own[place] == codes, place, np.array(others) + len(own)).astype(np.uint8), "P")
    small.putpalette([byte for colour in own for byte in int(colour).to_bytes(3, "big")] + others.getpalette())
    small.save(path, optimize=True)


def coloured(pixels, colour=BOX, tolerance=30):
    """Where pixels have a colour, bool [H,W]."""
    return (np.abs(pixels.astype(int) - colour) <= tolerance).all(axis=2)


def assert_boxes(pixels, boxes, width, height, within=2):
    """The lines of boxes, in pixels of a picture of this size, are where it says, and nowhere else."""
    mask = coloured(pixels)
    scale = np.tile([pixels.shape[1] / width, pixels.shape[0] / height], 2)
    near = np.zeros_like(mask)
    for box in boxes * scale:
        x1, y1, x2, y2 = box
        for upright, place, start, end in ((0, x1, y1, y2), (0, x2, y1, y2), (1, y1, x1, x2), (1, y2, x1, x2)):
            lines = mask.T if upright == 0 else mask
            strip = lines[max(0, round(place) - within) : round(place) + within + 1]
            # Not its ends, where others cross; tags may cover a part.
            middle = strip[:, round(start + (end - start) / 4) : round(end - (end - start) / 4)]
            assert middle.any(axis=0).mean() > 0.7, (box, place)
        _fill(near, box, within + 2)
    assert not (mask & ~near).any(), np.argwhere(mask & ~near)[:5]


def _fill(mask, box, margin):
    x1, y1, x2, y2 = np.clip(np.round(box + np.array([-margin, -margin, margin, margin])), 0, None).astype(int)
    mask[y1:y2, x1:x2] = True
