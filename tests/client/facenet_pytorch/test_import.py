"""The package's names and paths are facenet-pytorch's; without PyTorch one sentence says what to install."""

import importlib
import subprocess
import sys

import pytest

from face_client.drop_in import NotHere


def test_names():
    package = importlib.import_module("face_client.facenet_pytorch")
    for name in ("MTCNN", "InceptionResnetV1", "extract_face", "fixed_image_standardization", "prewhiten", "PNet"):
        assert callable(getattr(package, name))
    for name in ("Logger", "BatchTimer", "accuracy", "collate_pil", "pass_epoch"):
        assert callable(getattr(package.training, name))


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("models.mtcnn", "MTCNN"),
        ("models.mtcnn", "fixed_image_standardization"),
        ("models.inception_resnet_v1", "InceptionResnetV1"),
        ("models.inception_resnet_v1", "get_torch_home"),
        ("models.utils.detect_face", "extract_face"),
        ("models.utils.detect_face", "detect_face"),
        ("models.utils.detect_face", "imresample"),
        ("models.utils.training", "pass_epoch"),
    ],
)
def test_paths(module, name):
    assert callable(getattr(importlib.import_module(f"face_client.facenet_pytorch.{module}"), name))


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("facenet_pytorch.models.inception_resnet_v1", "load_weights"),
        ("facenet_pytorch.models.inception_resnet_v1", "Mixed_6a"),
        ("facenet_pytorch.models.utils.detect_face", "nms_numpy"),
        ("facenet_pytorch.models.utils.detect_face", "generateBoundingBox"),
        ("mtcnn.utils.bboxes", "generate_bounding_box"),
        ("mtcnn.utils.landmarks", "adjust_landmarks"),
    ],
)
def test_what_is_in_the_server_says_so(module, name):
    with pytest.raises(NotHere, match=f"^{name} is .*server"):
        exec(f"from face_client.{module} import {name}")
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        exec(f"from face_client.{module} import nothing")


def run_without(package, code):
    blocked = f"import sys; sys.modules[{package!r}] = None; {code}"
    return subprocess.run([sys.executable, "-c", blocked], capture_output=True, text=True, timeout=60).stderr


def test_without_pytorch():
    told = run_without("torch", "import face_client.facenet_pytorch")
    assert told.splitlines()[-1] == (
        "ModuleNotFoundError: face_client.facenet_pytorch needs PyTorch: "
        'pip install "torch>=2.0" "opencv-python-headless>=4.5"'
    )


@pytest.mark.slow
def test_without_opencv_only_arrays_fail():
    told = run_without(
        "cv2",
        "import numpy as np; from PIL import Image; from face_client.facenet_pytorch import extract_face;"
        "image = np.zeros((50, 50, 3), np.uint8); extract_face(Image.fromarray(image), [0, 0, 9, 9]);"
        "print('Pillow is fine', file=sys.stderr); extract_face(image, [0, 0, 9, 9])",
    )
    assert "Pillow is fine" in told
    assert 'with OpenCV: pip install "torch>=2.0" "opencv-python-headless>=4.5"' in told.splitlines()[-1]


def test_the_client_alone_imports_no_torch():
    code = "import sys, face_client.mtcnn; face_client.FaceClient; print(sorted({'torch', 'cv2'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60).stdout == "[]\n"
