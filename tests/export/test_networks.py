"""The networks answer like facenet-pytorch's, and the served ones like the networks."""

import numpy as np
import pytest
import torch

from face_export.inception_resnet_v1 import InceptionResnetV1
from face_export.serving import ServedFaceNet, ServedONet, ServedPNet, ServedRNet
from face_export.weights import count_parameters, load_into

OUTPUTS = {
    "pnet": ("regression", "probability"),
    "rnet": ("regression", "probability"),
    "onet": ("regression", "landmarks", "probability"),
}
SERVED = {"pnet": ServedPNet, "rnet": ServedRNet, "onet": ServedONet}


@pytest.mark.parametrize(("stage", "parameters"), [("pnet", 6_632), ("rnet", 100_178), ("onet", 389_040)])
def test_parameter_count(networks, stage, parameters):
    assert count_parameters(networks[stage]) == parameters


@pytest.mark.parametrize("stage", OUTPUTS)
def test_stage_equals_reference(networks, inputs, reference, stage):
    with torch.inference_mode():
        found = networks[stage](inputs[stage])
    for name, tensor in zip(OUTPUTS[stage], found, strict=True):
        np.testing.assert_allclose(tensor.numpy(), reference[f"{stage}_{name}"], rtol=1e-5, atol=2e-6)


def test_facenet_equals_reference(random_facenet, inputs, reference):
    network = InceptionResnetV1(100).eval()
    load_into(network, random_facenet)
    with torch.inference_mode():
        embeddings, scores = network(inputs["facenet"])
    np.testing.assert_allclose(embeddings.numpy(), reference["facenet_embedding"], atol=1e-5)
    np.testing.assert_allclose(scores.numpy(), reference["facenet_logits"], atol=1e-4)


def test_facenet_tensors_are_named_as_in_facenet_pytorch(facenet_tensors):
    found = [f"{name} {tuple(tensor.shape)}" for name, tensor in InceptionResnetV1(100).state_dict().items()]
    assert found == facenet_tensors
    without = list(InceptionResnetV1().state_dict())
    assert without == [line.split()[0] for line in facenet_tensors if not line.startswith("logits.")]


@pytest.mark.parametrize("stage", OUTPUTS)
def test_served_stage_normalises_and_keeps_the_face_channel(networks, stage):
    pixels = torch.rand((2, 3, 48, 48) if stage != "rnet" else (2, 3, 24, 24)) * 255
    with torch.inference_mode():
        *others, probability = networks[stage]((pixels - 127.5) * 0.0078125)
        *served_others, served = SERVED[stage](networks[stage])(pixels)
    assert all(torch.equal(a, b) for a, b in zip(others, served_others, strict=True))
    expected = probability[:, 1] if stage == "pnet" else probability[:, 1].reshape(-1, 1)
    assert torch.equal(served, expected)


def test_served_facenet_takes_rgb_bytes_height_first():
    network = InceptionResnetV1().eval()
    faces = torch.randint(0, 256, (2, 160, 160, 3), dtype=torch.uint8)
    with torch.inference_mode():
        embeddings, scores, about = ServedFaceNet(network, '{"name": "Gesicht für Tests"}').eval()(faces)
        expected, _ = network((faces.permute(0, 3, 1, 2).float() - 127.5) / 128)
    torch.testing.assert_close(embeddings, expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(2))
    assert scores.shape == (2, 0)
    assert [row.numpy().tobytes().decode() for row in about] == ['{"name": "Gesicht für Tests"}'] * 2
