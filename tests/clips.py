"""Videos for tests: portraits that move over a background, with the boxes of their faces known."""

from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from PIL import Image

from tests.pictures import astronaut, reference

RATE = 25
SIZE = (640, 360)

# The head and its surroundings, in the portrait.
_LEFT, _TOP, _SIDE = 110, 10, 220


@dataclass(frozen=True)
class Mover:
    """A square portrait, side pixels wide, whose top left corner goes from start to end. hidden: frames without it."""

    side: int
    start: tuple[float, float]
    end: tuple[float, float]
    flipped: bool = False
    hidden: range = range(0)

    def corner(self, share):
        """Top left at a share of the clip, whole pixels."""
        return tuple(round(a + share * (b - a)) for a, b in zip(self.start, self.end, strict=True))

    def picture(self):
        head = Image.fromarray(astronaut()).crop((_LEFT, _TOP, _LEFT + _SIDE, _TOP + _SIDE))
        head = head.resize((self.side, self.side), Image.Resampling.BOX)
        return np.array(head.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if self.flipped else head)

    def box(self, share):
        """Of the face: facenet-pytorch's in the portrait, moved along."""
        x1, y1, x2, y2 = (reference("astronaut.png", 20)[0][0] - [_LEFT, _TOP, _LEFT, _TOP]) * self.side / _SIDE
        if self.flipped:
            x1, x2 = self.side - x2, self.side - x1
        x, y = self.corner(share)
        return np.array([x1 + x, y1 + y, x2 + x, y2 + y])


def somebody_else():
    """The portrait's face, mirrored, with light hair for dark and dark clothes for light, RGB [512, 512, 3]."""
    mirrored = astronaut()[:, ::-1]
    x1, y1, x2, y2 = reference("astronaut.png", 20)[0][0]
    y, x = np.mgrid[0:512, 0:512]
    inside = np.hypot((x - 511 + (x1 + x2) / 2) / (x2 - x1), (y - (y1 + y2) / 2) / (y2 - y1)) * 2
    share = np.clip((1.3 - inside) / 0.3, 0, 1)[:, :, None]
    return (share * mirrored + (1 - share) * (255 - mirrored)).astype(np.uint8)


CAST = (
    # Three lanes: the upper two pass each other, the lowest is covered for a while.
    Mover(130, (10, 0), (470, 5)),
    Mover(115, (510, 122), (30, 118), flipped=True),
    Mover(110, (230, 240), (400, 250), hidden=range(20, 26)),
)


def background():
    """Smooth, with no face: RGB [360, 640, 3]."""
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    return np.stack([90 + x / 10, 110 + y / 8, 140 - x / 12], axis=2).astype(np.uint8)


def frames(count, cast=CAST):
    """The pictures, RGB, and for each the boxes by number of who is to be seen."""
    pictures = [mover.picture() for mover in cast]
    for index in range(count):
        share = index / max(1, count - 1)
        canvas, boxes = background(), {}
        for number, (mover, picture) in enumerate(zip(cast, pictures, strict=True)):
            x, y = mover.corner(share)
            if index not in mover.hidden:
                canvas[y : y + mover.side, x : x + mover.side] = picture
                boxes[number] = mover.box(share)
        yield canvas, boxes


def write(
    path, pictures, codec="libx264", pixels="yuv420p", rotation=0, options=None, sound=None, about=None, aspect=None
):
    """A video of RGB or RGBA pictures, RATE a second. rotation: degrees counter-clockwise that a player has to turn it.
    sound: codec of a tone as long as the pictures. about: tags of the stream of pictures. aspect: width of a
    pixel to its height."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE, options=options or {})
        stream.pix_fmt = pixels
        stream.metadata.update(about or {})
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        tone = None if sound is None else container.add_stream(sound, rate=48_000)
        count = 0
        for count, picture in enumerate(pictures, 1):
            if count == 1:
                stream.height, stream.width = picture.shape[:2]
                if rotation:
                    stream.set_display_rotation(rotation)
            kind = "rgb24" if picture.shape[2] == 3 else "rgba"
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=kind)))
        container.mux(stream.encode(None))
        if tone is not None:
            for packet in tone_packets(tone, count / RATE):
                container.mux(packet)
    return path


def tone_packets(stream, seconds):
    """A tone, encoded."""
    samples = np.sin(np.arange(int(seconds * 48_000)) * 440 * 2 * np.pi / 48_000).astype(np.float32) * 0.3
    for start in range(0, len(samples), 1024):
        block = np.tile(samples[start : start + 1024], (2, 1))
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, start, Fraction(1, 48_000)
        yield from stream.encode(frame)
    yield from stream.encode(None)


def read(path):
    """The pictures of a video as it stands, RGB."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
