"""The losses of the detectors with a head on several levels, listened to in training."""

import pytest
import torch

import anatomy
from detectors.fastvit import FastViTDetector, NaiveDetector
from detectors.pafpn import PafpnDetector
from tests.fastvit_nets import SMALL

SIZE = (64, 64)
BOXES = (torch.tensor([[4.0, 4, 30, 40], [20.0, 20, 60, 62]]), torch.zeros(0, 4), torch.tensor([[0.0, 0, 64, 64]]))
LABELS = (torch.tensor([2, 0]), torch.zeros(0, dtype=torch.int64), torch.tensor([1]))


def fastvit():
    return FastViTDetector(3, SMALL, branches=1)


def pafpn():
    return PafpnDetector(3, (8, 16, 32, 64), (1, 1, 1, 1))


@pytest.fixture(scope="module", params=[fastvit, pafpn])
def net(request):
    torch.manual_seed(0)
    return request.param().train()


def targets_of(net):
    encoded = [net.encode(boxes, labels, SIZE) for boxes, labels in zip(BOXES, LABELS, strict=True)]
    return [torch.stack(level) for level in zip(*encoded, strict=True)]


def step(net, images, heard):
    net.zero_grad()
    torch.manual_seed(1)
    with torch.no_grad():
        state = {name: value.clone() for name, value in net.state_dict().items()}
    head, told = anatomy.describe(net), []
    if heard:
        with head.listening(net) as told:
            losses = net.loss(net(images), targets_of(net))
            losses.total.backward()
    else:
        losses = net.loss(net(images), targets_of(net))
        losses.total.backward()
    net.load_state_dict(state)
    return losses, [parameter.grad.clone() for parameter in net.parameters() if parameter.grad is not None], told


@pytest.fixture(scope="module")
def heard(net):
    return step(net, torch.rand(3, 3, *SIZE, generator=torch.Generator().manual_seed(2)), heard=True)


def test_the_bits_stay_and_the_shares_are_exact(net, heard):
    images = torch.rand(3, 3, *SIZE, generator=torch.Generator().manual_seed(2))
    expected, gradients, _ = step(net, images, heard=False)
    losses, same, (one,) = heard
    assert torch.equal(expected.total, losses.total)
    assert all(map(torch.equal, gradients, same))
    assert "loss" not in vars(net)
    assert set(one.losses) == {"classes", "objectness", "boxes"}
    for name, share in one.losses.items():
        assert float(share.sum()) == pytest.approx(one.items[name], rel=1e-5)
    assert sum(one.items.values()) == pytest.approx(losses.numbers()["total"], rel=1e-5)
    assert not any(share.requires_grad for share in one.losses.values())


def test_objects_are_read_back_from_their_cells(net, heard):
    (one,) = heard[2]
    for image, (boxes, labels) in enumerate(zip(BOXES, LABELS, strict=True)):
        assert sorted(one.boxes[image].round().tolist()) == sorted(boxes.tolist())
        assert sorted(one.labels[image].tolist()) == sorted(labels.tolist())
        owner = one.object[image]
        assert set(owner[owner >= 0].tolist()) == set(range(len(boxes)))
    wanted = torch.cat([level[:, 4].flatten(1) for level in targets_of(net)], 1)
    assert torch.equal(one.object >= 0, wanted > 0)
    assert one.pyramid.shapes == ((8, 8), (4, 4), (2, 2))


def test_nothing_stays_after_an_exception(net):
    block = anatomy.describe(net).listening(net)
    told = block.__enter__()
    with torch.no_grad():
        net.loss(net(torch.rand(3, 3, *SIZE)), targets_of(net))
    assert not block.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert told == []
    assert "loss" not in vars(net)


def test_what_cannot_be_listened_to_is_refused(net):
    with pytest.raises(anatomy.UnsupportedModelError, match="listening takes the network, but MSELoss"):
        anatomy.describe(net).listening(torch.nn.MSELoss())
    published = NaiveDetector(3, SMALL, branches=1)
    with pytest.raises(anatomy.UnsupportedModelError, match="does not say how its training can be listened to"):
        anatomy.describe(published).listening(published)
