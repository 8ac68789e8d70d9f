"""Reference detectors to open up: the bundled demo detector with its synthetic scenes, and models of other families."""

from importlib import import_module

from .demo.demo import demo_scene, demo_weights
from .scenes.dataset import write_dataset
from .scenes.scenes import CLASS_NAMES, Scene, draw_scene

__all__ = ["CLASS_NAMES", "Scene", "demo_scene", "demo_weights", "draw_scene", "fastvit", "write_dataset"]


def __getattr__(name: str):
    """Loads a detector of another family, and with it torch and timm, at its first use."""
    if name == "fastvit":
        return import_module("detectors.fastvit")
    raise AttributeError(f"module 'detectors' has no attribute {name!r}")
