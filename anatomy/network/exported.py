"""A model against an exported file: their inputs first, then logits and boxes by level, layers, and detections."""

import os
from collections.abc import Mapping
from typing import Any

from ..arguments import finite_number, shown
from ..families.exports.network import Export
from ..families.registry import describe, open_export
from ..head.head import Head
from ..head.images import open_images
from ..head.sources import open_door
from .equivalence import Difference
from .export_equivalence import ExportEquivalence, Fate, PreprocessingDifference
from .export_fates import fates
from .export_layers import same_layers
from .export_pairs import Pair, Preprocess, look
from .export_tally import Tally

TOLERANCE = {"float32": 1e-3, "float16": 0.03, "int8": 0.1}  # other kernels sum in another order


def is_export(model: object) -> bool:
    """Whether a caller means an exported file: one that was opened, or a path."""
    return isinstance(model, Export | str | os.PathLike)


def compare_export(
    model: Any,
    export: Any,
    images: Any,
    *,
    preprocess: Preprocess | None,
    tolerance: float | None,
    predict_args: Mapping[str, Any],
) -> ExportEquivalence:
    """Compare a model, or a file, with an exported file on photographs; see ``anatomy.equivalent``."""
    if images is None:
        raise ValueError("An export is compared on photographs: give image=, one, or a folder or a list of them.")
    if not is_export(export):
        raise TypeError(f"The second of the two must be the exported file, but {type(export).__name__} was given.")
    if preprocess is not None and not callable(preprocess):
        raise TypeError(f"preprocess must be a function of an image (H, W, 3) uint8 BGR, not {shown(preprocess)}.")
    if tolerance is not None and finite_number(tolerance, "tolerance, a relative difference,") < 0:
        raise ValueError(f"tolerance, a relative difference, must be 0 or more, but {tolerance!r} was given.")
    source, model, export = open_door(images), _opened(model), _opened(export)
    _check_heads(describe(model), describe(export), export)
    tally, told = Tally(), list[Fate]()
    differing: dict[str, PreprocessingDifference] = {}
    rows: tuple[Difference, ...] = ()
    pair: Pair | None = None
    recognized, larger = True, 0
    for path, image in open_images(source):
        first, pair = pair is None, look(model, export, path, image, preprocess, predict_args)
        recognized &= pair.recognized
        larger += pair.larger
        differing = {entry.what: entry for entry in pair.differences} | differing
        tally.add(pair)
        told += fates(path, pair.before, pair.after)
        if first and pair.same is not None:
            rows = same_layers(describe(model), export, pair.before)
    if pair is None:
        raise ValueError("At least one photograph is needed, but none was given.")
    precision = getattr(export.reader, "precision", "float32")
    return ExportEquivalence(
        names=(_named(model), export.path.name),
        images=tally.images,
        input_shape=pair.after.input_shape,
        precision=precision,
        tolerance=TOLERANCE[precision] if tolerance is None else tolerance,
        larger=larger,
        renamed=_renamed(describe(model), export),
        recognized=recognized,
        preprocessing=tuple(differing.values()),
        outputs=tally.differences(),
        rows=rows,
        fates=tuple(told),
    )


def _check_heads(mine: Head, theirs: Head, export: Export) -> None:
    """ValueError where the two have other levels or another number of classes: nothing of them could be compared."""
    told = [
        f"{len(head.names)} classes on {', '.join(f'{level.stride:g}' for level in head.levels)} px"
        for head in (mine, theirs)
    ]
    if told[0] != told[1]:
        raise ValueError(
            f"A model and its export have the same classes and strides, but the model has {told[0]} and "
            f"{export.path.name!r} {told[1]}. Give the file that this model was exported to, or export it anew."
        )


def _renamed(mine: Head, export: Export) -> tuple[tuple[int, str, str], ...]:
    """The classes that have another name in the file; none where the file names none."""
    if all(name == str(index) for index, name in export.names.items()):
        return ()
    pairs = ((index, str(name), export.names[index]) for index, name in mine.names.items())
    return tuple(pair for pair in pairs if pair[1] != pair[2])


def _opened(model: Any) -> Any:
    return open_export(model) if isinstance(model, str | os.PathLike) else model


def _named(model: Any) -> str:
    return model.path.name if isinstance(model, Export) else type(describe(model).net).__name__
