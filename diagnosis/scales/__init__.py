"""Passes and training steps listened to, layer by layer, and what their scales mean."""

from .result import Layer, Numerics, Origin, Scales
from .run import numerics

__all__ = ["Layer", "Numerics", "Origin", "Scales", "numerics"]
