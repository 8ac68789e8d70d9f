"""The bundled detector: small, clean, and good enough to explain."""

import pathlib
import pickletools
import zipfile

import numpy as np
import pytest
import torch

from detectors import CLASS_NAMES, demo_scene, demo_weights, draw_scene
from detectors.demo import demo

ultralytics = pytest.importorskip("ultralytics")
torch.set_num_threads(1)


@pytest.fixture(scope="module")
def model():
    return ultralytics.YOLO(demo_weights())


def found(model, scene, imgsz):
    """How many of the scene's objects are found at IoU 0.5 with the right class, and how many detections match none."""
    boxes = model.predict(scene.image[..., ::-1].copy(), imgsz=imgsz, conf=0.25, device="cpu", verbose=False)[0].boxes
    iou = ultralytics.utils.metrics.box_iou(torch.from_numpy(scene.boxes), boxes.xyxy)
    match = (iou > 0.5) & (torch.from_numpy(scene.labels)[:, None] == boxes.cls)
    return int(match.any(dim=1).sum()), int((~match.any(dim=0)).sum())


def test_file_is_small_and_missing_weights_say_what_to_do(monkeypatch, tmp_path):
    assert demo_weights().stat().st_size <= 3_000_000
    monkeypatch.setattr(demo, "WEIGHTS", tmp_path / "none.pt")
    with pytest.raises(FileNotFoundError, match=r"none.pt, but are not there. Run `make weights`"):
        demo_weights()


def test_checkpoint_holds_no_absolute_path_and_no_training_state():
    with zipfile.ZipFile(demo_weights()) as archive:
        pickled = archive.read(next(name for name in archive.namelist() if name.endswith("data.pkl")))
    words = [arg for _, arg, _ in pickletools.genops(pickled) if isinstance(arg, str)]
    absolute = [w for w in words if pathlib.PurePosixPath(w).is_absolute() or pathlib.PureWindowsPath(w).is_absolute()]
    assert not absolute
    checkpoint = torch.load(demo_weights(), map_location="cpu", weights_only=False)
    assert not any(checkpoint.get(key) for key in ("ema", "optimizer", "scaler", "git"))
    assert all(p.dtype == torch.float16 for p in checkpoint["model"].parameters())


def test_structure_is_that_of_yolov8(model):
    head = model.model.model[-1]
    assert model.names == dict(enumerate(CLASS_NAMES))
    assert type(head).__name__ == "Detect" and (head.nl, head.nc, head.reg_max) == (3, len(CLASS_NAMES), 16)
    assert head.stride.tolist() == [8, 16, 32]


def test_finds_most_objects_of_fresh_scenes_with_few_false_alarms(model):
    scenes = [draw_scene(seed, (320, 320)) for seed in range(9_100, 9_108)]
    counts = np.array([found(model, scene, 320) for scene in scenes]).sum(axis=0)
    objects = sum(len(scene.labels) for scene in scenes)
    assert counts[0] / objects >= 0.8 and counts[1] <= 0.2 * objects, (counts, objects)


def test_demo_scene_is_fixed_and_well_detected(model):
    scene = demo_scene()
    assert scene.image.shape == (480, 640, 3)
    np.testing.assert_array_equal(scene.image, demo_scene().image)
    hits, false_alarms = found(model, scene, 640)
    assert hits >= 0.85 * len(scene.labels) and false_alarms <= 2


def test_every_level_makes_detections_on_the_demo_scene(model):
    """Reads each kept detection's level off the raw head output: the anchors lie level after level, fine to coarse."""
    image = torch.from_numpy(demo_scene().image.copy()).permute(2, 0, 1)[None] / 255
    with torch.inference_mode():
        decoded = model.model.eval()(image)[0]
    cells = [(480 // s) * (640 // s) for s in (8, 16, 32)]
    assert decoded.shape[-1] == sum(cells)
    _, kept = ultralytics.utils.nms.non_max_suppression(decoded, conf_thres=0.25, return_idxs=True)
    anchors = kept[0].flatten()
    levels = torch.repeat_interleave(torch.arange(3), torch.tensor(cells))[anchors]
    assert torch.bincount(levels, minlength=3).min() >= 1
