"""Mended copies of labelled sets, written into a new folder."""

from .fix import fix_labels

__all__ = ["fix_labels"]
