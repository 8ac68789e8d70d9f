"""The bundled demo detector: where its weights lie, and a scene that shows it off."""

import pathlib

from ..scenes.scenes import Scene, draw_scene

WEIGHTS = pathlib.Path(__file__).parent / "weights" / "demo.pt"
SCENE_SEED = 45


def demo_weights() -> pathlib.Path:
    """The committed checkpoint of a small YOLOv8-shaped detector of `CLASS_NAMES`; `YOLO(path)` opens it.

    Raises FileNotFoundError where the file is missing.
    """
    if not WEIGHTS.is_file():
        raise FileNotFoundError(f"The demo weights must lie at {WEIGHTS}, but are not there. Run `make weights`.")
    return WEIGHTS


def demo_scene() -> Scene:
    """A fixed 480 x 640 scene of twelve objects; the demo detector finds small ones on P3, others on P4 and P5."""
    return draw_scene(SCENE_SEED, (480, 640), 12)
