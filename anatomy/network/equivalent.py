"""Whether two networks compute the same: layer by layer where they are built alike, else at their outputs."""

from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any, overload

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from ..errors import UnsupportedModelError
from ..families.exports.network import Export
from ..families.registry import describe
from ..head.head import Head
from ..tracing.compare import compare
from ..tracing.trace import Trace, trace
from .differences import difference
from .equivalence import Changes, Difference, Equivalence
from .export_equivalence import ExportEquivalence
from .export_pairs import Preprocess
from .exported import compare_export, is_export
from .layers import input_shape
from .run import BrokenPass, Call, listen, network, shadow

TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-4, torch.bfloat16: 0.2, torch.float16: 0.03}
Run = Callable[[Tensor], dict[str, Tensor]]  # from a batch to named outputs
SIDE = 128  # px of the random input, unless told


@overload
def equivalent(
    a: Any,
    b: Export | str | PathLike,
    image: Any = None,
    *,
    preprocess: Preprocess | None = None,
    tolerance: float | None = None,
    **predict_args: Any,
) -> ExportEquivalence: ...


@overload
def equivalent(
    a: Any,
    b: Any,
    image: Any = None,
    *,
    inputs: int | Sequence[int] | Tensor | None = None,
    tolerance: float | None = None,
    **predict_args: Any,
) -> Equivalence: ...


def equivalent(
    a: Any,
    b: Any,
    image: Any = None,
    *,
    inputs: int | Sequence[int] | Tensor | None = None,
    tolerance: float | None = None,
    preprocess: Preprocess | None = None,
    **predict_args: Any,
) -> Equivalence | ExportEquivalence:
    """Compare what two networks make of the same input: fused with unfused, merged with trained, half with float, saved
    with live.

    ``a``, ``b``: detectors, networks or blocks. ``image``: what ``trace`` takes, for two detectors; both predict on it
    with ``predict_args``, and their networks are compared on the input that ``a`` made of it. Else ``inputs``: a tensor
    (B, C, H, W), or a size as ``layers`` takes it for random px in [0, 1]. ``tolerance``: the largest difference over
    the largest value up to which a layer counts as equal; by default that of the coarser precision of the two.

    Both run in evaluation mode, as copies that share their weights, each in its own precision and on its own device.
    Layers are compared where both have the same module at the same path; inside a part that was merged only what
    follows the merging. Detections are those of ``predict()``, and Ultralytics predicts with a fused copy in float32
    whatever the model is. Raises ValueError where the input fits one of them alone, or no output is comparable.

    ``b`` an exported file, by its path or from ``open_export``: then ``image`` is one photograph or a source of many,
    and ``ExportEquivalence`` tells, in this order: what differs in the two inputs, by name; the class logits, box
    outputs and boxes of each level on the same input, and at which convolution they begin to differ; which detections
    are lost, moved, changed or new, by level and by size. The model predicts at the size of the file, padded as that
    is. ``preprocess``: what a program of your own makes of an image (H, W, 3) uint8 BGR, (1, 3, h, w), where it feeds
    the file otherwise than ``export.preprocessing`` does. ``tolerance`` by default 1e-3 for a file in float32, 0.03 for
    float16, 0.1 for INT8. ``a`` may be a file as well.

    >>> bool(anatomy.equivalent(model, model, inputs=64))
    True
    """
    if is_export(b) or is_export(a):
        if inputs is not None:
            raise ValueError("inputs is for two networks; an exported file is compared on photographs: give image=.")
        return compare_export(a, b, image, preprocess=preprocess, tolerance=tolerance, predict_args=predict_args)
    if preprocess is not None:
        raise ValueError("preprocess is for an exported file; two networks are compared on the same input.")
    return _networks(a, b, image, inputs, tolerance, predict_args)


