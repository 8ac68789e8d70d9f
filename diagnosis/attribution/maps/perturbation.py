"""captum's methods over the whole network: each gets a function from network inputs to one number, and an input.

Maps are in px of the network input, signed, in the unit of what is explained, by px; of occlusion, by square.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from ..perturbation_frame import emptied, superpixels, whole
from ..result import Heat
from ..subject import Subject

BATCH = 8


class Counted:
    """A function of network inputs (B, 3, H, W) that counts the images it was given."""

    def __init__(self, function: Callable[[Tensor], Tensor]):
        self.function, self.images = function, 0

    def __call__(self, frames: Tensor) -> Tensor:
        self.images += len(frames)
        return self.function(frames)


def integrated_gradients(
    subjects: Sequence[Subject], *, steps: int = 32, replace: str = "mean", batch: int = BATCH
) -> list[Heat]:
    """Gradients along the straight way from the photograph replaced, https://arxiv.org/abs/1703.01365.

    The values of a map sum to what the photograph adds to the number; ``completeness`` tells how well they do.
    """
    from captum.attr import IntegratedGradients

    heats = []
    for one in subjects:
        number, frame, empty = Counted(one.of_images), whole(one.trace), emptied(one.trace, replace)
        made = IntegratedGradients(number).attribute(frame, empty, n_steps=steps, internal_batch_size=batch)
        missing = _completeness(made, one, empty)
        heats.append(_heat(made, one, 2 * number.images, missing))
    return heats


def occlusion(
    subjects: Sequence[Subject],
    *,
    window: int | None = None,
    around: float = 1.0,
    replace: str = "mean",
    batch: int = BATCH,
    progress: bool = True,
) -> list[Heat]:
    """How far the number falls when a square is replaced, https://arxiv.org/abs/1311.2901; squares overlap by half.

    ``window``: side in px of the network input, by default a third of the geometric mean of the box's sides, but no
    less than the stride. ``around``: squares go that many sides of the box beyond it, so that a small object costs no
    more than a large one; infinite: over everything. A px takes the mean over its squares, 0 where there are none.
    """
    from captum.attr import Occlusion

    heats = []
    for one in subjects:
        frame, empty = whole(one.trace), emptied(one.trace, replace)
        place = (..., *_around(one, around))
        number = Counted(lambda parts, one=one, frame=frame, place=place: one.of_images(_with(frame, place, parts)))
        side = [min(_side(one) if window is None else window, length) for length in frame[place].shape[2:]]
        pace = [max(length // 2, 1) for length in side]
        made = Occlusion(number).attribute(
            frame[place],
            (3, *side),
            strides=(3, *pace),
            baselines=empty[place],
            perturbations_per_eval=batch,
            show_progress=progress,
        )
        made = _with(torch.zeros_like(frame), place, made / 3)  # captum gives every channel the whole fall
        heats.append(_heat(made, one, number.images, unit=one.unit))
    return heats


def ablation(
    subjects: Sequence[Subject],
    *,
    regions: int = 64,
    replace: str = "mean",
    batch: int = BATCH,
    progress: bool = True,
) -> list[Heat]:
    """How far the number falls when one of about ``regions`` superpixels is replaced, spread evenly over its px."""
    from captum.attr import FeatureAblation

    mask = superpixels(subjects[0].trace, regions)
    heats = []
    for one in subjects:
        number, frame, empty = Counted(one.of_images), whole(one.trace), emptied(one.trace, replace)
        made = FeatureAblation(number).attribute(
            frame, empty, feature_mask=mask, perturbations_per_eval=batch, show_progress=progress
        )
        heats.append(_heat(_per_px(made, mask), one, number.images))
    return heats


def kernel_shap(
    subjects: Sequence[Subject],
    *,
    regions: int = 32,
    samples: int = 256,
    seed: int = 0,
    replace: str = "mean",
    batch: int = BATCH,
    progress: bool = True,
) -> list[Heat]:
    """Shapley values of about ``regions`` superpixels by weighted least squares, https://arxiv.org/abs/1705.07874.

    Each value is spread evenly over the px of its region; the sum is what the photograph adds to the number.
    """
    from captum.attr import KernelShap

    mask = superpixels(subjects[0].trace, regions)
    heats = []
    for one in subjects:
        number, frame, empty = Counted(one.of_images), whole(one.trace), emptied(one.trace, replace)
        method = KernelShap(number)
        with torch.random.fork_rng(devices=[frame.device] if frame.is_cuda else []):
            torch.manual_seed(seed)
            made = method.attribute(
                frame,
                empty,
                feature_mask=mask,
                n_samples=samples,
                perturbations_per_eval=batch,
                show_progress=progress,
            )
        spread = _per_px(made, mask)
        heats.append(_heat(spread, one, number.images, _completeness(spread, one, empty)))
    return heats


def _around(subject: Subject, sides: float) -> tuple[slice, slice]:
    """Rows and columns of the network input that lie within so many sides of the box around it."""
    if not sides >= 0:
        raise ValueError(f"around must be at least 0, but {sides!r} was given.")
    low, high = subject.trace.letterbox.to_input(subject.box).reshape(2, 2)
    far = sides * np.maximum(high - low, 1) if np.isfinite(sides) else np.inf
    limits = np.array(subject.trace.input_shape[::-1])
    first = np.floor((low - far).clip(0, limits - 1)).astype(int)
    last = np.ceil((high + far).clip(first + 1, limits)).astype(int)
    return slice(first[1], last[1]), slice(first[0], last[0])


def _with(frame: Tensor, place: tuple, parts: Tensor) -> Tensor:
    """``parts`` (B, 3, h, w), each in its place on a copy of ``frame`` (1, 3, H, W)."""
    frames = frame.repeat(len(parts), 1, 1, 1)
    frames[place] = parts
    return frames


def _side(subject: Subject) -> int:
    x1, y1, x2, y2 = subject.trace.letterbox.to_input(subject.box)
    stride = subject.trace.levels[subject.level].stride
    return int(max((max(x2 - x1, 1) * max(y2 - y1, 1)) ** 0.5 / 3, stride))


def _per_px(made: Tensor, mask: Tensor) -> Tensor:
    """A value that every px of a region bears in every channel, as a share of each px in the first channel alone."""
    size = torch.bincount(mask.flatten())[mask]
    return (made / size) * torch.tensor([1.0, 0.0, 0.0], device=made.device).view(1, 3, 1, 1)


def _completeness(made: Tensor, subject: Subject, empty: Tensor) -> float:
    """By how much the sum of a map misses the difference that it explains, as a share of it."""
    with torch.no_grad():
        gained = subject.value - float(subject.of_images(empty))
    return abs(float(made.double().sum()) - gained) / max(abs(gained), 1e-9)


def _heat(made: Tensor, subject: Subject, passes: int, completeness: float | None = None, unit: str = "") -> Heat:
    grid = made[0].detach().sum(0).float().cpu().numpy()
    if not np.isfinite(grid).all():
        raise FloatingPointError(f"The map of the {subject.words} is not finite; see diagnosis.numerics.")
    return Heat(
        grid=grid,
        step=(1.0, 1.0),
        unit=unit or f"{subject.unit} a px",
        signed=True,
        layer="the network input",
        offset=0.5,
        passes=passes,
        completeness=completeness,
    )
