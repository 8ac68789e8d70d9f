"""Class convolutions run again: what is recognised as moved or changed, and what the convolution alone can do."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import anatomy
import surgery
from anatomy.tracing import replay, same_bits
from tests.corner_net import CornerNet

IMAGE = np.random.default_rng(5).integers(0, 256, (64, 96, 3), np.uint8)
ROWS = torch.tensor([[1.0, 2], [3, 4], [5, 6], [7, 8]]), torch.tensor([9.0, 10, 11, 12])


def taken(*order, bias: bool = True):
    return ROWS[0][list(order)], ROWS[1][list(order)] if bias else None


def changed(row: int, value: float, part: int = 0):
    made = [values.clone() for values in ROWS]
    made[part][row] = value
    return tuple(made)


@pytest.mark.parametrize("order", [(1, 0, 2, 3), (3, 0, 1, 2), (2, 3, 0, 1)])
@pytest.mark.parametrize("bias", [True, False])
def test_rows_that_moved_are_known_by_their_order(order, bias):
    before = taken(0, 1, 2, 3, bias=bias)
    assert replay._order(before, taken(*order, bias=bias)).tolist() == list(order)


@pytest.mark.parametrize(
    "now",
    [
        ROWS,
        changed(1, 0.0),
        changed(1, 0.0, 1),
        (ROWS[0][[1, 0, 2, 3]], ROWS[1]),
        (ROWS[0][[1, 0, 2, 2]], ROWS[1][[1, 0, 2, 2]]),
        (ROWS[0] + 100, ROWS[1]),
    ],
)
def test_rows_that_did_more_than_move_have_no_order(now):
    assert replay._order(ROWS, now) is None


def test_which_rows_changed():
    assert replay._changed(ROWS, ROWS).tolist() == []
    assert replay._changed(ROWS, changed(1, 0.0)).tolist() == [1] == replay._changed(ROWS, changed(1, 0.0, 1)).tolist()
    assert replay._changed(ROWS, (changed(0, 0.0)[0], changed(3, 0.0, 1)[1])).tolist() == [0, 3]
    assert replay._changed((ROWS[0], None), (changed(2, 0.0)[0], None)).tolist() == [2]
    assert replay._equal(ROWS, (ROWS[0].clone(), ROWS[1].clone()))
    for other in (changed(1, 0.0), changed(1, 0.0, 1), (ROWS[0], None)):
        assert not replay._equal(ROWS, other) and not replay._equal(other, ROWS)


def kind(conv: nn.Conv2d, *, feature=None, weight=None, bias=None):
    feature = torch.zeros(1, conv.in_channels, 4, 5) if feature is None else feature
    return same_bits.kind_of(
        conv, feature, conv.weight if weight is None else weight, conv.bias if bias is None else bias
    )


def beside(values: torch.Tensor) -> torch.Tensor:
    """The same values where no tensor of torch's own begins."""
    moved = torch.empty(values.numel() + 1)[1:].view_as(values)
    return moved.copy_(values.detach())


def test_of_which_convolutions_something_quicker_may_be_sure():
    plain = nn.Conv2d(8, 8, 1)
    assert kind(plain).plain and kind(nn.Conv2d(8, 8, 1, bias=False)) is not None
    for odd in (
        nn.Conv2d(8, 8, 1, 2),
        nn.Conv2d(8, 8, 1, padding=1),
        nn.Conv2d(8, 8, 1, dilation=2),
        nn.Conv2d(8, 8, 3),
    ):
        assert not kind(odd).plain
    assert not kind(nn.Conv2d(8, 8, 1, bias=False)).plain
    for none in (nn.Conv2d(8, 8, 1, groups=2), nn.Conv2d(8, 8, 3, padding="same")):
        assert kind(none) is None
    assert kind(nn.Conv2d(8, 8, 3, padding=1, padding_mode="reflect")) is None
    assert kind(plain, feature=beside(torch.zeros(1, 8, 4, 5))) is None
    assert kind(plain, weight=beside(plain.weight)) is None and kind(plain, bias=beside(plain.bias)) is None
    assert kind(plain, feature=torch.zeros(1, 8, 4, 5, device="meta")) is None
    with torch.autocast("cpu", torch.bfloat16):
        assert kind(plain) is None
    made = kind(nn.Conv2d(8, 6, (3, 1), (1, 2), (1, 0)))
    assert made.geometry == ((1, 2), (1, 0), (1, 1)) and made.biased and made.weight == ((6, 8, 3, 1), (24, 3, 1, 1))
    assert made.feature == ((1, 8, 4, 5), (160, 20, 5, 1)) and made.dtype == torch.float32


