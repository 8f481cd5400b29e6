"""The compiled networks beside the same networks in torch."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from face_cascade import WrongWeights
from face_cascade.compiled import COMPILED
from face_cascade.compiled.crops import CompiledCropNetwork
from face_cascade.compiled.exact import exact_outputs
from face_cascade.networks import ONET, PNET, RNET
from face_export.mtcnn import STAGES
from face_export.readers import read_stage
from face_export.serving import ServedONet, ServedPNet, ServedRNet
from face_export.weights import load_into
from tests.cascade.compiled.test_likely import view_of

SERVED = {PNET: ServedPNet, RNET: ServedRNet, ONET: ServedONet}

# Two programs that add in different orders: float32 has 24 bits, the largest values here are about 4.
TOLERANCE = {"atol": 4e-6, "rtol": 1e-5}


def pretrained(network):
    module = STAGES[network.name]().eval()
    load_into(module, read_stage(network.name))
    return module


def arrays(module):
    return {name: tensor.numpy() for name, tensor in module.state_dict().items()}


def pixels(*shape):
    return np.random.default_rng(5).uniform(0, 255, shape).astype(np.float32)


@pytest.fixture(scope="module")
def served():
    return {network: SERVED[network](pretrained(network)).eval() for network in COMPILED}


CASES = [
    *((PNET, (1, 3, *size)) for size in ((256, 256), (12, 12), (11, 11), (27, 28), (45, 300))),
    *((PNET, (3, 3, *size)) for size in ((11, 257), (256, 11))),
    # These two take seconds to compile.
    *(pytest.param(RNET, (count, 3, 24, 24), marks=pytest.mark.slow) for count in (1, 7, 8, 9, 256)),
    *(pytest.param(ONET, (count, 3, 48, 48), marks=pytest.mark.slow) for count in (1, 7, 8, 9, 64)),
]


@pytest.mark.parametrize(("network", "shape"), CASES, ids=lambda case: getattr(case, "name", str(case)))
def test_compiled_equals_torch(compiled, served, network, shape):
    batch = pixels(*shape)
    with torch.inference_mode():
        wanted = served[network](torch.from_numpy(batch))
    for found, tensor in zip(compiled[network](batch), wanted, strict=True):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, tensor.numpy(), **TOLERANCE)


@pytest.mark.slow
@pytest.mark.parametrize("network", list(COMPILED), ids=lambda network: network.name)
def test_any_weights_and_slopes_of_prelu(network):
    torch.manual_seed(1)
    module = STAGES[network.name]().eval()
    for name, parameter in module.named_parameters():
        if name.startswith("prelu"):
            torch.nn.init.uniform_(parameter, -1.5, 1.5)
    side = {PNET: 40, RNET: 24, ONET: 48}[network]
    batch = pixels(3, 3, side, side)
    with torch.inference_mode():
        wanted = SERVED[network](module).eval()(torch.from_numpy(batch))
    for found, tensor in zip(COMPILED[network](arrays(module))(batch), wanted, strict=True):
        np.testing.assert_allclose(found, tensor.numpy(), **TOLERANCE)


@pytest.mark.parametrize(
    "network",
    [PNET, *(pytest.param(network, marks=pytest.mark.slow) for network in (RNET, ONET))],
    ids=lambda network: network.name,
)
def test_batched_equals_single(compiled, network):
    side = {PNET: 60, RNET: 24, ONET: 48}[network]
    batch = pixels(19, 3, side, side)
    together = compiled[network](batch)
    for n in range(len(batch)):
        for whole, alone in zip(together, compiled[network](batch[n : n + 1]), strict=True):
            np.testing.assert_array_equal(whole[n], alone[0])


@pytest.mark.parametrize("network", [RNET, ONET], ids=lambda network: network.name)
def test_no_crops_give_no_rows(compiled, network):
    side = {RNET: 24, ONET: 48}[network]
    for output in compiled[network](np.empty((0, 3, side, side), np.float32)):
        assert output.shape[0] == 0


def test_a_batch_that_is_a_view_is_read_right(compiled):
    batch = pixels(2, 24, 24, 3).transpose(0, 3, 1, 2)
    for found, wanted in zip(compiled[RNET](batch), compiled[RNET](np.ascontiguousarray(batch)), strict=True):
        np.testing.assert_array_equal(found, wanted)


def with_batch_norm(weights):
    """As of an RNet that normalises between its second pooling and its third convolution."""
    module = STAGES[RNET.name]()
    module.pool2 = torch.nn.Sequential(module.pool2, torch.nn.BatchNorm2d(48))
    return {**arrays(module), **weights}


def without(name):
    return lambda weights: {key: array for key, array in weights.items() if key != name}


def with_tensor(name, *shape):
    return lambda weights: {**weights, name: np.zeros(shape, np.float32)}


def swapped(one, other):
    return lambda weights: {**weights, one: weights[other], other: weights[one]}


@pytest.mark.parametrize(
    ("network", "change", "message"),
    [
        (RNET, with_batch_norm, r"compiled rnet has no tensor pool2\.1\.bias"),
        (PNET, without("conv4_1.bias"), r"compiled pnet wants a tensor conv4_1\.bias of shape \[2\]; there is none"),
        (RNET, without("prelu4.weight"), r"wants a tensor prelu4\.weight of shape \[128\]; there is none"),
        (ONET, with_tensor("dense6_4.bias", 2), r"compiled onet has no tensor dense6_4\.bias"),
        (PNET, with_tensor("conv4_2.weight", 4, 32), r"conv4_2\.weight of shape \[4, 32, 1, 1\], not \[4, 32\]"),
        (ONET, with_tensor("dense5.weight", 256, 1024), r"dense5\.weight of shape \[256, 1152\], not \[256, 1024\]"),
        # One slope for all channels would spread over them without an error.
        (ONET, with_tensor("prelu4.weight", 1), r"prelu4\.weight of shape \[128\], not \[1\]"),
        (RNET, swapped("prelu1.weight", "prelu2.weight"), r"prelu1\.weight of shape \[28\], not \[48\]"),
        (RNET, lambda _: {}, "there is none"),
    ],
)
def test_weights_of_another_network_are_refused(network, change, message):
    with pytest.raises(WrongWeights, match=message):
        COMPILED[network](change(arrays(pretrained(network))))


def test_slopes_that_are_swapped_and_fit_are_another_network(compiled):
    weights = swapped("prelu2.weight", "prelu3.weight")(arrays(pretrained(ONET)))
    module = STAGES[ONET.name]().eval()
    module.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    batch = pixels(4, 3, 48, 48)
    with torch.inference_mode():
        wanted = ServedONet(module).eval()(torch.from_numpy(batch))
    found = COMPILED[ONET](weights)(batch)
    for output, tensor in zip(found, wanted, strict=True):
        np.testing.assert_allclose(output, tensor.numpy(), **TOLERANCE)
    assert np.abs(found[0] - compiled[ONET](batch)[0]).max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("lanes", [8, 16])
def test_processors_with_other_vectors(tmp_path, compiled, lanes):
    """The kernels as they are made where vectors hold eight values, or sixteen, of which LLVM makes two here."""
    script = """
