"""Infinities that end within a network are masks; those that do harm are told with what becomes of them, and where."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from diagnosis import numerics
from tests.diagnosis.scales.test_numerics import Scale, linear

CAUSAL = torch.full((3, 3), -torch.inf).triu(1)
SHUT = CAUSAL.clone()
SHUT[1] = -torch.inf
X = torch.arange(24.0).view(2, 3, 4) / 24


class Mask(nn.Module):
    """Puts out a mask, as a layer of its own."""

    def __init__(self, mask):
        super().__init__()
        self.mask = mask

    def forward(self, x):
        return x @ x.transpose(-2, -1) + self.mask


class Attention(nn.Module):
    def __init__(self, mask, softmax=F.softmax):
        super().__init__()
        self.scores, self.softmax, self.out = Mask(mask), softmax, linear(1.0)

    def forward(self, x):
        return self.out(self.softmax(self.scores(x), dim=-1) @ x)


class Heads(nn.Module):
    def __init__(self, mask):
        super().__init__()
        self.mask, self.many = mask, nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x):
        return self.many(x, x, x, attn_mask=self.mask)[0]


WAYS = {
    "function": (Attention, "'0' (Attention)", "softmax"),
    "method": (lambda mask: Attention(mask, torch.Tensor.softmax), "'0' (Attention)", "softmax"),
    "heads": (Heads, "'0.many' (MultiheadAttention)", "multi_head_attention_forward"),
}


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize(("make", "name", "operation"), WAYS.values(), ids=WAYS)
def test_a_causal_mask_is_no_finding_and_a_row_masked_wholly_is_told_as_that(make, name, operation, inside):
    torch.manual_seed(0)
    sound = numerics(nn.Sequential(make(CAUSAL)), X, inside=inside)
    assert sound.ok and sound.first_non_finite is None and "non_finite" not in sound.codes
    if make is Attention:
        assert np.isinf(sound.forward.largest).any()  # the scores themselves are -inf
    broken = numerics(nn.Sequential(make(SHUT)), X, inside=inside)
    origin = broken.first_non_finite
    assert (origin.how, origin.name, origin.parent, origin.value) == ("masked", name, operation, "nan")
    assert "a row of attention is masked wholly" in broken.errors[0].message


def test_attention_that_puts_out_zeros_for_a_row_masked_wholly_is_no_error():
    class Fast(nn.Module):
        def forward(self, x):
            given = F.scaled_dot_product_attention(x, x, x, attn_mask=SHUT)
            return torch.where(given.isnan(), 0.0, given)

    result = numerics(nn.Sequential(linear(1.0), Fast()), X)
    assert result.ok


class Beside(nn.Module):
    """Puts infinities beside what it is given."""

    def forward(self, x):
        return torch.cat((x, torch.full_like(x, torch.inf)), 1)


class Inverse(nn.Module):
    def forward(self, x):
        return 1 / x


def test_an_infinity_is_told_where_it_becomes_nan_or_leaves_the_network():
    harmless = numerics(nn.Sequential(linear(1.0), Beside(), Inverse()), torch.ones(2, 4))
    assert harmless.first_non_finite is None and harmless.ok
    origin = numerics(nn.Sequential(linear(1.0), Scale(1e39), Scale(0.0)), torch.ones(2, 4)).first_non_finite
    assert (origin.name, origin.value, origin.then) == ("'1' (Scale)", "inf", "becomes NaN at '2' (Scale)")
    leaves = numerics(nn.Sequential(linear(1.0), Scale(1e39), nn.ReLU()), torch.ones(2, 4)).first_non_finite
    assert (leaves.name, leaves.then) == ("'1' (Scale)", "reaches the output")


@pytest.mark.parametrize(
    ("images", "words"),
    [((1,), "in image 1 of the batch of 3"), ((0, 2), "in images 0, 2 of the batch of 3"), ((0, 1, 2), "in all 3")],
)
def test_the_images_that_were_not_finite_are_named(images, words):
    x = torch.ones(3, 2, 4)
    x[list(images), 1, 2] = torch.nan
    given = numerics(nn.Sequential(nn.BatchNorm1d(2), linear(1.0)), x)
    assert given.first_non_finite.images == images and given.first_non_finite.how == "input"
    assert words in given.errors[0].message and given.errors[0].evidence["images"] == images

    class Root(nn.Module):
        def forward(self, x):
            return x.sqrt()

    x = torch.ones(3, 2, 4)
    x[list(images), 1, 2] = -1.0
    made = numerics(nn.Sequential(linear(1.0), Root(), nn.BatchNorm1d(2)), x).first_non_finite
    assert (made.name, made.images) == ("'1' (Root)", images)


def test_the_image_whose_gradient_is_not_finite_is_named():
    x = torch.ones(3, 4)
    x[2, 0] = 0.0
    origin = numerics(nn.Sequential(linear(1.0)), x, lambda out: out.sqrt().sum()).first_non_finite
    assert (origin.direction, origin.images, origin.batch) == ("backward", (2,), 3)
