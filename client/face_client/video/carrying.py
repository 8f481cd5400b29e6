"""The faces of frames in which nobody looked for them: carried from the detected frames around."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from face_client.faces import Faces

Tracks = Sequence["int | None"]


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
