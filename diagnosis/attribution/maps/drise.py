"""D-RISE: what random masks leave of a detection, averaged. https://arxiv.org/abs/2006.03204"""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..perturbation_frame import emptied, whole
from ..presence import presences
from ..result import Heat
from ..subject import Subject

GRID = 16  # cells of a mask along each side, as published
SHOWN = 0.5  # chance that a cell of a mask shows the photograph, as published
LOOK = 64  # masks between two looks at whether the map has converged
LEAST = 256  # masks before the first look


def drise(
    subjects: Sequence[Subject],
    *,
    masks: int = 2000,
    converged: float = 0.95,
    batch: int | None = None,
    seed: int = 0,
    replace: str = "mean",
    progress: bool = True,
) -> list[Heat]:
    """The mean similarity of what the network finds with what is explained where a px is shown, over its mean anywhere.

    Similarity is that of ``presences``. Ends early when the maps of even and of odd masks agree so well that, by the
    Spearman-Brown formula, the correlation of the whole map with another such one is ``converged``; 1 never ends early.
    An interrupt returns what is there. All subjects share the masks. On the device of the trace.
    """
    from tqdm.auto import tqdm

    frame, empty = whole(subjects[0].trace), emptied(subjects[0].trace, replace)
    batch = batch or (64 if frame.is_cuda else 8)
    tally = _Tally(len(subjects), frame)
    similarity = presences(subjects)
    end = ""
    with tqdm(total=masks, desc="D-RISE", unit="mask", disable=not progress) as bar, torch.no_grad():
        try:
            for shown in _masks(frame, masks, batch, seed):
                tally.add(shown, similarity(empty + (frame - empty) * shown))
                bar.update(len(shown))
                if tally.count >= LEAST and tally.count % LOOK < batch and tally.reliability() >= converged:
                    end = f"converged after {tally.count} masks"
                    break
        except KeyboardInterrupt:
            if not tally.count:
                raise
            end = f"interrupted after {tally.count} masks"
    words = end or f"{tally.count} masks, reliability {tally.reliability():.2f}"
    return [
        Heat(
            grid=grid,
            step=(1.0, 1.0),
            unit="similarity",
            signed=True,
            layer="the network input",
            offset=0.5,
            passes=tally.count,
            note=words,
        )
        for grid in tally.maps().float().cpu().numpy()
    ]


def _masks(frame: Tensor, count: int, batch: int, seed: int) -> Iterator[Tensor]:
    """Batches (b, 1, H, W) in [0, 1]: coarse random grids, enlarged smoothly and shifted by part of a cell."""
    generator = torch.Generator().manual_seed(seed)
    height, width = frame.shape[2:]
    tall, wide = -(-height // GRID), -(-width // GRID)
    for start in range(0, count, batch):
        size = min(batch, count - start)
        coarse = (torch.rand(size, 1, GRID + 1, GRID + 1, generator=generator) < SHOWN).float().to(frame.device)
        large = F.interpolate(coarse, size=((GRID + 1) * tall, (GRID + 1) * wide), mode="bilinear", align_corners=False)
        rows = torch.randint(tall, (size,), generator=generator).tolist()
        cols = torch.randint(wide, (size,), generator=generator).tolist()
        yield torch.stack(
            [part[:, r : r + height, c : c + width] for part, r, c in zip(large, rows, cols, strict=True)]
        ).to(frame.dtype)


class _Tally:
    """Sums of even and odd masks, alone and weighed with the similarity of each subject."""

    def __init__(self, subjects: int, frame: Tensor):
        self.shown = frame.new_zeros(2, 1, *frame.shape[2:])
        self.weighed = frame.new_zeros(2, subjects, *frame.shape[2:])
        self.total = frame.new_zeros(2, subjects)
        self.counts = [0, 0]

    @property
    def count(self) -> int:
        return sum(self.counts)

    def add(self, shown: Tensor, similarity: Tensor) -> None:
        """``shown`` (b, 1, H, W), ``similarity`` (subjects, b)."""
        for half in (0, 1):
            mask, worth = shown[half::2], similarity[:, half::2]
            self.shown[half] += mask.sum((0, 1))
            self.weighed[half] += torch.einsum("nb,bhw->nhw", worth, mask[:, 0])
            self.total[half] += worth.sum(1)
            self.counts[half] += len(mask)

    def maps(self, half: int | None = None) -> Tensor:
        """(subjects, H, W): mean similarity where a px is shown, less its mean over all masks."""
        pick = slice(None) if half is None else slice(half, half + 1)
        seen = sum(self.counts[pick])
        mean = (self.total[pick].sum(0) / max(seen, 1))[:, None, None]
        return self.weighed[pick].sum(0) / self.shown[pick].sum(0).clamp(min=1e-6) - mean

    def reliability(self) -> float:
        """The least of all subjects: correlation of the halves, stepped up to the whole (Spearman-Brown)."""
        even, odd = (self.maps(half).flatten(1) for half in (0, 1))
        alike = F.cosine_similarity(even - even.mean(1, keepdim=True), odd - odd.mean(1, keepdim=True))
        return float((2 * alike / (1 + alike).clamp(min=1e-6)).min())
