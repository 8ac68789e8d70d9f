"""Whether a fault of a loss is what its names say: asked of the fourth part and of later ones, and not of the doctor.

``not_minimal``: a descent from the truth finds what costs less, by more than it finds for the base that is right.
``no_gradient``: somewhere the base pulls and the fault does not, near the truth or where predictions are surely wrong.
``gradient_leak``: the fault pulls at boxes where the base does not. ``mixed_batch``: what a change of one image costs
depends on the predictions of the other, or the pull at one image on what the other holds.
``not_permutation_invariant``: another order of the cells costs something else. Each is looked for in every fault, so
that a name that is true and not given is found as well; but that a loss does not pull where it takes what is wrong
for right is already said by ``not_minimal``.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .cases import Case
from .verify_decoders import copied, raw_of
from .verify_losses import flipped, noisy, size_of
from .written import filled, said

Sight = tuple[Any, Any]  # predictions and targets
Proof = Callable[[Case, Case], bool]  # of the base that is right, and of the fault


def claims(case: Case) -> Iterator[str]:
    """Names that are given and not true, and names that are true and not given; of single faults."""
    right, given = replace(case, faults=()), case.faults[0].codes
    for code, proof in PROOFS.items():
        true = proof(right, case)
        if true and code not in given and not (code == "no_gradient" and "not_minimal" in given):
            yield f"{case.key}: {code} is true and not given"
        if code in given and not true:
            yield f"{case.key}: {code} is given and not true"


def truths(case: Case, seed: int = 4) -> Sight:
    made = case.make()
    truth, _ = filled(made.layout(said), size_of(made), np.random.default_rng(seed), 0.05)
    return raw_of(made, truth), truth


def sights(case: Case) -> Iterator[Sight]:
    """Predictions that are a little and very wrong, with objects, with none, and with none beyond the first level."""
    generator, made = torch.Generator().manual_seed(4), case.make()
    _, truth = truths(case)
    batches: list[Any] = [truth]
    if isinstance(truth, Tensor):
        batches.append(truth * 0)
    else:
        batches += [[level * 0 for level in truth], [truth[0], *(level * 0 for level in truth[1:])]]
    for wanted in batches:
        for step in (0.3, 3.0):
            yield noisy(raw_of(made, wanted), step, generator), wanted
    yield noisy(flipped(raw_of(made, truth)), 0.01, generator), truth


def value(case: Case, raw: Any, truth: Any) -> float:
    """Of a first call; not a number where there is none."""
    try:
        return float(case.make().loss(copied(raw), copied(truth)).detach())
    except Exception:
        return float("nan")


def pulls(case: Case, raw: Any, truth: Any) -> list[Tensor] | None:
    """The gradient of a first call, where there is one and it is finite."""
    given: list[Tensor] = [raw] if isinstance(raw, Tensor) else raw
    leaves = [part.clone().requires_grad_() for part in given]
    try:
        case.make().loss(leaves[0] if isinstance(raw, Tensor) else leaves, copied(truth)).backward()
    except Exception:
        return None
    parts = [torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in leaves]
    return parts if all(bool(part.isfinite().all()) for part in parts) else None


def less(case: Case) -> float:
    """By how much the truth is undercut."""
    raw, truth = truths(case)
    at, found = value(case, raw, truth), [0.0]
    for rate in (0.003, 0.03, 0.3):
        now, momentum = raw, None
        for _ in range(25):
            pull = pulls(case, now, truth)
            if pull is None:
                break
            momentum = pull if momentum is None else [0.8 * a + b for a, b in zip(momentum, pull, strict=True)]
            now = stepped(now, momentum, rate / max(float(part.abs().max()) for part in [*pull, torch.full((), 1e-9)]))
            found.append(at - value(case, now, truth))
    return max(number for number in found if np.isfinite(number))


def stepped(raw: Any, pull: list[Tensor], rate: float) -> Any:
    if isinstance(raw, Tensor):
        return raw - rate * pull[0]
    return [part - rate * one for part, one in zip(raw, pull, strict=True)]


def not_minimal(right: Case, wrong: Case) -> bool:
    return less(wrong) > 3 * less(right) + 1e-4 * max(abs(value(right, *truths(right))), 1.0)


def compared(right: Case, wrong: Case, differ: Callable[[Tensor, Tensor], Tensor]) -> bool:
    """Whether the gradients of all channels that are boxes, and others, differ so anywhere."""
    for raw, truth in sights(right):
        first, second = pulls(right, raw, truth), pulls(wrong, raw, truth)
        if first is None or second is None:
            continue
        if any(bool(differ(a, b).any()) for a, b in zip(first, second, strict=True)):
            return True
    return False


def no_gradient(right: Case, wrong: Case) -> bool:
    def idle(first: Tensor, second: Tensor) -> Tensor:
        return (first.abs() > 1e-3 * first.abs().max()) & (second.abs() < 1e-6 * first.abs())

    return compared(right, wrong, idle)


def gradient_leak(right: Case, wrong: Case) -> bool:
    made = right.make()
    layout = made.layout(said)
    anchors = len(layout.anchors[0]) if layout.anchors else 1
    channels = list(getattr(made, "OPTIONS", {}).get("box_channels", layout.box))

    def leaks(first: Tensor, second: Tensor) -> Tensor:
        first, second = (
            part[..., channels] if part.dim() == 3 else part.unflatten(1, (anchors, -1))[:, :, channels]
            for part in (first, second)
        )
        return (first == 0) & (second.abs() > 1e-6 * second.abs().max())

    return compared(right, wrong, leaks)


def mixed_batch(right: Case, wrong: Case) -> bool:
    return (crossed(wrong) > 1e-3 > crossed(right)) or (turned(wrong) > 1e-3 > turned(right))


def crossed(case: Case) -> float:
    """Of what a change of both images costs, the share that is not what each costs alone; small and great."""
    return max(crossed_by(case, *steps) for steps in ((0.3, 1.0), (3.0, 9.0)))


def crossed_by(case: Case, little: float, much: float) -> float:
    generator = torch.Generator().manual_seed(6)
    raw, truth = truths(case)
    near, far = noisy(raw, little, generator), noisy(raw, much, generator)
    both = [value(case, joined(a, b), truth) for a, b in ((near, near), (far, near), (near, far), (far, far))]
    spread = max(both) - min(both)
    return abs(both[0] - both[1] - both[2] + both[3]) / max(spread, 1e-9) if np.isfinite(both).all() else 0.0


def turned(case: Case) -> float:
    """How far the direction of the pull at the first image turns with what the second holds; as many objects."""
    generator = torch.Generator().manual_seed(6)
    raw, truth = truths(case)
    other_raw, other = truths(case, seed=5)
    near = noisy(raw, 0.3, generator)
    found = pulls(case, near, truth), pulls(case, joined(near, other_raw), joined(truth, other))
    first, second = (torch.cat([level[0].flatten() for level in part or near]) for part in found)
    return 0.0 if None in found else 1 - float(torch.cosine_similarity(first, second, 0))


def joined(first: Any, second: Any) -> Any:
    """The first image of one and the second of the other."""
    if isinstance(first, Tensor):
        return torch.cat((first[:1], second[1:]))
    return [joined(a, b) for a, b in zip(first, second, strict=True)]


def not_permutation_invariant(right: Case, wrong: Case) -> bool:
    return moved(wrong) > 1e-4 > moved(right)


def moved(case: Case) -> float:
    """What another order of the cells costs, as a share, where predictions are a little wrong and where very much."""
    return max(moved_by(case, step) for step in (0.3, 9.0))


def moved_by(case: Case, step: float) -> float:
    raw, truth = truths(case)
    raw = noisy(raw, step, torch.Generator().manual_seed(7))
    before, after = value(case, raw, truth), value(case, strewn(raw), strewn(truth))
    return abs(before - after) / max(abs(before), 1e-9) if np.isfinite((before, after)).all() else 0.0


def strewn(parts: Any) -> Any:
    """The cells of every level in another order, the same at each call."""
    if isinstance(parts, Tensor) and parts.dim() == 3:
        return parts[:, torch.randperm(parts.shape[1], generator=torch.Generator().manual_seed(8))]
    if isinstance(parts, Tensor):
        order = torch.randperm(parts[0, 0].numel(), generator=torch.Generator().manual_seed(8))
        return parts.flatten(2)[:, :, order].view(parts.shape)
    return [strewn(part) for part in parts]


PROOFS: dict[str, Proof] = {
    "not_minimal": not_minimal,
    "no_gradient": no_gradient,
    "gradient_leak": gradient_leak,
    "mixed_batch": mixed_batch,
    "not_permutation_invariant": not_permutation_invariant,
}
