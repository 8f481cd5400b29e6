"""Half precision: float16 inside, float32 at the border, and near what it came from."""

import numpy as np
import pytest
import torch

from face_cascade.compiled import COMPILED
from face_cascade.networks import PNET
from face_export.errors import ParityError
from face_export.exporter import build_facenet, build_stage
from face_export.half import in_half
from face_export.inception_resnet_v1 import InceptionResnetV1
from face_export.torchscript import from_bytes
from face_export.weights import Weights, digest, load_into
from face_repository.weights import FP16, FP32, read_weights

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")

STAYING = "last_bn.", "logits."


def assert_near_but_rounded(found, wanted, tolerance):
    for half, whole in zip(found, wanted, strict=True):
        assert half.dtype == whole.dtype == torch.float32
        assert 0 < (half - whole).abs().max() < tolerance


def inside(network):
    """Types of all parameters that compute in half precision."""
    return {tensor.dtype for name, tensor in network.named_parameters() if not name.startswith(STAYING)}


@pytest.mark.parametrize("stage", ["pnet", "rnet", "onet"])
def test_rounds_inside_only(networks, inputs, stage):
    network, before = networks[stage], digest(networks[stage])
    half = in_half(network)
    with torch.inference_mode():
        assert_near_but_rounded(half(inputs[stage]), network(inputs[stage]), 5e-3)
    assert inside(half) == {torch.float16}
    assert digest(network) == before, "the network that it was made of stays"


@pytest.mark.slow
def test_facenet_rounds_up_to_its_embedding(random_facenet, inputs):
    network = InceptionResnetV1(100).eval()
    load_into(network, random_facenet)
    half = in_half(network)
    with torch.inference_mode():
        (found, scores), (wanted, _) = half(inputs["facenet"]), network(inputs["facenet"])
    assert found.dtype == scores.dtype == torch.float32
    assert torch.cosine_similarity(found, wanted).min() > 0.999
    torch.testing.assert_close(found.norm(dim=1), torch.ones(3), atol=1e-6, rtol=0)
    assert inside(half) == {torch.float16}
    assert half.logits.weight.dtype == torch.float32


@pytest.mark.slow
def test_the_file_holds_half_precision_twice(pretrained, tmp_path):
    """As TorchScript, and as arrays, which a CPU widens."""
    built = build_stage("pnet", pretrained["pnet"], FP16)
    assert built.write(tmp_path).precision == FP16
    assert '"precision": "fp16"' in (tmp_path / "pnet/1/export.json").read_text()
    tiles = torch.rand(2, 3, 40, 51) * 255
    module = from_bytes(built.archive)
    assert {tensor.dtype for tensor in module.parameters()} == {torch.float16}
    with torch.inference_mode():
        wanted = built.reference(tiles)
        assert_near_but_rounded(module(tiles), wanted, 5e-3)
    arrays = read_weights(tmp_path / "pnet/1/model.pt")
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float16)}
    compiled = [torch.from_numpy(output) for output in COMPILED[PNET](arrays)(tiles.numpy())]
    assert_near_but_rounded(compiled, wanted, 5e-3)


@pytest.mark.slow
def test_a_value_that_float16_cannot_hold_is_refused(pretrained):
    tensors = pretrained["pnet"].tensors
    # Values of 100,000 in the maps of a network that is all right in float32.
    large = {**tensors, "conv3.weight": tensors["conv3.weight"] * 1e5, "conv3.bias": tensors["conv3.bias"] * 1e5}
    large |= {name: tensors[name] / 1e5 for name in ("conv4_1.weight", "conv4_2.weight")}
    weights = Weights(large, "large.pt", None)
    assert build_stage("pnet", weights).export.precision == FP32
    with pytest.raises(ParityError, match=r"pnet: output 0 .* is not finite; nothing was written"):
        build_stage("pnet", weights, FP16)


@pytest.mark.slow
def test_facenet_file(random_facenet):
    built = build_facenet(random_facenet, FP16)
    assert len(built.archive) < 0.6 * 4 * built.export.parameters
    faces = torch.randint(0, 256, (2, 160, 160, 3), dtype=torch.uint8)
    with torch.inference_mode():
        *found, about = from_bytes(built.archive)(faces)
        *wanted, told = built.reference(faces)
    assert_near_but_rounded(found, wanted, 2e-2)
    assert torch.equal(about, told)
