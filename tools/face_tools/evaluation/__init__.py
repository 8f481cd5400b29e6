"""Accuracy on standard sets: WIDER FACE for detection, Labeled Faces in the Wild for recognition.

The metrics are functions of arrays; `wider` and `lfw` ask a FaceClient for what they need. Needs the extra
`evaluate`; without it importing this raises ImportError.
"""

from __future__ import annotations

from importlib.util import find_spec

# Before anything is asked of a server: a run of hours must not end at its plot.
for _name in ("scipy", "sklearn", "matplotlib"):
    if find_spec(_name) is None:
        raise ImportError(f'{_name} is needed for evaluation: pip install "triton-faces-client[evaluate]"', name=_name)
