"""What the training's tests share."""

import numpy as np
import pytest
import torch

from face_cascade import ONET, PNET, RNET
from face_training.learning.trainable import stage_weights
from tests.pictures import wall
from tests.training.sets import annotated, portrait


@pytest.fixture(autouse=True)
def one_thread():
    """Sums in one order, so that the same run gives the same bits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def pretrained_arrays():
    """The published weights as arrays, by network."""
    return {
        network.name: {
            name: tensor.numpy() for name, tensor in stage_weights(network.name, "pretrained").tensors.items()
        }
        for network in (PNET, RNET, ONET)
    }


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """Two pictures with faces, one of them ignored, one picture without, and a portrait that is not complete."""
    folder = tmp_path_factory.mktemp("pictures")
    face_pixels, box, points = portrait()
    crowd = np.ascontiguousarray(wall()[570:1010, 560:1340])
    # Where the wall's portraits of 320, 224 and 160 pixels have their faces.
    faces = [[40 + 181 * s / 512, y + 62 * s / 512, 40 + 268 * s / 512, y + 172 * s / 512] for s, y in ((320, 70),)] + [
        [400 + 181 * 224 / 512, 110 + 62 * 224 / 512, 400 + 268 * 224 / 512, 110 + 172 * 224 / 512]
    ]
    ignored = [[660 + 181 * 160 / 512, 150 + 62 * 160 / 512, 660 + 268 * 160 / 512, 150 + 172 * 160 / 512]]
    noise = np.random.default_rng(3).integers(0, 256, (90, 130, 3), np.uint8)
    return [
        annotated(folder / "portrait.png", face_pixels, [box], [points]),
        annotated(folder / "crowd.png", crowd, faces, ignored=ignored),
        annotated(folder / "noise.png", noise),
        annotated(folder / "points.png", face_pixels, [box], [points], complete=False),
    ]
