"""Errors of the workbench; each is also the built-in error that a caller would expect."""


class SelectionError(ValueError):
    """A level or class that the head does not have."""


class UnsupportedModelError(TypeError):
    """A model, or something asked of it, that its head does not offer: the message says why, and what works instead."""


class SourceError(ValueError):
    """An image source that cannot be read as asked."""


class CheckpointError(ValueError):
    """A file that is no checkpoint, or one that asks for more than model classes."""
