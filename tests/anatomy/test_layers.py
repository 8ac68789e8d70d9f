"""The layer table: published figures come out exactly, the parts add up, and nothing is touched."""

import polars
import pytest
import torch
from torch import nn
from ultralytics import YOLO
from ultralytics.nn.modules import block as blocks
from ultralytics.nn.modules.conv import Conv, DWConv

import anatomy
from tests.ultralytics_nets import shapes_alone

NANO_256 = {  # fused: path -> input, output, multiply-adds with bias
    "model.0": ((3, 256, 256), (16, 128, 128), 7_340_032),
    "model.1": ((16, 128, 128), (32, 64, 64), 19_005_440),
    "model.12.cv1": ((384, 16, 16), (128, 16, 16), 12_615_680),
    "model.15.cv1": ((192, 32, 32), (64, 32, 32), 12_648_448),
    "model.21.cv2": ((384, 8, 8), (256, 8, 8), 6_307_840),
    "model.22.cv2.0.0": ((64, 32, 32), (64, 32, 32), 37_814_272),
    "model.22.cv2.0.1": ((64, 32, 32), (64, 32, 32), 37_814_272),
    "model.22.cv2.0.2": ((64, 32, 32), (64, 32, 32), 4_259_840),
    "model.22.cv3.0.0": ((64, 32, 32), (80, 32, 32), 47_267_840),
    "model.22.cv3.0.1": ((80, 32, 32), (80, 32, 32), 59_064_320),
    "model.22.cv3.0.2": ((80, 32, 32), (80, 32, 32), 6_635_520),
    "model.22.cv2.1.0": ((128, 16, 16), (64, 16, 16), 18_890_752),
    "model.22.cv2.1.1": ((64, 16, 16), (64, 16, 16), 9_453_568),
    "model.22.cv2.1.2": ((64, 16, 16), (64, 16, 16), 1_064_960),
    "model.22.cv3.1.0": ((128, 16, 16), (80, 16, 16), 23_613_440),
    "model.22.cv3.1.1": ((80, 16, 16), (80, 16, 16), 14_766_080),
    "model.22.cv3.1.2": ((80, 16, 16), (80, 16, 16), 1_658_880),
    "model.22.cv2.2.0": ((256, 8, 8), (64, 8, 8), 9_441_280),
    "model.22.cv2.2.1": ((64, 8, 8), (64, 8, 8), 2_363_392),
    "model.22.cv2.2.2": ((64, 8, 8), (64, 8, 8), 266_240),
    "model.22.cv3.2.0": ((256, 8, 8), (80, 8, 8), 11_801_600),
    "model.22.cv3.2.1": ((80, 8, 8), (80, 8, 8), 3_691_520),
    "model.22.cv3.2.2": ((80, 8, 8), (80, 8, 8), 414_720),
    "model.22.dfl": ((64, 1344), (4, 1344), 86_016),
}
PARAMETERS = {"n": 3_157_200, "s": 11_166_560, "m": 25_902_640, "l": 43_691_520, "x": 68_229_648}


@pytest.fixture(scope="module")
def nano():
    return YOLO("yolov8n.yaml")


@pytest.fixture(scope="module")
def table(nano):
    return anatomy.layers(nano, 256, fused=True)


@pytest.mark.parametrize("path", NANO_256)
def test_the_nano_model_layer_by_layer(table, path):
    given, made, work = NANO_256[path]
    layer = table[path]
    assert (layer.input[1:], layer.output[1:], layer.multiply_adds) == (given, made, work)


def test_what_the_head_takes_and_gives(nano, table):
    assert table["model.22"].inputs == ((1, 64, 32, 32), (1, 128, 16, 16), (1, 256, 8, 8))
    assert table[""].output == (1, 84, 1344)
    at_512 = anatomy.layers(nano, 512)
    assert at_512[""].output == (1, 84, 5376)
    for level, side in enumerate((64, 32, 16)):
        box, classes = (at_512[f"model.22.{branch}.{level}"].output for branch in ("cv2", "cv3"))
        assert (1, box[1] + classes[1], *box[2:]) == (1, 144, side, side)


@pytest.mark.parametrize("size", PARAMETERS)
def test_parameters_of_every_size(size):
    assert anatomy.layers(shapes_alone(f"yolov8{size}"), 64).params == PARAMETERS[size]


@pytest.mark.parametrize(("fused", "params", "work"), [(False, 70_713_094, 46.32e9), (True, 25_730_630, 16.91e9)])
def test_the_fastvit_detector_before_and_after_reparameterization(fused, params, work):
    from detectors.fastvit import FastViTDetector

    with torch.device("meta"):
        net = FastViTDetector(10)
    made = anatomy.layers(net, 512, fused=fused)
    assert made.params == params
    assert made.multiply_adds == pytest.approx(work, rel=1e-3)
    assert [made[f"heads.{i}.classify"].group for i in range(3)] == ["head P3", "head P4", "head P5"]
    assert set(made.totals()) == {"backbone", "neck", "head P3", "head P4", "head P5"}
    assert set(made.totals("level")) == {"P1", "P2", "P3", "P4", "P5"}  # gates count for the level they gate
    assert made["backbone.stages_1"].field.size == (
        223,
        223,
    )  # 7 + 2 (8 + 24) of stride 4, + 24, + 2 (16 + 48) of stride 8
    assert str(made.field("heads.0.classify")) == "whole image"  # squeeze-and-excite


