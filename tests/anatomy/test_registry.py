"""What differs between families is asked of the family: which network a model object holds, and how it merges."""

import copy

import pytest
import torch
from torch import nn
from ultralytics import YOLO

import anatomy
import diagnosis
from anatomy.families.registry import family, plain_network
from tests.corner_net import CornerHead, CornerNet
from tests.torchvision_nets import tiny


class MyYOLO(YOLO):
    """A model object of a class that Ultralytics does not define itself."""


class Wrapper:
    """A detector that is no module."""

    def __init__(self, net):
        self.net = net

    def describe_head(self):
        return CornerHead(self.net)


class Staged(nn.Module):
    """A network whose parts have the names that Ultralytics' model objects use for other things."""

    def __init__(self):
        super().__init__()
        self.model, self.predictor = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x):
        return self.predictor(self.model(x))


@pytest.mark.parametrize("name", ["yolov8n.yaml", "yolov8n-cls.yaml"])
@pytest.mark.parametrize("kind", [YOLO, MyYOLO])
def test_a_model_object_is_asked_for_its_network(kind, name):
    model = kind(name)
    assert plain_network(model) is model.model
    assert plain_network(model.model) is model.model
    mine, own = anatomy.layers(model, 64), anatomy.layers(model.model, 64)
    assert mine.name == own.name == type(model.model).__name__
    assert mine.to_df().equals(own.to_df())


def test_what_is_a_network_itself_stays():
    for net in (nn.Linear(2, 2), tiny("fcos"), CornerNet(), Staged()):
        assert plain_network(net) is net
    net = CornerNet()
    assert plain_network(Wrapper(net)) is net
    assert plain_network("yolov8n.pt") == "yolov8n.pt"
    assert family(net) is None and family(nn.Linear(2, 2)) is None


def test_numerics_measure_the_whole_network_whatever_its_parts_are_called():
    measured = diagnosis.numerics(Staged(), torch.ones(3, 4))
    assert measured.parameters == ("model.weight", "model.bias", "predictor.weight", "predictor.bias")
    assert {"model", "predictor"} <= set(measured.to_df()["name"])


def test_numerics_reach_the_network_of_a_detector_that_is_no_module():
    net = CornerNet()
    measured = diagnosis.numerics(Wrapper(net), torch.rand(1, 3, 32, 32))
    assert measured.parameters == tuple(name for name, _ in net.named_parameters())


def test_a_head_says_how_its_network_is_merged():
    class MergingHead(CornerHead):
        @staticmethod
        def fuse(net):
            net.stem = nn.Sequential(net.stem)
            return net

    class Merging(CornerNet):
        def describe_head(self):
            return MergingHead(self)

    net = Merging()
    before = copy.deepcopy(net)
    merged = anatomy.fused(net)
    assert isinstance(merged.stem, nn.Sequential) and isinstance(net.stem, nn.Conv2d)
    assert "stem.0" in anatomy.layers(net, 64, fused=True).to_df()["path"].to_list()
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), before.parameters(), strict=True))
    with pytest.raises(anatomy.UnsupportedModelError, match="CornerNet has nothing that can be merged"):
        anatomy.fused(CornerNet())
