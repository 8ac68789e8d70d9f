"""That whether labels are right cannot be told, in words and numbers."""

from collections.abc import Iterator
from math import isfinite
from typing import Any

from ..findings import Finding
from .by_edges import LEAST
from .by_model import ABOVE_CHANCE
from .material import Material
from .search import Difference
from .verdict import Verdict
from .words import counted, where

ENOUGH = 16  # images that are never too few by themselves
ABSURD = 20  # times the images that were looked at, from which on it is no advice to fetch so many
ON_EDGES = LEAST / 2  # what boxes must score on edges, at least


def cannot_tell(verdict: Verdict) -> Iterator[Finding]:
    """That model, edges or images do not suffice, why, and how many would do."""
    model, edges, count = verdict.model, verdict.edges, len(verdict.material.looked)
    if verdict.geometry.by and not (model is not None and not model.capable):
        return
    evidence: dict[str, Any] = {"images": count, "split": verdict.material.split, "by": verdict.geometry.by}
    words = _strange(verdict.material)
    if model is not None and model.capable:
        words.append(
            f"the model has no class for most of these labels; what it sees fits them best if they are read as "
            f"{model.reading}, but it may see other things"
        )
    elif model is not None:
        evidence |= {"model_above_chance": model.above_chance.mean, "model_se": model.above_chance.se}
        words.append(_of_model(model.above_chance))
    if edges is not None and not edges.capable:
        evidence |= {"edges": edges.on_edges.mean, "edge_se": edges.on_edges.se}
        least = edges.on_edges.least(ON_EDGES)
        words.append(
            f"boxes lie on edges by {edges.on_edges.mean:+.3f} ± {edges.on_edges.se:.3f} beyond chance, which must "
            f"exceed {least:.3f}"
            if isfinite(least)
            else f"only {counted(edges.on_edges.images, 'images')} could be held against edges"
        )
    elif edges is not None:
        words.append("the edges speak for the labels as they are read, but say nothing of classes")
    if not words:
        words.append(f"{counted(count, 'images')} with labels to look at, which is too few")
    if not len(verdict.material.rows):
        words = [f"none of {counted(count, 'images')} that were looked at has a label that could be read"]
    needed = _needed(verdict)
    evidence["images_needed"] = needed
    advice = _advice(verdict, needed)
    text = f"{where(verdict.material.split)}whether the labels are right cannot be told: {'; '.join(words)}. {advice}"
    yield Finding("cannot_tell", "warning", None, text, evidence)


def _of_model(above: Difference) -> str:
    """How well labels fit what the model sees beyond chance, where there is enough to tell."""
    if not isfinite(above.se):
        return f"labels and what the model sees could be held together in {counted(above.images, 'images')} only"
    return (
        f"labels fit what the model sees in {counted(above.images, 'images')} by {above.mean:+.2f} ± {above.se:.2f} "
        f"beyond chance, which must exceed {above.least(ABOVE_CHANCE):.2f}"
    )


def _advice(verdict: Verdict, needed: int | None) -> str:
    """What would tell more."""
    if not len(verdict.material.rows):
        return "Label files, and what is said of them here, come first."
    other = "a model may" if verdict.model is None else "another model may"
    if needed is None:
        return f"More images of this kind would tell no more; {other}."
    if needed > ABSURD * max(len(verdict.material.looked), ENOUGH):
        return f"More images would hardly tell; {other}."
    if verdict.model is None:
        return f"About {needed} images would do; a model that knows such objects does with fewer."
    return f"About {needed} images would do if model and labels are of one kind; a better model does with fewer."


def _strange(material: Material) -> list[str]:
    """That model and labels are of other classes, the likeliest cause; [] where they are not."""
    common = material.in_common
    if common is None or len(common) > 1 or len(common) == len(material.names):
        return []
    shared = f"only {common[0]!r}" if common else "nothing"
    return [f"the class names of the model and of the labels share {shared}"]


def _needed(verdict: Verdict) -> int | None:
    """With how many images it might be told, always more than were looked at; None where no number would do."""
    model, edges, count = verdict.model, verdict.edges, len(verdict.material.looked)
    found = [model.above_chance.needed()] if model is not None and not model.capable else []
    found += [edges.on_edges.needed()] if model is None and edges is not None else []
    found += [ENOUGH]
    return max((number for number in found if number is not None and number > count), default=None)