@pytest.fixture(scope="module")
def coarse(nano):
    """The tables at 64 px, before and after merging."""
    return {fused: anatomy.layers(nano, 64, fused=fused) for fused in (False, True)}


@pytest.mark.parametrize("by", ["group", "level", "type"])
@pytest.mark.parametrize("fused", [False, True])
def test_the_parts_add_up_to_the_whole(nano, coarse, by, fused):
    made = coarse[fused]
    parts = made.totals(by).values()
    assert (
        sum(part.params for part in parts)
        == made.params
        == sum(p.numel() for p in nano.model.parameters()) - (5296 if fused else 0)
    )
    assert sum(part.multiply_adds for part in parts) == made.multiply_adds
    assert sum(part.params_share for part in parts) == pytest.approx(1)


def test_scdown_has_a_ninth_of_the_weights():
    made = anatomy.layers(blocks.SCDown(256, 512, 3, 2), (1, 256, 20, 20))
    assert [made[f"{name}.conv"].own for name in ("cv1", "cv2")] == [131_072, 4_608]
    plain = anatomy.layers(Conv(256, 512, 3, 2), (1, 256, 20, 20))
    assert plain["conv"].own == 1_179_648
    assert made[""].output == plain[""].output == (1, 512, 10, 10)
    assert made["cv2.conv"].field.size == plain["conv"].field.size == (3, 3)


@pytest.mark.parametrize("size", "nsmblx")
def test_yolov10_blocks_by_size(size):
    made = anatomy.layers(shapes_alone(f"yolov10{size}"), 64)
    kinds = {layer.type for layer in made}
    assert {"SCDown", "CIB", "C2fCIB", "PSA", "Attention"} <= kinds
    assert ("RepVGGDW" in kinds) == (size in "ns")  # large kernels in the small ones alone
    attention = next(layer for layer in made if layer.type == "Attention")
    assert attention.field.whole
    width = attention.input[1]
    assert made[attention.path + ".qkv"].output[1] == 2 * width  # query and key at half the width, value at the whole
    assert made["model.23.one2one_cv3.0"].group == made["model.23.cv3.0"].group == "head P3"


class Reused(nn.Module):
    """A convolution called twice, one that is called by nobody, and a shared activation."""

    def __init__(self):
        super().__init__()
        self.stem, self.twice = nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.idle, self.act = nn.Conv2d(4, 7, 1), nn.ReLU(inplace=True)

    def forward(self, x):
        x = self.act(self.stem(x))
        return self.act(self.twice(self.act(self.twice(x)[..., ::2, ::2])))


def test_modules_called_several_times_or_never():
    made = anatomy.layers(Reused(), (8, 16))
    first, second = made.calls("twice")
    assert [call.turn for call in (first, second)] == [0, 1]
    assert [call.output for call in (first, second)] == [(1, 4, 4, 8), (1, 4, 2, 4)]
    assert [call.multiply_adds for call in (first, second)] == [144 * 32, 144 * 8]
    assert [call.own for call in (first, second)] == [144, 0]
    assert [(call.field.size, call.stride) for call in (first, second)] == [((7, 7), 2), ((15, 15), 4)]
    assert [layer.path for layer in made.uncalled] == ["idle"]
    assert (made["idle"].called, made["idle"].output, made["idle"].multiply_adds) == (False, None, 0)
    assert made.params == 112 + 144 + 35
    assert made.multiply_adds == 112 * 32 + 144 * 40
    assert len(made.calls("act")) == 3
    assert "never called" in str(made) and "twice [1]" in str(made)


@pytest.mark.parametrize(
    "name", ["yolov3-tiny", "yolov9t", "yolo11n", "yolo12n", "yolo26n", "yolov8n-seg", "yolov8n-pose", "yolov8n-obb"]
)
def test_every_family_has_groups_and_levels(name):
    model = shapes_alone(name)
    tables = {fused: anatomy.layers(model, 64, fused=fused) for fused in (False, True)}
    for fused, made in tables.items():
        groups = set(made.totals())
        assert {"backbone", "neck"} <= groups or name == "yolov3-tiny"
        for level in anatomy.levels(model):
            assert f"head {level.name}" in groups
            assert made[level.path].stride == level.stride if level.path in [row.path for row in made] else fused
        assert not made.uncalled
    assert tables[True].params < tables[False].params


