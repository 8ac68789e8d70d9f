"""What a loop of one's own forgets is told: a step, the emptying of gradients, a loss that hangs on the network."""

import weakref

import pytest
import torch
from torch import nn

from diagnosis.training.loop_faults import EMPTIED, SCALED, SUMMED, LoopFaults


def run(blocks, *, step=True, zero="after", every=1, none=True, clip=False, scaled=False, own=False, fused=False):
    """Faults of a loop of so many blocks on a network of one layer, as (block, kind, sure)."""
    torch.manual_seed(0)
    net = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9, fused=fused)
    faults, told = LoopFaults(list(net.parameters())), []
    for block in range(blocks):
        told.append((block, faults.block_begins(watched=block % 2 == 0, scaled=scaled)))
        if zero == "within" and block % every == 0:
            optimizer.zero_grad(set_to_none=none)
        net(torch.ones(2, 3)).square().sum().backward()
        told.append((block, faults.block_ends(came=True)))
        if clip:
            nn.utils.clip_grad_norm_(net.parameters(), 0.01)
        if step and (block + 1) % every == 0:
            optimizer.step()
        if own:  # an optimizer by hand, of which versions know nothing
            for weight in net.parameters():
                weight.data -= 1e-3 * weight.grad
        if zero == "after" and (block + 1) % every == 0:
            optimizer.zero_grad(set_to_none=none)
    return [(block, fault.kind, fault.sure) for block, fault in told if fault is not None]


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("none", [False, True])
@pytest.mark.parametrize("every", [1, 4])
@pytest.mark.parametrize("zero", ["after", "within"])
def test_a_loop_that_steps_and_empties_has_no_fault_in_any_order(zero, every, none, clip):
    assert run(40, zero=zero, every=every, none=none, clip=clip) == []


def test_a_loop_that_accumulates_for_long_or_steps_by_hand_has_no_fault():
    assert run(SUMMED + 10, every=64) == []
    assert run(SUMMED + 10, step=False, own=True) == []
    assert run(EMPTIED + 10, fused=True) == []  # it leaves no trace in versions either
    assert run(EMPTIED + 10, step=False, scaled=True) == []  # a scaler skips steps while it looks for its scale


@pytest.mark.parametrize("none", [False, True])
def test_a_loop_without_a_step_is_told_once_it_is_sure(none):
    assert run(EMPTIED, step=False, none=none) == []
    limit = EMPTIED if none else SUMMED  # gradients that are zeros are not told from those that are summed
    assert run(limit + 5, step=False, none=none) == [(limit, "unstepped", none)]
    assert run(SUMMED + 5, step=False, zero="") == [(SUMMED, "unstepped", False)]
    assert run(SCALED + 5, step=False, scaled=True) == [(SCALED, "unstepped", True)]


@pytest.mark.parametrize("clip", [False, True])
def test_a_loop_that_never_empties_its_gradients_is_told(clip):
    assert run(12, zero="", clip=clip) == [(6, "kept", False)]


def test_nothing_of_a_loop_is_kept_alive():
    net = nn.Linear(3, 1)
    faults = LoopFaults(list(net.parameters()))
    faults.block_begins(watched=True, scaled=False)
    net(torch.ones(2, 3)).sum().backward()
    faults.block_ends(came=True)
    gradient = weakref.ref(net.weight.grad)
    net.zero_grad()
    assert gradient() is None
