"""What is the same for all images of a survey."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...objects.reading import LabelledSet
from ..settings import Settings


@dataclass(frozen=True)
class Task:
    """The set with its labels, and how to look at it.

    ``class_map``: an id of the labels -> the id of the model; ``predict_args`` go along with every pass.
    """

    labels: LabelledSet
    class_map: Mapping[int, int]
    settings: Settings
    predict_args: Mapping[str, Any]