@pytest.mark.parametrize(
    ("classes", "sizes"),
    [
        (80, {1: 4, 4: 4, 5: 8, 8: 8, 9: 16, 17: 32, 32: 32, 33: None}),
        (128, {33: 64, 64: 64, 65: None}),
        (9, {1: 4, 5: None}),
        (8, {4: 4, 5: None}),
        (7, {1: None}),
    ],
)
def test_how_many_rows_are_multiplied_together(monkeypatch, classes, sizes):
    monkeypatch.setattr(same_bits, "rows_can_move", lambda kind: True)
    monkeypatch.setattr(same_bits, "_part_is_equal", lambda kind, size: True)
    made = kind(nn.Conv2d(8, classes, 1))
    size_of = same_bits.part_size.__wrapped__
    assert {rows: size_of(made, rows) for rows in sizes} == sizes
    monkeypatch.setattr(same_bits, "_part_is_equal", lambda kind, size: size > 4)
    assert size_of(kind(nn.Conv2d(8, 80, 1)), 1) == 8 and size_of(kind(nn.Conv2d(8, 80, 3)), 1) is None
    monkeypatch.setattr(same_bits, "rows_can_move", lambda kind: False)
    assert size_of(kind(nn.Conv2d(8, 80, 1)), 1) is None


def test_a_part_is_equal_where_its_product_is(monkeypatch):
    made = kind(nn.Conv2d(8, 16, 1))
    part, whole = same_bits._part_is_equal.__wrapped__, same_bits.product_is_equal.__wrapped__
    monkeypatch.setattr(
        same_bits, "multiply", lambda kind, feature, weight, bias: same_bits.convolve(kind, feature, weight, bias)
    )
    assert part(made, 4) and whole(made) and not whole(kind(nn.Conv2d(8, 16, 3)))
    monkeypatch.setattr(
        same_bits, "multiply", lambda kind, feature, weight, bias: same_bits.convolve(kind, feature, weight, bias) + 1
    )
    assert not part(made, 4) and not whole(made)


@pytest.mark.parametrize(("channels", "bias"), [(8, True), (7, True), (8, False)])
def test_the_terms_of_every_sum_that_decides_cancel(channels, bias):
    last = torch.zeros(1, channels, 4, 5).to(memory_format=torch.channels_last)
    made = kind(nn.Conv2d(channels, 6, 3, padding=1, bias=bias), feature=last)
    draws = list(same_bits._draws(made))
    assert len(draws) == 4 and len({float(weight.sum()) for _, weight, _ in draws}) == 4
    for feature, weight, value in draws:
        assert feature.stride() == last.stride() and weight.shape == (6, channels, 3, 3)
        assert (weight == weight[:1]).all() and weight.abs().min() > 0 and feature.abs().min() > 0
        assert (value is None) is not bias and (not bias or (value == value[0]).all())
        sums = F.conv2d(feature.double(), weight.double(), padding=1)
        if channels % 2 == 0:
            assert sums.abs().max() < 1e-12
        else:  # one channel has no other
            assert sums.abs().max() > 1e-3
            pairs = feature.double().flatten(2)[0] @ feature.double().flatten(2)[0].T
            assert ((pairs - pairs.diag()[None]).abs() < 1e-12).sum() + (
                (pairs + pairs.diag()[None]).abs() < 1e-12
            ).sum() > 7


