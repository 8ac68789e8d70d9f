"""What is drawn lies where the network looked: proved from the brightness of a photograph, by arrays and by pixels."""

import numpy as np
import pytest
import torch
from matplotlib import colormaps
from ultralytics.data.augment import LetterBox

import viz

unlaid = pytest.mark.usefixtures("unlaid")

# image (height, width), imgsz, level, and the cell (row, column) over a bright square (x1, y1, x2, y2); the figures
# follow by hand from the scale, a power of ten or two, and the padding, in px of the input: 12, 12, 0, 8 and 0
CASES = {
    "wide": ((400, 1600), 160, 0, (2, 4), (320, 40, 400, 120)),
    "tall": ((1600, 400), 160, 0, (4, 2), (40, 320, 120, 400)),
    "tiny": ((4, 6), 96, 1, (2, 3), (3, 2, 4, 3)),
    "huge": ((1600, 3200), 160, 0, (3, 4), (640, 320, 800, 480)),
    "enlarged": ((16, 16), 128, 2, (1, 2), (8, 4, 12, 8)),
}


def bright(shape, square) -> np.ndarray:
    """A dark (H, W, 3) image with one bright square."""
    image = np.full((*shape, 3), 20, np.uint8)
    x1, y1, x2, y2 = square
    image[y1:y2, x1:x2] = 250
    return image


def brightness(image, imgsz) -> tuple[torch.Tensor, ...]:
    """Logits of a detector of brightness: the mean of each cell of the image as Ultralytics letterboxes it."""
    frame = LetterBox(new_shape=(imgsz, imgsz), auto=True, stride=32, padding_value=20)(image=image)
    grey = torch.from_numpy(frame.astype(np.float32).mean(2))[None, None] / 255
    levels = (torch.nn.functional.avg_pool2d(grey, stride)[0] for stride in (8, 16, 32))
    return tuple(
        torch.cat((12 * level - 8, torch.full_like(level, -9), torch.full_like(level, -9))) for level in levels
    )


@pytest.fixture(params=CASES.values(), ids=CASES)
def scene(request, stage, hot):
    shape, imgsz, level, cell, square = request.param
    image = bright(shape, square)
    logits = brightness(image, imgsz)
    trace = stage(shape, [hot(level, *cell, half=0.5)], imgsz=imgsz, image=image, logits=logits)
    assert [tuple(x.shape[1:]) for x in logits] == list(trace.shapes)
    return trace, level, cell, square


def near(found, expected) -> bool:
    return np.allclose(np.asarray(found, dtype=float).ravel(), np.ravel(expected), atol=1.0)


def box_of(artist) -> np.ndarray:
    """The hull (x1, y1, x2, y2) of a collection of one outline, in data coordinates."""
    vertices = artist.get_paths()[0].vertices
    return np.concatenate((vertices.min(0), vertices.max(0)))


def heat_cell(drawn, row, col) -> np.ndarray:
    """Where an AxesImage puts one entry of its array, (x1, y1, x2, y2) in data coordinates."""
    left, right, bottom, top = drawn.get_extent()
    rows, cols = drawn.get_array().shape
    across, down = (right - left) / cols, (bottom - top) / rows
    return np.array([left + col * across, top + row * down, left + (col + 1) * across, top + (row + 1) * down])


@unlaid
def test_the_hottest_cell_lies_on_the_bright_square(scene, artists):
    trace, level, cell, square = scene
    figure = viz.heatmaps(trace, "bird", "score", level=level)
    (drawn,) = artists(figure, f"heat:P{level + 3}")
    hottest = np.unravel_index(int(np.argmax(drawn.get_array())), drawn.get_array().shape)
    assert hottest == cell
    assert near(heat_cell(drawn, *cell), square)


