"""Predictions that are lost one by one, and come out as boxes of no cell when all cells hold one."""

import numpy as np

from .asking import Asker
from .origins import decoded
from .predictions import HIGHEST
from .trials import Trial

FEWEST = 5


def mislaid(asker: Asker, trial: Trial) -> bool:
    """Whether what comes out of a level that is sure of every cell are boxes of no cell: channels are read as cells."""
    layout, level = asker.layout, trial.given.level
    outputs = [part.copy() for part in trial.noise]
    if layout.class_values != "ids":
        outputs[level][:, :, layout.class_channels[0]] = HIGHEST
    if layout.objectness is not None:
        outputs[level][:, :, layout.objectness] = HIGHEST
    expected = decoded(layout, trial, outputs, level).reshape(len(outputs[level]), -1, 4)
    came = strange = 0
    for image, one in enumerate(asker(outputs)):
        boxes = one.sure(0.5).boxes[:100]
        came += len(boxes)
        size = np.array(trial.size[::-1] * 2)
        for wanted in (expected[image], expected[image].clip(0, size)):
            apart = np.abs(boxes[:, None] - wanted[None]).max(2).min(1, initial=np.inf)
            boxes = boxes[apart > 0.02 * layout.strides[level] + 0.5]
        strange += len(boxes)
    return came >= FEWEST and strange > 0.9 * came
