"""Masks carried through the frames in which a face was not found: between two sightings of a track on the straight way
from one to the other; before the first and after the last held where it was and where it would be had it moved on.

    answers ──▶ waiting frames, twice `hold` seconds of them ──▶ frame with its masks

So what is given out lags behind what was found: only then is it known who comes next, and how fast.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_tools.blur.selecting import Selection, known, likeliest
from face_tools.video.frames import Frame, FrameFaces
from face_tools.video.tracking import Tracker

HOLD_S = 0.5
"""A face that turns away is still one; and so is one before it turns to the camera."""


@dataclass(frozen=True, eq=False)
class Mask:
    """A face in a frame. box: float64 [4], in its pixels. detected: False where it is carried. person: who the track
    mostly was. covers: whether it is to be covered."""

    box: NDArray[np.float64]
    track: int | None
    detected: bool
    person: str | None
    covers: bool

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        box = [round(float(value), 1) for value in self.box]
        person = known(self.person)
        return {"track": self.track, "box": box, "detected": self.detected, **person, "covered": self.covers}


def tracker_for(hold: float, rate: Fraction) -> Tracker:
    """Numbers faces as `carried` wants it: a face may be missing for as long as a mask is held."""
    return Tracker(max_age=math.ceil(hold * rate), min_hits=1)


def carried(
    answers: Iterable[FrameFaces], selection: Selection, *, hold: float = HOLD_S, stride: int = 1, max_age: int = 0
) -> Iterator[tuple[Frame, list[Mask]]]:
    """Every frame, in order, with its masks.

    answers: of `detect_video`, with this stride and a tracker of this max_age. hold: seconds that a mask stays before
    the first and after the last sighting of a track, and never less than up to the next frame that is looked at.

    No more frames wait than come in twice `hold` seconds, or than max_age and stride are. Raises the error of a frame
    that the server gave no answer for: nobody knows who is in it.
    """
    waiting = _Waiting(selection, hold, stride, max(max_age + 1, stride))
    for answer in answers:
        if answer.error is not None:
            raise answer.error
        waiting.add(answer)
        yield from waiting.due()
    yield from waiting.rest()


@dataclass(frozen=True, eq=False)
class _Sighting:
    index: int
    time: float
    box: NDArray[np.float64]
    person: str | None


@dataclass(eq=False)
class _Track:
    """sightings: those around the frame that is next to go out, and all later ones. ever: who it was seen as so far."""

    number: int | None
    sightings: deque[_Sighting] = field(default_factory=deque)
    ever: Counter[str | None] = field(default_factory=Counter)


class _Waiting:
    """Frames whose masks may still change, and the tracks in them. frames: that a track may be missing."""

    def __init__(self, selection: Selection, hold: float, stride: int, frames: int) -> None:
        self._selection = selection
        # Times are floats.
        self._hold = hold + 1e-6
        self._stride = stride
        self._frames = frames
        self._waiting: deque[tuple[Frame, int]] = deque()
        # By scene, so that no mask goes over a cut, and number; a face without one is a track of its own.
        self._tracks: dict[tuple[int, int | object], _Track] = {}

    def add(self, answer: FrameFaces) -> None:
        """The newest frame."""
        frame = answer.frame
        self._waiting.append((frame, answer.scene))
        if not answer.detected:
            return
        persons = self._selection.persons(answer.faces)
        for box, number, person in zip(answer.faces.boxes, answer.tracks, persons):
            key = answer.scene, object() if number is None else number
            track = self._tracks.setdefault(key, _Track(number))
            track.sightings.append(_Sighting(frame.index, frame.time, box.astype(np.float64), person))
            track.ever[person] += 1

    def due(self) -> Iterator[tuple[Frame, list[Mask]]]:
        """The frames that no frame to come can tell anything of."""
        newest, scene = self._waiting[-1]
        while self._waiting[0][1] != scene or self._is_far(newest, self._waiting[0][0]):
            yield self._next()

    def rest(self) -> Iterator[tuple[Frame, list[Mask]]]:
        """All that are left, where no frame comes any more."""
        while self._waiting:
            yield self._next()

    def _is_far(self, later: Frame | _Sighting, earlier: Frame | _Sighting) -> bool:
        return later.time - earlier.time > 2 * self._hold and later.index - earlier.index >= self._frames

    def _next(self) -> tuple[Frame, list[Mask]]:
        frame, scene = self._waiting.popleft()
        masks = []
        for key, track in list(self._tracks.items()):
            newest = track.sightings[-1]
            if key[0] < scene or (newest.index < frame.index and self._is_far(frame, newest)):
                del self._tracks[key]
            elif key[0] == scene:
                masks += self._masks(track, frame)
        return frame, masks

    def _masks(self, track: _Track, frame: Frame) -> list[Mask]:
        """One, or none where the track is too far from the frame."""
        before = [sighting for sighting in track.sightings if sighting.index <= frame.index]
        after = [sighting for sighting in track.sightings if sighting.index > frame.index]
        # Speed is measured over as long as a mask is held.
        while len(before) > 1 and before[-1].time - before[0].time > self._hold:
            track.sightings.popleft()
            before.pop(0)
        is_here = bool(before) and before[-1].index == frame.index
        if is_here:
            box = before[-1].box
        elif before and after:
            share = (frame.time - before[-1].time) / (after[0].time - before[-1].time)
            box = before[-1].box + share * (after[0].box - before[-1].box)
        else:
            nearest_first = before[::-1] or after
            if not self._is_near(nearest_first[0], frame):
                return []
            box = self._held(nearest_first, frame)
        near = Counter(each.person for each in track.sightings if self._is_near(each, frame))
        covers = self._selection.covers(near, track.ever)
        return [Mask(box, track.number, is_here, likeliest(near), covers)]

    def _held(self, nearest_first: list[_Sighting], frame: Frame) -> NDArray[np.float64]:
        """Where a face was, where it would be had it moved on, and all that lies between."""
        nearest = nearest_first[0]
        farthest = [each for each in nearest_first if abs(each.time - nearest.time) <= self._hold][-1]
        if farthest is nearest:
            return nearest.box
        speed = (nearest.box - farthest.box) / (nearest.time - farthest.time)
        moved = nearest.box + speed * (frame.time - nearest.time)
        return np.concatenate([np.minimum(nearest.box, moved)[:2], np.maximum(nearest.box, moved)[2:]])

    def _is_near(self, sighting: _Sighting, frame: Frame) -> bool:
        return abs(frame.time - sighting.time) <= self._hold or abs(frame.index - sighting.index) < self._stride
