"""What is trained is what is exported: the same network, its scores listened to."""

import pytest
import torch

from face_cascade.networks import NETWORKS
from face_export.weights import digest
from face_training.learning.trainable import initialised, new_network, stage_weights

STAGES = ("pnet", "rnet", "onet")


@pytest.mark.parametrize("stage", STAGES)
def test_scores_are_what_the_probabilities_are_made_of(stage):
    trainable = initialised(stage, "pretrained").eval()
    pixels = torch.rand(6, 3, NETWORKS[stage].side, NETWORKS[stage].side) * 255
    with torch.inference_mode():
        scores, regression, landmarks = trainable(pixels)
        wanted, *points, probability = trainable.network((pixels - 127.5) / 128)
    torch.testing.assert_close(torch.softmax(scores, dim=1), probability.flatten(1), rtol=0, atol=1e-6)
    assert torch.equal(regression, wanted.flatten(1))
    assert torch.equal(landmarks, points[0]) if stage == "onet" else landmarks is None


@pytest.mark.parametrize("stage", STAGES)
def test_every_weight_is_reached_by_the_loss(stage):
    trainable = new_network(stage, 0)
    outputs = trainable(torch.rand(4, 3, NETWORKS[stage].side, NETWORKS[stage].side) * 255)
    sum(output.square().sum() for output in outputs if output is not None).backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in trainable.parameters())


def test_first_weights_depend_on_the_seed_alone():
    torch.manual_seed(123)
    before = torch.get_rng_state()
    first = new_network("rnet", 5)
    assert torch.equal(before, torch.get_rng_state())
    torch.rand(10)
    assert digest(first.network) == digest(new_network("rnet", 5).network)
    assert digest(first.network) != digest(new_network("rnet", 6).network)


@pytest.mark.parametrize("stage", STAGES)
def test_the_published_weights_are_there_to_begin_with(stage):
    tensors = stage_weights(stage, "pretrained").tensors
    for name, tensor in initialised(stage, "pretrained").network.state_dict().items():
        assert torch.equal(tensor, tensors[name])
