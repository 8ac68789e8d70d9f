"""The embedded detector and its scene, for tests of what a trained detector finds."""

import pytest
from ultralytics import YOLO

from detectors import demo_scene, demo_weights


@pytest.fixture(scope="module")
def demo():
    return YOLO(demo_weights())


@pytest.fixture(scope="module")
def scene():
    scene = demo_scene()
    return scene.image[..., ::-1].copy(), scene.boxes, scene.labels
