"""What the scales of a network mean: rules from numbers to findings, each naming the layer that comes first."""

from collections.abc import Callable, Iterator

import numpy as np

from ..findings import Finding
from .gradients import fp16, gradients, untrained, updates
from .listen import FP16_LARGEST
from .result import Layer, Numerics
from .surroundings import NEARLY_ALL, TENFOLD, closed_at_first, holds, names_of, normalizes, place_of, takers

CHAIN = 100.0  # growth along layers none of which normalizes; trained networks were seen to stay below
LARGE = 10.0  # RMS: a layer that lifts small values to less than this harms nothing; trained networks stay below
MOSTLY = 0.9
ROUNDING = 1e-3  # less than this of a mean square cannot be told from the rounding of float32
CANCELS = 0.1  # of the RMS of its terms is left of a sum
SUMS = ("add", "sub", "sum", "mean")
FAINT = 1e-6  # RMS of an output


def find(result: Numerics) -> tuple[Finding, ...]:
    """All findings; first what is not finite, then what leads to it, then the rest."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        return tuple(finding for rule in RULES for finding in rule(result))


def _non_finite(result: Numerics) -> Iterator[Finding]:
    """The first origin, and the first of the backward pass where it came earlier than any of the forward pass."""
    forward = next((origin for origin in result.origins if origin.direction == "forward"), None)
    backward = next((origin for origin in result.origins if origin.direction == "backward"), None)
    told = [backward] if backward and (forward is None or backward.step < forward.step) else []
    for origin in [*told, *([forward] if forward else [])]:
        message = f"{origin}."
        if origin.how in ("own", "between") and not any(layer.operation for layer in result.layers):
            message += " numerics(…, inside=True) names the operation."
        if origin.how == "made" and result.dtype == "float16":
            message += f" float16 ends at {FP16_LARGEST:.0f}: compute this layer in float32 or bfloat16."
        evidence = {"step": origin.step, "layer": origin.name, "how": origin.how, "direction": origin.direction}
        yield Finding(
            code="non_finite",
            severity="error",
            level=None,
            message=message,
            evidence=evidence | {"largest": origin.largest, "images": origin.images},
        )


def _sick_weights(result: Numerics) -> Iterator[Finding]:
    bad = [path for path, norm in zip(result.parameters, result.weight_norm[0], strict=True) if not np.isfinite(norm)]
    if bad:
        message = f"Before the first pass {names_of(bad)} held NaN or infinity. Load or initialize the weights again."
        yield Finding(
            code="non_finite",
            severity="error",
            level=None,
            message=message,
            evidence={"parameters": len(bad), "step": 0},
        )


def _runaway(result: Numerics) -> Iterator[Finding]:
    """Over steps: the first layer of the first pass in which one is tenfold what it was."""
    growth = np.where(np.isfinite(result.growth), result.growth, 0.0)
    step = next((step for step in range(len(result)) if (growth[step] >= TENFOLD).any()), None)
    if step is None:
        return
    first = int(np.argmax(growth[step] >= TENFOLD))
    layer, most = result.layers[first], growth[:, first].max()
    also = int((growth[step] >= TENFOLD).sum()) - 1
    rms = result.forward.rms
    message = (
        f"{layer} runs away first: RMS {rms[0, first]:.3g} in pass 0, {rms[step, first]:.3g} after {step} step(s)"
        + (f", and {also} layer(s) after it" if also else "")
        + ". Lower the learning rate, warm it up, or normalize here."
    )
    ahead = tuple(result.layers[index].name for index in np.flatnonzero(growth[step] >= TENFOLD))
    evidence = {"layer": layer.name, "step": step, "growth": float(growth[step, first]), "most": float(most)}
    evidence["layers"] = ahead
    worst = np.nanmax(growth) >= TENFOLD**2 or any(origin.step > step for origin in result.origins)
    yield Finding(
        code="runaway", severity="error" if worst else "warning", level=None, message=message, evidence=evidence
    )


def _chain(result: Numerics) -> Iterator[Finding]:
    """From layer to layer: the longest way up without a layer that normalizes, in the pass before anything broke."""
    step = result.calm
    rms, gain = result.forward.rms[step], _gain(result, step)
    low, start = {}, {}
    for index, layer in enumerate(result.layers):
        if not 0 < rms[index] < np.inf:
            continue
        before = [place for place in layer.inputs if place in low]
        best = max(before, key=lambda place: rms[place], default=None)
        own = gain[index] < 0.5 * result.gain[step, index]  # most of what it puts out is its bias
        own |= (
            best is not None and rms[index] > TENFOLD * rms[best] * result.gain[step, index]
        )  # or of what else it takes
        judged = layer.leaf or layer.residual
        if best is None or normalizes(layer) or own or not judged or rms[index] <= low[best]:
            low[index], start[index] = rms[index], index
        else:
            low[index], start[index] = low[best], start[best]
    growth = {index: rms[index] / value for index, value in low.items() if rms[index] >= LARGE}
    top = max(growth, key=lambda index: growth[index], default=None)
    if top is None or growth[top] < CHAIN:
        return
    ahead = [index for index in low if start[index] == start[top] and index <= top]
    first = next(index for index in ahead if rms[index] >= TENFOLD * low[index])
    message = (
        f"The scale grows {growth[top]:.3g} times from {result.layers[start[top]]} to {result.layers[top]} with no "
        f"normalization on the way (pass {step}); it is tenfold at {result.layers[first]}. Normalize there."
    )
    evidence = {"layer": result.layers[first].name, "from": result.layers[start[top]].name}
    evidence |= {"to": result.layers[top].name, "growth": float(growth[top]), "step": step}
    yield Finding(code="runaway", severity="warning", level=None, message=message, evidence=evidence)


def _amplifies(result: Numerics) -> Iterator[Finding]:
    """Single layers, in the last calm pass; the innermost where one lies in another."""
    step = result.calm
    candidates = np.flatnonzero((_gain(result, step) >= TENFOLD) & (result.forward.rms[step] >= LARGE)).tolist()
    tall = [index for index in candidates if _may_amplify(result, step, index)]
    for index in tall:
        layer = result.layers[index]
        if any(holds(layer, result.layers[other]) for other in tall):
            continue
        gain, out = result.gain[step, index], result.forward.rms[step, index]
        message = f"{layer} puts out RMS {out:.3g} for an input of {out / gain:.3g}, {gain:.3g} times (pass {step})."
        message += _divisor(result, step, index)
        yield Finding(
            code="amplifies",
            severity="warning",
            level=None,
            message=message,
            evidence=place_of(result, index, step, gain),
        )


def _divisor(result: Numerics, step: int, index: int) -> str:
    """Of a division in words: that what it divides by is what is left of terms that nearly cancel."""
    layer, rms = result.layers[index], result.forward.rms[step]
    for source in layer.inputs if layer.operation == "div" else ():
        made = result.layers[source]
        if made.operation in SUMS and result.gain[step, source] <= CANCELS:
            terms = rms[source] / result.gain[step, source]
            return f" It divides by RMS {rms[source]:.3g}: terms of RMS {terms:.3g} nearly cancel in {made.operation}."
    return ""


def _faint(result: Numerics) -> Iterator[Finding]:
    """The first layer of the last calm pass whose output has all but vanished, though it is not zero."""
    step = result.calm
    rms = result.forward.rms[step]
    faint = (rms > 0) & (rms < FAINT)
    small = [index for index in np.flatnonzero(faint).tolist() if not _added_to_more(result, faint, index)]
    if small:
        index = small[0]
        message = (
            f"{result.layers[index]} puts out RMS {rms[index]:.2g} (pass {step}), and {len(small)} layer(s) less "
            f"than {FAINT:g}: what comes after sees biases alone. Check initialization and normalization before it."
        )
        yield Finding(
            code="faint",
            severity="warning",
            level=None,
            message=message,
            evidence=place_of(result, index, step, rms[index]),
        )


def _added_to_more(result: Numerics, faint: np.ndarray, index: int) -> bool:
    """Whether no layer takes this output as it is, and the block that adds it to its input puts out more."""
    after = takers(result.layers)[index]
    added = [holds(result.layers[taker], result.layers[index]) or _adds(result.layers[taker]) for taker in after]
    return bool(after) and all(added) and not faint[list(after)].any()


def _adds(layer: Layer) -> bool:
    return layer.operation in ("add", "add_")


def _gain(result: Numerics, step: int) -> np.ndarray:
    """(layers,): RMS of the output without the layer's bias, over that of its input."""
    gain, rms = result.gain[step].copy(), result.forward.rms[step]
    places = {path: index for index, path in enumerate(result.parameters)}
    for index, layer in enumerate(result.layers):
        place = places.get(f"{layer.path}.bias")
        if place is not None and np.isfinite(rms[index]) and rms[index] > 0:
            bias = result.weight_norm[step, place] ** 2 / max(np.prod(result.shapes[place]), 1)
            rest = 1 - bias / rms[index] ** 2
            gain[index] *= np.sqrt(rest) if rest > ROUNDING else 0.0
    return gain


