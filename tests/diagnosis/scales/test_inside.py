"""Operations in a module's own forward, named where that is asked; and layers of sound designs, which are not."""

import pytest
import torch
from torch import nn

from diagnosis import numerics
from diagnosis.scales.operations import spoken
from tests.diagnosis.scales.test_numerics import ONES, linear, same, state_of


class Scaled(nn.Module):
    def __init__(self, inplace=False):
        super().__init__()
        self.last, self.inplace = linear(1e-4), inplace

    def forward(self, x):
        if self.inplace:
            x = x.clone()
            x *= 1e4
            return self.last(x)
        return self.last(x * 1e4)


class Fusion(nn.Module):
    """A weighted mean of two maps, whose weights (1, second) are divided by their sum."""

    def __init__(self, second):
        super().__init__()
        self.weight, self.a, self.b = nn.Parameter(torch.tensor([1.0, second])), linear(1.0), linear(1.0)

    def forward(self, x):
        return (self.weight[0] * self.a(x) + self.weight[1] * self.b(2 * x)) / self.weight.sum()


def amplified(net, **args):
    return [finding for finding in numerics(net, ONES, **args) if finding.code == "amplifies"]


@pytest.mark.parametrize("inplace", [False, True])
def test_a_factor_between_two_layers_is_named_with_module_and_operation(inplace):
    net = nn.Sequential(linear(1.0), Scaled(inplace))
    assert amplified(net) == []
    (finding,) = amplified(net, inside=True)
    assert finding.evidence["layer"] == "1:mul" and finding.evidence["ratio"] == pytest.approx(1e4)
    assert "mul in the forward of '1' (Scaled) puts out RMS 1e+04 for an input of 1" in finding.message


def test_a_division_by_what_nearly_cancels_is_named_with_what_cancels():
    net = nn.Sequential(linear(1.0), Fusion(-0.999))
    assert [finding.evidence["layer"] for finding in amplified(net)] == ["1"]  # of the whole no more is known
    (finding,) = amplified(net, inside=True)
    assert finding.evidence["layer"] == "1:div"
    assert "It divides by RMS 0.001: terms of RMS 1 nearly cancel in sum." in finding.message
    assert amplified(nn.Sequential(linear(1.0), Fusion(1.0)), inside=True) == []


def test_rows_of_operations_stand_beside_those_of_modules():
    net = nn.Sequential(linear(1.0), Fusion(1.0))
    before = state_of(net)
    result = numerics(net, ONES, inside=True)
    assert same(state_of(net), before)
    names = ["0", "1.a", "1:mul", "1:mul (call 2)", "1.b", "1:mul (call 3)", "1:add", "1:sum", "1:div", "1"]
    assert sorted(layer.name for layer in result.layers) == sorted(names)
    rms = {layer.name: value for layer, value in zip(result.layers, result.forward.rms[0], strict=True)}
    assert (rms["1:add"], rms["1:sum"], rms["1:div"], rms["1"]) == pytest.approx((3, 2, 1.5, 1.5))
    assert [layer.name for layer in numerics(net, ONES).layers] == ["0", "1.a", "1.b", "1"]


def test_the_operation_that_makes_nan_is_named():
    class Lost(nn.Module):
        def forward(self, x):
            return (x - 2).log().exp()

    net = nn.Sequential(linear(1.0), nn.Sequential(linear(1.0), Lost()))
    assert numerics(net, ONES).first_non_finite.name == "'1.1' (Lost)"
    assert numerics(net, ONES, inside=True).first_non_finite.name == "'1.1:log' (Lost)"


def test_memory_that_is_not_written_yet_is_not_looked_at():
    class Drop(nn.Module):
        def forward(self, x):
            kept = torch.full_like(x, torch.nan)  # as torch.empty may hold
            return x * kept.fill_(1.0)

    result = numerics(nn.Sequential(linear(1.0), Drop()), ONES, inside=True)
    assert result.ok and result.codes == ()


@pytest.mark.parametrize(
    ("name", "plain"),
    [("__mul__", "mul"), ("__rtruediv__", "div"), ("__iadd__", "add"), ("add_", "add"), ("true_divide", "div")],
)
def test_operations_have_one_name_each(name, plain):
    assert spoken(name) == plain


class Block(nn.Module):
    """A residual branch closed at first by a learned scale of its own."""

    def __init__(self, *branch):
        super().__init__()
        self.branch = nn.Sequential(*branch)

    def forward(self, x):
        return x + self.branch(x)


def norm(scale: float) -> nn.LayerNorm:
    layer = nn.LayerNorm(4)
    nn.init.constant_(layer.weight, scale)
    return layer


VARIED = torch.tensor([[1.0, -2.0, 3.0, -1.0], [0.5, 1.0, -1.0, 2.0]])
WANTED = torch.tensor([[1.0, 2.0, -1.0, 3.0], [2.0, -1.0, 0.5, 1.0]])
SOUND = {
    "lifted, but small": [linear(0.01), linear(20.0)],
    "normalized again": [linear(1.0), linear(30.0), nn.LayerNorm(4), linear(1.0)],
    "gates": [linear(1e-4), nn.Sigmoid()],
    "zero at first": [linear(1.0), Block(linear(1.0), nn.GELU(), norm(0.0)), linear(1.0)],
    "small at first": [linear(1.0), Block(linear(1.0), nn.GELU(), norm(1e-9)), linear(1.0)],
}


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("layers", SOUND.values(), ids=SOUND)
def test_sound_designs_have_no_warning(layers, inside):
    result = numerics(nn.Sequential(*layers), VARIED, lambda out: (out * WANTED).sum(), inside=inside)
    assert set(result.codes) <= {"fp16_underflow"}


ILL = {
    "amplifies": ([linear(1.0), linear(30.0), linear(1.0)], "1"),
    "dead_layer": ([linear(1.0), Block(linear(1.0), linear(0.0), nn.ReLU()), linear(1.0)], "1.branch.1"),
    "vanishing_gradient": ([linear(1.0), norm(1e-9), linear(1.0)], "0"),
    "faint": ([linear(1.0), Block(linear(1e-9), linear(1.0))], "1.branch.0"),
}


@pytest.mark.parametrize(("code", "case"), ILL.items(), ids=ILL)
def test_what_is_not_of_such_a_design_is_told(code, case):
    layers, name = case
    result = numerics(nn.Sequential(*layers), VARIED, lambda out: (out * WANTED).sum())
    assert [finding.evidence["layer"] for finding in result if finding.code == code][:1] == [name]


@pytest.mark.parametrize("train", [False, True])
def test_a_trained_network_has_no_warning(real, train):
    from ultralytics import YOLO

    net = YOLO(real / "weights" / "yolov8n_coco.pt").model.float().train(train)
    torch.manual_seed(0)
    assert numerics(net, torch.rand(2, 3, 96, 96)).codes == ()