def test_a_head_shared_by_all_levels_is_told_apart_by_stride():
    torchvision = pytest.importorskip("torchvision")
    net = torchvision.models.detection.fcos_resnet50_fpn(weights=None, weights_backbone=None, num_classes=3)
    made = anatomy.layers(net, 256)
    calls = made.calls("head.classification_head.cls_logits")
    assert [call.level for call in calls] == ["P3", "P4", "P5", "P6", "P7"]
    assert {"backbone", "neck", "head"} == set(made.totals())
    assert sum(call.own for call in calls) == calls[0].params
    assert "backbone.fpn.layer_blocks.0.0" in calls[0].sources or made["head.classification_head.conv"].sources


def test_networks_without_a_pyramid_have_a_table_too():
    made = anatomy.layers(YOLO("yolov8n-cls.yaml"), 64)
    assert made.params == 2_719_288
    assert anatomy.layers(nn.Linear(5, 2), (1, 5, 3, 5)).multiply_adds == 12


class NeedsValues(nn.Module):
    """Looks at a number, which the meta device does not have."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 1)

    def forward(self, x):
        return self.conv(x) if float(self.conv.weight.sum()) > -1e9 else x


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_any_precision_and_a_network_that_looks_at_its_numbers(dtype):
    given = torch.zeros(2, 3, 8, 8, dtype=torch.int64)
    assert anatomy.layers(NeedsValues().to(dtype), given)["conv"].output == (2, 2, 8, 8)
    assert anatomy.layers(DWConv(4, 4, 3).to(dtype), given[:, :1].expand(2, 4, 8, 8))["conv"].own == 36


def test_nothing_is_touched(nano):
    anatomy.describe(nano)  # who looks at a network for the first time lays the mark of its copies on it
    net = nano.model.train()
    net.model[3].eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    modes = [module.training for module in net.modules()]
    random, hooks = torch.get_rng_state(), [len(module._forward_hooks) for module in net.modules()]
    attributes = [sorted(vars(module)) for module in net.modules()]
    anatomy.layers(nano, 64)
    anatomy.layers(nano, 64, fused=True)
    with pytest.raises(ValueError, match="cannot take an input"):
        anatomy.layers(nano, 65)
    assert modes == [module.training for module in net.modules()]
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert torch.equal(random, torch.get_rng_state())
    assert hooks == [len(module._forward_hooks) for module in net.modules()]
    assert attributes == [sorted(vars(module)) for module in net.modules()]
    assert not hasattr(net, "_field_seen") and torch.is_grad_enabled()


@pytest.mark.parametrize(
    ("size", "error", "message"),
    [
        (
            650,
            ValueError,
            r"failed in model\.11 \(Concat\), given .*Multiples of 32 px fit: \(640, 640\) or \(672, 672\)",
        ),
        ((64, 100), ValueError, r"\(1, 3, 64, 100\).*\(64, 96\) or \(64, 128\)"),
        ((1, 4, 64, 64), ValueError, r"model\.0\.conv \(Conv2d\), given \(1, 4, 64, 64\).*the cause lies elsewhere"),
        (0, ValueError, "at least 1, but 0 was given"),
        ((64, 64, 64), ValueError, r"\(height, width\) or \(B, C, H, W\)"),
        ("large", TypeError, "must be a whole number, but 'large'"),
        (64.0, TypeError, "must be a whole number"),
    ],
)
def test_sizes_that_do_not_fit(nano, size, error, message):
    with pytest.raises(error, match=message):
        anatomy.layers(nano, size)


def test_wrong_models_paths_and_totals(table):
    with pytest.raises(TypeError, match="no detector that the workbench knows"):
        anatomy.layers("yolov8n.pt")
    with pytest.raises(KeyError, match=r"no layer 'model\.22\.cv9'. Alike: model\.22\.cv"):
        table["model.22.cv9"]
    with pytest.raises(ValueError, match="by 'group', 'level' or 'type', but 'part'"):
        table.totals("part")
    with pytest.raises(TypeError, match="nothing that can be merged"):
        anatomy.layers(nn.Conv2d(3, 1, 1), 8, fused=True)


def test_a_size_that_fits_is_found_without_a_head_too():
    class Halves(nn.Module):
        def forward(self, x):
            return x[..., ::2] + x[..., 1::2]

    with pytest.raises(ValueError, match=r"Halves itself.*Multiples of 2 px fit: \(6, 6\) or \(8, 8\)"):
        anatomy.layers(Halves(), 7)


def test_the_table_as_a_frame_and_as_text(table):
    frame = table.to_df()
    assert len(frame) == len(table)
    row = frame.row(by_predicate=polars.col("path") == "model.11", named=True)
    assert (row["type"], row["group"], row["level"]) == ("Concat", "neck", "P4")
    assert (row["input"], row["output"], row["field"]) == ("256×16×16 + 128×16×16", "384×16×16", 783)
    text = str(table)
    assert "7,340,032" in text and "model.22.cv3.2" in text and "head P5" in text
    assert "model.2.cv1" not in text and "model.2.cv1" in table.to_text(3)
    assert repr(table) == (
        "LayerTable(DetectionModel at 256×256: 226 layers, 3,151,904 parameters, 701,934,592 multiply-adds)"
    )
