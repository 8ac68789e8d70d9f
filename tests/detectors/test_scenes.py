"""The synthetic scenes: reproducible, exactly boxed, of every size, and safe to write to disk."""

import subprocess
import sys

import cv2
import numpy as np
import pytest

from detectors import CLASS_NAMES, draw_scene, write_dataset
from detectors.scenes import scenes
from detectors.scenes.shapes import SHAPES, outline


def test_same_seed_same_pixels_other_seed_others():
    first, again, other = draw_scene(3, (96, 128)), draw_scene(3, (96, 128)), draw_scene(4, (96, 128))
    for field in ("image", "boxes", "labels", "owner"):
        np.testing.assert_array_equal(getattr(first, field), getattr(again, field))
    assert not np.array_equal(first.image, other.image)


@pytest.mark.parametrize("size", [(320, 320), (200, 333), (333, 200), (480, 640), (40, 500)])
def test_shapes_and_types_at_any_size(size):
    scene = draw_scene(0, size)
    n = len(scene.labels)
    assert scene.image.shape == (*size, 3) and scene.image.dtype == np.uint8
    assert scene.boxes.shape == (n, 4) and scene.boxes.dtype == np.float32
    assert scene.labels.dtype == np.int64 and scene.owner.shape == size
    height, width = size
    assert (scene.boxes >= 0).all() and (scene.boxes <= [width, height, width, height]).all()
    assert set(scene.labels.tolist()) <= set(range(len(CLASS_NAMES)))


@pytest.mark.parametrize("seed", range(6))
def test_boxes_are_tight_around_the_visible_pixels(seed):
    scene = draw_scene(seed, (240, 320))
    for i, box in enumerate(scene.boxes):
        rows, cols = np.nonzero(scene.owner == i)
        np.testing.assert_array_equal(box, [cols.min(), rows.min(), cols.max() + 1, rows.max() + 1])


@pytest.mark.parametrize("seed", range(8))
def test_owner_is_where_the_drawing_differs_from_the_bare_background(seed):
    bare, scene = draw_scene(seed, (160, 200), 0), draw_scene(seed, (160, 200), 1)
    changed = np.abs(scene.image.astype(int) - bare.image).sum(axis=2) > 24
    inside = scene.owner == 0
    assert changed[inside].mean() > 0.9
    core = cv2.erode(inside.astype(np.uint8), np.ones((3, 3))) > 0
    assert changed[core].mean() > 0.9


@pytest.mark.parametrize("seed", range(4))
def test_no_object_is_hidden_more_than_allowed(seed, monkeypatch):
    placed = []

    class Recorded(scenes._Placed):
        def __init__(self, *fields):
            super().__init__(*fields)
            placed.append(self)

    monkeypatch.setattr(scenes, "_Placed", Recorded)
    scene = draw_scene(seed, (200, 200), 14)
    assert len(placed) == len(scene.labels) > 5
    for i, one in enumerate(placed):
        assert (scene.owner == i).sum() == one.seen >= (1 - scenes.MAX_HIDDEN) * one.area


def test_small_medium_and_large_objects_are_all_frequent():
    boxes = np.concatenate([draw_scene(seed, (480, 640)).boxes for seed in range(24)])
    longer = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    shares = [(longer < 32).mean(), ((longer >= 32) & (longer < 96)).mean(), (longer >= 96).mean()]
    assert min(shares) > 0.1, shares
    assert longer.min() >= 8 and longer.max() > 250 and longer.max() <= 305


def test_every_class_occurs_and_object_px_bounds_the_size():
    drawn = [draw_scene(seed, (320, 320), 8, object_px=(20, 40)) for seed in range(20)]
    assert set(np.concatenate([s.labels for s in drawn]).tolist()) == set(range(len(CLASS_NAMES)))
    boxes = np.concatenate([s.boxes for s in drawn])
    assert (boxes[:, 2:] - boxes[:, :2]).max() <= 43


def test_empty_scene():
    scene = draw_scene(0, (64, 48), 0)
    assert scene.boxes.shape == (0, 4) and scene.labels.shape == (0,) and (scene.owner == -1).all()


