"""Labels read from label files, a data YAML or COCO JSON. Nothing is cached, and nothing is written."""

from .image_labels import ImageLabels
from .labelled_set import LabelledSet
from .problems import PROBLEMS, Problem
from .read import read_labels

__all__ = ["PROBLEMS", "ImageLabels", "LabelledSet", "Problem", "read_labels"]
