"""Numbers of the layer table, of comparisons and of receptive fields that no other test holds, each by hand."""

import inspect

import numpy as np
import pytest
import torch
from torch import nn

import anatomy
from anatomy.families.torchvision.head import TorchvisionHead
from anatomy.network import run
from anatomy.network.field import PIXELS, Axis, Field, everything
from anatomy.network.layers import _multiples
from anatomy.network.seen import Seen, mark
from tests.anatomy.test_receptive_field import Chain, ChainHead

PREDICT = {"conf": 0.25, "iou": 0.7, "imgsz": 640}
DEFAULTS = {  # function: what it takes where nothing is said
    anatomy.trace: PREDICT,
    anatomy.stream: PREDICT,
    TorchvisionHead.passes: PREDICT,
    anatomy.compare: {"iou": 0.5},
    anatomy.layers: {"imgsz": 640, "fused": False},
    anatomy.LayerTable.to_text: {"depth": 2},
    anatomy.receptive_field: {"share": 0.95, "imgsz": 640},
    anatomy.open_checkpoint: {"trusted": False},
    run.listen: {"follow": False},
}


@pytest.mark.parametrize("function", DEFAULTS, ids=lambda function: function.__qualname__)
def test_what_is_meant_where_nothing_is_said(function):
    given = inspect.signature(function).parameters
    assert {name: given[name].default for name in DEFAULTS[function]} == DEFAULTS[function]


def test_what_a_head_is_where_it_does_not_say():
    plain = anatomy.Head
    found = plain.anchors_per_cell, plain.grid_offset, plain.rotated, plain.channels, plain.tensor_multiple
    assert found == (1, 0.5, False, 3, None)
    assert anatomy.Limits() == anatomy.Limits(None, None, None, False)


class Divides(nn.Module):
    """Takes sides that are multiples of a number alone."""

    def __init__(self, step: int):
        super().__init__()
        self.step = step

    def forward(self, x):
        return x.unflatten(2, (-1, self.step)).unflatten(4, (-1, self.step)).sum((3, 5))


