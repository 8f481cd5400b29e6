"""Helpers for loops over batches, with a network of one layer."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from face_client import InvalidInput
from face_client.drop_in import NotHere
from face_client.facenet_pytorch import InceptionResnetV1, training


class Writer:
    iteration, interval = 0, 2

    def __init__(self):
        self.written = []

    def add_scalars(self, name, values, iteration):
        self.written.append((name, *values, iteration))


@pytest.fixture
def loader():
    torch.manual_seed(0)
    return [(torch.randn(4, 3), torch.randint(0, 2, (4,))) for _ in range(3)]


def test_an_epoch_that_learns(loader, capsys):
    model, writer = torch.nn.Linear(3, 2), Writer()
    optimizer = torch.optim.SGD(model.parameters(), 0.5)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    metrics = {"acc": training.accuracy}
    first, _ = training.pass_epoch(model, cross_entropy, loader, optimizer, scheduler, metrics, writer=writer)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.05)
    assert writer.written == [("loss", "Train", 0), ("acc", "Train", 0), ("loss", "Train", 2), ("acc", "Train", 2)]
    assert capsys.readouterr().out.endswith("   \n")
    later, means = training.pass_epoch(model.eval(), cross_entropy, loader, batch_metrics=metrics, show_running=False)
    assert later < first
    told = capsys.readouterr().out.split("\r")
    assert told[3].startswith("Valid |     3/3    | loss: ")
    assert means["acc"] == pytest.approx(torch.stack([training.accuracy(model(x), y) for x, y in loader]).mean())
    assert not loader[0][0].grad_fn


def test_what_cannot_be(loader):
    with pytest.raises(NotHere, match="cannot be trained here"):
        training.pass_epoch(InceptionResnetV1(url="127.0.0.1:1").train(), cross_entropy, loader)
    with pytest.raises(InvalidInput, match="loader gives no batches"):
        training.pass_epoch(torch.nn.Linear(3, 2).eval(), cross_entropy, [])


def test_the_rest():
    assert training.collate_pil([("a", 1), ("b", 2)]) == (["a", "b"], [1, 2])
    assert training.accuracy(torch.tensor([[0, 1.0], [1, 0], [2, 3]]), torch.tensor([1, 1, 1])) == pytest.approx(2 / 3)
    timer = training.BatchTimer(rate=False, per_sample=False)
    timer.start -= 10
    assert 10 <= timer(torch.zeros(5, 2), None) < 20
    timer = training.BatchTimer()
    timer.start -= 10
    assert 0.25 < timer(torch.zeros(5, 2), None) <= 0.5
