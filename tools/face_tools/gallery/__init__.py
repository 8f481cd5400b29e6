"""`faces gallery`: people by their faces, at a terminal. Needs `face_gallery`, the extra `gallery`."""

from __future__ import annotations

from face_tools import need_extra

# All of it is about galleries: without the package the verb is listed, with what to install.
need_extra("gallery")
