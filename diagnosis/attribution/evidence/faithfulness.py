"""Evidence for a map: does what it points at decide, does it point at the object, does it know the weights?"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from anatomy import Trace
from anatomy.arguments import refused
from anatomy.shown import Part, Shown, Table

from ..methods import attribute
from ..place import within
from ..result import Attribution, check_attribution
from ..subject import Wanted
from .curves import STEPS, Curves, curves
from .randomization import Randomization, randomize

PARTS = ("curves", "box", "randomization")


@dataclass(frozen=True, repr=False)
class Faithfulness(Shown):
    """How far a map can be believed. Made by ``faithfulness``; None is what was not asked for or does not exist.

    ``curves`` of deletion and insertion, see ``Curves``; ``pointing``: share of the map's largest px that lie in the
    box, nearly always 1 (hit) or 0 (https://arxiv.org/abs/1608.00507); ``energy``: share of the map's positive sum in
    the box (https://arxiv.org/abs/1910.01279); ``completeness``: by how much a map that promises a sum misses it, as a
    share; ``randomization``: whether the map changed with the weights; ``passes`` images that went through the network
    for the curves.
    """

    curves: Curves | None
    pointing: float | None
    energy: float | None
    completeness: float | None
    randomization: Randomization | None
    seconds: float
    passes: int

    @property
    def insertion(self) -> float | None:
        """Area under the insertion curve: near 1 when few pixels bring the detection back."""
        return self.curves and self.curves.area("insertion")

    @property
    def deletion(self) -> float | None:
        """Area under the deletion curve: near 0 when few pixels take the detection away."""
        return self.curves and self.curves.area("deletion")

    @property
    def difference(self) -> float | None:
        """Insertion less deletion: the larger, the better."""
        if self.curves is None:
            return None
        return self.curves.area("insertion") - self.curves.area("deletion")

    def _title(self) -> str:
        return str(self) or "nothing asked"

    def _parts(self) -> Iterable[Part]:
        words = self.words()
        return [Table(("evidence",), [(one,) for one in words], len(words))] if words else []

    def __str__(self) -> str:
        return "; ".join(self.words())

    def words(self) -> list[str]:
        """The evidence in short sentences, for figures."""
        words = []
        if self.curves is not None:
            words.append(f"insertion {self.insertion:.2f} − deletion {self.deletion:.2f} = {self.difference:.2f}")
        if self.energy is not None and self.pointing is not None:
            words.append(
                f"pointing game: {'hit' if self.pointing > 0.5 else 'miss'}, energy in the box {self.energy:.0%}"
            )
        if self.completeness is not None:
            words.append(f"completeness error {self.completeness:.1%}")
        if self.randomization is not None:
            words.append(_of_weights(self.randomization))
        return words


def _of_weights(found: Randomization) -> str:
    """The randomization test in a sentence."""
    verdict = "passed" if found.passes else "failed"
    if found.gone:
        return f"randomization {verdict} (without the weights nothing is left to explain)"
    asked = [value for stage, value in zip(found.stages, found.correlation, strict=True) if stage in found.asked]
    return f"randomization {verdict} (rank correlation {max(asked):.2f} of {found.threshold:.2f} allowed)"


def faithfulness(
    attribution: Attribution | Trace,
    parts: Sequence[str] | Wanted = PARTS,
    *,
    method: str = "default",
    box: ArrayLike | None = None,
    steps: int = STEPS,
    replace: str = "mean",
    batch: int = 8,
    seed: int = 0,
    shuffles: int = 3,
) -> Faithfulness:
    """Put a map to the tests named in ``parts``; of ``(trace, detection)``, the map that ``method`` makes, to all.

    ``box`` (4,) xyxy px of the original for the pointing games: by default what the explained cell predicts. ``steps``
    stretches of each curve, ``replace`` what a px becomes that is taken away ("mean" colour of the photograph, "blur",
    "black"), ``batch`` images at once, ``seed`` of the shuffling, which explains again once a stage, and as often as
    there are ``shuffles`` where the map must be another, see ``Randomization``. The network is left as it was.

    Insertion and deletion reward knowing where the box is: a filled box, which never saw the network, does well on
    them. Only the randomization test tells it from an explanation. Raises ValueError.

    >>> diagnosis.faithfulness(diagnosis.attribute(trace, 0, "quick"), ["box"]).curves is None
    True
    """
    if isinstance(attribution, Trace):
        named = isinstance(parts, list | tuple) and all(isinstance(part, str) for part in parts)
        attribution = attribute(attribution, 0 if named else parts, method)
        parts = parts if named else PARTS
    check_attribution(attribution, "diagnosis.faithfulness")
    if not isinstance(parts, list | tuple | set | str):
        raise refused("diagnosis.faithfulness", f"parts of {', '.join(PARTS)}", parts, "parts=('curves', 'box')")
    parts = (parts,) if isinstance(parts, str) else tuple(parts)
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise ValueError(f"parts must be of {', '.join(PARTS)}, but {', '.join(map(repr, unknown))} was given.")
    if steps < 2:
        raise ValueError(f"A curve needs at least 2 steps, but {steps} was given.")
    if shuffles < 1:
        raise ValueError(f"shuffles must be at least 1, but {shuffles!r} was given.")
    start, subject = time.perf_counter(), attribution.subject
    made, passes, pointing, energy, random = None, 0, None, None, None
    if "curves" in parts:
        with subject.trace.head.undisturbed():
            made, passes = curves(subject, attribution.map, steps=steps, replace=replace, batch=batch)
    if "box" in parts:
        pointing, energy = _in_box(attribution.map, subject.box if box is None else np.asarray(box, dtype=np.float64))
    if "randomization" in parts:
        with subject.trace.head.undisturbed():  # whose weights are others meanwhile
            random = randomize(attribution, seed, shuffles)
    seconds = time.perf_counter() - start
    return Faithfulness(
        curves=made,
        pointing=pointing,
        energy=energy,
        completeness=attribution.completeness,
        randomization=random,
        seconds=seconds,
        passes=passes,
    )


def _in_box(values: np.ndarray, box: np.ndarray) -> tuple[float, float]:
    """Share of the largest px, and of the positive sum, whose middles lie in the box; 0 for a map without peaks."""
    if box.shape != (4,):
        raise ValueError(f"box must be (4,) xyxy px of the original, but its shape is {box.shape}.")
    inside = within(values.shape, box)
    positive = values.clip(0).astype(np.float64)
    if not positive.any():
        return 0.0, 0.0
    return float(inside[values == values.max()].mean()), float(positive[inside].sum() / positive.sum())
