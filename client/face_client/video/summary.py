"""What a run over a video comes to."""

from __future__ import annotations

import time

from face_client.video.frames import FrameFaces


class Summary:
    """Counts frames, and their rate since it was made.

    frames, detected, refused: of all, those sent to the server and answered, those sent and refused.
    tracks: numbers given. candidates_dropped: see `Faces`.
    """

    def __init__(self) -> None:
        self.frames = self.detected = self.refused = self.tracks = self.candidates_dropped = 0
        self._start = time.monotonic()

    def add(self, answer: FrameFaces) -> None:
        """Count a frame."""
        self.frames += 1
        self.detected += answer.detected
        self.refused += answer.error is not None
        self.tracks = max(self.tracks, *(track or 0 for track in answer.tracks), 0)
        if answer.detected:
            self.candidates_dropped += answer.faces.candidates_dropped

    def __str__(self) -> str:
        seconds = time.monotonic() - self._start
        refused = f", {self.refused} refused" if self.refused else ""
        return (
            f"{self.frames} frames, {self.detected} of them detected{refused}, {self.tracks} tracks, "
            f"{seconds:.1f} s, {self.frames / seconds:.1f} FPS"
        )
