"""What the scales of a network mean: rules from numbers to findings, each naming the layer that comes first."""

from collections.abc import Callable, Iterator

import numpy as np

from ..findings import Finding
from .listen import FP16_LARGEST
from .result import Numerics

TENFOLD = 10.0
CHAIN = 100.0  # growth along layers none of which normalizes; trained networks were seen to stay below
EXPLODES, VANISHES = 1e3, 1e-6  # norm of a gradient over that at the outputs, and over the largest of all layers
MOSTLY, NEARLY_ALL = 0.9, 0.99
USUAL_UPDATE, LARGE_UPDATE = 1e-3, 0.1
ROUNDING = 1e-3  # less than this of a mean square cannot be told from the rounding of float32
FAINT = 1e-6  # RMS of an output
SHOWN = 4  # names that a message lists


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
        if origin.how == "made" and result.dtype == "float16":
            message += f" float16 ends at {FP16_LARGEST:.0f}: compute this layer in float32 or bfloat16."
        evidence = {"step": origin.step, "layer": origin.name, "how": origin.how, "direction": origin.direction}
        yield Finding(
            code="non_finite",
            severity="error",
            level=None,
            message=message,
            evidence=evidence | {"largest": origin.largest},
        )


def _sick_weights(result: Numerics) -> Iterator[Finding]:
    bad = [path for path, norm in zip(result.parameters, result.weight_norm[0], strict=True) if not np.isfinite(norm)]
    if bad:
        message = f"Before the first pass {_names(bad)} held NaN or infinity. Load or initialize the weights again."
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
        if not rms[index] > 0:
            continue
        before = [place for place in layer.inputs if place in low]
        best = max(before, key=lambda place: rms[place], default=None)
        own = gain[index] < 0.5 * result.gain[step, index]  # most of what it puts out is its bias
        judged = layer.leaf or layer.residual
        if best is None or _normalizes(layer.kind) or own or not judged or rms[index] <= low[best]:
            low[index], start[index] = rms[index], index
        else:
            low[index], start[index] = low[best], start[best]
    growth = {index: rms[index] / value for index, value in low.items()}
    top = max(growth, key=lambda index: growth[index], default=None)
    if top is None or growth[top] < CHAIN:
        return
    ahead = [index for index in growth if start[index] == start[top] and index <= top]
    first = next(index for index in ahead if growth[index] >= TENFOLD)
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
    candidates = np.flatnonzero(_gain(result, step) >= TENFOLD).tolist()
    tall = [index for index in candidates if _may_amplify(result, step, index)]
    for index in tall:
        layer = result.layers[index]
        if any(result.layers[other].path.startswith(f"{layer.path}.") for other in tall):
            continue
        gain, out = result.gain[step, index], result.forward.rms[step, index]
        message = f"{layer} puts out RMS {out:.3g} for an input of {out / gain:.3g}, {gain:.3g} times (pass {step})."
        yield Finding(
            code="amplifies",
            severity="warning",
            level=None,
            message=message,
            evidence=_place(result, index, step, gain),
        )


def _faint(result: Numerics) -> Iterator[Finding]:
    """The first layer of the last calm pass whose output has all but vanished, though it is not zero."""
    step = result.calm
    rms = result.forward.rms[step]
    small = np.flatnonzero((rms > 0) & (rms < FAINT))
    if len(small):
        index = int(small[0])
        message = (
            f"{result.layers[index]} puts out RMS {rms[index]:.2g} (pass {step}), and {len(small)} layer(s) less "
            f"than {FAINT:g}: what comes after sees biases alone. Check initialization and normalization before it."
        )
        yield Finding(
            code="faint",
            severity="warning",
            level=None,
            message=message,
            evidence=_place(result, index, step, rms[index]),
        )


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

    To lift a small input to RMS 1 is what a normalization is for; a module with others inside is judged where it adds
    to its own input; and fixed weights beside trained ones are constants of the design, as in the mean of DFL bins.
    """
    layer = result.layers[index]
    if not np.isfinite(result.gain[step, index]):
        return False
    if _normalizes(layer.kind):
        return bool(result.forward.rms[step, index] >= TENFOLD)
    return not (layer.frozen and result.trainable) if layer.leaf else layer.residual


def _dead(result: Numerics) -> Iterator[Finding]:
    """All zeros for every pass that was measured, forward or backward."""
    silent, pulled = [], []
    weighted = {path.rpartition(".")[0] for path in result.parameters}
    for index, layer in enumerate(result.layers):
        zeros, back = result.forward.zeros[:, index], result.backward.zeros[:, index]
        learns = layer.path in weighted and (result.backward.largest[:, index] > 0).any()  # zero at first by design
        if (zeros >= NEARLY_ALL).all() and not learns:
            silent.append(index)
        elif (back == 1).all():
            pulled.append(index)
    for which, words in ((silent, "put out nothing but zeros"), (pulled, "get a gradient of zero everywhere")):
        if which:
            names = [result.layers[index].name for index in which]
            message = f"{_names(names)}: {len(which)} layer(s) {words}, in every pass; {result.layers[which[0]]} first."
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


def _gradients(result: Numerics) -> Iterator[Finding]:
    """Along depth, in the last finite pass; then over steps."""
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
            evidence=_place(result, index, step, times),
        )
    small = np.flatnonzero((norm > 0) & (norm < VANISHES * norm.max()))
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
            evidence=_place(result, index, step, share),
        )
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


def _place(result: Numerics, index: int, step: int, ratio: float) -> dict:
    return {"layer": result.layers[index].name, "step": step, "ratio": float(ratio)}


def _untrained(result: Numerics) -> Iterator[Finding]:
    """Trainable weights that never had a gradient; those of modules that were never called are told as such."""
    never = [path for path, norm in zip(result.parameters, result.gradient_norm.T, strict=True) if np.isnan(norm).all()]
    idle = {path.rpartition(".")[0] for path in never} & set(result.never_called)
    never = [path for path in never if path in result.trainable]
    if never:
        called = f", {len(idle)} module(s) of them never called" if idle else ", though their modules are called"
        message = (
            f"The loss does not reach {_names(never)}: {len(never)} trainable tensor(s) without a gradient{called}."
        )
        yield Finding(
            code="untrained", severity="warning", level=None, message=message, evidence={"parameters": tuple(never)}
        )


def _updates(result: Numerics) -> Iterator[Finding]:
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


def _fp16(result: Numerics) -> Iterator[Finding]:
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
                evidence=_place(result, index, int(step), np.nan),
            )
    lost = result.backward.lost[result.calm]
    many = np.flatnonzero(lost >= 0.5)
    if len(many):
        worst = int(np.nanargmax(lost))
        message = (
            f"fp16 would make more than half of the gradient zero at {len(many)} of {len(result.layers)} layers, "
            f"{lost[worst]:.0%} of it at {result.layers[worst]}. Scale the loss (torch.amp.GradScaler) or use bfloat16."
        )
        evidence = {"layer": result.layers[worst].name, "share": float(lost[worst]), "layers": len(many)}
        yield Finding(code="fp16_underflow", severity="warning", level=None, message=message, evidence=evidence)


def _normalizes(kind: str) -> bool:
    return "norm" in kind.lower()


def _names(names) -> str:
    names = list(names)
    return ", ".join(f"'{name}'" for name in names[:SHOWN]) + (" …" if len(names) > SHOWN else "")


Rule = Callable[[Numerics], Iterator[Finding]]
RULES: tuple[Rule, ...] = (
    *(_sick_weights, _non_finite, _runaway, _updates, _chain, _amplifies, _faint),
    *(_gradients, _dead, _saturated, _untrained, _fp16),
)
