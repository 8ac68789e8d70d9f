"""Receptive fields against a chain of convolutions whose field can be counted by hand, and on real heads."""

import numpy as np
import pytest
import torch
from torch import nn

import anatomy
from anatomy import Head, Level, Outputs, Pass
from detectors.fastvit import FastViTDetector
from tests.fastvit_nets import SMALL


class Chain(nn.Module):
    """Three padded 3 x 3 convolutions of stride 2 with equal weights: cell i sees px 8 i - 7 to 8 i + 8."""

    def __init__(self):
        super().__init__()
        self.convs = nn.Sequential(*(nn.Conv2d(3 if i == 0 else 1, 1, 3, 2, 1, bias=False) for i in range(3)))
        self.classify, self.names = nn.Conv2d(1, 2, 1), {0: "a", 1: "b"}
        with torch.no_grad():
            for value in self.parameters():
                value.fill_(0.1)
            self.classify.weight[1] = 0

    def forward(self, images):
        return self.classify(self.convs(images))

    def describe_head(self):
        return ChainHead(self)


class ChainHead(Head):
    branches, reg_max = ("one2many",), 1
    twins = finish = found = candidates = None

    def __init__(self, net):
        self.net, self.names = net, net.names
        self.levels = (Level(0, "P3", 8.0, 1, {"one2many": "classify"}),)

    def class_conv(self, level, branch):
        return self.net.classify

    def passes(self, source, **args):
        frame = torch.from_numpy(source).permute(2, 0, 1)[None].float() / 255
        with torch.no_grad():
            x = self.net.convs(frame)
            logits = self.net.classify(x)[0]
        none, count = torch.empty(0, dtype=torch.int64), logits[0].numel()
        boxes, rows = torch.tensor([[0.0, 0, 40, 24]]).T.expand(4, count), ()
        shape = tuple(frame.shape[2:])
        yield Pass("array", source, shape, "one2many", (x,), rows, (logits,), boxes, boxes, none, None, frame=frame)

    def xyxy(self, run, anchors):
        return run.boxes[:, anchors].T

    def forward(self, images, branch):
        x = self.net.convs(images)
        return Outputs((x,), (self.net.classify(x),), (x,))


def test_the_field_of_a_chain_is_the_one_counted_by_hand():
    field = anatomy.receptive_field(Chain(), "P3", 4, 5, imgsz=(64, 96), class_id="a")
    np.testing.assert_array_equal(field.theoretical, [33, 25, 48, 40])
    np.testing.assert_array_equal(field.point, [44, 36])
    np.testing.assert_allclose(field.theoretical_shift, -3.5)
    np.testing.assert_allclose(field.shift, -3.5, atol=1e-5)  # of equal weights, the mass is symmetric in the field
    seen = np.argwhere(field.sensitivity)
    np.testing.assert_array_equal([*seen.min(0), *(seen.max(0) + 1)], [25, 33, 40, 48])
    assert field.sensitivity.sum() == pytest.approx(1)
    line = field.sensitivity.sum(0)
    left, right = field.extent[[0, 2]]
    inside = line[int(np.ceil(left)) : int(right)].sum()
    assert inside < 0.95 < inside + line[int(left)] + line[int(right)]
    np.testing.assert_allclose(field.box_size, [40, 24])
    np.testing.assert_allclose(field.coverage, (field.extent[2:] - field.extent[:2]) / [40, 24])
    for words in ("P3 cell (4, 5)", "15 × 15 px", "(-3.5, -3.5) px", "40.0 × 24.0 px"):
        assert words in str(field)


def test_the_middle_cell_is_taken_and_images_are_averaged():
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (64, 96, 3), np.uint8) for _ in range(3)]
    field = anatomy.receptive_field(Chain(), 0, images=images)
    assert (field.row, field.col, len(field.images), len(field.boxes)) == (4, 6, 3, 3)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"class_id": "b"}, ValueError, "answers to no px"),
        ({"row": 8}, ValueError, r"Cell \(8, 6\) is outside the 8 × 12 grid"),
        ({"row": 1.5}, TypeError, "row must be a whole number"),
        ({"share": 1}, ValueError, "share must lie between 0 and 1"),
        ({"level": "all"}, None, None),
        ({"level": "P9"}, ValueError, "Level 'P9' does not exist"),
        ({"images": []}, ValueError, "at least one"),
        ({"images": [np.zeros((64, 96, 3), np.uint8), np.zeros((64, 64, 3), np.uint8)]}, ValueError, "of one shape"),
    ],
)
def test_what_cannot_be_asked_is_refused(arguments, error, words):
    arguments = {"level": 0, "imgsz": (64, 96), **arguments}
    if error is None:
        assert anatomy.receptive_field(Chain(), **arguments).level.name == "P3"  # the only one
        return
    with pytest.raises(error, match=words):
        anatomy.receptive_field(Chain(), **arguments)


@pytest.mark.parametrize("name", ["yolov8n", "yolo26n"])
def test_a_real_head_looks_near_its_anchor_point_and_is_left_as_it_was(build, picture, name):
    model = build(name, picture)
    model.model.train()
    before = {key: value.clone() for key, value in model.model.state_dict().items()}
    field = anatomy.receptive_field(model, "P3", images=picture, imgsz=192)
    assert np.abs(field.shift).max() < 24
    np.testing.assert_array_equal(field.boxes[0], field.images[0].decode([field.images[0].anchor(0, 8, 12)])[0])
    assert all(torch.equal(value, before[key]) for key, value in model.model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.model.modules())
    assert all(value.grad is None for value in model.model.parameters())


def test_the_size_of_the_boxes_is_the_median_of_their_sides(build, picture):
    field = anatomy.receptive_field(build("yolov8n", picture), 1, 2, 3, images=[picture, picture[:, ::-1]], imgsz=128)
    x1, y1, x2, y2 = field.boxes.T
    assert field.box_size.tolist() == [np.median(x2 - x1), np.median(y2 - y1)]
    assert field.box_size[0] != field.box_size[1]


def test_a_field_of_the_whole_image_is_called_so(picture):
    torch.manual_seed(0)
    field = anatomy.receptive_field(FastViTDetector(2, SMALL, branches=1), "P4", images=picture, imgsz=192)
    assert np.isinf(field.theoretical).all()  # squeeze-and-excite averages over all cells
    assert "can see the whole image, its middle nowhere in particular" in str(field)
