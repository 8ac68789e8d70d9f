"""Text folded into class rows: a head that compares features with text becomes an ordinary one, and one again."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from anatomy import Head, describe, evaluating
from anatomy.head.passes import run_passes
from anatomy.head.text_fold import TextFold

from .ledger import fold_anew, reset, rollback
from .memory import ledger
from .record import Ledger

TOLERANCE = 1e-5  # of a logit; of logits beyond 1, of the largest
PROOF_SIDE = 256  # px of the picture of noise on which both heads are compared, unless images are given


@dataclass(frozen=True)
class FoldedLevel:
    """One level of one branch: how far the logits of its class rows are from those of the comparison with text.

    ``exact``: the largest difference of the two computed in float64, which is what the rounding of the new rows to the
    network's precision costs; ``difference``: the largest as the network computes both. ``largest``: the largest logit.
    ``logits``: how many were compared; ``left_out``: how many cells more a filter of proposals leaves out, which now
    have logits, ``beyond`` at most (None where there are none).
    """

    branch: str
    level_name: str
    path: str
    exact: float
    difference: float
    largest: float
    logits: int
    left_out: int = 0
    beyond: float | None = None

    @property
    def holds(self) -> bool:
        """Whether any logits were compared, and are equal within ``TOLERANCE``."""
        return self.logits > 0 and self.exact <= TOLERANCE * max(1.0, self.largest)


@dataclass(frozen=True)
class FoldedText:
    """What ``fold_text`` did, and the proof: both heads on the same feature maps, level by level.

    ``names`` of the classes by id; ``images``: how many were compared on.
    """

    levels: tuple[FoldedLevel, ...]
    names: Mapping[int, str]
    images: int

    @property
    def difference(self) -> float:
        """The largest difference of any logit, in float64."""
        return max(level.exact for level in self.levels)

    def __str__(self) -> str:
        title = f"text of {len(self.names)} classes folded into class rows, proven on {self.images} image(s)"
        return "\n".join([title, *map(_line, self.levels)])


def _line(level: FoldedLevel) -> str:
    where = f"  {level.branch:9} {level.level_name:3} {level.path:26}"
    words = (
        f"{where} {level.logits} logits up to {level.largest:.3g} differ by {level.exact:.1e} at most, as the network "
        f"computes them by {level.difference:.1e}"
    )
    if level.left_out:
        words += f"; {level.left_out} cells that a filter leaves out have {level.beyond:.3g} at most"
    return words


def fold_text(model: object, images: Any = None, **predict_args: Any) -> FoldedText:
    """Make class rows of the text that YOLO-World or YOLOE compare their features with; returns the proof.

    The vocabulary is fixed (``model.set_classes`` came before), so each level's comparison is one convolution, behind a
    division by the features' length in YOLO-World's first version. The network gets an ordinary detection head, with
    the classes that it has now: rows can be edited, replayed, saved, and plain Ultralytics opens it. It is changed only
    if both heads give the same logits, within 1e-5 of a logit, on ``images`` (what ``anatomy.trace`` takes, with its
    ``predict_args``; by default a picture of noise). Towers, box stacks and masks stay the very same modules.
    ``unfold_text`` is the way back, and ``reset`` takes it too.

    The neck of YOLO-World goes on reading the text, and ``model.set_classes`` has no effect on class rows. YOLOE's own
    ``predict`` suppresses across classes by default; an ordinary model does so with ``agnostic_nms=True``. Raises
    UnsupportedModelError where there is no text to fold, RuntimeError where the logits differ more.
    """
    head = describe(model)
    fold = head.fold_text()
    with head.undisturbed(), rollback(head):
        fold_anew(head, fold)
        ledger(head).take(Ledger())
        levels, count = _compared(describe(model), fold, images, predict_args)
        wrong = [level for level in levels if not level.holds]
        if wrong:
            raise RuntimeError(
                "The folded rows must give the logits of the text on every level, within 1e-5. Here they do not, or a "
                "filter left no cell to compare. Nothing is changed. Give images= of what the model is for.\n"
                + "\n".join(map(_line, wrong))
            )
    return FoldedText(levels=levels, names=head.names, images=count)


def unfold_text(model: object, *, force: bool = False) -> bool:
    """Give a model that ``fold_text`` changed its former head again, the very same modules; False where there is none.

    Edits made since are taken back first; errors and ``force`` as in ``reset``.
    """
    head = describe(model)
    if head.text_fold is None:
        return False
    reset(model, force=force)
    return True


def _compared(
    head: Head, fold: TextFold, images: Any, predict_args: Mapping[str, Any]
) -> tuple[tuple[FoldedLevel, ...], int]:
    """The proof for each branch and level, and on how many images."""
    maps = _feature_maps(head, images, predict_args)
    found = []
    for (branch, index), before in fold.before.items():
        level = head.levels[index]
        with torch.no_grad(), evaluating(before), evaluating(fold.after[branch, index]):
            told = _difference(before, fold.after[branch, index], [inputs[index] for inputs in maps])
        found.append(FoldedLevel(branch=branch, level_name=level.name, path=level.paths[branch], **told))
    return tuple(found), len(maps)


def _feature_maps(head: Head, images: Any, predict_args: Mapping[str, Any]) -> list[tuple[Tensor, ...]]:
    """What the head reads of each image, (1, c, h, w) a level; of a picture of noise where none is given."""
    if images is not None:
        return [tuple(level.clone() for level in run.inputs) for run in run_passes(head, images, **predict_args)]
    like = next(head.running.parameters())
    noise = torch.rand(1, head.channels, PROOF_SIDE, PROOF_SIDE, generator=torch.Generator().manual_seed(0)).to(like)
    with torch.no_grad(), evaluating(head):
        return [head.forward(noise, head.branches[0]).inputs]


def _difference(before: nn.Module, after: nn.Module, maps: list[Tensor]) -> dict[str, Any]:
    """The numbers of a ``FoldedLevel``, of two modules on the same feature maps."""
    exact_before, exact_after = (copy.deepcopy(module).double() for module in (before, after))
    differences: dict[str, list[Tensor]] = {"exact": [], "difference": []}
    kept, beyond = [], []
    for x in maps:
        old, new = exact_before(x.double()), exact_after(x.double())
        here = old.isfinite()
        differences["exact"].append((old - new)[here].abs())
        differences["difference"].append((before(x) - after(x))[here].abs())
        kept.append(old[here])
        beyond.append(new[~here])
    logits, others = torch.cat(kept), torch.cat(beyond)
    return {
        **{name: _largest(torch.cat(values)) for name, values in differences.items()},
        "largest": _largest(logits.abs()),
        "logits": logits.numel(),
        "left_out": others.numel() // old.shape[1],
        "beyond": float(others.max()) if others.numel() else None,
    }


def _largest(values: Tensor) -> float:
    return float(values.max()) if values.numel() else 0.0
