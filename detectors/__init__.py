"""Reference detectors to open up: the bundled demo detector with its synthetic scenes, and models of other families."""

from detectors.dataset import write_dataset
from detectors.demo import demo_scene, demo_weights
from detectors.scenes import CLASS_NAMES, Scene, draw_scene

__all__ = ["CLASS_NAMES", "Scene", "demo_scene", "demo_weights", "draw_scene", "write_dataset"]
