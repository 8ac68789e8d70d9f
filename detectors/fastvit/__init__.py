"""A detector on timm's FastViT: the model, its training, and the published version's faults rebuilt (``naive``)."""

from .checkpoint import load, save
from .model import FastViTDetector
from .published.naive import NaiveDetector

__all__ = ["FastViTDetector", "NaiveDetector", "load", "save"]