def test_a_convolution_of_which_nothing_is_sure_is_run_as_it_is():
    net = CornerNet()
    for level in range(2):
        net.cls[level] = nn.Conv2d(12, 8, (3, 1), padding=(2, 0), dilation=(2, 1), groups=2)
        with torch.no_grad():
            net.cls[level].weight.mul_(20)
    trace = anatomy.trace(net, IMAGE, conf=0.01)
    surgery.shift_classes(net, "all", 1)
    surgery.scale_classes(net, 0, 2, 1.5)
    again, fresh = trace.replay(), anatomy.trace(net, IMAGE, conf=0.01)
    assert again.to_df().equals(fresh.to_df()) and not again.to_df().equals(trace.to_df())
    assert all(torch.equal(*pair) for pair in zip(again.logits, fresh.logits, strict=True))
    assert all(torch.equal(*pair) for pair in zip(again.run.peaks, fresh.run.peaks, strict=True))


@pytest.mark.parametrize("bias", [True, False])
def test_rows_in_another_precision_are_read_in_that_of_the_pass(bias):
    net = CornerNet()
    if not bias:
        for conv in net.cls:
            conv.bias = None
    head = anatomy.describe(net)
    run = next(iter(head.passes(IMAGE))) if bias else None
    if run is None:
        for conv in net.cls:
            conv.bias = nn.Parameter(torch.zeros(8))
        made = next(iter(head.passes(IMAGE)))
        run = made.evolve(rows=tuple((weight, None) for weight, _ in made.rows))
        for conv in net.cls:
            conv.bias = None
    net.cls.double()
    again = replay.rerun(head, run)
    assert all(torch.equal(*pair) for pair in zip(again.logits, run.logits, strict=True))
    with torch.no_grad():
        net.cls[1].weight.mul_(2)
    again = replay.rerun(head, run)
    assert torch.equal(again.logits[0], run.logits[0]) and not torch.equal(again.logits[1], run.logits[1])
    assert {values.dtype for values in (*again.logits, again.rows[1][0])} == {torch.float32}


def test_silence_is_no_row_of_a_model_without_biases():
    """A row of zeros and no bias says 0 in every cell, which is not silence; a replay must tell them apart."""
    net = CornerNet()
    with torch.no_grad():
        for conv in net.cls:
            conv.weight[[1, 5]] = 0  # class 1 of both anchors
            conv.bias.zero_()
    head = anatomy.describe(net)
    made = next(iter(head.passes(IMAGE)))
    trace = anatomy.Trace(head, made.evolve(rows=tuple((weight, None) for weight, _ in made.rows)))
    for conv in net.cls:
        conv.bias = None
    silent = trace.silenced(0, 1)
    assert (silent.run.logits[0][[1, 5]] == -1e4).all() and (trace.run.logits[0][[1, 5]] == 0).all()
    assert torch.equal(silent.run.logits[1], trace.run.logits[1])
    again = silent.replay()
    assert all(torch.equal(*pair) for pair in zip(again.run.logits, trace.run.logits, strict=True))


def test_another_number_of_rows_and_a_branch_that_is_gone_are_told():
    net = CornerNet()
    trace = anatomy.trace(net, IMAGE)
    whole, net.cls[1] = net.cls[1], nn.Conv2d(12, 6, 1)
    with pytest.raises(RuntimeError, match=r"^This trace has 8 class rows, the model now 6\. Trace the image again\.$"):
        trace.replay()
    net.cls[1] = whole
    other = anatomy.Trace(trace.head, trace.run.evolve(branch="gone"))
    with pytest.raises(RuntimeError, match=r"^The gone branch of this trace has been removed"):
        other.replay()


class LooksAtValues(nn.Module):
    """Wants the values of what it computes, and sides that are multiples of four."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        assert float(self.conv(x).sum()) < 1e9
        return x.unflatten(3, (-1, 4)).sum(4)


def test_a_network_that_looks_at_its_values_is_told_the_sizes_that_may_fit():
    assert anatomy.layers(LooksAtValues(), (4, 8))[""].output == (1, 3, 4, 2)
    told = r"Provided sizes \[-1, 4\] .* Multiples of 2 px fit: \(4, 10\) or \(4, 12\)\.$"
    with pytest.raises(ValueError, match=told):  # as far as can be told without values
        anatomy.layers(LooksAtValues(), (4, 11))
