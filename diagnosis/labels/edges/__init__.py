"""Evidence without a model: the edges of the image along the sides of boxes, against the lines beside them."""

from .field import FLOOR, EdgeField
from .fits import Comparison, EdgeFits

__all__ = ["FLOOR", "Comparison", "EdgeField", "EdgeFits"]
