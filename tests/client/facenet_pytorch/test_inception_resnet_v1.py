"""InceptionResnetV1: standardised tensors in, the server's embeddings or logits out."""

import warnings

import numpy as np
import pytest
import torch

from face_client import InvalidInput
from face_client.facenet_pytorch import InceptionResnetV1, fixed_image_standardization, prewhiten
from tests.fakes import TRAINED, UNTRAINED


class FakeFaceNet:
    """Stands for FaceClient; remembers the crops."""

    def __init__(self, classes=8631, weights=TRAINED):
        self.classes = classes
        self.asked = 0
        self._weights = weights

    def weights(self):
        self.asked += 1
        return self._weights

    def embed(self, crops):
        self.crops = crops
        return np.arange(len(crops) * 512, dtype=np.float32).reshape(-1, 512)

    def classify(self, crops):
        self.crops = crops
        return np.zeros((len(crops), self.classes if len(crops) else 0), np.float32)


@pytest.fixture
def server():
    return FakeFaceNet()


def levels(count):
    return torch.as_tensor(np.random.RandomState(count).randint(0, 256, (count, 3, 160, 160)).astype(np.float32))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
def test_standardised_grey_levels_arrive_as_they_were(server, dtype):
    faces = levels(3)
    embeddings = InceptionResnetV1(client=server)(fixed_image_standardization(faces).to(dtype))
    assert (server.crops.dtype, server.crops.shape) == (np.uint8, (3, 160, 160, 3))
    assert server.crops.flags.c_contiguous
    np.testing.assert_array_equal(server.crops, faces.numpy().transpose(0, 2, 3, 1))
    assert (embeddings.dtype, embeddings.shape) == (dtype, (3, 512))
    assert not embeddings.requires_grad


def test_every_level_is_exact(server):
    every = torch.arange(256.0).repeat(300)[: 3 * 160 * 160].reshape(1, 3, 160, 160)
    InceptionResnetV1(client=server)(fixed_image_standardization(every))
    np.testing.assert_array_equal(server.crops[0].transpose(2, 0, 1), every[0])


def test_other_values_go_to_the_nearest_level(server):
    between = torch.full((1, 3, 160, 160), 100.4)
    InceptionResnetV1(client=server)(fixed_image_standardization(between))
    assert np.unique(server.crops) == [100]
    edges = torch.full((1, 3, 160, 160), -0.4)
    edges[0, 0] = 255.4
    InceptionResnetV1(client=server)(fixed_image_standardization(edges))
    np.testing.assert_array_equal(np.unique(server.crops), [0, 255])


def test_what_is_not_standardised_is_refused(server):
    resnet = InceptionResnetV1(client=server)
    for faces in (levels(1), prewhiten(levels(1) ** 3), torch.full((1, 3, 160, 160), float("nan"))):
        with pytest.raises(InvalidInput, match="standardise crops with fixed_image_standardization"):
            resnet(faces)
    for faces in (levels(1)[0], levels(1)[:, :2], levels(1)[:, :, :80], levels(1).to(torch.uint8), np.zeros(3)):
        with pytest.raises(InvalidInput, match=r"must be a float tensor \[N, 3, 160, 160\]"):
            resnet(faces)


def test_no_faces(server):
    resnet = InceptionResnetV1(pretrained="vggface2", client=server)
    assert resnet(torch.empty(0, 3, 160, 160)).shape == (0, 512)
    resnet.classify = True
    assert len(resnet(torch.empty(0, 3, 160, 160))) == 0


def test_logits(server):
    resnet = InceptionResnetV1(pretrained="vggface2", client=server).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert resnet(fixed_image_standardization(levels(2))).shape == (2, 512)
        resnet.classify = True
        assert resnet(fixed_image_standardization(levels(2))).shape == (2, 8631)
        assert InceptionResnetV1(classify=True, num_classes=8631, client=server)(levels(1) / 256).shape == (1, 8631)


def test_a_classifier_of_another_size(server):
    with pytest.warns(UserWarning, match="pretrained is 'casia-webface', with 10575 classes; .* has 8631") as warned:
        InceptionResnetV1(pretrained="casia-webface", classify=True, client=server)(levels(1) / 256)
    assert warned[0].filename == __file__
    with pytest.raises(InvalidInput, match="num_classes is 100; the server's classifier has 8631"):
        InceptionResnetV1(classify=True, num_classes=100, client=server)(levels(1) / 256)


@pytest.mark.parametrize("error", [ValueError, InvalidInput])
def test_unknown_weights(error):
    with pytest.raises(error, match="must be 'vggface2', 'casia-webface' or None"):
        InceptionResnetV1(pretrained="imagenet")


def test_a_classifier_needs_a_size():
    with pytest.raises(InvalidInput, match="needs num_classes"):
        InceptionResnetV1(classify=True)


def test_a_torch_module_that_only_answers(server):
    resnet = InceptionResnetV1(device="cpu", client=server).eval().to("cpu")
    assert not resnet.training
    x = standardised(2).requires_grad_()
    with pytest.warns(UserWarning, match="the server's answer has none"):
        assert not resnet(x).requires_grad
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("error")
        resnet(x)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_answers_have_the_type_of_the_question(dtype, server):
    answer = InceptionResnetV1(client=server)(standardised(3).to(dtype))
    assert answer.dtype == dtype
    wanted = torch.arange(3 * 512).reshape(3, 512).to(dtype)
    assert torch.equal(answer, wanted)


def standardised(count):
    levels = torch.full((count, 3, 160, 160), 200.0)
    return fixed_image_standardization(levels)


@pytest.mark.parametrize("classify", [False, True])
def test_random_weights_are_said_once(classify):
    server = FakeFaceNet(weights=UNTRAINED)
    resnet = InceptionResnetV1("vggface2", classify, client=server)
    resnet(levels(0))
    with pytest.warns(RuntimeWarning, match="random weights, so its embeddings tell nobody apart") as caught:
        resnet(levels(1) / 256)
    assert [warning.filename for warning in caught] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        resnet(levels(1) / 256)
    assert server.asked == 1
