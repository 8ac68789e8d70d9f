"""A survey's evaluation written by hand, and predictions drawn at random."""

from dataclasses import dataclass

import polars
import torch

from diagnosis.surveys.tables import EVALUATION
from tests.diagnosis.surveys.evaluation.validation import Tables

SIDES = ("x1", "y1", "x2", "y2")
STRIDES = (8, 16, 32)


@dataclass(frozen=True)
class StandInLevel:
    index: int
    name: str
    stride: float


LEVELS = tuple(StandInLevel(index, f"P{index + 3}", stride) for index, stride in enumerate(STRIDES))


def a_set(labels=(), found=(), *, images=1, names=("cat", "dog"), size=(100, 100), gain=1.0, pad=0.0, **more):
    """Labels (image, class, box of the original), and found boxes (image, class, confidence, box of the original)."""
    names = dict(names) if isinstance(names, dict) else dict(enumerate(names))
    objects = [
        {"number": number, "class_id": class_id, **dict(zip(SIDES, map(float, box), strict=True))}
        for number, class_id, box in labels
    ]
    rows = [
        {
            "number": number,
            "variant": -1,
            "class_id": class_id,
            "confidence": confidence,
            "level": 0,
            "anchor": anchor,
            **dict(zip(SIDES, (gain * side + pad for side in box), strict=True)),
            "cut": False,
        }
        for anchor, (number, class_id, confidence, box) in enumerate(found)
    ]
    picture = {"width": size[0], "height": size[1], "input_width": size[0], "input_height": size[1]}
    picture |= {"gain_x": gain, "gain_y": gain, "pad_x": pad, "pad_y": pad} | more
    kinds = {"number": polars.Int64, "class_id": polars.Int32, **dict.fromkeys(SIDES, polars.Float64)}
    return Tables(
        objects=polars.DataFrame(objects, schema=kinds).lazy(),
        images=polars.DataFrame([{"number": number, **picture} for number in range(images)]).lazy(),
        evaluation=polars.DataFrame(rows, schema=EVALUATION).lazy(),
        names=names,
        levels=LEVELS,
        settings={"max_det": 300, "ablation": False},
    )


def evaluated(rows, labels=(), *, names, side, max_det):
    """The survey of one image whose rows these are, on an input of ``side`` px."""
    given = a_set(labels, names=names, size=(side, side))
    return Tables(
        objects=given.objects,
        images=given.images,
        evaluation=rows.to_df(0).lazy(),
        names=given.names,
        levels=LEVELS,
        settings={"max_det": max_det, "ablation": True},
    )


def prediction(seed, *, side=96, nc=4, scale=1.0, strides=STRIDES):
    """Crowded boxes (A, 4) xyxy, scores (nc, A) of which most are low, and the level of each anchor."""
    generator = torch.Generator().manual_seed(seed)
    cells = torch.tensor([(side // stride) ** 2 for stride in strides])
    count = int(cells.sum())
    centre = side * torch.rand(5, 2, generator=generator)[torch.randint(5, (count,), generator=generator)]
    half = 20 + 4 * torch.randn(count, 2, generator=generator)
    centre = centre + 3 * torch.randn(count, 2, generator=generator)
    scores = scale * torch.rand(nc, count, generator=generator) ** 4
    return (
        torch.cat((centre - half, centre + half), 1),
        scores,
        torch.repeat_interleave(torch.arange(len(cells)), cells),
    )