@unlaid
@pytest.mark.parametrize("draw", [viz.heatmaps, viz.anchor_grid, viz.detections], ids=lambda draw: draw.__name__)
def test_the_marked_cell_lies_on_the_bright_square(scene, artists, draw):
    trace, level, _, square = scene
    (marked,) = [mark for mark in artists(draw(trace), f"cells:P{level + 3}") if mark.get_paths()]
    assert near(box_of(marked), square)


@unlaid
def test_the_box_lies_on_the_bright_square(scene, artists):
    trace, level, _, square = scene
    for figure, gid in ((viz.detections(trace), f"boxes:P{level + 3}"), (viz.distribution(trace, 0), "box")):
        (box,) = artists(figure, gid)
        assert near(box_of(box), square)
    for box in artists(viz.compare(trace, trace), f"same:P{level + 3}"):
        assert near(box_of(box), square)


@unlaid
def test_the_photograph_has_its_own_pixels_as_coordinates(scene, artists):
    trace, *_ = scene
    height, width = trace.image.shape[:2]
    for figure in (viz.detections(trace), viz.heatmaps(trace), viz.features(trace), viz.compare(trace, trace)):
        for photograph in artists(figure, "photograph"):
            assert photograph.get_extent() == [0, width, height, 0]
            assert max(photograph.get_array().shape[:2]) <= 2000
            assert photograph.axes.get_xlim() == (0, width) and photograph.axes.get_ylim() == (height, 0)


@unlaid
def test_the_anchor_points_lie_in_the_middle_of_their_cells(scene, artists):
    trace, level, (row, col), square = scene
    (points,) = artists(viz.anchor_grid(trace, level), f"points:P{level + 3}")
    place = points.get_offsets()[row * trace.shapes[level][1] + col]
    assert near(place, [(square[0] + square[2]) / 2, (square[1] + square[3]) / 2])


@unlaid
def test_padding_is_hatched_where_the_photograph_is_not(stage, artists):
    trace = stage((400, 1600), imgsz=160)  # 40 rows of a 64 px input hold the image: 120 px of it above and below
    figure = viz.anchor_grid(trace, "P4")
    hulls = sorted(
        patch.get_extents().transformed(patch.axes.transData.inverted()).bounds for patch in artists(figure, "padding")
    )
    assert np.allclose(np.abs([bounds[2:] for bounds in hulls]), [(1600, 120)] * 2)
    assert figure.axes[0].get_ylim() == (520, -120) and figure.axes[0].get_xlim() == (0, 1600)
    assert "letterbox padding" in [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.mark.parametrize("name", ["wide", "tall", "huge", "enlarged"])
def test_rendered_pixels_have_the_colour_of_the_hot_cell_and_no_other(name, stage, artists, pixels):
    shape, imgsz, level, _, square = CASES[name]
    image = bright(shape, square)
    trace = stage(shape, imgsz=imgsz, image=image, logits=brightness(image, imgsz))
    figure = viz.heatmaps(trace, level=level, cells=False, width=6)
    (drawn,) = artists(figure, f"heat:P{level + 3}")
    shown = pixels(figure)
    x1, y1, x2, y2 = square

    def at(x, y):
        column, row = drawn.axes.transData.transform((x, y))
        return shown[shown.shape[0] - 1 - int(row), int(column), :3] / 255

    hot = 0.85 * np.array(colormaps["magma"](1.0)[:3]) + 0.15 * 0.7  # laid over the brightest grey of the photograph
    inch = (x2 - x1) / 20
    corners = [(x1 + inch, y1 + inch), (x2 - inch, y1 + inch), (x1 + inch, y2 - inch), (x2 - inch, y2 - inch)]
    for corner in [*corners, ((x1 + x2) / 2, (y1 + y2) / 2)]:
        assert np.abs(at(*corner) - hot).max() < 0.03
    middle = (x1 + x2) / 2, (y1 + y2) / 2
    for x, y in [(x1 - inch, middle[1]), (x2 + inch, middle[1]), (middle[0], y1 - inch), (middle[0], y2 + inch)]:
        assert at(x, y).max() < 0.3
