"""Equivalence: what merging, rounding and saving leave equal, and where a difference begins."""

import copy

import pytest
import torch
from torch import nn
from ultralytics import YOLO
from ultralytics.nn.modules.block import CIB, RepVGGDW
from ultralytics.nn.modules.conv import Conv, RepConv

import anatomy
from anatomy.network.equivalent import comparable, difference
from tests.fastvit_nets import SMALL
from tests.ultralytics_nets import narrow


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def lively(net: nn.Module, seed: int = 0, variance: float = 0.1) -> nn.Module:
    """Random statistics in every normalization, so that merging has something to get wrong.

    ``variance``: so small that the signal does not die out, so large that attention does not saturate.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                for part, low, high in (
                    ("weight", 0.7, 1.3),
                    ("bias", -0.2, 0.2),
                    ("running_var", variance / 2, 1.5 * variance),
                ):
                    getattr(module, part).uniform_(low, high, generator=generator)
                module.running_mean.uniform_(-0.2, 0.2, generator=generator)
    return net.eval()


def repmixer():
    from timm.models.fastvit import RepMixerBlock

    block = RepMixerBlock(8)
    with torch.no_grad():
        for parameter in block.parameters():
            if parameter.ndim > 1 and parameter.shape[-1] == 1 and parameter.abs().max() <= 1e-4:
                parameter.fill_(0.5)
    return block


def mobile_one():
    from timm.models.fastvit import MobileOneBlock

    return MobileOneBlock(8, 8, 3, use_se=True, num_conv_branches=4)


BLOCKS = {
    "RepVGGDW": lambda: RepVGGDW(8),
    "RepConv": lambda: RepConv(8, 8, 3, bn=True),
    "CIB": lambda: CIB(8, 8, lk=True),
    "Conv": lambda: Conv(8, 12, 3, 2),
    "MobileOne": mobile_one,
    "RepMixer": repmixer,
}


@pytest.mark.parametrize("name", BLOCKS)
def test_merged_blocks_are_equal(name):
    block = lively(BLOCKS[name]())
    merged = anatomy.fused(block)
    assert sum(value.numel() for value in merged.parameters()) < sum(value.numel() for value in block.parameters())
    found = anatomy.equivalent(block, merged, inputs=torch.randn(2, 8, 20, 24))
    assert found and found.equal
    assert found.begins is None
    assert found.outputs[0].relative < 1e-5 and found.outputs[0].scale > 0.1


@pytest.mark.parametrize("name", ["RepVGGDW", "MobileOne"])
def test_a_merge_that_forgets_something_is_found(name):
    block = lively(BLOCKS[name]())
    merged = anatomy.fused(block)
    with torch.no_grad():
        next(part for part in merged.parameters() if part.ndim == 4 and part.shape[-1] > 1)[0].mul_(1.5)
    found = anatomy.equivalent(block, merged, inputs=torch.randn(1, 8, 12, 12))
    assert not found
    assert found.begins is not None and found.largest.relative > found.tolerance


@pytest.mark.parametrize(
    "name", ["yolov5n", "yolov6n", "yolov8n", "yolov9t", "yolov10n", "yolo11n", "yolo12n", "yolo26n"]
)
def test_fusing_changes_no_family(name):
    model = narrow(name, 80, 1 / 4 if name == "yolo12n" else 1 / 8)
    lively(model.model, variance=0.3 if name == "yolo12n" else 0.1)
    found = anatomy.equivalent(model, anatomy.fused(model), inputs=64)
    assert found, str(found)
    assert len(found.rows) > 50
    assert min(row.scale for row in found.rows) > 1e-3 and not found.identical  # the signal has not died out
    assert {row.path for row in found.outputs} == {
        f"{what} {level}" for what in ("class logits", "box outputs") for level in ("P3", "P4", "P5")
    }


def test_the_fastvit_detector_after_reparameterization():
    from detectors.fastvit import FastViTDetector

    net = lively(FastViTDetector(3, SMALL, branches=2), variance=1.0)
    found = anatomy.equivalent(net, anatomy.fused(net), inputs=64)
    assert found and any(row.path.startswith("backbone.stages_3") for row in found.rows)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_another_precision_is_equal_within_its_own(dtype, nano):
    found = anatomy.equivalent(nano, copy.deepcopy(nano.model).to(dtype), inputs=64)
    assert found and not found.identical
    assert found.names[1] == f"DetectionModel in {str(dtype).removeprefix('torch.')}"
    if dtype != torch.float64:
        assert not anatomy.equivalent(nano, copy.deepcopy(nano.model).to(dtype), inputs=64, tolerance=1e-5)


@pytest.fixture(scope="module")
def nano(build, picture):
    return build("yolov8n", picture)


def test_a_saved_checkpoint_against_the_live_model(nano, tmp_path):
    import surgery

    again = surgery.load(surgery.save(nano, tmp_path / "again.pt"))
    found = anatomy.equivalent(nano, again, inputs=64)
    assert found
    assert found.tolerance == pytest.approx(1e-4) or found.begins is None


def test_where_a_difference_begins_and_what_it_does_to_detections(nano, picture):
    broken = copy.deepcopy(nano.model)
    with torch.no_grad():
        broken.model[4].conv.weight[0] += 0.5
    found = anatomy.equivalent(nano, broken, picture)
    assert not found
    assert (found.begins.path, found.begins.type) == ("model.4.conv", "Conv2d")
    before = [row for row in found.rows if row.path.startswith(("model.1.", "model.3."))]
    assert before and all(row.largest == 0 for row in before)
    assert found.detections.before == len(found.before.detections) > 0
    assert found.detections.changed == found.detections.reclassified + found.detections.gone + found.detections.new > 0
    assert found.detections.same + found.detections.reclassified + found.detections.gone == found.detections.before
    text = str(found)
    assert "are different" in text and "begins: model.4.conv (Conv2d)" in text and "detections: " in text


def test_the_same_model_is_the_same_bit_for_bit(nano, picture):
    found = anatomy.equivalent(nano, nano, picture)
    assert found.identical and found.detections.changed == 0
    assert (found.detections.confidence, found.detections.box) == (0, 0)
    assert found.input_shape == (1, 3, *found.before.input_shape)
    assert "the same, bit for bit" in str(found) and "begins: nowhere" in str(found)
    frame = found.to_df()
    assert len(frame) == len(found.rows) + len(found.outputs)
    assert frame["largest"].max() == 0


def test_fused_detections_are_told_with_their_branch(build, picture):
    model = build("yolov10n", picture)
    found = anatomy.equivalent(model, anatomy.fused(model), picture)
    assert found.equal
    if found.before.branch != found.after.branch:
        assert f"branches: {found.before.branch} predicts before, {found.after.branch} after" in str(found)


def test_what_is_compared_inside_merged_parts():
    whole = lively(nn.Sequential(Conv(3, 4, 3), Conv(4, 4, 1)))
    assert comparable(whole, copy.deepcopy(whole)) == {path for path, _ in whole.named_modules(remove_duplicate=False)}
    merged = anatomy.fused(whole)
    assert comparable(whole, merged) == {"", "0", "0.act", "1", "1.act"}
    folded = copy.deepcopy(whole)
    folded[0].bn = nn.Identity()
    assert "0.conv" not in comparable(whole, folded)
    assert "1.conv" in comparable(whole, folded)


def test_a_leaf_called_twice_is_compared_at_each_call():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(2, 2, 1)

        def forward(self, x):
            return self.conv(self.conv(x).relu_())

    net = Twice()
    found = anatomy.equivalent(net, copy.deepcopy(net), inputs=8)
    assert [(row.path, row.turn) for row in found.rows] == [("conv", 0), ("conv", 1)]
    assert found.identical


@pytest.mark.parametrize(
    ("mine", "other", "largest", "relative"),
    [
        ([1.0, -2.0], [1.0, -1.5], 0.5, 0.25),
        ([0.0], [0.0], 0.0, 0.0),
        ([0.0], [1.0], 1.0, float("inf")),
        ([float("inf"), 1.0], [float("inf"), 1.0], 0.0, 0.0),
        ([float("nan"), 1.0], [float("nan"), 1.0], 0.0, 0.0),
        ([float("nan"), 1.0], [1.0, 1.0], float("inf"), float("inf")),
        ([], [], 0.0, 0.0),
    ],
)
def test_differences_by_hand(mine, other, largest, relative):
    found = difference("x", "", 0, torch.tensor(mine), torch.tensor(other))
    assert (found.largest, found.relative) == (largest, relative)


def test_of_the_outputs_of_any_network_the_floating_ones_are_compared():
    class Several(nn.Module):
        def forward(self, x):
            return {"twice": 2 * x, "count": len(x), "order": x.argsort(), "nothing": None}

    found = anatomy.equivalent(Several(), Several(), inputs=(1, 3, 8, 8))
    assert found.identical and "output 0" in str(found.to_df()) and "output 1" not in str(found.to_df())


def test_nothing_is_touched(nano):
    net = nano.model.train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    hooks = [len(module._forward_hooks) for module in net.modules()]
    random = torch.get_rng_state()
    anatomy.equivalent(nano, anatomy.fused(nano), inputs=64)
    assert all(module.training for module in net.modules())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert hooks == [len(module._forward_hooks) for module in net.modules()]
    assert torch.equal(random, torch.get_rng_state())
    net.eval()


def test_wrong_arguments(nano, picture):
    with pytest.raises(ValueError, match="but not both"):
        anatomy.equivalent(nano, nano, picture, inputs=64)
    with pytest.raises(ValueError, match="conf is for predictions, which need an image"):
        anatomy.equivalent(nano, nano, conf=0.1)
    with pytest.raises(ValueError, match="An image is for two detectors"):
        anatomy.equivalent(nn.Conv2d(3, 1, 1), nn.Conv2d(3, 1, 1), picture)
    with pytest.raises(
        ValueError, match=r"no output in common: output 0 \(1, 1, 8, 8\) against output 0 \(1, 2, 8, 8\)"
    ):
        anatomy.equivalent(nn.Conv2d(3, 1, 1), nn.Conv2d(3, 2, 1), inputs=8)
    with pytest.raises(
        ValueError, match=r"Conv2d in torch\.float32 on cpu cannot take.*Conv2d itself, given \(1, 4, 8, 8\)"
    ):
        anatomy.equivalent(nn.Conv2d(3, 1, 1), nn.Conv2d(3, 1, 1), inputs=torch.zeros(1, 4, 8, 8))
    with pytest.raises(TypeError, match="nothing that can be merged"):
        anatomy.fused(nn.Conv2d(3, 1, 1))


def test_precisions_that_the_device_cannot_compute():
    class NoHalf(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))

        def forward(self, x):
            if x.dtype == torch.float16:
                raise NotImplementedError("\"op\" not implemented for 'Half'")
            return x * self.weight

    with pytest.raises(ValueError, match=r"NoHalf in torch\.float16 on cpu.*not implemented for 'Half'.*Try float32"):
        anatomy.equivalent(NoHalf(), NoHalf().half(), inputs=8)


def test_real_weights_fused_and_halved(real):
    model = YOLO(real / "weights" / "yolov8n_coco.pt")
    image = next((real / "images").glob("*.jpg"))
    found = anatomy.equivalent(model, anatomy.fused(model), image)
    assert found and found.detections.changed == 0
    halved = anatomy.equivalent(model, copy.deepcopy(model.model).half(), image)
    assert halved and halved.detections.changed == 0 and 0 < halved.largest.relative < 0.03
