"""Numbers for faces that stay the same from frame to frame, and faces carried over frames nobody looked at.

By place, and by how a face looks as far as that tells two people apart: no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from face_client.errors import InvalidInput
from face_client.faces import Faces
from face_tools.matching import assign, distance_iou
from face_tools.video.frames import MAX_AGE, MIN_HITS
from face_tools.video.looks import Floats, alike

Tracks = Sequence["int | None"]

# Two boxes of one size, side by side without a gap, are at -0.2.
_LEAST_AFFINITY = -0.2

# Below this likeness two looks are two people: in one scene, where heads turn between two looks, and across a cut.
_LEAST_ALIKE = 0.4
_LEAST_ALIKE_ACROSS = 0.6

# Weight of the newest movement in a track's mean one; a detector's boxes tremble.
_NEWEST = 0.5


class Tracker:
    """Gives each face of a frame the number of the track that it continues, or a new one.

    A track is expected where it was last seen, and where it would be had it moved on at its speed; whichever
    fits a box better counts (see `distance_iou`), and boxes are given to tracks so that the sum is largest. What
    is left over is tried once more with the median speed of the others: the camera may have turned. A face that looks
    like somebody else is not the track's, wherever it is; after a cut it has to look more alike.

    max_age: frames that a face may be missing; after more its number is not given again. One that was there
        when faces were last looked for is kept however long ago that is.
    min_hits: detections in a row that a new face needs before it has a number, against false ones that flash up.
    count: numbers given so far.
    """

    def __init__(self, *, max_age: int = MAX_AGE, min_hits: int = MIN_HITS) -> None:
        if max_age < 0 or min_hits < 1:
            raise InvalidInput(f"max_age is {max_age} and min_hits {min_hits}; they must be at least 0 and 1")
        self.max_age = max_age
        self.min_hits = min_hits
        self.count = 0
        self._tracks: list[_Track] = []
        self._previous: int | None = None

    def update(
        self, frame: int, boxes: NDArray[np.floating], looks: Sequence[Floats] | None = None, scene: int = 0
    ) -> list[int | None]:
        """The track number of each box, from 1; None while it has none.

        frame: the index of the frame in the video; frames in which nobody looked for faces are left out, and count
        for speed and age all the same. One that is not later than the one before starts another video: numbers go
        on, and nobody has the old ones. boxes: x1, y1, x2, y2, [N, 4]. looks: of each face, see `looks.look`; None:
        by place alone. scene: number of the scene that the frame belongs to.
        """
        self._forget(frame)
        pairs = {column: self._tracks[row] for row, column in self._pairs(frame, boxes, looks, scene)}
        missed = [track for track in self._tracks if track not in pairs.values() and track.number is not None]
        seen = []
        for index, box in enumerate(boxes.astype(np.float64)):
            track = pairs.get(index) or _Track(frame, box)
            track.see(frame, box)
            track.scene, track.look = scene, None if looks is None else looks[index]
            if track.number is None and track.hits >= self.min_hits:
                self.count += 1
                track.number = self.count
            seen.append(track)
        # A face that has no number yet is forgotten where it is missed.
        self._tracks = seen + missed
        return [track.number for track in seen]

    def _forget(self, frame: int) -> None:
        """Drop the tracks that `frame` is too late for."""
        before, self._previous = self._previous, frame
        oldest = frame - self.max_age - 1
        self._tracks = [
            track for track in self._tracks if track.frame < frame and (track.frame >= oldest or track.frame == before)
        ]

    def _pairs(
        self, frame: int, boxes: NDArray[np.floating], looks: Sequence[Floats] | None, scene: int
    ) -> list[tuple[int, int]]:
        """(track, box)"""
        last = np.array([track.box for track in self._tracks]).reshape(-1, 4)
        expected = np.array([track.expected(frame) for track in self._tracks]).reshape(-1, 4)
        others = self._other_people(looks, scene, len(boxes))
        affinity = np.maximum(distance_iou(last, boxes), distance_iou(expected, boxes))
        affinity[others] = _LEAST_AFFINITY
        pairs = assign(affinity, _LEAST_AFFINITY)
        if not 0 < len(pairs) < min(affinity.shape):
            return pairs
        rows, columns = (list(indices) for indices in zip(*pairs))
        elapsed = np.array([frame - track.frame for track in self._tracks])[:, None]
        speed = np.median(_centres(boxes[columns] - last[rows]) / elapsed[rows], axis=0)
        affinity = distance_iou(last + np.tile(speed * elapsed, 2), boxes)
        affinity[rows] = affinity[:, columns] = affinity[others] = _LEAST_AFFINITY
        return pairs + assign(affinity, _LEAST_AFFINITY)

    def _other_people(self, looks: Sequence[Floats] | None, scene: int, count: int) -> NDArray[np.bool_]:
        """[tracks, boxes]: where a box looks like somebody else than the track."""
        others = np.zeros((len(self._tracks), count), bool)
        for row, track in enumerate(self._tracks):
            least = _LEAST_ALIKE if track.scene == scene else _LEAST_ALIKE_ACROSS
            for column, look in enumerate(looks or ()):
                others[row, column] = track.look is not None and alike(track.look, look) < least
        return others


@dataclass(eq=False)
class _Track:
    """box: float64 [4] in `frame`, where it was last seen, in `scene`, with `look`. speed: of its centre, pixels a
    frame, [2]."""

    frame: int
    box: NDArray[np.float64]
    hits: int = 0
    number: int | None = None
    scene: int = 0
    look: Floats | None = None
    speed: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))

    def expected(self, frame: int) -> NDArray[np.float64]:
        return self.box + np.tile(self.speed * (frame - self.frame), 2)

    def see(self, frame: int, box: NDArray[np.float64]) -> None:
        if self.hits:
            moved = _centres(box - self.box) / (frame - self.frame)
            self.speed = moved if self.hits == 1 else self.speed + _NEWEST * (moved - self.speed)
        self.frame, self.box, self.hits = frame, box, self.hits + 1


def _centres(boxes: NDArray[np.floating]) -> NDArray[np.float64]:
    """[..., 4] → [..., 2]; of differences of boxes, how far their centres are apart."""
    centres: NDArray[np.float64] = (boxes[..., :2] + boxes[..., 2:]) / 2
    return centres


def between(before: Faces, tracks: Tracks, after: Faces, later_tracks: Tracks, share: float) -> Faces:
    """The faces of `before`, on their straight way to where `after` has them.

    tracks, later_tracks: the number of each face in `before` and in `after`. A face whose number `after` does not
    have stays where it was. share: of the way, from 0 (before) to 1 (after). Boxes, landmarks and probabilities
    alike; the rows are those of `before`.
    """
    rows_after = {track: row for row, track in enumerate(later_tracks) if track is not None}
    pairs = [(row, rows_after[track]) for row, track in enumerate(tracks) if track in rows_after]
    if not pairs:
        return before
    here, there = (list(rows) for rows in zip(*pairs))

    def move(old: NDArray[np.float32], new: NDArray[np.float32]) -> NDArray[np.float32]:
        moved = old.copy()
        moved[here] += np.float32(share) * (new[there] - old[here])
        return moved

    return replace(
        before,
        boxes=move(before.boxes, after.boxes),
        probabilities=move(before.probabilities, after.probabilities),
        landmarks=move(before.landmarks, after.landmarks),
    )
