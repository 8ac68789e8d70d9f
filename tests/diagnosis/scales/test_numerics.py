"""The scales of tiny networks whose every number is known, and that nothing of a network changes by looking."""

import gc
import math
import random
import weakref

import numpy as np
import pytest
import torch
from torch import nn

from diagnosis import numerics
from diagnosis.scales.listen import SAMPLE, Listener, measure


class Scale(nn.Module):
    """Multiplies; a leaf without weights."""

    def __init__(self, factor: float):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor


class Residual(nn.Module):
    def __init__(self, *layers, after=None):
        super().__init__()
        self.body = nn.Sequential(*layers)
        self.after = after

    def forward(self, x):
        out = x + self.body(x)
        return self.after(out) if self.after else out


class BadBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient / 0


class Backward(nn.Module):
    def forward(self, x):
        return BadBackward.apply(x)


def linear(weight: float, bias: float = 0.0, size: int = 4) -> nn.Linear:
    layer = nn.Linear(size, size)
    nn.init.constant_(layer.weight, 0)
    with torch.no_grad():
        layer.weight.fill_diagonal_(weight)
        layer.bias.fill_(bias)
    return layer


ONES = torch.ones(2, 4)


def sgd(lr):
    return lambda weights: torch.optim.SGD(weights, lr=lr)


def test_scales_are_those_computed_by_hand():
    net = nn.Sequential(linear(3.0), nn.ReLU(inplace=True), linear(-2.0), nn.ReLU(inplace=True))
    x = torch.tensor([[1.0, -1.0, 2.0, 0.0]])
    result = numerics(net, x, lambda out: (out + 1).sum())
    assert [layer.name for layer in result.layers] == ["0", "1", "2", "3"]
    assert [layer.inputs for layer in result.layers] == [(), (0,), (1,), (2,)]
    assert result.forward.rms[0] == pytest.approx([3 * math.sqrt(1.5), math.sqrt(45 / 4), 2 * math.sqrt(45 / 4), 0])
    assert result.forward.largest[0] == pytest.approx([6, 6, 12, 0])
    assert result.forward.zeros[0] == pytest.approx([0.25, 0.5, 0.5, 1])
    assert result.gain[0, :2] == pytest.approx([3, math.sqrt(45 / 4) / (3 * math.sqrt(1.5))])
    assert result.backward.norm[0] == pytest.approx([0, 0, 0, 2])
    assert result.losses == pytest.approx([4]) and result.first_non_finite is None
    dead = [finding.evidence["layers"] for finding in result if finding.code == "dead_layer"]
    assert dead == [("3",), ("0", "1", "2")]
    assert result.to_df().height == 4 and "layer 2" not in str(result)


ORIGINS = {  # network, direction, how, name
    "made": (nn.Sequential(linear(1.0), Scale(1e39), nn.ReLU()), "forward", "made", "'1' (Scale)"),
    "weights": (nn.Sequential(linear(1.0), linear(float("nan"))), "forward", "weights", "'1' (Linear)"),
    "own": (nn.Sequential(Residual(linear(1.0), after=lambda x: x / 0)), "forward", "own", "'0' (Residual)"),
    "input": (nn.Sequential(Residual(linear(1.0)), Scale(1.0)), "forward", "input", "'(model)'"),
    "backward": (nn.Sequential(linear(1.0), nn.ReLU(), Backward()), "backward", "made", "'1' (ReLU)"),
}


@pytest.mark.parametrize("case", ORIGINS.values(), ids=ORIGINS)
def test_the_first_non_finite_layer_is_named_with_its_cause(case):
    net, direction, how, name = case
    result = numerics(net, ONES if how != "input" else ONES / 0)
    origin = result.first_non_finite
    assert (origin.direction, origin.how) == (direction, how) and origin.name.startswith(name)
    assert "non_finite" in result.codes and not result.ok
    if how == "made":
        assert f"largest {origin.largest:.3g}" in str(origin)


