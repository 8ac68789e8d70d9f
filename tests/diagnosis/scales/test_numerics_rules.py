"""Single rules of the numerics, each met and each just not met: several outputs, fp16, missing gradients, chains."""

import numpy as np
import pytest
import torch
from torch import nn

from diagnosis import numerics
from tests.diagnosis.scales.test_numerics import ONES, linear, sgd


class Fork(nn.Module):
    """Four zeros beside an output of twelve values, three of them zero."""

    def forward(self, x):
        long = torch.tensor([[0.0, 0, 0, 2, 2, 2, -6, 2, 2, 2, 2, 2]]) + 0 * x.sum()
        return {"still": x * 0, "long": long}


def test_several_outputs_of_a_layer_are_taken_as_one():
    weight = torch.tensor([[1.0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1e-8, 0]])
    net = nn.Sequential(linear(1.0, size=4), Fork())
    result = numerics(net, ONES[:1], lambda out: (out["long"] * weight).sum() + 3 * out["still"].sum())
    forward, backward = result.forward, result.backward
    assert forward.zeros[0, 1] == pytest.approx(7 / 16)
    assert forward.norm[0, 1] == pytest.approx((8 * 4 + 36) ** 0.5)
    assert forward.rms[0, 1] == pytest.approx((68 / 16) ** 0.5)
    assert forward.largest[0, 1] == 6
    assert backward.zeros[0, 1] == pytest.approx(1 / 16)
    assert backward.largest[0, 1] == 3
    assert backward.norm[0, 1] == pytest.approx((10 + 4 * 9) ** 0.5)
    assert backward.lost[0, 1] == pytest.approx(1 / 15)


def test_bad_values_of_one_of_several_outputs_are_shares_of_all():
    class Bad(nn.Module):
        def forward(self, x):
            return [x * 1, x[:, :2] / 0]

    forward = numerics(nn.Sequential(linear(1.0), Bad()), ONES[:1], lambda out: out[0].sum()).forward
    assert forward.non_finite[0, 1] == pytest.approx(1 / 3)
    assert not np.isfinite(forward.rms[0, 1])


def found(result, code):
    return [finding for finding in result if finding.code == code]


@pytest.mark.parametrize(
    ("weight", "share"),
    [
        ([1e-8, 1e-9, 1e-8, 1.0], 0.75),
        ([1e-8, 1e-9, 1.0, 1.0], 0.5),
        ([1e-8, 1.0, 1.0, 1.0], None),
        ([1e-8, 1e-8, 0.0, 1.0], 2 / 3),  # zeros are not lost
        ([1e-7, 1e-7, 1e-7, 1.0], None),  # fp16 holds them, though not precisely
        ([0.0, 0.0, 0.0, 0.0], None),
    ],
)
def test_gradients_that_fp16_makes_zero_are_found_from_one_half_on(weight, share):
    net = nn.Sequential(nn.Identity(), linear(1.0))
    result = numerics(net, ONES, lambda out: (out * torch.tensor(weight)).sum())
    findings = found(result, "fp16_underflow")
    assert [finding.evidence["share"] for finding in findings] == ([] if share is None else [pytest.approx(share)])
    if findings:
        assert findings[0].evidence["layer"] == "1" and findings[0].evidence["layers"] == 1
        assert f"{share:.0%} of it at '1' (Linear)" in findings[0].message


def test_the_layer_that_loses_most_to_fp16_is_named():
    net = nn.Sequential(linear(1.0), nn.Linear(4, 8, bias=False), nn.Linear(8, 4, bias=False))
    with torch.no_grad():
        net[1].weight.fill_(1.0)
        net[2].weight.copy_(torch.eye(4, 8))
        net[2].weight[:, :1] = 1e3  # the one value of eight in front of it that keeps a gradient fp16 holds
    result = numerics(net, ONES, lambda out: 1e-9 * out.sum())
    [finding] = found(result, "fp16_underflow")
    assert finding.evidence["layer"] == "2" and finding.evidence["share"] == 1
    assert finding.evidence["layers"] == int((result.backward.lost[0] >= 0.5).sum())
    assert numerics(net.half(), ONES.half(), lambda out: 1e-4 * out.sum()).backward.lost[0] == pytest.approx(
        [np.nan] * 3, nan_ok=True
    )


class Beside(nn.Module):
    """A path on which nothing learns, run beside the one that does; its layers have no gradient."""

    def __init__(self, *layers):
        super().__init__()
        self.path = nn.Sequential(*layers).requires_grad_(False)

    def forward(self, x):
        with torch.no_grad():
            self.path(x)
        return x


