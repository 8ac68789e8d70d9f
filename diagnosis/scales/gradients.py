"""What gradients and optimizer steps mean: rules from numbers to findings."""

from collections.abc import Iterator

import numpy as np

from ..findings import Finding
from .listen import FP16_LARGEST
from .result import Numerics
from .surroundings import TENFOLD, beside_a_trunk, names_of, place_of

EXPLODES, VANISHES = 1e3, 1e-6  # norm of a gradient over that at the outputs, and over the largest of all layers
HALF = 0.5  # of a gradient
USUAL_UPDATE, LARGE_UPDATE = 1e-3, 0.1


def gradients(result: Numerics) -> Iterator[Finding]:
    """Along depth, in the last finite pass; then over steps."""
    yield from _along_depth(result)
    total = np.sqrt(np.nansum(result.gradient_norm**2, 1))
    wild = np.flatnonzero(np.isfinite(total) & (total >= TENFOLD**2 * total[0]))
    if len(wild) and total[0] > 0:
        times = total[wild[0]] / total[0]
        message = f"The gradient of all weights is {times:.3g} times that of pass 0 after {wild[0]} step(s). Clip it."
        yield Finding(
            code="exploding_gradient",
            severity="warning",
            level=None,
            message=message,
            evidence={"step": int(wild[0]), "ratio": float(times)},
        )


def _along_depth(result: Numerics) -> Iterator[Finding]:
    """In the last finite pass: where it has grown, and where it is lost, but for branches closed by their own scale."""
    step = result.calm
    norm = np.where(np.isfinite(result.backward.norm[step]), result.backward.norm[step], 0.0)
    taken: set[int] = set()
    for layer, pull in zip(result.layers, norm, strict=True):
        if pull > 0:
            taken.update(layer.inputs)
    ends = [index for index in range(len(norm)) if index not in taken and norm[index] > 0]
    if ends and norm.max() >= EXPLODES * norm[ends].max():
        index = int(np.flatnonzero(norm >= EXPLODES * norm[ends].max())[-1])
        times = norm[index] / norm[ends].max()
        message = f"On the way back the gradient has grown {times:.3g} times at {result.layers[index]} (pass {step})."
        yield Finding(
            code="exploding_gradient",
            severity="warning",
            level=None,
            message=message,
            evidence=place_of(result, index, step, times),
        )
    low = (norm > 0) & (norm < VANISHES * norm.max())
    small = np.flatnonzero(low & ~beside_a_trunk(result, low))
    if len(small):
        index = int(small[-1])
        share = norm[index] / norm.max()
        message = (
            f"The gradient at {result.layers[index]} is {share:.2g} of the largest (pass {step}); "
            f"{len(small)} layer(s) get less than a millionth."
        )
        yield Finding(
            code="vanishing_gradient",
            severity="warning",
            level=None,
            message=message,
            evidence=place_of(result, index, step, share),
        )


def untrained(result: Numerics) -> Iterator[Finding]:
    """Trainable weights that never had a gradient; those of modules that were never called are told as such."""
    never = [path for path, norm in zip(result.parameters, result.gradient_norm.T, strict=True) if np.isnan(norm).all()]
    idle = {path.rpartition(".")[0] for path in never} & set(result.never_called)
    never = [path for path in never if path in result.trainable]
    if never:
        called = f", {len(idle)} module(s) of them never called" if idle else ", though their modules are called"
        message = (
            f"The loss does not reach {names_of(never)}: {len(never)} trainable tensor(s) without a gradient{called}."
        )
        yield Finding(
            code="untrained", severity="warning", level=None, message=message, evidence={"parameters": tuple(never)}
        )


def updates(result: Numerics) -> Iterator[Finding]:
    """The first step that changes a weight matrix by much of its norm: the learning rate is too large for it."""
    matrix = np.array([len(shape) > 1 for shape in result.shapes], dtype=bool)
    ratio = np.where(matrix, result.update_ratio, np.nan)
    ratio = np.where(np.isfinite(ratio), ratio, 0.0)
    for step in np.flatnonzero((ratio >= LARGE_UPDATE).any(1))[:1]:
        index = int(ratio[step].argmax())
        many = int((ratio[step] >= LARGE_UPDATE).sum())
        worst = ratio[step, index]
        message = (
            f"Step {step + 1} changes '{result.parameters[index]}' by {worst:.2g} of its norm, and {many} of "
            f"{int(matrix.sum())} weights by more than {LARGE_UPDATE:g}; about {USUAL_UPDATE:g} is usual. Lower "
            "the learning rate, or warm it up."
        )
        evidence = {"parameter": result.parameters[index], "ratio": float(worst), "step": int(step), "weights": many}
        yield Finding(
            code="update_too_large",
            severity="error" if worst >= 1 else "warning",
            level=None,
            message=message,
            evidence=evidence,
        )


def fp16(result: Numerics) -> Iterator[Finding]:
    if result.dtype == "float16":
        return
    for words, scales in (("output", result.forward), ("gradient", result.backward)):
        largest = np.where(scales.finite, scales.largest, 0.0)
        for step in np.flatnonzero((largest > FP16_LARGEST).any(1))[:1]:
            index = int(np.argmax(largest[step] > FP16_LARGEST))
            most = largest[step, index]
            message = (
                f"The {words} of {result.layers[index]} reaches {most:.3g} in pass {step}: fp16 ends at "
                f"{FP16_LARGEST:.0f} and would make it infinite. bfloat16 holds it."
            )
            yield Finding(
                code="fp16_overflow",
                severity="warning",
                level=None,
                message=message,
                evidence=place_of(result, index, int(step), np.nan),
            )
    lost = result.backward.lost[result.calm].copy()
    lost[beside_a_trunk(result, lost >= HALF)] = 0.0
    many = np.flatnonzero(lost >= HALF)
    if len(many):
        worst = int(np.nanargmax(lost))
        message = (
            f"fp16 would make more than half of the gradient zero at {len(many)} of {len(result.layers)} layers, "
            f"{lost[worst]:.0%} of it at {result.layers[worst]}. Scale the loss (torch.amp.GradScaler) or use bfloat16."
        )
        evidence = {"layer": result.layers[worst].name, "share": float(lost[worst]), "layers": len(many)}
        yield Finding(code="fp16_underflow", severity="warning", level=None, message=message, evidence=evidence)
