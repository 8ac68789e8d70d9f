"""Labels as written and as they would be, suspects, and plain labels: what is drawn where, and in which words."""

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

import diagnosis
import viz
from diagnosis import LabelReport, Mend, Reading
from diagnosis.labels.previews import _even
from diagnosis.labels.tables import suspect_rows

SIZES = {"landscape": (80, 40), "portrait": (40, 80), "tiny": (6, 4)}
NAMES = ["car", "bus", "$lorry$"]
RIGHT = np.array([[0.25, 0.25, 0.75, 0.5], [0.5, 0.5, 1.0, 1.0]])
CORNER = Reading(format="xywh")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A set of three shapes whose corners are centres, every one with a car and a bus."""
    root = tmp_path_factory.mktemp("set")
    for folder in ("images", "labels"):
        (root / folder).mkdir()
    for name, size in SIZES.items():
        image = np.full((size[1], size[0], 3), 90, np.uint8)
        cv2.imwrite(str(root / "images" / f"{name}.png"), image)
        rows = [f"{i} {' '.join(map(str, quad))}" for i, quad in enumerate(CORNER.written(RIGHT, size))]
        (root / "labels" / f"{name}.txt").write_text("\n".join(rows))
    path = root / "data.yaml"
    path.write_text(f"val: images\nnames: {NAMES}\n")
    return path


def reported(data, **mend) -> LabelReport:
    images = diagnosis.read_labels(data).images
    return LabelReport(subject="set", mends=(Mend(images=images, split="val", **mend),), data=data)


def hulls(artists, ax, gid) -> np.ndarray:
    """(n, 4) xyxy of what is drawn under an id, in px of the photograph."""
    paths = [path for drawn in ax.findobj(lambda one: one.get_gid() == gid) for path in drawn.get_paths()]
    return np.array([np.concatenate((path.vertices.min(0), path.vertices.max(0))) for path in paths]).reshape(-1, 4)


def panels(figure) -> dict:
    return {ax.get_title(): ax for ax in figure.axes if ax.get_title()}


def test_boxes_lie_as_written_and_as_they_would_be_on_every_shape(data, artists):
    shown = panels(viz.labels(reported(data, reading=CORNER, codes=("corner_as_centre",))))
    assert shown.keys() == {"landscape.png", "portrait.png", "tiny.png"}
    for name, size in SIZES.items():
        ax, scale = shown[f"{name}.png"], np.tile(size, 2)
        written = RIGHT - np.tile((RIGHT[:, 2:] - RIGHT[:, :2]) / 2, 2)  # the corner, taken for the centre
        np.testing.assert_allclose(hulls(artists, ax, "written"), written * scale)
        np.testing.assert_allclose(hulls(artists, ax, "meant"), RIGHT * scale)
        (photograph,) = ax.findobj(lambda one: one.get_gid() == "photograph")
        assert photograph.get_extent() == [0, size[0], size[1], 0]


def test_written_is_dashed_meant_is_not_and_neither_has_the_colour_of_the_other(data, artists):
    figure = viz.labels(reported(data, reading=CORNER, codes=("corner_as_centre",)), images=1)
    (written,), (meant,) = artists(figure, "written"), artists(figure, "meant")
    assert written.get_linestyle()[0][1] is not None and meant.get_linestyle()[0][1] is None
    assert (written.get_edgecolor() != meant.get_edgecolor()).any()


def test_a_pixel_is_as_wide_as_tall_and_photographs_do_not_hang_over(data, pixels):
    figure = viz.labels(reported(data, reading=CORNER))
    assert pixels(figure).any()
    for ax in panels(figure).values():
        box = ax.get_window_extent()
        across, down = np.abs(np.diff(ax.get_xlim()))[0], np.abs(np.diff(ax.get_ylim()))[0]
        assert box.width / across == pytest.approx(box.height / down, rel=0.01)


def test_the_code_is_told_in_words_and_boxes_off_the_photograph_are_counted(data):
    away = Reading(shift=(1.5, 0.0))
    figure = viz.labels(reported(data, reading=away, codes=("shifted",)))
    told = " ".join(figure.legends[0].get_title().get_text().split())
    assert f"shifted: {away} (3 files of val)" in told
    assert "6 of 6 boxes lie off their photograph as written" not in told
    figure = viz.labels(reported(data, reading=CORNER, codes=("corner_as_centre",)))
    assert "corner_as_centre: the upper left corner in place of the centre" in figure.legends[0].get_title().get_text()


def test_only_boxes_of_a_class_move_where_it_alone_is_mended(data, artists):
    figure = viz.labels(reported(data, by_class={1: CORNER}, codes=("corner_as_centre",)))
    ax = panels(figure)["landscape.png"]
    drawn, scale = hulls(artists, ax, "meant"), np.tile(SIZES["landscape"], 2)
    moved = np.abs(drawn - RIGHT[1] * scale).max(1) < 1e-6
    assert moved.sum() == 1 and not (np.abs(drawn - RIGHT[0] * scale).max(1) < 1e-6).any()
    text = " ".join(figure.legends[0].get_title().get_text().split())
    assert f"corner_as_centre, {NAMES[1]} alone: the upper left corner" in text


def test_where_classes_change_both_names_stand_there_and_boxes_that_stay_are_drawn_once(data, artists):
    figure = viz.labels(reported(data, classes={0: 2}, codes=("ids_shifted",)), images=1)
    assert [note.get_text() for note in artists(figure, "label")] == ["was car → is $lorry$"]
    assert not hulls(artists, figure, "written").size and len(hulls(artists, figure, "meant")) == 2
    assert "ids_shifted: class ids are off by a constant" in figure.legends[0].get_title().get_text()


def test_the_legend_tells_as_written_only_where_it_is_drawn(data):
    ids = viz.labels(reported(data, classes={0: 2}, codes=("ids_shifted",)), images=1).legends[0]
    boxes = viz.labels(reported(data, reading=CORNER, codes=("corner_as_centre",)), images=1).legends[0]
    assert [text.get_text() for text in ids.get_texts()] == ["as it would be"]
    assert [text.get_text() for text in boxes.get_texts()] == ["as written", "as it would be"]


def test_each_code_has_an_even_share_of_the_photographs():
    """Two mends of ids alone, and one of boxes and ids: a corner is shown as often as ids alone would be."""
    ids = Mend(images=(), classes={0: 1}, codes=("ids_shifted",))
    both = Mend(images=(), reading=CORNER, classes={0: 1}, codes=("corner_as_centre", "ids_shifted"))
    listed = [SimpleNamespace(mend=mend, place=i) for i, mend in enumerate([ids, ids, both, ids, ids, both, both])]
    assert [one.place for one in _even(listed, 4)] == [0, 2, 5, 6]


def test_the_photographs_that_gain_most_come_first(tmp_path, artists):
    """Two photographs: on one the mended box lies on edges, on the other nothing is to be seen."""
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for name, seen in (("a", False), ("b", True)):
        image = np.full((100, 100, 3), 90, np.uint8)
        if seen:
            image[30:70, 40:80] = 220
        cv2.imwrite(str(tmp_path / "images" / f"{name}.png"), image)
        (tmp_path / "labels" / f"{name}.txt").write_text("0 0.4 0.3 0.4 0.4\n")
    images = tuple(sorted((tmp_path / "images").iterdir()))
    report = LabelReport("set", mends=(Mend(images=images, reading=CORNER),))
    assert list(panels(viz.labels(report))) == ["b.png", "a.png"]
    assert list(panels(viz.labels(report, images=1))) == ["b.png"]


def test_files_that_are_paired_anew_show_what_stands_there_and_what_belongs_there(tmp_path, artists):
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for i in range(3):
        cv2.imwrite(str(tmp_path / "images" / f"{i}.png"), np.full((10, 10, 3), 90, np.uint8))
        (tmp_path / "labels" / f"{i}.txt").write_text("0 0.5 0.5 0.2 0.2\n" * (i + 1))
    images = tuple(sorted((tmp_path / "images").iterdir()))
    report = LabelReport("set", mends=(Mend(images=images, pairing=1, codes=("files_mispaired",)),))
    shown = panels(viz.labels(report))
    assert shown.keys() == {"1.png", "2.png"}  # the labels of the last belong to none
    assert len(hulls(artists, shown["2.png"], "written")) == 1  # equal rows are one
    assert len(hulls(artists, shown["2.png"], "meant")) == 1


def suspects(data) -> LabelReport:
    images = {path.stem: str(path) for path in diagnosis.read_labels(data).images}
    row = {
        "split": "val",
        "confidence": 0.91,
        "iou": 0.55,
        "x1": 10.0,
        "y1": 10.0,
        "x2": 20.0,
        "y2": 30.0,
        "score": 1.0,
    }
    rows = [
        row | {"image": images["landscape"], "line": None, "kind": "lacking", "class_name": "car", "other": "car"},
        row | {"image": images["portrait"], "line": 2, "kind": "class", "class_name": "car", "other": "$lorry$"},
        row | {"image": "gone.png", "line": 1, "kind": "loose", "class_name": "bus", "other": "bus"},
        row | {"image": images["portrait"], "line": 1, "kind": "loose", "class_name": "bus", "other": "bus"},
    ]
    return LabelReport("set", suspects=suspect_rows(rows), data=data)


def test_suspects_are_shown_with_kind_class_and_confidence(data, artists):
    figure = viz.labels(suspects(data), "suspects")
    assert list(panels(figure)) == [
        "no label: car 0.91\nlandscape.png",
        "car, seen as $lorry$ 0.91\nportrait.png:2",
        "bus: loose, IoU 0.55\nportrait.png:1",  # the photograph that is gone is passed over
    ]
    for ax, kind in zip(panels(figure).values(), ("lacking", "class", "loose"), strict=True):
        np.testing.assert_allclose(hulls(artists, ax, f"suspect:{kind}"), [[10, 10, 20, 30]])
        assert ax.get_xlim()[0] <= 10 and ax.get_xlim()[1] >= 20
    assert "The first 1 of 4" in viz.labels(suspects(data), "suspects", images=1).legends[0].get_title().get_text()


@pytest.mark.parametrize("given", ["yaml", "report", "set"])
def test_plain_labels_are_drawn_with_their_names(data, artists, given):
    source = {"yaml": data, "report": LabelReport("fine", data=data), "set": diagnosis.read_labels(data)}[given]
    figure = viz.labels(source, images=2)
    assert list(panels(figure)) == ["landscape.png: 2 objects", "tiny.png: 2 objects"]
    ax = panels(figure)["landscape.png: 2 objects"]
    np.testing.assert_allclose(hulls(artists, ax, "boxes:0"), [[0, 5, 40, 15]])
    assert {note.get_text() for note in artists(figure, "label")} <= set(NAMES)


def test_polygons_are_drawn_as_polygons_and_a_crowd_is_counted(tmp_path, artists):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((10, 20, 3), 90, np.uint8))
    (tmp_path / "a.txt").write_text("3 0.1 0.2 0.5 0.2 0.5 0.8\n")
    figure = viz.labels(tmp_path / "a.png")
    (drawn,) = [one for one in artists(figure, "polygons:3") if one.get_gid()]
    np.testing.assert_allclose(drawn.get_paths()[0].vertices[:3], [[2, 2], [10, 2], [10, 8]])
    rows = [f"{i % 30} {x:.3f} 0.5 0.01 0.5" for i, x in enumerate(np.linspace(0.1, 0.9, 120))]
    (tmp_path / "a.txt").write_text("\n".join(rows))
    figure = viz.labels(tmp_path / "a.png", most=5)
    assert "and 18 classes more" in [text.get_text() for text in figure.legends[0].get_texts()]
    assert figure.legends[0].get_title().get_text().startswith("No room for 1")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"what": "boxes"}, "what must be one of 'mends', 'suspects', 'labels', but 'boxes'"),
        ({"images": 0}, "images must be at least 1"),
        ({"what": "mends"}, "no mend"),
        ({"what": "suspects"}, "no suspects"),
        ({"what": "labels"}, "Give them: viz.labels"),
        ({}, "Give them: viz.labels"),
    ],
)
def test_what_cannot_be_drawn_is_told(given, told):
    with pytest.raises(ValueError, match=told):
        viz.labels(LabelReport("fine"), **given)


def test_a_set_has_no_mends_and_data_of_another_set_is_told(data, tmp_path):
    with pytest.raises(ValueError, match="of what check_labels returned"):
        viz.labels(data, "mends")
    report = LabelReport("set", mends=(Mend(images=(Path("other.png"),), reading=CORNER),), data=data)
    with pytest.raises((LookupError, ValueError)):
        viz.labels(report)
