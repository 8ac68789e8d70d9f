"""The short pass through a network from a file: what each layer would make, and where the memory ends."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from ultralytics.nn.modules import Detect, transformer

from anatomy.families.ultralytics import rehearsal
from anatomy.families.ultralytics.rehearsal import Meter, rehearse

MIB = 1 << 20


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 6, (3, 2), (2, 1), (1, 0), (1, 2), groups=2),
        nn.Conv2d(4, 5, 3, padding="same", dilation=2),
        nn.ConvTranspose2d(4, 3, (3, 2), (2, 3), (1, 0), (1, 2), dilation=(1, 2)),
        nn.Linear(7, 3),
        nn.Upsample(scale_factor=(2, 3)),
        nn.Upsample(scale_factor=2.0),
        nn.Upsample(size=(9, 4)),
        nn.Upsample(size=6),
        nn.AdaptiveAvgPool2d((3, None)),
        nn.AdaptiveMaxPool2d(2),
        nn.ZeroPad2d((1, 2, 3, 5)),
        nn.BatchNorm2d(4).eval(),
        nn.SiLU(),
    ],
    ids=lambda layer: str(layer)[:40],
)
def test_how_many_numbers_a_layer_makes_is_known_before(layer):
    given = torch.zeros(2, 4, 5, 7)
    assert rehearsal._makes(layer, given) == layer(given).numel()


def test_a_line_of_cells_and_of_one_or_no_number():
    assert rehearsal._makes(nn.Conv1d(4, 6, 3, 2, 1), torch.zeros(2, 4, 9)) == 2 * 6 * 5
    assert rehearsal._makes(nn.Linear(1, 5), torch.zeros(2, 3, 1)) == 30
    assert rehearsal._makes(nn.Linear(1, 5), torch.zeros(2, 0)) == 0
    assert len(list(rehearsal._tensors([torch.zeros(1), {"a": (torch.zeros(2), "b")}, 5]))) == 2


def asked(meter: Meter, module: nn.Module, *inputs: torch.Tensor) -> bool:
    """Whether the meter lets it run; if not, its error is kept."""
    raised = None
    try:
        meter(module, inputs)
    except ValueError as error:
        raised = error
    assert meter.refused is raised
    assert raised is None or str(raised) == f"has a {type(module).__name__} that would fill the memory"
    return raised is None


def numbers(count: int) -> torch.Tensor:
    return torch.empty(count, device="meta")


def test_one_layer_is_given_and_makes_eight_mebibytes_of_a_small_image():
    for scale in (1, 2):
        most = 2 * MIB * scale**2  # numbers of four bytes
        assert asked(Meter(99 * MIB, scale, ValueError), nn.Identity(), numbers(most))
        assert not asked(Meter(99 * MIB, scale, ValueError), nn.Identity(), numbers(most + 1))
        assert not asked(Meter(99 * MIB, scale, ValueError), nn.Identity(), numbers(1), numbers(most))
        grown = nn.Linear(1, 2, bias=False)
        assert asked(Meter(99 * MIB, scale, ValueError), grown, numbers(most // 2)[:, None])
        assert not asked(Meter(99 * MIB, scale, ValueError), grown, numbers(most // 2 + 1)[:, None])


def test_all_layers_together_make_no_more_than_they_may():
    meter = Meter(100, 1, ValueError)
    assert asked(meter, nn.Sequential(nn.Identity()), numbers(26))  # what is within it counts itself
    assert asked(meter, nn.Identity(), numbers(10), numbers(99))
    assert asked(meter, nn.Identity(), numbers(15))
    assert not asked(meter, nn.Identity(), numbers(1))
    assert asked(Meter(100, 2, ValueError), nn.Identity(), numbers(100))


def test_attention_is_refused_on_fine_grids():
    attention = transformer.TransformerBlock.__new__(transformer.TransformerBlock)
    nn.Module.__init__(attention)
    for scale, side in ((1, 8), (2, 16)):
        fine, finer = (torch.zeros(1, 1, 1, width) for width in (side, side + 1))
        assert asked(Meter(MIB, scale, ValueError), attention, fine)
        assert not asked(Meter(MIB, scale, ValueError), attention, finer)
        assert asked(Meter(MIB, scale, ValueError), nn.Identity(), finer)


class Net(nn.Module):
    """One layer, which notes what it was given and leaves something in itself."""

    def __init__(self, stride=(32.0,), **yaml):
        super().__init__()
        self.model, self.stride, self.yaml, self.given = nn.Sequential(nn.Identity()), torch.tensor(stride), yaml, []

    def forward(self, images):
        self.given.append(tuple(images.shape))
        self.model[-1].left = images
        assert not torch.is_grad_enabled()
        return self.model(images)


def refused(net, why: str) -> None:
    with pytest.raises(ValueError, match=f"^{why}$"):
        rehearse(net, 0, ValueError)
    assert not net.given


@pytest.mark.parametrize(
    ("net", "shape"),
    [
        (Net(), (1, 3, 64, 64)),
        (Net(channels=5), (1, 5, 64, 64)),
        (Net((128.0,), channels=1), (1, 1, 128, 128)),
        (Net((8.0, 64.5), channels=64), (1, 64, 65, 65)),
        (Net((1.0, 256.0)), (1, 3, 256, 256)),
    ],
)
def test_the_image_is_as_small_as_its_strides_allow(net, shape, monkeypatch):
    made = []
    monkeypatch.setattr(rehearsal, "Meter", lambda *given: made.append(given) or (lambda module, inputs: None))
    rehearse(net, 1000, ValueError)
    assert net.given == [shape]
    assert made == [(32 * MIB + 2000, shape[2] / 64, ValueError)]
    net.yaml = None  # of which a picture has three channels as well
    rehearse(net, 0, ValueError)
    assert net.given[1] == (1, 3, *shape[2:])
    assert not any(module._forward_pre_hooks for module in net.modules()) and not hasattr(net.model[0], "left")


@pytest.mark.parametrize("channels", [0, 65, True, 3.0, "3"])
def test_an_image_has_from_1_to_64_channels(channels):
    refused(Net(channels=channels), "does not say how many channels an image has")


@pytest.mark.parametrize("stride", [(), (0.99,), (8.0, 257.0), (float("nan"),)])
def test_strides_are_from_1_to_256(stride):
    refused(Net(stride), "has strides that are not from 1 to 256 px")


def test_a_head_has_one_stride_for_each_level():
    net = Net()
    net.model = nn.Sequential(nn.Identity(), Detect(2, ch=(4, 4)))
    for stride in ([8.0, 16.0], torch.ones(3), torch.ones(2, 1)):
        net.model[1].stride = stride
        refused(net, "has a head without one stride for each level")
    net.model[1].stride = torch.tensor([8.0, 500.0])
    refused(net, "has strides that are not from 1 to 256 px")
    net.model[1].stride = torch.tensor([8.0, 100.2])
    assert rehearsal._largest_stride(net, ValueError) == 101
    net.stride = torch.tensor([200.0])
    assert rehearsal._largest_stride(net, ValueError) == 200


@pytest.mark.parametrize("error", [TypeError, ValueError, AttributeError, KeyError, RuntimeError, ZeroDivisionError])
def test_layers_that_do_not_fit_are_told_by_the_first_line(error):
    net = Net()
    net.model[0].forward = lambda images: (_ for _ in ()).throw(error("why\nand where"))
    told = "has layers that do not fit each other \\(" + error.__name__ + ": .?why(?:.nand where.)?\\)"
    with pytest.raises(ValueError, match=f"^{told}$") as caught:
        rehearse(net, 0, lambda why: ValueError(why))
    assert isinstance(caught.value.__cause__, error) and not hasattr(net.model[0], "left")
    assert not net._forward_pre_hooks
    assert rehearsal._first_line(ValueError("a" * 200)) == "ValueError: " + "a" * 148


def test_a_layer_that_would_fill_the_memory_is_told_as_such():
    net = Net()
    net.model = nn.Sequential(nn.Upsample(scale_factor=999.0), nn.Identity())
    with pytest.raises(ValueError, match=r"^has a Upsample that would fill the memory$"):
        rehearse(net, 0, ValueError)
    assert rehearsal._each(SimpleNamespace, (1, 2, 3)) == (SimpleNamespace,) * 3