class Between(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = linear(1.0), linear(1.0)

    def forward(self, x):
        return self.last(self.first(x) / 0)


def test_an_operation_between_two_layers_is_told_from_both():
    origin = numerics(nn.Sequential(Between()), ONES).first_non_finite
    assert (origin.how, origin.name, origin.parent) == ("between", "'0.last' (Linear)", "0")


def test_a_loss_that_is_nan_by_itself_is_no_fault_of_a_layer():
    result = numerics(nn.Sequential(linear(1.0)), ONES, lambda out: (out - 2).log().sum())
    assert result.first_non_finite.how == "loss" and np.isnan(result.losses[0])
    assert result.forward.finite.all()


@pytest.mark.parametrize(
    ("net", "code", "layer"),
    [
        (nn.Sequential(linear(1.0), linear(11.0), linear(1.0)), "amplifies", "1"),
        (nn.Sequential(linear(1.0), *(linear(3.0) for _ in range(5))), "runaway", "3"),
        (nn.Sequential(linear(1.0), linear(-1.0), nn.ReLU()), "dead_layer", "2"),
        (nn.Sequential(linear(9.0), nn.Sigmoid()), "saturated_layer", "1"),
        (nn.Sequential(linear(9.0), nn.ReLU6()), "saturated_layer", "1"),
        (nn.Sequential(linear(1.0), linear(1e-7), linear(1e-7)), "faint", "1"),
        (nn.Sequential(linear(1.0), linear(1e-7), nn.LayerNorm(4)), "faint", "1"),
        (nn.Sequential(linear(9.0), linear(9e4)), "fp16_overflow", "1"),
        (nn.Sequential(linear(1.0), linear(1e-9, bias=1.0)), "vanishing_gradient", "0"),
        (nn.Sequential(linear(1.0), linear(1e4)), "exploding_gradient", "0"),
    ],
)
def test_what_leads_to_it_is_named(net, code, layer):
    found = [finding for finding in numerics(net, ONES) if finding.code == code]
    assert [finding.evidence["layer"] for finding in found][:1] == [layer]


@pytest.mark.parametrize(
    "net",
    [
        nn.Sequential(linear(1.0), nn.GELU(), linear(2.0)),
        nn.Sequential(linear(0.01), nn.LayerNorm(4), linear(1.0)),  # to lift to 1 is what it is for
        nn.Sequential(linear(0.1), linear(0.1, bias=4.0)),  # a bias amplifies nothing
    ],
)
def test_what_is_sound_is_not_named(net):
    result = numerics(net, torch.arange(8.0).view(2, 4))
    assert set(result.codes) <= {"fp16_underflow"}


def test_units_in_a_softmax_are_judged_by_distribution():
    result = numerics(nn.Sequential(linear(100.0), nn.Softmax(1)), torch.eye(4))
    assert result.forward.saturated[0, 1] == 1


def state_of(net):
    tensors = {key: value.clone() for key, value in net.state_dict().items()}
    assert gc.isenabled()
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in net.modules()]
    kept = [(p.grad, p.requires_grad) for p in net.parameters()], [m.training for m in net.modules()]
    noise = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    return tensors, hooks, kept, noise, [sorted(vars(module)) for module in net.modules()]


def same(one, other) -> bool:
    equal = all(torch.equal(one[0][key], other[0][key]) for key in one[0]) and one[0].keys() == other[0].keys()
    grads = all(a[0] is b[0] and a[1] == b[1] for a, b in zip(one[2][0], other[2][0], strict=True))
    noise = torch.equal(one[3][0], other[3][0]) and one[3][1:] == other[3][1:]
    return equal and grads and noise and (one[1], one[2][1], one[4]) == (other[1], other[2][1], other[4])


class Rude(nn.Module):
    """Sets an attribute, draws numbers, and then does what it is told."""

    def __init__(self, calls: int = 0, error: BaseException | None = None):
        super().__init__()
        self.left, self.error = [calls], error

    def forward(self, x):
        self.seen = x
        random.random(), np.random.rand()  # noqa: NPY002
        self.left[0] -= 1
        if self.error is not None and self.left[0] < 0:
            raise self.error
        return x * torch.rand(1)


