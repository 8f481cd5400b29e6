"""The exception of ipazc's mtcnn 0.1.x, which 1.0.0 dropped."""

from __future__ import annotations

from face_client.errors import InvalidImage

__all__ = ["InvalidImage"]
