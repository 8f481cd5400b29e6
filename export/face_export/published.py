"""FaceNet weights that others have published, and where they are kept once downloaded. Needs no torch."""

import os
from dataclasses import dataclass
from pathlib import Path

CACHE_VARIABLE = "TRITON_FACES_CACHE"
RANDOM = "random"
NONE = "none"
RANDOM_NOTE = "random weights, for load tests only: its embeddings tell nobody apart"


@dataclass(frozen=True)
class Published:
    """A state dict of InceptionResnetV1 in facenet-pytorch's release v2.2.9 (MIT)."""

    file: str
    sha256: str
    classes: int

    @property
    def url(self) -> str:
        return f"https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9/{self.file}"

    @property
    def source(self) -> str:
        return f"facenet-pytorch v2.2.9 {self.file}"


PUBLISHED = {
    "vggface2": Published(
        "20180402-114759-vggface2.pt",
        "281cebca8662831adb987a874bdcb36e73f5b1c6dc5ee5878f305e985625d99b",
        8631,
    ),
    "casia-webface": Published(
        "20180408-102900-casia-webface.pt",
        "7a67afdbbc995fce5e10128675e318799a70698c2f433ba75dd7eb9a2f096e7d",
        10575,
    ),
}
DEFAULT = "vggface2"


def cache_directory() -> Path:
    """`$TRITON_FACES_CACHE`, else `triton-faces` in `$XDG_CACHE_HOME`, else in `~/.cache`."""
    if own := os.environ.get(CACHE_VARIABLE):
        return Path(own)
    # The XDG specification says to ignore a relative path here.
    shared = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(shared) if Path(shared).is_absolute() else Path.home() / ".cache"
    return base / "triton-faces"
