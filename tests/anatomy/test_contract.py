"""Every declaration of a head holds in a real forward pass, and a foreign detector needs nothing but a description."""

import numpy as np
import pytest
import torch
from torch import nn

import anatomy
import surgery
from anatomy import Head, Level, Pass
from tests.families import FAMILIES

ARGS = {"imgsz": 192}
NAMES = {"yolov3-tiny": ["P4", "P5"], "yolov8n-p2": ["P2", "P3", "P4", "P5"], "yolov8n-p6": ["P3", "P4", "P5", "P6"]}


@pytest.mark.parametrize("name", FAMILIES)
def test_what_a_head_declares_is_what_runs(build, picture, name):
    model = build(name, picture)
    levels = anatomy.levels(model)
    assert [level.name for level in levels] == NAMES.get(name, ["P3", "P4", "P5"])
    entered, left = [], []
    hooks = [model.model.model[-1].register_forward_pre_hook(lambda _, inputs: entered.extend(inputs[0]))]
    modules = dict(model.model.named_modules())
    for level in levels:
        note = lambda *args: left.append(args[2].shape[1:])  # noqa: E731
        hooks += [modules[path].register_forward_hook(note) for path in level.paths.values()]
    frame = torch.zeros(1, 3, 128, 192)
    with torch.no_grad():
        model.model(frame)
    for hook in hooks:
        hook.remove()
    for index, level in enumerate(levels):
        assert level.index == index
        assert entered[index].shape[1] == level.in_channels
        assert entered[index].shape[2:] == (128 / level.stride, 192 / level.stride)
    grids = [(128 / level.stride, 192 / level.stride) for level in levels]
    branches = len(levels[0].paths)
    assert sorted(left) == sorted(torch.Size((len(model.names), *map(int, grid))) for grid in grids * branches)
    trace = anatomy.trace(model, picture, **ARGS)
    assert trace.shapes == tuple(tuple(map(int, grid)) for grid in grids)
    assert trace.input_shape == (128, 192)


class TwoLevels(nn.Module):
    """A foreign detector in the style of FCOS: two levels, softplus distances, its own objectness, no NMS."""

    def __init__(self, classes: int = 5):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=8, padding=1)
        self.down = nn.Conv2d(8, 8, 3, stride=2, padding=1)
        self.cls = nn.ModuleList(nn.Conv2d(8, classes, 1) for _ in range(2))
        self.box = nn.ModuleList(nn.Conv2d(8, 4, 1) for _ in range(2))
        self.names = {index: f"thing {index}" for index in range(classes)}

    def describe_head(self) -> "TwoLevelsHead":
        return TwoLevelsHead(self)


class TwoLevelsHead(Head):
    branches = ("one2many",)
    reg_max = 1

    def __init__(self, net: TwoLevels):
        self.net, self.names = net, net.names
        self.levels = tuple(
            Level(index, name, stride, 8, {"one2many": f"cls.{index}"})
            for index, (name, stride) in enumerate((("P3", 8.0), ("P4", 16.0)))
        )

    def class_conv(self, level, branch):
        return self.net.cls[level]

    def twins(self, level, branch):
        return iter(())

    def passes(self, source, conf, iou, imgsz):
        with torch.inference_mode():
            frame = torch.from_numpy(source[..., ::-1].copy()).permute(2, 0, 1)[None] / 255
            fine = self.net.stem(frame).relu()
            features = (fine, self.net.down(fine).relu())
            logits = tuple(conv(feature)[0] for conv, feature in zip(self.net.cls, features, strict=True))
            sides = [nn.functional.softplus(conv(f))[0] for conv, f in zip(self.net.box, features, strict=True)]
            sides = [side.flatten(1) * level.stride for side, level in zip(sides, self.levels, strict=True)]
            rows = tuple((conv.weight.clone(), conv.bias.clone()) for conv in self.net.cls)
            boxes, none = torch.cat(sides, 1), torch.empty(0, dtype=torch.int64)
            shape = tuple(frame.shape[2:])
            run = Pass("array", source, shape, "one2many", features, rows, logits, boxes, boxes, none, None, conf)
            yield self.finish(run)

    def finish(self, run):
        scores = torch.cat([level.flatten(1) for level in run.logits], 1).sigmoid()
        confidence, class_id = scores.max(0)
        anchors = (confidence > run.private).nonzero().view(-1)
        anchors = anchors[confidence[anchors].argsort(descending=True)]
        return run.evolve(anchors=anchors, result=(self.xyxy(run, anchors), confidence[anchors], class_id[anchors]))

    def found(self, run):
        return run.result

    def candidates(self, run):
        return None

    def xyxy(self, run, anchors):
        centre = torch.from_numpy(self.pyramid(run).points(anchors)).float()
        sides = run.boxes[:, anchors].T
        return torch.cat((centre - sides[:, :2], centre + sides[:, 2:]), 1)

    def objectness(self, run):
        return tuple(level.sigmoid().mean(0) for level in run.logits)


@pytest.fixture
def foreign():
    torch.manual_seed(0)
    net = TwoLevels()
    with torch.no_grad():
        for conv in net.cls:
            conv.weight.mul_(20)
    return net


def test_a_foreign_detector_is_traced_edited_and_replayed(foreign, picture):
    before = {name: value.clone() for name, value in foreign.state_dict().items()}
    trace = anatomy.trace(foreign, picture, conf=0.6)
    found = trace.detections
    assert len(found) > 5
    assert set(found.level_name) == {"P3", "P4"}
    assert np.allclose(trace.decode(found.anchor), found.xyxy)
    assert torch.allclose(trace.objectness()[1], trace.logits[1].sigmoid().mean(0))
    surgery.shift_classes(foreign, "P4", 2)
    surgery.zero_classes(foreign, 0, "thing 1")
    fresh = anatomy.trace(foreign, picture, conf=0.6)
    assert fresh.to_df().equals(trace.replay().to_df())
    assert not fresh.to_df().equals(trace.to_df())
    with pytest.raises(TypeError, match=r"TwoLevels has no checkpoint format.*surgery\.write_recipe"):
        surgery.save(foreign, "anywhere.pt")
    surgery.reset(foreign)
    assert all(torch.equal(value, before[name]) for name, value in foreign.state_dict().items())
