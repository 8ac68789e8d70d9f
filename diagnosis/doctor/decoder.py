"""Give a decoder one known prediction at one known cell, and name what it makes of it instead."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor

from ..findings import Report
from .boxes.bench import Bench, Trial, Unreadable
from .boxes.contents import ENOUGH, explain
from .boxes.readings import declared
from .layout import TargetLayout
from .notes import Notes


def check_decoder(
    decode: Callable,
    layout: TargetLayout,
    *,
    image_size: tuple[int, int] = (384, 640),
    batch: int = 2,
    prepare: Callable[[list[Tensor]], list[Tensor]] | None = None,
    seed: int = 0,
) -> Report:
    """Name what is wrong with ``decode(outputs)``: one known prediction must come out as that one box.

    ``outputs``: a (B, C, h, w) tensor a level in ``layout``, classes and objectness as probabilities. Where the head's
    raw outputs are something else (logits, exponents, bins), ``prepare`` turns such a list into what ``decode`` takes;
    it clamps to what the head can express. ``decode`` returns boxes (B, N, 4) xyxy px and scores (B, N, classes), or
    for each image a tensor (n, 6) of xyxy, score, class, or a mapping with "boxes", "scores" and "labels".
    """
    bench = Bench(decode, layout, image_size, batch, prepare, np.random.default_rng(seed))
    notes = Notes(len(layout.strides))
    try:
        trials = bench.trials()
    except Unreadable as error:
        notes.add(error.code, str(error))
        return Report("decoder", notes.findings(set()), bench.asked)
    _judge(trials, bench, notes)
    return Report("decoder", notes.findings(set(range(len(layout.strides)))), bench.asked)


def _right(trial: Trial, stride: float) -> bool:
    boxes, _ = trial.found[trial.image]
    return len(boxes) > 0 and bool(
        (np.abs(boxes - trial.box).max(1) < 0.02 * stride + 1e-3 * np.abs(trial.box).max()).any()
    )


def _judge(trials: Sequence[Trial], bench: Bench, notes: Notes) -> None:
    layout = bench.layout
    for level, stride in enumerate(layout.strides):
        mine = [trial for trial in trials if trial.level == level]
        wrong = [trial for trial in mine if not _right(trial, stride)]
        if wrong and _mixing(wrong[:6], bench, notes, level):
            continue
        elsewhere = [t for t in mine if any(len(boxes) for i, (boxes, _) in enumerate(t.found) if i != t.image)]
        if elsewhere:
            notes.add(
                "mixed_batch", "a prediction of one image comes out in another", level=level, trials=len(elsewhere)
            )
        elif _crowded_out(mine[0], bench):
            what = "a prediction does not come out when another image of the batch holds the same one"
            notes.add("mixed_batch", what, level=level)
        lost = [t for t in mine if not len(t.found[t.image][0])]
        if lost and not elsewhere:
            notes.add("object_lost", "a sure prediction does not come out", level=level, trials=len(lost))
        shown = [t for t in mine if len(t.found[t.image][0])]
        for trial in shown:
            if not (trial.found[trial.image][1] == trial.label).all():
                got = trial.found[trial.image][1].tolist()
                notes.add("class_wrong", "the class comes out as another", level=level, given=trial.label, got=got)
                break
        wrong = [t for t in wrong if len(t.found[t.image][0])]
        if wrong and not _ceiling(shown, wrong, stride, level, notes):
            _values(wrong, shown, bench, notes, level)


def _mixing(wrong: Sequence[Trial], bench: Bench, notes: Notes, level: int) -> bool:
    """Whether what comes out depends on cells that hold no object; then the cells are mixed."""
    own = any(_changed(trial, bench.again(trial, same=True)) for trial in wrong)
    if own:
        what = "the box that comes out changes with the boxes of other cells"
        notes.add("scrambled_layout", what, level=level, trials=len(wrong))
        notes.fold("scrambled_layout", "mixed_batch")
        return True
    if bench.batch > 1 and any(_changed(trial, bench.again(trial, same=False)) for trial in wrong):
        notes.add("mixed_batch", "the box that comes out changes with other images of the batch", level=level)
        return True
    return False


def _crowded_out(trial: Trial, bench: Bench) -> bool:
    """Whether an image loses this prediction, which comes out alone, when every image of the batch holds it."""
    outputs = bench.noise()
    for image in range(bench.batch):
        bench.place(outputs, trial.level, trial.cell, image, trial.box[None], trial.label)
    together = bench.call(replace(trial, outputs=tuple(outputs), found=()))
    return len(trial.found[trial.image][0]) > 0 and not all(len(boxes) for boxes, _ in together.found)


def _changed(one: Trial, other: Trial) -> bool:
    pairs = zip(one.found, other.found, strict=True)
    return any(a.shape != b.shape or not np.allclose(a, b, atol=1e-3) for (a, _), (b, _) in pairs)


def _ceiling(shown: Sequence[Trial], wrong: Sequence[Trial], stride: float, level: int, notes: Notes) -> bool:
    """Whether small boxes come out right and large ones smaller than they are."""
    smallest_wrong = min(t.side for t in wrong)
    right = [t for t in shown if not any(t is w for w in wrong)]
    if not right or max(t.side for t in right) > smallest_wrong:
        return False
    spans = np.array([[np.ptp(t.found[t.image][0][0][[0, 2]]), np.ptp(t.found[t.image][0][0][[1, 3]])] for t in wrong])
    wanted = np.array([[np.ptp(t.box[[0, 2]]), np.ptp(t.box[[1, 3]])] for t in wrong])
    if not ((spans <= wanted * 1.001 + 0.01).all() and (spans < 0.98 * wanted).any(1).all()):
        return False
    ceiling = float(spans.max())
    few = ceiling < 8 * stride
    notes.add(
        "range_ceiling",
        f"no side comes out larger than {ceiling:.1f} px, {ceiling / stride:.2f} strides",
        level=level,
        severity="error" if few else "warning",
        ceiling_px=ceiling,
        strides=ceiling / stride,
    )
    return True


def _values(wrong: Sequence[Trial], shown: Sequence[Trial], bench: Bench, notes: Notes, level: int) -> None:
    """Which layout the decoder reads instead: the one that writes what was given from what came out."""
    stride, box = bench.layout.strides[level], list(bench.layout.box)
    given = np.stack([t.outputs[level][t.image][box, t.cell[0], t.cell[1]] for t in shown])
    came = np.stack([t.found[t.image][0][0] for t in shown])
    rows, columns = (np.array([t.cell[i] for t in shown]) for i in range(2))
    written = bench.written(level, came, rows, columns, given)
    result = explain(written, bench.layout, stride, (), stride)
    if result.codes and result.fits >= ENOUGH - 0.05:
        plain = declared(bench.layout, stride)
        names = {
            n: getattr(result.reading, n)
            for n in plain.__dataclass_fields__
            if getattr(result.reading, n) != getattr(plain, n)
        }
        for code in result.codes:
            notes.add(code, f"boxes come out as if the layout had {names}", level=level, trials=len(wrong))
        return
    first = wrong[0]
    notes.add(
        "wrong_box",
        f"{len(wrong)} of {len(shown)} boxes come out wrong",
        level=level,
        given=first.box.round(2).tolist(),
        got=first.found[first.image][0][0].round(2).tolist(),
        cell=first.cell,
    )