def _may_amplify(result: Numerics, step: int, index: int) -> bool:
    """Whether a large gain of this layer means anything.

    What a normalization divides by its scale again has none that counts; a module with others inside is judged where it
    adds to its own input; and fixed weights beside trained ones are constants of the design, as the mean of DFL bins.
    """
    layer, rms = result.layers[index], result.forward.rms[step]
    if not np.isfinite(result.gain[step, index]):
        return False
    after = takers(result.layers)[index]
    if after and all(normalizes(result.layers[taker]) and rms[taker] < LARGE for taker in after):
        return False
    return not (layer.frozen and result.trainable) if layer.leaf else layer.residual


def _dead(result: Numerics) -> Iterator[Finding]:
    """All zeros for every pass that was measured, forward or backward."""
    closing, behind = closed_at_first(result)
    silent, pulled = [], []
    for index in range(len(result.layers)):
        zeros, back = result.forward.zeros[:, index], result.backward.zeros[:, index]
        if (zeros >= NEARLY_ALL).all() and index not in closing:
            silent.append(index)
        elif (back == 1).all() and index not in behind:
            pulled.append(index)
    for which, words in ((silent, "put out nothing but zeros"), (pulled, "get a gradient of zero everywhere")):
        if which:
            names = [result.layers[index].name for index in which]
            message = (
                f"{names_of(names)}: {len(which)} layer(s) {words}, in every pass; {result.layers[which[0]]} first."
            )
            yield Finding(
                code="dead_layer",
                severity="warning",
                level=None,
                message=message,
                evidence={"layer": names[0], "layers": tuple(names)},
            )


def _saturated(result: Numerics) -> Iterator[Finding]:
    share = result.forward.saturated[result.calm]
    for index in np.flatnonzero(share >= MOSTLY):
        message = (
            f"{share[index]:.0%} of the units of {result.layers[index]} are at its bounds, where nothing is learned."
        )
        evidence = {"layer": result.layers[index].name, "share": float(share[index])}
        yield Finding(code="saturated_layer", severity="warning", level=None, message=message, evidence=evidence)


Rule = Callable[[Numerics], Iterator[Finding]]
RULES: tuple[Rule, ...] = (
    *(_sick_weights, _non_finite, _runaway, updates, _chain, _amplifies, _faint),
    *(gradients, _dead, _saturated, untrained, fp16),
)
