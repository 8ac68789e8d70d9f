"""Shapes and parameters as stated, blocks that merge, boxes and losses worked out by hand."""

import math

import pytest
import torch

from detectors.pafpn import PLACES, PafpnDetector
from detectors.pafpn.blocks import DilatedPooling, RepConv, bare
from detectors.pafpn.head import LevelOutput, decode, joint
from detectors.pafpn.loss import loss, paired_iou

SMALL = {"widths": (8, 16, 32, 64), "depths": (1, 1, 1, 1)}


def count(module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def conv(in_chs, out_chs, kernel=1, norm=False):
    return in_chs * out_chs * kernel**2 + out_chs + 2 * out_chs * norm


def elan(in_chs, out_chs, norm):
    width = out_chs // 2
    inner = (49 + 1) * width + 2 * width + 2 * conv(width, width)
    return 2 * conv(in_chs, width, norm=norm) + 4 * inner + conv(4 * width, out_chs, norm=norm)


def backbone(widths, depths, norm):
    total, before = conv(3, widths[0], 4, norm=True), widths[0]
    for width, depth in zip(widths, depths, strict=True):
        block = (49 + 1) * width + 2 * width + conv(width, 4 * width) + conv(4 * width, width)
        total += 2 * before + conv(before, width, 2) + depth * block + elan(width, width, norm)
        before = width
    return total


def neck(widths, norm):
    a, b, c, d = widths
    pooling = 2 * conv(d, c, norm=norm) + 5 * conv(c, c, 3, norm) + conv(c, c, norm=norm)
    pooling += conv(4 * c, c, norm=norm) + conv(2 * c, c, norm=norm)
    sideways = 2 * conv(c, b, norm=norm) + 2 * conv(b, a, norm=norm)
    down = conv(a, b, 2, norm) + conv(b, c, 2, norm)
    blocks = elan(c, b, norm) + elan(b, a, norm) + elan(2 * b, b, norm) + elan(2 * c, c, norm)
    return pooling + sideways + down + blocks + sum(conv(i, b, 3) + conv(i, b) for i in (a, b, c))


def head(width, classes, norm):
    one, three = width**2 + width * (2 if norm else 1), 9 * width**2 + width * (2 if norm else 1)
    return one + 4 * three + conv(width, classes + 4 + 1)


@pytest.mark.parametrize(("normalized", "total"), [((), 84_346_520), (tuple(PLACES), 84_375_960)])
def test_parameters_at_full_width_are_those_counted_block_by_block(normalized, total):
    widths, depths = (128, 256, 512, 1024), (3, 3, 9, 3)
    with torch.device("meta"):
        net = PafpnDetector(3, normalized=normalized)
    norm = bool(normalized)
    assert count(net.backbone) == backbone(widths, depths, norm)
    assert count(net.neck) == neck(widths, norm)
    assert count(net.heads) == 3 * head(256, 3, norm)
    assert count(net) == total


@pytest.mark.parametrize("normalized", [(), tuple(PLACES)], ids=["described", "repaired"])
def test_shapes_at_640_are_those_stated(normalized):
    with torch.device("meta"):
        net, images = PafpnDetector(80, normalized=normalized), torch.empty(1, 3, 640, 640)
        pyramid = net.backbone(images)
        outputs = net(images)
        assert net.backbone.stem(images).shape == (1, 128, 320, 320)
        levels = net.neck(pyramid)
    assert [tuple(level.shape) for level in pyramid] == [(1, 256, 80, 80), (1, 512, 40, 40), (1, 1024, 20, 20)]
    assert [tuple(level.shape) for level in levels] == [(1, 256, 80, 80), (1, 256, 40, 40), (1, 256, 20, 20)]
    assert [tuple(level.boxes.shape) for level in outputs] == [(1, 4, 80, 80), (1, 4, 40, 40), (1, 4, 20, 20)]
    assert [tuple(level.objectness.shape) for level in outputs] == [(1, 1, 80, 80), (1, 1, 40, 40), (1, 1, 20, 20)]
    assert [level.classes.shape[1] for level in outputs] == [80, 80, 80]


def test_the_full_width_runs_on_a_small_image():
    torch.manual_seed(0)
    with torch.no_grad():
        outputs = PafpnDetector(3).eval()(torch.rand(1, 3, 64, 96))
    assert [tuple(level.boxes.shape[2:]) for level in outputs] == [(8, 12), (4, 6), (2, 3)]
    assert all(torch.isfinite(part).all() for level in outputs for part in level)


@pytest.mark.parametrize(("places", "more"), [((), 0), (("backbone",), 12), (("neck",), 28), (("head",), 15)])
def test_normalizations_stand_where_they_were_asked_for(places, more):
    def norms(net):
        return sum("Norm" in type(module).__name__ for module in net.modules())

    plain = PafpnDetector(3, **SMALL, normalized=())
    assert norms(plain) == 1 + 4 + 4 + 4 * 4 + 4 * 4  # stem, stages, ConvNeXt blocks, inner of eight ELAN blocks
    assert norms(PafpnDetector(3, **SMALL, normalized=places)) == norms(plain) + more


def test_repconv_merges_into_one_convolution_that_puts_out_the_same():
    torch.manual_seed(0)
    net, images = PafpnDetector(3, **SMALL).eval(), torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        before = net(images)
        after = net.reparameterize()(images)
        again = net.reparameterize()(images)
    assert [module.point for module in net.modules() if isinstance(module, RepConv)] == [None] * 3
    for old, new, same in zip(before, after, again, strict=True):
        assert old.inputs.std() > 1e-4
        assert (old.inputs - new.inputs).abs().max() < 1e-5 * old.inputs.abs().max().clamp(min=1)
        assert torch.equal(new.boxes, same.boxes)


def test_dilated_pooling_looks_six_cells_further_than_its_three_by_three_convolutions():
    torch.manual_seed(0)
    pooling = DilatedPooling(2, 2, bare)
    x = torch.zeros(1, 2, 33, 33, requires_grad=True)
    pooling(x)[0, :, 16, 16].sum().backward()
    rows = x.grad[0].abs().sum((0, 2)).nonzero().flatten().tolist()
    assert (rows[0], rows[-1]) == (16 - 8, 16 + 8)  # 1 + 6 + 1


def level(boxes, classes=None, objectness=None, cells=(1, 1)):
    """Outputs of one level of one image, the same numbers in every cell."""
    parts = [
        torch.tensor(part or [0.0]).view(1, -1, 1, 1).repeat(1, 1, *cells) for part in (boxes, classes, objectness)
    ]
    return LevelOutput(*parts, parts[1], parts[1])


def test_a_box_is_an_offset_from_the_corner_of_its_cell_and_an_exponential():
    raw = torch.tensor([0.5, 0.25, math.log(2), math.log(4)]).view(1, 4, 1, 1).repeat(1, 1, 1, 2)
    boxes = decode([raw, raw[..., :1] * 0], (8, 16))
    assert boxes[0].tolist() == [
        pytest.approx([4 - 8, 2 - 16, 4 + 8, 2 + 16]),
        pytest.approx([12 - 8, 2 - 16, 12 + 8, 2 + 16]),
        pytest.approx([-8, -8, 8, 8]),
    ]


def test_confidence_is_class_score_times_objectness():
    classes, objectness = torch.linspace(-30, 30, 13)[:, None], torch.linspace(-30, 30, 13)[None]
    expected = classes.double().sigmoid() * objectness.double().sigmoid()
    assert torch.allclose(joint(classes, objectness).double().sigmoid(), expected, rtol=1e-4)
    assert float(joint(torch.tensor(-torch.inf), torch.tensor(3.0)).sigmoid()) == 0


def test_overlap_of_pairs():
    a = torch.tensor([[0.0, 0, 4, 4], [0, 0, 4, 4], [0, 0, 4, 4]])
    b = torch.tensor([[0.0, 0, 4, 4], [2, 0, 6, 4], [5, 5, 6, 6]])
    assert paired_iou(a, b).tolist() == pytest.approx([1, 8 / 24, 0])


def test_the_loss_is_that_of_one_cell_worked_out_by_hand():
    outputs = [
        level([0.5, 0.5, math.log(2), math.log(2)], [0.0, 0.0], [0.0], (4, 4)),
        level([0.0] * 4, [0.0, 0.0], [0.0], (2, 2)),
        level([0.0] * 4, [0.0, 0.0], [0.0]),
    ]
    wanted = [torch.zeros(1, 7, side, side) for side in (4, 2, 1)]
    wanted[0][0, :, 1, 1] = torch.tensor([8.0, 8, 8, 8, 1, 0, 1])  # 16 px square round (12, 12): the box put out there
    found = loss(outputs, wanted)
    assert found.numbers() == pytest.approx(
        {"boxes": 0, "objectness": 21 * math.log(2), "classes": 2 * math.log(2), "total": 23 * math.log(2)}, abs=1e-5
    )
    wanted[0][0, 2, 1, 1] = 24  # now 32 px wide: half is covered
    assert loss(outputs, wanted).numbers()["boxes"] == pytest.approx(1 - 0.5**2)
    nothing = loss(outputs, [target * 0 for target in wanted]).numbers()
    assert nothing == pytest.approx(
        {"boxes": 0, "objectness": 21 * math.log(2), "classes": 0, "total": 21 * math.log(2)}
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"names": 0}, "At least one class"),
        ({"names": 3, "widths": (8, 16, 32)}, "Four even widths and four depths"),
        ({"names": 3, "widths": (7, 16, 32, 64)}, r"Four even widths.*\(7, 16, 32, 64\)"),
        ({"names": 3, "normalized": ("tail",)}, r"must be a tuple of backbone, neck, head, but \('tail',\)"),
        ({"names": 3, "normalized": "head"}, "must be a tuple of"),
    ],
)
def test_wrong_arguments_are_refused_at_the_door(arguments, message):
    with torch.device("meta"), pytest.raises(ValueError, match=message):
        PafpnDetector(**arguments)


def test_a_size_that_does_not_divide_is_refused():
    with torch.device("meta"), pytest.raises(ValueError, match=r"multiples of 32 px, but \(64, 100\)"):
        PafpnDetector(3, **SMALL)(torch.empty(1, 3, 64, 100))
