"""FaceNet by itself, through Triton: the reference's numbers, and crops in any number."""

import numpy as np
import pytest
import torch
from tritonclient.utils import InferenceServerException

from face_cascade import FACENET
from face_client import InvalidInput
from face_export.inception_resnet_v1 import InceptionResnetV1
from face_export.readers.facenet import random_weights
from face_export.weights import load_into
from tests.e2e.conftest import FLOAT_FACENET
from tests.e2e.requests import outputs, tensor
from tests.export.conftest import CLASSES
from tests.pictures import DATA

TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def crops():
    """The portrait's face and noise, UINT8 [5,160,160,3]."""
    face = np.load(DATA / "astronaut_crops.npz")["margin0_size160"]
    noise = np.random.RandomState(2).randint(0, 256, (4, 160, 160, 3), np.uint8)
    return np.concatenate([face, noise])


def ask(client, model, batch):
    answer = client.infer(model, [tensor(FACENET.input, batch)], outputs=outputs(*FACENET.outputs[:2]))
    return tuple(answer.as_numpy(name) for name in FACENET.outputs[:2])


def test_embeddings_and_logits_are_the_references(grpc_client):
    """The reference's input is noise from -1 to 1. The same file takes it as pixels that are no whole numbers."""
    normalised = np.random.RandomState(1).uniform(-1, 1, (3, 3, 160, 160)).astype(np.float32)
    pixels = np.ascontiguousarray((normalised * 128 + 127.5).transpose(0, 2, 3, 1))
    embeddings, logits = ask(grpc_client, FLOAT_FACENET, pixels)
    with np.load(DATA / "networks.npz") as reference:
        np.testing.assert_allclose(embeddings, reference["facenet_embedding"], atol=TOLERANCE)
        np.testing.assert_allclose(logits, reference["facenet_logits"], atol=TOLERANCE)


def test_crops_of_bytes_give_what_the_network_gives_in_torch(grpc_client, crops):
    network = InceptionResnetV1(CLASSES).eval()
    load_into(network, random_weights(CLASSES))
    with torch.inference_mode():
        expected = network((torch.from_numpy(crops).permute(0, 3, 1, 2).float() - 127.5) / 128)
    for found, wanted in zip(ask(grpc_client, FACENET.name, crops), expected, strict=True):
        np.testing.assert_allclose(found, wanted.numpy(), atol=TOLERANCE)


def test_any_number_of_crops_through_the_client(client, grpc_client, crops):
    embeddings, logits = ask(grpc_client, FACENET.name, crops)
    many = np.tile(crops, (14, 1, 1, 1))
    np.testing.assert_allclose(client.embed(many), np.tile(embeddings, (14, 1)), atol=1e-5)
    np.testing.assert_allclose(client.embed(list(crops)), embeddings, atol=1e-5)
    np.testing.assert_allclose(client.classify(crops), logits, atol=TOLERANCE)
    assert client.embed(crops[:0]).shape == (0, 512)


def test_crops_that_are_none(client, grpc_client):
    with pytest.raises(InvalidInput, match=r"crops\[1\] is uint8 with shape \[80, 80, 3\]"):
        client.embed([np.zeros((160, 160, 3), np.uint8), np.zeros((80, 80, 3), np.uint8)])
    with pytest.raises(InferenceServerException) as caught:
        ask(grpc_client, FACENET.name, np.zeros((1, 80, 80, 3), np.uint8))
    assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"