def _networks(
    a: Any, b: Any, image: Any, inputs: int | Sequence[int] | Tensor | None, tolerance: float | None, predict_args: dict
) -> Equivalence:
    """Of two networks, as ``equivalent`` says."""
    nets = [network(model) for model in (a, b)]
    before, after, changes = _predicted((a, b), nets, image, inputs, predict_args)
    images = _images(nets[0][0], before, inputs)
    copies = [shadow(net, Tensor.detach) for net, _ in nets]
    heads = [describe(copy) if head is not None else None for copy, (_, head) in zip(copies, nets, strict=True)]
    runs, excluded = _runs(copies, heads)
    paths = comparable(*copies) - excluded
    kept: dict[tuple[str, int], list[Tensor]] = {}
    rows: list[Difference] = []

    def keep(call: Call, outputs: list[Tensor]) -> None:
        if call.path in paths:
            kept[call.path, call.turn] = [output.detach().cpu().clone() for output in outputs]

    def hold_against(call: Call, outputs: list[Tensor]) -> None:
        for mine, other in zip(kept.pop((call.path, call.turn), ()), outputs, strict=False):
            if mine.shape == other.shape and mine.is_floating_point():
                rows.append(difference(call.path, type(call.module).__name__, call.turn, mine, other))

    made = (
        _outputs(copies[0], runs[0], keep, images),
        _outputs(copies[1], runs[1], hold_against, images),
    )
    outputs = _differences(*made)
    if not outputs:
        raise ValueError(
            f"{type(copies[0]).__name__} and {type(copies[1]).__name__} have no output in common: "
            f"{_listed(made[0])} against {_listed(made[1])}. Compare models with the same classes and outputs."
        )
    if tolerance is None:
        tolerance = max(TOLERANCE.get(_dtype(copy), TOLERANCE[torch.float32]) for copy in copies)
    return Equivalence(
        names=(_said(copies[0]), _said(copies[1])),
        input_shape=tuple(images.shape),
        tolerance=tolerance,
        rows=tuple(rows),
        outputs=tuple(outputs),
        before=before,
        after=after,
        detections=changes,
    )


def comparable(a: nn.Module, b: nn.Module) -> set[str]:
    """The paths at which two networks have a module that stands for the same step of the computation.

    The class must be the same. A module with weights of its own must also have them in the same shapes and beside the
    same neighbours: a convolution that has taken in its normalization computes something else.
    """
    others = dict(b.named_modules(remove_duplicate=False))
    parents = {path: (a.get_submodule(_above(path)), _child(b, _above(path))) for path in others if _child(a, path)}
    found = set()
    for path, module in a.named_modules(remove_duplicate=False):
        other = others.get(path)
        if other is None or type(module) is not type(other):
            continue
        if next(iter(module.parameters(recurse=False)), None) is not None and path:
            above = parents[path]
            if _weights(module) != _weights(other) or _built(above[0]) != _built(above[1]):
                continue
        found.add(path)
    return found


def _differences(mine: dict[str, Tensor], other: dict[str, Tensor]) -> list[Difference]:
    """Of the outputs that both have, in one shape."""
    common = [name for name in mine if name in other and mine[name].shape == other[name].shape]
    return [difference(name, "", 0, mine[name], other[name]) for name in common]


def _predicted(
    models: tuple, nets: list, image: Any, inputs: Any, predict_args: dict
) -> tuple[Trace | None, Trace | None, Changes | None]:
    """The traces of both, and what of the detections changes."""
    if image is None:
        if predict_args:
            raise ValueError(f"{', '.join(predict_args)} is for predictions, which need an image.")
        return None, None, None
    if inputs is not None:
        raise ValueError("Give an image, of which the detectors make their input, or inputs, but not both.")
    if any(head is None for _, head in nets):
        raise ValueError("An image is for two detectors; for other networks give inputs=, a tensor or a size.")
    before, after = (trace(model, image, **predict_args) for model in models)
    return before, after, Changes.between(before, after, compare(before, after, by="anchor"))


