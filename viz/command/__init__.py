"""``detector-workbench``: reports, surveys and the demo from a shell; also ``python -m viz.command``."""

from .app import app, main

__all__ = ["app", "main"]