SOUND = [linear(1.0), nn.GELU(), linear(2.0)]
ILL = {
    "vanishing_gradient": ("0", [linear(1.0), linear(1e-9, bias=1.0)]),
    "exploding_gradient": ("0", [linear(1.0), linear(1e4)]),
    "fp16_underflow": ("0", [linear(1.0), linear(1e-9, bias=1.0)]),
    "dead_layer": ("1", [linear(-1.0), nn.ReLU(), linear(1.0)]),
    "runaway": ("3", [linear(1.0), *(linear(3.0) for _ in range(5))]),
}


@pytest.mark.parametrize("place", [0, 1])
def test_layers_without_gradients_cause_no_finding(place):
    layers = [*SOUND[:place], Beside(linear(2.0), linear(0.5)), *SOUND[place:]]
    result = numerics(nn.Sequential(*layers), ONES)
    silent = [layer.name for layer, norm in zip(result.layers, result.backward.norm[0], strict=True) if np.isnan(norm)]
    assert silent == [f"{place}.path.0", f"{place}.path.1"]
    assert result.codes == numerics(nn.Sequential(*SOUND), ONES).codes == ()


@pytest.mark.parametrize(("code", "case"), ILL.items(), ids=ILL)
@pytest.mark.parametrize("place", ["first", "last"])
def test_layers_without_gradients_hide_no_finding(code, case, place):
    named, layers = case
    expected = found(numerics(nn.Sequential(*layers), ONES), code)
    beside = Beside(linear(2.0), linear(0.5))
    net = nn.Sequential(*layers, beside) if place == "last" else nn.Sequential(nn.Sequential(*layers), beside)
    again = found(numerics(net, ONES), code)
    assert len(again) == len(expected) > 0
    assert again[0].evidence["layer"].removeprefix("0.") == named
    assert expected[0].evidence["layer"] == named


def wide_norm(scale: float) -> nn.LayerNorm:
    norm = nn.LayerNorm(4)
    nn.init.constant_(norm.weight, scale)
    return norm


GROWING = {  # RMS behind each layer; growth counts from the lowest since the last normalization
    "1, 9, 81": ([linear(1.0), linear(9.0), linear(9.0)], []),
    "1, 9, 81, 729": ([linear(1.0), linear(9.0), linear(9.0), linear(9.0)], [729]),
    "1, 50 by a norm, 450": ([linear(1.0), wide_norm(50.0), linear(9.0)], []),
    "1, 9 by a norm, 81, 729, 6561": ([linear(1.0), wide_norm(9.0), *(linear(9.0) for _ in range(3))], [729]),
}


@pytest.mark.parametrize(("layers", "growth"), GROWING.values(), ids=GROWING)
def test_a_chain_of_growth_begins_anew_at_a_normalization(layers, growth):
    findings = found(numerics(nn.Sequential(*layers), torch.tensor([[1.0, -1, 1, -1]])), "runaway")
    assert [finding.evidence["growth"] for finding in findings] == pytest.approx(growth, rel=1e-3)


@pytest.mark.parametrize(
    ("lr", "steps", "nan_at", "severity", "step"),
    [
        (1.0, 4, None, None, None),  # 1, 3, 5, 7, 9
        (2.0, 4, None, "warning", 3),  # 1, 5, 9, 13, 17
        (25.0, 1, None, "warning", 1),  # 1, 51
        (25.0, 2, None, "error", 1),  # 1, 51, 101: a hundredfold
        (10.0, 2, None, "warning", 1),  # 1, 21, 41
        (10.0, 2, 2, "error", 1),  # the same, and then not finite
        (10.0, 1, 1, "warning", 1),  # not finite from the same pass on, not later
    ],
)
def test_a_runaway_is_an_error_from_a_hundredfold_on_or_before_something_not_finite(lr, steps, nan_at, severity, step):
    calls = []

    def loss(out):
        calls.append(1)
        return -out.sum() * (float("nan") if len(calls) - 1 == nan_at else 1.0)

    net = nn.Sequential(linear(1.0, size=1))
    result = numerics(net, torch.ones(1, 1), loss, steps=steps, optimizer=sgd(lr), progress=False)
    findings = found(result, "runaway")
    assert [finding.severity for finding in findings] == ([] if severity is None else [severity])
    assert [finding.evidence["step"] for finding in findings] == ([] if step is None else [step])
    assert [finding.evidence["most"] for finding in findings] == [
        pytest.approx(max(1 + 2 * lr * k for k in range(len(result))))
    ] * len(findings)
