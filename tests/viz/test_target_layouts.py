"""Targets of every storage, unit, function and kind of class are read where they lie."""

import numpy as np
import pytest
import torch

import viz
from benchmarks.doctor_suite.schemes import SCHEMES
from diagnosis import TargetLayout
from viz.figures.target_cells import read_levels

pytestmark = pytest.mark.usefixtures("unlaid")

SIZE = (64, 96)
BOX = np.array([[40.0, 24, 72, 48]])  # of centre (56, 36): row 2, column 3 of stride 16
PRIORS = (((10, 13), (20, 20)), ((16, 48), (64, 12)))
SHAPES = {
    "CHW": "ACHW",
    "HWC": "HWAC",
    "AHWC": "AHWC",
    "ACHW": "ACHW",
    "HWAC": "HWAC",
    "AC,H,W": "ACHW",
    "BAHWC": "AHWC",
    "LNC": "HWAC",
    "NC": "HWAC",
    "BNC": "HWAC",
}


def stored(layout: TargetLayout, four: list[float], anchor: int = 0, **cell: float):
    """Two levels with one lit cell on the second, in the layout's storage; ``cell``: objectness, label, background."""
    levels = []
    for index, stride in enumerate(layout.strides):
        level = np.full((layout.anchor_count, 8, SIZE[0] // stride, SIZE[1] // stride), cell.get("background", 0.0))
        if index == 1:
            level[anchor, :4, 2, 3] = four
            level[anchor, 4, 2, 3] = cell.get("objectness", 1)
            level[anchor, 6, 2, 3] = 1
        levels.append(level)
    axes = layout.axes.removeprefix("B")
    moved = [np.moveaxis(level, ["ACHW".index(d) for d in SHAPES[layout.axes]], range(4)) for level in levels]
    if axes == "NC":
        flat = np.concatenate([level.reshape(-1, 8) for level in moved])
        return flat[None] if layout.axes == "BNC" else flat
    shapes = {"CHW": lambda a: (-1, *a.shape[2:]), "HWC": lambda a: (*a.shape[:2], -1), "LNC": lambda a: (-1, 8)}
    shapes |= {"AC,H,W": shapes["CHW"], "BAHWC": lambda a: (1, *a.shape)}
    return [level.reshape(shapes[layout.axes](level) if layout.axes in shapes else level.shape) for level in moved]


def lit(artists, encoded, layout):
    """The boxes (k, 4) that fit the true one on the second level, and how many cells are coloured in all."""
    figure = viz.targets(encoded, layout, boxes=BOX, image_size=SIZE)
    names = [f"P{int(np.log2(stride))}" for stride in layout.strides]
    assert sum(len(artists(figure, f"wrong:{name}")[0].get_paths()) for name in names) == 0
    (fits,) = artists(figure, f"fits:{names[1]}")
    boxes = [path.vertices[[0, 2]].ravel() for path in fits.get_paths()]
    return np.array(boxes), sum(len(artists(figure, f"cells:{name}")[0].get_paths()) for name in names)


@pytest.mark.parametrize("axes", SHAPES)
def test_every_storage_is_read(artists, axes):
    layout = TargetLayout(
        unit="stride",
        relative=True,
        grid_offset=0.0,
        size_unit="prior",
        size_function="log",
        anchors=PRIORS,
        axes=axes,
        classes=slice(5, 8),
        strides=(8, 16),
    )
    four = [0.5, 0.25, np.log(32 / 64), np.log(24 / 12)]
    boxes, cells = lit(artists, stored(layout, four, anchor=1), layout)
    assert np.allclose(boxes, BOX)
    assert cells == 1


ROOTS = [np.sqrt(32 / SIZE[1]), np.sqrt(24 / SIZE[0])]


@pytest.mark.parametrize(
    ("fields", "four"),
    [
        ({"unit": "prior", "relative": True, "size_function": "log"}, [0, -4 / 48, np.log(2), np.log(0.5)]),
        ({"unit": "stride", "relative": True, "size_unit": "normalized", "size_function": "sqrt"}, [0, -0.25, *ROOTS]),
        ({"unit": "px", "size_function": "square"}, [56, 36, 32**2, 24**2]),
        ({"format": "ltrb", "unit": "stride", "size_function": "log"}, [0, 0, 0, np.log(0.5)]),
    ],
)
def test_every_unit_and_function_is_read(artists, fields, four):
    layout = TargetLayout(anchors=(((10, 13),), ((16, 48),)), classes=slice(5, 8), strides=(8, 16), **fields)
    boxes, _ = lit(artists, stored(layout, four), layout)
    assert np.allclose(boxes, BOX)


FOUR = [*BOX[0]]
PLAIN = {"format": "xyxy", "strides": (8, 16)}


def test_cells_that_are_left_out_hold_nothing(artists):
    layout = TargetLayout(classes=slice(5, 8), ignore=-1, **PLAIN)
    levels = stored(layout, FOUR)
    levels[0][4:, 0, :3] = -1
    boxes, cells = lit(artists, levels, layout)
    assert np.allclose(boxes, BOX)
    assert cells == 1


def test_an_id_lights_its_cell_and_the_background_does_not(artists):
    layout = TargetLayout(objectness=None, classes=(6,), class_values="ids", num_classes=3, background=-1, **PLAIN)
    levels = stored(layout, FOUR, background=-1.0)
    levels[1][6, 2, 3] = 0  # the first class
    boxes, cells = lit(artists, levels, layout)
    assert np.allclose(boxes, BOX)
    assert cells == 1


@pytest.mark.parametrize(
    ("class_values", "near", "count"), [("soft", 0.3, 2), ("gaussian", 0.9, 1), ("one_hot", 0.3, 1)]
)
def test_what_counts_as_an_object_is_as_the_classes_say(artists, class_values, near, count):
    layout = TargetLayout(objectness=None, classes=slice(5, 8), class_values=class_values, **PLAIN)
    levels = stored(layout, FOUR)
    levels[1][6, 2, 4], levels[1][:4, 2, 4] = near, BOX[0]
    boxes, cells = lit(artists, levels, layout)
    assert boxes.shape == (count, 4)
    assert cells == 2


def test_what_cannot_be_read_says_how_it_could_be():
    layout = TargetLayout(anchors=PRIORS, axes="AHWC", classes=slice(5, 8), strides=(8, 16))
    last = stored(layout, FOUR)
    with pytest.raises(ValueError, match=r"\(2, C, h, w\) .* could be read with axes='AHWC'"):
        viz.targets(last, TargetLayout(anchors=PRIORS, axes="ACHW", **PLAIN, classes=slice(5, 8)), image_size=SIZE)
    flat = TargetLayout(axes="NC", classes=slice(5, 8), strides=(8, 16))
    with pytest.raises(ValueError, match="no grid of their own: give image or image_size"):
        viz.targets(stored(flat, FOUR), flat)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_right_encoders_write_is_read_back(scheme):
    encoder = SCHEMES[scheme]()
    boxes = np.array([[30.0, 20, 78, 90], [100, 40, 160, 76], [140, 85, 164, 105]])
    encoded = encoder(torch.tensor(boxes).float(), torch.tensor([0, 1, 2]), (128, 256))
    levels = read_levels(encoded, encoder.layout(TargetLayout), (128, 256))
    found = np.concatenate([level.boxes for level in levels])
    nearest = np.abs(found[:, None] - boxes).max(-1)
    assert len(found)
    assert nearest.min(1).max() < 0.1  # px