def _images(net: nn.Module, before: Trace | None, inputs: int | Sequence[int] | Tensor | None) -> Tensor:
    """The input for both: as given, as the first detector made it of the image, or random px of that size."""
    if isinstance(inputs, Tensor):
        return inputs.detach()
    if before is not None and before.frame is not None:
        return before.frame[None].clone()
    if inputs is None:
        inputs = SIDE if before is None else before.input_shape
    return torch.rand(input_shape(net, inputs), generator=torch.Generator().manual_seed(0))


def _runs(copies: list[nn.Module], heads: list[Head | None]) -> tuple[list[Run], set[str]]:
    """How to run each network to named outputs, and the paths whose outputs these already are.

    Of detectors the class logits and box outputs of each level, on a branch that both have: what follows, the decoding
    and the choice of the best, can change its order by a trifle.
    """
    first, second = heads
    if first is None or second is None or _level_names(first) != _level_names(second):
        return [lambda images, net=net: _named(net(images)) for net in copies], {""}
    branches = [name for name in first.branches if name in second.branches]
    if not branches:
        raise ValueError(
            f"The detectors have no branch in common: {first.branches} against {second.branches}. "
            "Fusing drops one; compare before it."
        )
    holders: dict[str, set[int]] = {}
    for level in first.levels:
        names = level.paths[branches[0]].split(".")
        for depth in range(len(names)):
            holders.setdefault(".".join(names[:depth]), set()).add(level.index)
    several = {path for path, held in holders.items() if len(held) > 1}
    return [lambda images, head=head: _by_level(head, images, branches[0]) for head in (first, second)], several


def _level_names(head: Head) -> list[str]:
    return [level.name for level in head.levels]


def _by_level(head: Head, images: Tensor, branch: str) -> dict[str, Tensor]:
    outputs = head.forward(images, branch)
    found = {}
    for level, logits, raw in zip(head.levels, outputs.logits, outputs.raw, strict=True):
        found |= {f"class logits {level.name}": logits, f"box outputs {level.name}": raw}
    return found


def _named(outputs: Any) -> dict[str, Tensor]:
    tensors = [value for value in tree_leaves(outputs) if isinstance(value, Tensor) and value.is_floating_point()]
    return {f"output {i}": value for i, value in enumerate(tensors)}


def _outputs(net: nn.Module, run: Run, keep: Callable, images: Tensor) -> dict[str, Tensor]:
    """The outputs of a network by name, on the input in its own precision; ``keep`` hears every call."""
    held = next((value for value in net.parameters() if value.is_floating_point()), images)
    try:
        return listen(net, run, images.to(held.device, held.dtype).clone(), keep=keep)[1]
    except BrokenPass as error:
        if isinstance(error.reason, UnsupportedModelError):
            raise error.reason from error
        hint = " Give inputs= that both take." if held.element_size() > 2 else " Try float32, or bfloat16, or a GPU."
        raise ValueError(
            f"{type(net).__name__} in {held.dtype} on {held.device} cannot take an input of "
            f"{tuple(images.shape)}. {error}{hint}"
        ) from error


def _listed(outputs: dict[str, Tensor]) -> str:
    return ", ".join(f"{name} {tuple(value.shape)}" for name, value in outputs.items()) or "none"


def _said(net: nn.Module) -> str:
    return f"{type(net).__name__} in {str(_dtype(net)).removeprefix('torch.')}"


def _dtype(net: nn.Module) -> torch.dtype:
    return next((value.dtype for value in net.parameters() if value.is_floating_point()), torch.float32)


def _above(path: str) -> str:
    return path.rpartition(".")[0]


def _child(net: nn.Module, path: str) -> nn.Module | None:
    found: nn.Module | None = net
    for name in path.split(".") if path else ():
        found = None if found is None else found._modules.get(name)
    return found


def _weights(module: nn.Module) -> list[tuple]:
    return [(name, tuple(value.shape)) for name, value in module.named_parameters(recurse=False)]


def _built(module: nn.Module | None) -> list[tuple]:
    return [(name, type(child)) for name, child in module.named_children()] if module is not None else []