ENDS = {
    "normal": (None, 0, None),
    "fails": (RuntimeError("no"), 0, RuntimeError),
    "Ctrl-C": (KeyboardInterrupt(), 0, KeyboardInterrupt),
    "fails later": (RuntimeError("no"), 2, RuntimeError),
    "Ctrl-C later": (KeyboardInterrupt(), 2, None),
}


@pytest.mark.parametrize(("error", "calls", "raised"), ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("steps", [0, 4])
def test_nothing_of_the_network_changes_however_it_ends(steps, error, calls, raised):
    net = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), Rude(calls, error), nn.Linear(4, 2))
    net[4].eval()
    net[0].weight.grad = torch.ones(4, 4)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
    before = state_of(net)
    raised = raised if steps or not calls else None
    if raised:
        with pytest.raises(raised):
            numerics(net, torch.rand(8, 4), steps=steps, optimizer=optimizer, progress=False)
    else:
        x = torch.rand(8, 4)
        before = state_of(net)
        result = numerics(net, x, steps=steps, optimizer=optimizer, progress=False)
        assert result.interrupted == bool(error and steps)
        assert len(result) == (2 if result.interrupted else steps + 1)
    if raised is None:
        assert same(state_of(net), before)
    else:
        assert state_of(net)[1] == before[1] and same(state_of(net)[:3] + before[3:], before)
    assert not optimizer.state and optimizer.param_groups[0]["lr"] == 0.1


def test_steps_are_those_of_the_optimizer():
    net = nn.Sequential(linear(1.0, size=1))
    x, calls = torch.ones(1, 1), []
    result = numerics(
        net,
        x,
        lambda out: out.sum(),
        steps=2,
        optimizer=sgd(0.25),
        progress=False,
        on_pass=lambda r: calls.append(len(r)),
    )
    assert result.losses == pytest.approx([1.0, 0.5, 0.0])  # weight and bias each lose 0.25 a step
    assert result.update_norm[:2] == pytest.approx(np.full((2, 2), 0.25)) and np.isnan(result.update_norm[2]).all()
    assert result.weight_norm[:, 0] == pytest.approx([1, 0.75, 0.5])
    assert calls == [1, 2, 3] and net[0].weight.item() == 1
    assert "update_too_large" in result.codes


def test_a_divergence_is_told_before_and_after_the_nan():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4))
    result = numerics(
        net, torch.rand(8, 4), lambda out: out.square().sum(), steps=40, optimizer=sgd(2.0), progress=False
    )
    codes = [finding.code for finding in result.errors]
    assert codes[:2] == ["non_finite", "runaway"] and "update_too_large" in codes
    runaway = next(finding for finding in result if finding.code == "runaway")
    assert runaway.evidence["step"] < result.first_non_finite.step
    assert "no finite loss" in result.stopped and len(result) < 41
    assert result.calm < runaway.evidence["step"]


def test_batches_come_in_turn_with_their_targets():
    seen = []

    def loss(out, target):
        seen.append(target)
        return out.sum()

    pairs = [(ONES, "a"), (2 * ONES, "b")]
    result = numerics(linear(1.0), pairs, loss, steps=2, optimizer=sgd(0.0), progress=False)
    assert seen == ["a", "b", "a"] and result.losses == pytest.approx([8, 16, 8])
    short = numerics(linear(1.0), iter(pairs), loss, steps=5, optimizer=sgd(0.0), progress=False)
    assert len(short) == 2 and short.stopped == "the batches ended after 2 of 6 passes"


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.act, self.never, self.layer = nn.ReLU(), nn.Linear(2, 2), linear(2.0)

    def forward(self, x):
        return self.act(self.layer(self.act(self.layer(x))))


def test_modules_called_twice_have_two_rows_and_those_never_called_are_listed():
    result = numerics(Twice(), ONES)
    assert [layer.name for layer in result.layers] == ["layer", "act", "layer (call 2)", "act (call 2)"]
    assert result.forward.rms[0] == pytest.approx([2, 2, 4, 4])
    assert result.never_called == ("never",)
    untrained = next(finding for finding in result if finding.code == "untrained")
    assert untrained.evidence["parameters"] == ("never.weight", "never.bias") and "never called" in untrained.message