@pytest.mark.parametrize("step", [2, 4, 8, 16, 32, 64, 128])
def test_sizes_that_fit_are_looked_for_among_multiples(step):
    told = rf"Multiples of {step} px fit: \({step}, {2 * step}\) or \({step}, {3 * step}\)\.$"
    with pytest.raises(ValueError, match=told):
        anatomy.layers(Divides(step), (step, 2 * step + step // 2))


def test_where_no_multiple_fits_the_cause_lies_elsewhere():
    with pytest.raises(ValueError, match=r"No size nearby fits either: the cause lies elsewhere"):
        anatomy.layers(Divides(256), (256, 640))
    assert _multiples((1, 33, 64), 32, 0) == (32, 32, 64) and _multiples((1, 33, 64), 32, 31) == (32, 64, 64)


def test_an_input_is_a_side_two_sides_a_shape_or_a_tensor():
    one = nn.Identity()
    for given, shape in (
        (8, (1, 3, 8, 8)),
        (torch.tensor(8), (1, 3, 8, 8)),
        ((8, 16), (1, 3, 8, 16)),
        (torch.Size((8, 16)), (1, 3, 8, 16)),
        ([2, 5, 8, 16], (2, 5, 8, 16)),
        (torch.zeros(2, 5, 8, 1), (2, 5, 8, 1)),
    ):
        assert anatomy.layers(one, given).input_shape == shape
    assert anatomy.layers(nn.Sequential(nn.Identity(), nn.Conv2d(7, 1, 1), nn.Conv2d(1, 2, 1)), 4).input_shape[1] == 7


def test_a_network_without_weights_has_shares_all_the_same():
    table = anatomy.layers(nn.Sequential(nn.ReLU(), nn.MaxPool2d(2)), 8)
    assert (table.params, table.multiply_adds, table.totals(), table.totals("type")) == (0, 0, {}, {})
    assert "0 parameters, 0 multiply-adds" in str(table)
    assert [block.path for block in table.blocks] == ["0", "1"]


class Twice(nn.Module):
    """A convolution that is called at two strides: its weights count where they are met first, its work at both."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        return self.conv(nn.functional.avg_pool2d(self.conv(x), 2))


def test_work_counts_where_no_weight_does():
    found = anatomy.layers(Twice(), 8).totals("level")
    assert found == {"P1": anatomy.Cost(0, 12 * 16, 0.0, 0.2), "P0": anatomy.Cost(12, 12 * 64, 1.0, 0.8)}


def test_paths_that_are_alike_are_three_at_most():
    net = nn.Sequential()
    for index in range(5):
        net.add_module(f"layer{index}", nn.Conv2d(3, 3, 1))
    table = anatomy.layers(net, 8)
    with pytest.raises(KeyError, match=r"no layer 'layer9'\. Alike: layer\d, layer\d, layer\d\."):
        table["layer9"]
    with pytest.raises(KeyError, match=r"no layer 'xyz'\. Alike: none is alike\."):
        table["xyz"]
    assert [layer.path for layer in table.blocks] == [f"layer{index}" for index in range(5)]


def test_the_tolerance_is_that_of_the_coarser_precision():
    conv = nn.Conv2d(3, 1, 1)
    kinds = {torch.float64: 1e-10, torch.float32: 1e-4, torch.bfloat16: 0.2, torch.float16: 0.03}
    for dtype, tolerance in kinds.items():
        other = nn.Conv2d(3, 1, 1).to(dtype)
        assert anatomy.equivalent(other, other, inputs=4).tolerance == tolerance
        assert anatomy.equivalent(conv, other, inputs=4).tolerance == max(tolerance, 1e-4)
    found = anatomy.equivalent(conv, conv)
    assert found.input_shape == (1, 3, 128, 128) and found.outputs[0].shape == (1, 1, 128, 128)
    assert anatomy.equivalent(conv, conv, inputs=(4, 6)).input_shape == (1, 3, 4, 6)


def test_an_output_counts_as_equal_up_to_the_tolerance():
    conv = nn.Conv2d(3, 1, 1, bias=False)
    other = nn.Conv2d(3, 1, 1, bias=False)
    with torch.no_grad():
        conv.weight.fill_(1)
        other.weight.fill_(1.25)
    found = anatomy.equivalent(conv, other, inputs=torch.ones(1, 3, 2, 2), tolerance=0.25)
    assert found and found.outputs[0].relative == 0.25 and not found.identical and found.begins is None
    assert not anatomy.equivalent(conv, other, inputs=torch.ones(1, 3, 2, 2), tolerance=0.24)


def test_the_middle_of_noise_is_looked_at_and_its_ends_hold_a_fortieth_each():
    field = anatomy.receptive_field(Chain(), 0, imgsz=(64, 96))
    assert (field.row, field.col, field.share) == (4, 6, 0.95)
    noise = np.random.default_rng(0).integers(0, 256, (4, 64, 96, 3), np.uint8)
    assert len(field.images) == 4 == len(field.boxes)
    assert all(np.array_equal(seen.image[..., ::-1], image) for seen, image in zip(field.images, noise, strict=True))
    for axis, ends in ((0, field.extent[[0, 2]]), (1, field.extent[[1, 3]])):
        line = field.sensitivity.sum(axis)
        held = np.interp(ends, np.arange(len(line) + 1), np.cumsum([0, *line]))
        assert held == pytest.approx([0.025, 0.975], abs=1e-5)
    wider = anatomy.receptive_field(Chain(), 0, imgsz=64, share=0.5)
    assert wider.input_shape == (64, 64) and wider.share == 0.5
    held = np.interp(wider.extent[[0, 2]], np.arange(65), np.cumsum([0, *wider.sensitivity.sum(0)]))
    assert held == pytest.approx([0.25, 0.75], abs=1e-5)
    for share in (0.0, 1.0, -0.1):
        with pytest.raises(ValueError, match="share must lie between 0 and 1"):
            anatomy.receptive_field(Chain(), 0, imgsz=64, share=share)


class Shared(Chain):
    """The same with a second level, whose classes are told by the same convolution."""

    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(1, 1, 3, 2, 1, bias=False)
        nn.init.constant_(self.down.weight, 0.1)

    def forward(self, images):
        fine = self.convs(images)
        return self.classify(fine), self.classify(self.down(fine))

    def describe_head(self):
        return SharedHead(self)


class SharedHead(ChainHead):
    def __init__(self, net):
        super().__init__(net)
        self.levels = (*self.levels, anatomy.Level(1, "P4", 16.0, 1, {"one2many": "classify"}))

    def passes(self, source, **args):
        for one in super().passes(source, **args):
            with torch.no_grad():
                logits = tuple(level[0] for level in self.net(one.frame))
            boxes = one.boxes[:, :1].expand(4, sum(level[0].numel() for level in logits))
            yield one.evolve(logits=logits, boxes=boxes, features=one.features * 2, box_logits=boxes)

    def forward(self, images, branch):
        logits = self.net(images)
        return anatomy.Outputs((), logits, logits)


def test_of_a_convolution_that_levels_share_the_call_of_the_level_is_read():
    net = Shared()
    first, second = (anatomy.receptive_field(net, level, 1, 1, imgsz=64, class_id=0) for level in (0, 1))
    assert first.theoretical.tolist() == [1, 1, 16, 16]  # 8 i - 7 to 8 i + 8
    assert second.theoretical.tolist() == [1, 1, 32, 32]  # from cell 1 to cell 3 of the level before
    assert (second.level.name, second.point.tolist()) == ("P4", [24, 24])
    assert (np.argwhere(second.sensitivity).min(0).tolist(), np.argwhere(second.sensitivity).max(0).tolist()) == (
        [1, 1],
        [31, 31],
    )


def test_axes_by_hand():
    two = Axis((0.0, 1.0), (3.0, 5.0), 4.0)
    assert (two.stride, two.size, two.whole) == (2.0, 4.0, False)
    assert [two.span(cell) for cell in (0, 1, 2, -1)] == [(0, 3), (1, 5), (4, 7), (-3, 1)]
    assert two.center == (1.5 + (3 - 2)) / 2
    assert everything(two) == Axis((-np.inf,), (np.inf,), 2.0) and np.isnan(everything(two).center)
    three = Axis((0.0, 2.0, 5.0), (1.0, 4.0, 6.0), 6.0)
    assert two.union(three) == Axis((0.0, 1.0, 4.0, 5.0, 8.0, 9.0), (3.0, 5.0, 7.0, 9.0, 11.0, 13.0), 12.0)
    assert PIXELS.union(everything(PIXELS)) == everything(PIXELS).union(PIXELS) == everything(PIXELS)
    assert everything(two).union(PIXELS) == everything(PIXELS) and two.union(everything(two)) == everything(two)
    assert two.through(lambda cell: (cell, cell + 1)) == Axis((0.0, 1.0), (5.0, 7.0), 4.0)
    assert two.through(lambda cell: (3 * cell,), inputs=3) == Axis((0.0, 5.0), (3.0, 9.0), 12.0)
    assert two.through(lambda cell: (cell // 2,), outputs=2) == Axis((0.0, 0.0, 1.0, 1.0), (3.0, 3.0, 5.0, 5.0), 4.0)
    assert PIXELS.through(lambda cell: ()) == Axis((np.inf,), (-np.inf,), 1.0)


def test_fields_by_hand():
    field = Field(Axis((0.0,), (3.0,), 2.0), Axis((1.0,), (6.0,), 4.0))
    assert (field.size, field.stride, field.center, field.whole) == ((3, 5), (2, 4), (3.5, 1.5), False)
    assert field.span(2, 1).tolist() == [5, 4, 10, 7] and str(field) == "3 × 5"
    assert Field(field.y, everything(field.x)).whole and Field(everything(field.y), field.x).whole
    assert str(Field(field.y, everything(field.x))) == "whole image" and str(Field()) == "1"


def test_a_broken_pass_is_told_where_and_by_its_first_cause():
    class Breaks(nn.Module):
        def forward(self, x):
            try:
                raise RuntimeError("first.\nsecond")
            except RuntimeError as error:
                raise ValueError("later") from error

    net = nn.Sequential(nn.Identity(), Breaks())
    with pytest.raises(
        run.BrokenPass, match=r"^The forward pass failed in 1 \(Breaks\), given \(1, 3, 2, 2\): first\.$"
    ):
        run.listen(net, net, torch.zeros(1, 3, 2, 2))
    with pytest.raises(run.BrokenPass, match=r"^The forward pass failed before any layer: KeyError\.$"):
        run.listen(net, lambda x: (_ for _ in ()).throw(KeyError()), torch.zeros(1, 3, 2, 2))
    assert run.said(((1, 2), (3,))) == "(1, 2) and (3,)" and run.said(()) == "no tensor"
    assert run.named("", net) == "Sequential itself" and run.named("0", net[0]) == "0 (Identity)"
    assert run.shapes([torch.zeros(2, 3), {"a": torch.zeros(1), "b": 5}]) == ((2, 3), (1,))


def test_a_module_that_stands_in_two_places_is_named_by_its_caller():
    act = nn.ReLU()
    net = nn.Sequential(nn.Sequential(act), nn.Sequential(nn.Identity(), act))
    calls, _ = run.listen(net, net, torch.zeros(1, 3, 2, 2))
    assert [(call.path, call.turn) for call in calls] == [
        ("", 0),
        ("0", 0),
        ("0.0", 0),
        ("1", 0),
        ("1.0", 0),
        ("1.1", 0),
    ]
    assert [call.parent and call.parent.path for call in calls] == [None, "", "0", "", "1", "1"]
    assert calls[5].inputs == calls[5].outputs == ((1, 3, 2, 2),) and calls[5].sees is None
    assert run._nearest(["a.x", "b.x"], calls[3]) == "a.x"


def test_layers_know_whose_outputs_they_read():
    class Joins(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 2, 1), nn.Conv2d(4, 1, 1)

        def forward(self, x):
            return self.c(torch.cat([self.a(x), self.b(x).relu()], 1))

    class Adds(nn.Sequential):
        def forward(self, x):
            return x + super().forward(x)

    class Passes(nn.Sequential):
        def forward(self, x):
            super().forward(x)
            return x

    conv = nn.Conv2d(3, 3, 1)
    for between, made in ((nn.Identity(), ("1",)), (Adds(conv), ("1.0", "1")), (Passes(conv), ("0", "1"))):
        assert anatomy.layers(nn.Sequential(conv, between, nn.Conv2d(3, 3, 1)), 8)["2"].sources == made
    table = anatomy.layers(nn.Sequential(Joins(), nn.Identity()), 8)
    assert table["0.c"].sources == ("0.a", "0.b") and table["0.a"].sources == ()
    assert table["0"].depth == 1 and table["0.c"].depth == 2 and table["0.c"].leaf and not table["0"].leaf


class Says(nn.Identity):
    """Gives no tensor, and is listened to all the same."""

    def forward(self, x):
        return "nothing"


def test_a_pass_that_is_not_followed_leaves_no_mark_and_every_call_is_heard():
    net, heard, images = nn.Sequential(nn.Identity(), Says()), [], torch.zeros(1, 3, 2, 2)
    calls, made = run.listen(net, net, images, keep=lambda call, outputs: heard.append((call.path, len(outputs))))
    assert made == "nothing" and heard == [("0", 1), ("1", 0), ("", 0)] and not vars(images)
    assert [call.outputs for call in calls] == [(), ((1, 3, 2, 2),), ()] and calls[1].sources == ()
    twice = nn.ReLU()
    calls, _ = run.listen(twice, lambda x: twice(twice(x)), images, follow=True)
    assert [(call.turn, call.sees, call.sources) for call in calls] == [(0, Field(), ()), (1, Field(), ("",))]


@pytest.mark.parametrize(
    ("shape", "found", "field"),
    [
        ((1, 2, 3, 3), Seen(Field(), dims=(2, 3)), True),
        ((1, 2, 5, 3), Seen(Field(), flat=(2, 5, 1)), True),
        ((1, 2, 3), Seen(Field(), dims=(1, 2)), False),
        ((1, 2, 4, 8), None, False),
        ((1, 2, 4, 8), Seen(Field()), True),  # no grid any more, but as high and wide as the image
        ((1, 2, 1, 1), Seen(Field()), True),
        ((1, 2, 4, 4), Seen(Field()), False),
        ((1, 2, 8, 4), Seen(Field()), False),
        ((1, 2, 1, 4), Seen(Field()), False),
    ],
)
def test_of_which_outputs_the_field_is_told(shape, found, field):
    tensor = torch.zeros(shape) if found is None else mark(torch.zeros(shape), found)
    assert run._field(tensor, torch.zeros(1, 3, 8, 16)) == (Field() if field else None)


def test_a_shadow_shares_its_weights_where_they_are_detached_and_leaves_the_network():
    net = nn.Sequential(nn.Conv2d(3, 1, 1), nn.BatchNorm2d(1)).train()
    net.note = torch.ones(2)
    made = run.shadow(net, torch.Tensor.detach)
    assert made[0].weight.data_ptr() == net[0].weight.data_ptr() and not made[0].weight.requires_grad
    assert made[1].running_mean.data_ptr() == net[1].running_mean.data_ptr()
    assert made.note.data_ptr() != net.note.data_ptr() and torch.equal(made.note, net.note)
    assert not made.training and net.training and net[0].weight.requires_grad
    empty = run.shadow(net, lambda value: value.to("meta"))
    assert {value.device.type for value in (*empty.parameters(), *empty.buffers())} == {"meta"}
    assert run.network(net) == (net, None)