import sys
import numba
from llvmlite import binding
# Numba knows the processor by now, and makes no code that it cannot run.
assert numba.njit(lambda: 1)() == 1
lanes = int(sys.argv[2])
features = binding.get_host_cpu_features()
features["avx512f"] = lanes == 16
binding.get_host_cpu_features = lambda: features
import numpy as np
from face_cascade import vectors
from face_cascade.compiled import COMPILED
from face_cascade.networks import ONET, PNET, RNET
from tests.cascade.compiled.test_likely import view_of
from tests.cascade.compiled.test_networks import arrays, pixels, pretrained
assert vectors.LANES == lanes
for network, shape in ((PNET, (1, 3, 60, 61)), (RNET, (9, 3, 24, 24)), (ONET, (9, 3, 48, 48))):
    compiled = COMPILED[network](arrays(pretrained(network)))
    np.savez(f"{sys.argv[1]}/{network.name}.npz", *compiled(pixels(*shape)))
    if network is PNET:
        np.savez(f"{sys.argv[1]}/likely.npz", *compiled.likely(view_of(60, 61)[0], 0.001))
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path), str(lanes)], check=True)
    for network, shape in ((PNET, (1, 3, 60, 61)), (RNET, (9, 3, 24, 24)), (ONET, (9, 3, 48, 48))):
        with np.load(tmp_path / f"{network.name}.npz") as saved:
            for narrow, wide in zip(saved.values(), compiled[network](pixels(*shape)), strict=True):
                np.testing.assert_allclose(narrow, wide, **TOLERANCE)
    with np.load(tmp_path / "likely.npz") as saved:
        rows, columns, probability, regression = compiled[PNET].likely(view_of(60, 61)[0], 0.001)
        assert len(rows)
        for found, wanted in zip(saved.values(), (rows, columns, probability, regression), strict=True):
            np.testing.assert_allclose(found, wanted, **TOLERANCE)


@pytest.mark.parametrize("network", [RNET, ONET], ids=lambda network: network.name)
def test_weights_of_a_crop_network_that_round_too_roughly_are_done_by_plain_sums(compiled, network):
    of = COMPILED[network]
    assert compiled[network].of is of
    weights, (box, *_) = arrays(pretrained(network)), of.heads
    large = {**weights, f"{box}.weight": 100 * weights[f"{box}.weight"]}
    assert of(large).of is of.by_plain_sums
    assert of({**weights, "conv2.bias": np.full_like(weights["conv2.bias"], np.nan)}).of is of.by_plain_sums
    anew = replace(of)
    assert anew(large).of.run.signatures, "its machine code is there before any caller is"


@pytest.mark.slow
@pytest.mark.parametrize("network", [RNET, ONET], ids=lambda network: network.name)
def test_by_plain_sums_it_is_the_same_network(compiled, network):
    batch = pixels(9, 3, network.side, network.side)
    plain = CompiledCropNetwork(COMPILED[network].by_plain_sums, arrays(pretrained(network)))
    for found, wanted in zip(compiled[network](batch), plain(batch), strict=True):
        np.testing.assert_allclose(found, wanted, atol=2e-6)


@pytest.mark.parametrize("network", [RNET, ONET], ids=lambda network: network.name)
def test_what_rounding_is_measured_by_equals_torch(network):
    module, batch = pretrained(network), pixels(3, 3, network.side, network.side)
    with torch.inference_mode():
        wanted = SERVED[network](module.double()).eval()(torch.from_numpy(batch.astype(np.float64)))
    of = COMPILED[network]
    found = exact_outputs(arrays(pretrained(network)), of.poolings, list(of.heads), batch)
    for output, tensor in zip(found, wanted, strict=True):
        np.testing.assert_allclose(output, tensor.numpy(), rtol=1e-9, atol=1e-12)


def test_half_precision_is_widened_before_anything_is_computed():
    rounded = {name: array.astype(np.float16) for name, array in arrays(pretrained(PNET)).items()}
    widened = {name: array.astype(np.float32) for name, array in rounded.items()}
    batch = pixels(1, 3, 27, 28)
    for found, wanted in zip(COMPILED[PNET](rounded)(batch), COMPILED[PNET](widened)(batch), strict=True):
        np.testing.assert_array_equal(found, wanted)
