"""The pyramid as a diagram: every block stands in the row of its level, with its shape and its cost."""

import io

import pytest
from matplotlib.patches import Rectangle
from torch import nn
from ultralytics.nn.tasks import DetectionModel

import anatomy
import viz


@pytest.fixture(scope="module")
def table():
    return anatomy.layers(DetectionModel("yolov8n.yaml", verbose=False), 640)


@pytest.fixture(scope="module")
def figure(table):
    return viz.layers(table)


def test_every_block_is_drawn_with_its_shape_and_cost(table, figure, artists):
    most = max(block.multiply_adds for block in table.blocks)
    wide = artists(figure, "block")[0].get_width()
    assert len(artists(figure, "block")) == len(table.blocks) == 22 + 6
    for block in table.blocks:
        name, kind, shape = (text.get_text() for text in artists(figure, f"text:{block.path}"))
        assert (name, kind) == (block.path.removeprefix("model."), block.type)
        assert shape == "×".join(map(str, block.output[1:]))
        (bar,) = artists(figure, f"cost:{block.path}")
        assert bar.get_width() == pytest.approx(wide * block.multiply_adds / most)


def test_rows_are_levels_and_columns_are_parts(table, figure, artists):
    rows = {block.level: set() for block in table.blocks}
    for block in table.blocks:
        rows[block.level].add(round(artists(figure, f"cost:{block.path}")[0].get_y(), 6))
    assert all(len(heights) == 1 for heights in rows.values())
    heights = [rows[level].pop() for level in ("P1", "P2", "P3", "P4", "P5")]
    assert heights == sorted(heights, reverse=True)
    left = [artists(figure, f"cost:model.{name}")[0].get_x() for name in ("4", "15", "22.cv3.0")]
    assert left == sorted(left)


def test_arrows_are_the_data_flow(table, figure, artists):
    shown = {block.path for block in table.blocks}
    assert len(artists(figure, "arrow")) == sum(len(shown & set(block.sources)) for block in table.blocks)
    assert shown & set(table["model.11"].sources) == {"model.10", "model.6"}


def test_bars_tell_where_the_cost_lies(table, figure, artists):
    room = (
        sum(bar.get_width() for bar in artists(figure, "bar:backbone")[:1])
        / table.totals()["backbone"].multiply_adds_share
    )
    work, params = artists(figure, "bar:head P3")
    assert work.get_width() == pytest.approx(room * table.totals()["head P3"].multiply_adds_share)
    assert params.get_width() == pytest.approx(room * table.totals()["head P3"].params_share)


@pytest.mark.parametrize("name", ["yolov8x", "yolov10n", "yolo11n"])
def test_no_text_leaves_its_block(name, pixels, artists):
    table = anatomy.layers(DetectionModel(f"{name}.yaml", verbose=False), 640)
    figure = viz.layers(table)
    pixels(figure)
    boxes = {
        patch.get_xy(): patch.get_window_extent() for patch in figure.findobj(Rectangle) if patch.get_gid() == "block"
    }
    for block in table.blocks:
        texts = artists(figure, f"text:{block.path}")
        middle = texts[0].get_window_extent()
        around = next(box for box in boxes.values() if box.contains(middle.x0 + middle.width / 2, middle.y0))
        for text in texts:
            extent = text.get_window_extent()
            assert extent.x0 >= around.x0 - 1 and extent.x1 <= around.x1 + 1, text.get_text()
            assert text.get_fontsize() >= 4


def test_it_is_a_vector_drawing_whose_text_stays_text(figure):
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg")
    assert "22.cv3.0</text>" in drawn.getvalue() and "<image" not in drawn.getvalue()


def test_a_network_without_a_pyramid_is_refused():
    with pytest.raises(ValueError, match=r"Linear has no layer whose output is a feature map.*print\(table\)"):
        viz.layers(anatomy.layers(nn.Linear(4, 4), (1, 1, 1, 4)))
