"""facenet-pytorch 2.6.0's public names, served by Triton: change the import, and nothing else.

    from face_client.facenet_pytorch import MTCNN, InceptionResnetV1

    mtcnn = MTCNN(image_size=160, margin=0)                    # url="host:8001" or client=FaceClient(…)
    resnet = InceptionResnetV1(pretrained="vggface2").eval()
    face = mtcnn(Image.open("photo.jpg"))                      # float32 [3, 160, 160], or None
    embedding = resnet(face.unsqueeze(0))                      # float32 [1, 512]

Arguments, shapes, types and Nones are those of facenet-pytorch; `docs/migrating.md` lists where they differ.
What needs the networks in this process (their layers and weights, steps inside the cascade, tracing) raises NotHere,
which says so. Modules have the same paths: `face_client.facenet_pytorch.models.mtcnn` and so on.
"""

from __future__ import annotations

from face_client.extras import how_to_install

try:
    import torch
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    raise ModuleNotFoundError(
        f"face_client.facenet_pytorch needs PyTorch: {how_to_install('triton-faces-client', 'facenet-pytorch')}",
        name="torch",
    ) from None

from face_client.facenet_pytorch.models.inception_resnet_v1 import InceptionResnetV1
from face_client.facenet_pytorch.models.mtcnn import (
    MTCNN,
    ONet,
    PNet,
    RNet,
    fixed_image_standardization,
    prewhiten,
)
from face_client.facenet_pytorch.models.utils import training
from face_client.facenet_pytorch.models.utils.detect_face import extract_face

del how_to_install, torch

__all__ = [
    "MTCNN",
    "InceptionResnetV1",
    "ONet",
    "PNet",
    "RNet",
    "extract_face",
    "fixed_image_standardization",
    "prewhiten",
    "training",
]