def test_a_module_shared_by_two_parents_is_named_where_it_is_called():
    act = nn.ReLU()
    net = nn.Sequential(nn.Sequential(linear(1.0), act), nn.Sequential(linear(2.0), act))
    assert [layer.name for layer in numerics(net, ONES).layers] == ["0.0", "0.1", "1.0", "1.1"]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_types_are_measured_without_overflow(dtype):
    net = nn.Sequential(linear(1.0), Scale(200.0), Scale(200.0), Scale(2.0)).to(dtype)
    result = numerics(net, ONES.to(dtype))
    assert result.dtype == str(dtype).removeprefix("torch.")
    assert result.forward.rms[0, :3] == pytest.approx([1, 200, 40000], rel=0.01)  # whose squares leave fp16
    if dtype == torch.float16:
        assert result.first_non_finite.name == "'3' (Scale)" and "bfloat16" in result.errors[0].message
        assert result.forward.non_finite[0, 3] == 1
    else:
        assert result.first_non_finite is None and "fp16_overflow" in result.codes


def test_autocast_of_the_caller_is_kept():
    with torch.autocast("cpu", torch.bfloat16):
        result = numerics(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True)), torch.rand(1, 3, 8, 8))
    assert np.isfinite(result.backward.rms).all()


@pytest.mark.parametrize(("factor", "largest"), [(1e25, 1e25), (1e-30, 1e-30)])
def test_values_whose_squares_leave_float32_stay_finite(factor, largest):
    result = numerics(nn.Sequential(linear(1.0), Scale(factor)), ONES)
    assert result.forward.rms[0, 1] == pytest.approx(largest) and result.forward.finite.all()


def test_gradients_that_fp16_would_lose_are_counted():
    net = nn.Sequential(linear(1.0))
    weight = torch.tensor([1.0, 1e-8, 1e-9, 0.0])
    assert numerics(net, ONES, lambda out: (out * weight).sum()).backward.lost[0, 0] == pytest.approx(2 / 3)


def test_a_frozen_network_is_followed_from_its_input():
    result = numerics(nn.Sequential(linear(2.0), nn.ReLU()).requires_grad_(False), ONES)
    assert np.isfinite(result.backward.rms).all()


def test_shares_of_many_values_come_from_a_sample():
    x = torch.zeros(1, 40, 50, 60)
    x[:, ::4] = 3.0
    x[0, 1, 2, 3] = 7.0
    entry = measure(x)
    assert entry.count == x.numel() and entry.seen == SAMPLE
    assert float(entry.nonzero) / entry.seen == pytest.approx(0.25, abs=0.03)
    assert (float(entry.low), float(entry.high)) == (0, 7)
    assert float(entry.norm) == pytest.approx(x.norm().item())


def test_no_activation_is_kept_beyond_its_use():
    alive, peak = weakref.WeakSet(), []

    class Probe(nn.Module):
        def forward(self, x):
            out = x + 1
            alive.add(out)
            peak.append(len(alive))
            return out

    net = nn.Sequential(*(Probe() for _ in range(30)))
    with torch.no_grad(), Listener(net) as listener:
        net(ONES)
        gc.collect()
        kept = [value for entry in listener.measures for value in entry if isinstance(value, torch.Tensor)]
        assert len(listener.rows) == 30 and max(value.numel() for value in kept) == 1
    assert max(peak) <= 3


@pytest.mark.parametrize("mode", [True, False])
def test_a_yolo_is_measured_layer_by_layer(mode):
    from ultralytics import YOLO

    torch.manual_seed(0)
    model = YOLO("yolov8n.yaml")
    model.model.train(mode)
    x = torch.rand(1, 3, 64, 64)
    before = state_of(model.model)
    result = numerics(model, x)
    assert same(state_of(model.model), before)
    assert len({layer.name for layer in result.layers}) == len(result.layers) > 180
    assert np.isfinite(result.forward.rms).all() and result.ok
    assert "model.0.act" in [layer.name for layer in result.layers]  # one SiLU serves them all
    assert {layer.path for layer in result.layers if layer.call} == {"model.9.m"}  # SPPF pools three times
