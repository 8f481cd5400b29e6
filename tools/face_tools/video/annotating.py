"""Faces and their track numbers drawn into a frame, without leaving the format that is encoded.

`face_tools.drawing` draws numbers of colours into an empty picture; what it drew is then put into the planes of
the frame. Through RGB and back, the same costs three times as much.
"""

from __future__ import annotations

from itertools import repeat

import av
import numpy as np
from PIL import Image

from face_tools.drawing import INK, LANDMARK, Colours, draw_on
from face_tools.video.frames import Frame, FrameFaces, plane_of

# Bright, for black text on them, and well apart. The first is for a face without a number.
_BOXES = (
    (190, 190, 190),
    (0, 220, 90),
    (80, 180, 255),
    (255, 170, 30),
    (255, 120, 210),
    (240, 230, 60),
    (60, 225, 220),
    (190, 150, 255),
    (255, 130, 110),
)

# 0 is where nothing is drawn.
_PALETTE = np.array([(0, 0, 0), INK, LANDMARK, *_BOXES], np.float64)
_COLOURS = [Colours(box=3 + number, landmark=2, ink=1) for number in range(len(_BOXES))]

# RGB 0…255 to Y'CbCr of 8 bits with head room, as video has it (ITU-R BT.601-7, 2.5).
_TO_YCBCR = np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]]) / 255
_PLANES = np.round(_PALETTE @ _TO_YCBCR.T + (16, 128, 128)).astype(np.uint8).T


def draw_tracks(answer: FrameFaces) -> Frame:
    """The frame with its faces drawn: box, landmarks, and a name or "#track", with the probability.

    Its picture is drawn into itself.
    """
    frame = answer.frame
    if answer.faces:
        marks = _draw_marks(answer)
        # Decoders look again at pictures that they gave out; where this one does, it becomes a copy.
        frame.picture.make_writable()
        _put(frame.picture, marks)
    return frame


def _draw_marks(answer: FrameFaces) -> Image.Image:
    """What is to be drawn: a picture of the frame's size of rows of the palette."""
    marks = Image.new("P", (answer.frame.picture.width, answer.frame.picture.height))
    labels, colours = [], []
    for face, track, name in zip(answer.faces, answer.tracks, answer.names or repeat(None)):
        who = name.person if name is not None else "?" if track is None else f"#{track}"
        labels.append(f"{who} {face.probability:.2f}")
        colours.append(_COLOURS[0 if track is None else 1 + (track - 1) % (len(_COLOURS) - 1)])
    draw_on(marks, answer.faces, labels, colours)
    return marks


def _put(picture: av.VideoFrame, marks: Image.Image) -> None:
    around = marks.getbbox()
    if around is None:
        return
    left, top = around[:2]
    values = np.asarray(marks.crop(around))
    # NumPy finds the few in booleans several times as fast as in numbers, and in one dimension than in two.
    rows, columns = np.divmod(np.flatnonzero(values != 0), values.shape[1])
    drawn = values[rows, columns]
    rows, columns = rows + top, columns + left
    for plane, (colour, halved) in enumerate(zip(_PLANES, (1, 2, 2))):
        plane_of(picture, plane)[rows // halved, columns // halved] = colour[drawn]