@pytest.mark.parametrize("label", range(len(SHAPES)), ids=CLASS_NAMES)
def test_an_outline_has_the_wanted_size_and_is_centred(label):
    points = np.concatenate(outline(label, 50.0, np.random.default_rng(0)))
    assert np.ptp(points, axis=0).max() == pytest.approx(50.0)
    np.testing.assert_allclose(points.min(axis=0) + points.max(axis=0), 0, atol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed must be a non-negative int, but was -1"),
        ({"seed": 0.5}, "seed must be a non-negative int, but was 0.5"),
        ({"seed": 0, "size": (480, 0)}, r"size must be two positive ints \(height, width\) in px, but was \(480, 0\)"),
        ({"seed": 0, "size": 480}, "size must be two positive ints .*, but was 480"),
        ({"seed": 0, "size": (4.0, 480)}, "size must be two positive ints"),
        ({"seed": 0, "size": (10, 480)}, "size must have room for an object of 12 px.*Draw a larger scene"),
        ({"seed": 0, "n_objects": -2}, "n_objects must be a non-negative int or None, but was -2"),
        ({"seed": 0, "object_px": (40, 20)}, r"object_px must be .* in order, but was \(40, 20\)"),
    ],
)
def test_errors_at_the_door(arguments, message):
    with pytest.raises(ValueError, match=message):
        draw_scene(**arguments)


def test_written_data_set_matches_the_scenes_and_moves(tmp_path):
    data = write_dataset(tmp_path / "a", 3, 2, (96, 128), seed=5, suffix=".png")
    assert str(tmp_path) not in data.read_text()
    assert sorted(p.name for p in (tmp_path / "a/images/train").iterdir()) == [f"{i:06d}.png" for i in range(3)]
    scene = draw_scene(5_000_001, (96, 128))
    image = cv2.imread(str(tmp_path / "a/images/train/000001.png"))[..., ::-1]
    np.testing.assert_array_equal(image, scene.image)
    rows = np.loadtxt(tmp_path / "a/labels/train/000001.txt", ndmin=2)
    np.testing.assert_array_equal(rows[:, 0], scene.labels)
    center, extent = rows[:, 1:3] * [128, 96], rows[:, 3:] * [128, 96]
    np.testing.assert_allclose(np.hstack([center - extent / 2, center + extent / 2]), scene.boxes, atol=1e-3)


def test_an_interrupted_data_set_is_completed_and_a_different_one_refused(tmp_path):
    whole = write_dataset(tmp_path / "whole", 3, 1, (64, 64), seed=1)
    part = write_dataset(tmp_path / "part", 3, 1, (64, 64), seed=1)
    part.unlink()
    (tmp_path / "part/images/train/000001.jpg").unlink()
    untouched = tmp_path / "part/images/train/000000.jpg"
    stamp = untouched.stat().st_mtime_ns
    write_dataset(tmp_path / "part", 3, 1, (64, 64), seed=1)
    assert untouched.stat().st_mtime_ns == stamp
    files = sorted(p.relative_to(tmp_path / "whole") for p in whole.parent.rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(tmp_path / "part") for p in part.parent.rglob("*") if p.is_file())
    assert all((tmp_path / "whole" / f).read_bytes() == (tmp_path / "part" / f).read_bytes() for f in files)
    with pytest.raises(FileExistsError, match=r"describes another one.*Delete the folder or choose another"):
        write_dataset(tmp_path / "part", 4, 1, (64, 64), seed=1)


def test_a_folder_of_other_files_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(FileExistsError, match="holds other files"):
        write_dataset(tmp_path, 1, 1, (64, 64))
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("counts", "message"),
    [((-1, 1), "n_train must be an int from 0"), ((1, 10**6), "n_val must be an int from 0 to 499999")],
)
def test_write_dataset_errors_leave_nothing_behind(tmp_path, counts, message):
    with pytest.raises(ValueError, match=message):
        write_dataset(tmp_path / "new", *counts, (64, 64))
    assert not (tmp_path / "new").exists()


def test_import_is_light():
    code = "import sys, detectors; assert not {'torch', 'ultralytics', 'matplotlib'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
