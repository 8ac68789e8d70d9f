"""The photographs behind a number: which rows, in which order, and every mark in its place."""

import io
from types import SimpleNamespace

import numpy as np
import polars
import pytest
from PIL import Image

from diagnosis.surveys.photographs import show
from diagnosis.surveys.photographs.crops import Mark, around, read_photograph, thumbnail, tile
from diagnosis.surveys.photographs.marks import cell_of, marks_of
from diagnosis.surveys.photographs.selection import caption, select
from diagnosis.surveys.photographs.sheet import SIDE

from .frames import a_survey

MISSED = {"found": False, "stage": "confidence"}


@pytest.fixture
def photograph(tmp_path):
    """A black photograph, 200 × 100 px, with a red block from (50, 40) to (60, 50)."""
    pixels = np.zeros((100, 200, 3), np.uint8)
    pixels[40:50, 50:60] = (255, 0, 0)
    path = tmp_path / "block.png"
    Image.fromarray(pixels).save(path)
    return str(path)


def surveyed(path, objects=(), detections=(), **image):
    picture = {"number": 0, "image": path, "width": 200, "height": 100} | image
    rows = ([{"image": path, **row} for row in table] for table in (objects, detections))
    return a_survey(*rows, images=[picture])


def test_objects_come_worst_first():
    objects = [
        {"found": True, "iou": 0.6},
        {"found": True, "iou": 0.9},
        {**MISSED, "iou": 0.7},
        {**MISSED, "iou": 0.2},
        {**MISSED, "iou": 0.2, "number": 1},
    ]
    rows = select(a_survey(objects)).collect()
    assert rows.select("number", "object").rows() == [(0, 3), (1, 0), (0, 2), (0, 0), (0, 1)]


def test_detections_come_by_how_sure_the_wrong_ones_are():
    detections = [
        {"confidence": 0.9},
        {"confidence": 0.4, "error": "background"},
        {"confidence": 0.8, "error": "duplicate"},
        {"confidence": 0.95},
    ]
    assert select(a_survey(detections=detections), table="detections").collect()["detection"].to_list() == [2, 1, 3, 0]


def test_without_labels_the_surest_detections_come_first():
    survey = a_survey(detections=[{"confidence": 0.3}, {"confidence": 0.8}], truth=False)
    assert select(survey, table="detections").collect()["detection"].to_list() == [1, 0]


def test_images_that_were_not_read_come_first_and_then_those_with_most_missed():
    survey = a_survey(
        [{"number": 1}, {"number": 1}, {"number": 2}], images=[{"number": 3, "error": "torn"}, {"number": 0}]
    )
    assert select(survey, table="images").collect()["number"].to_list() == [3, 1, 2, 0]


SMALL_MISSED = [
    polars.col("size").eq("small") & ~polars.col("found"),
    {"size": "small", "found": False},
    {"size": ["small"], "found": [False]},
    "size = 'small' AND NOT found",
    "size = 'small' AND found = false",
]


@pytest.mark.parametrize("where", SMALL_MISSED, ids=str)
def test_rows_are_asked_for_in_three_ways(where):
    objects = [
        {**MISSED, "box": (0, 0, 10, 10)},
        {"found": True, "box": (0, 0, 10, 10)},
        {**MISSED, "box": (0, 0, 99, 99)},
    ]
    assert select(a_survey(objects), where).collect()["object"].to_list() == [0]


def test_none_is_a_value_and_several_values_may_fit():
    survey = a_survey(detections=[{"error": "background"}, {}, {"error": "duplicate"}, {"error": "both"}])
    assert len(select(survey, {"error": None}, "detections").collect()) == 1
    assert len(select(survey, {"error": ["both", None]}, "detections").collect()) == 2
    assert len(select(survey, {"error": []}, "detections").collect()) == 0
    assert len(select(survey, {}, "detections").collect()) == 4


@pytest.mark.parametrize(
    "where",
    [{"colour": "red"}, "colour = 'red'", "size =", polars.col("iou") + 1, "iou; drop", polars.lit(5), "1"],
    ids=str,
)
def test_a_wrong_question_is_told_with_the_columns(where):
    with pytest.raises(ValueError, match=r"where must say of each row whether it fits.*class_name"):
        select(a_survey([MISSED]), where)


def test_what_is_no_question_at_all_is_refused():
    with pytest.raises(ValueError, match="where must be a polars expression"):
        select(a_survey([MISSED]), 3)
    with pytest.raises(ValueError, match="table must be one of 'objects'"):
        show(a_survey([MISSED]), table="rows")
    with pytest.raises(ValueError, match="n = 0"):
        show(a_survey([MISSED]), n=0)


def test_a_small_object_has_64_px_around_it_inside_the_photograph():
    assert around([(50, 40, 60, 50)], 200, 100) == (23, 13, 64)
    assert around([(0, 0, 10, 10)], 200, 100) == (0, 0, 64)
    assert around([(195, 95, 200, 100)], 200, 100) == (136, 36, 64)


def test_a_large_object_has_three_times_its_side_and_at_most_the_photograph():
    assert around([(80, 40, 110, 60)], 300, 300) == (50, 5, 90)
    assert around([(0, 0, 150, 90)], 200, 100) == (0, -50, 200)
    assert around([(0, 0, 10, 10)], 40, 40) == (-12, -12, 64)


def test_a_mark_lies_around_its_box_to_the_pixel(photograph):
    image = read_photograph(photograph)
    drawn = np.asarray(tile(image, (23, 13, 64), [Mark((50, 40, 60, 50), "#00FF00", 1)], 128))
    row = drawn[64]
    assert (row[53] == (0, 255, 0)).all() and (row[74] == (0, 255, 0)).all()
    assert (row[58:70, 0] > 200).all() and (row[58:70, 1] == 0).all()
    assert not ((row == (0, 255, 0)).all(-1)[54:74]).any()


def test_beyond_the_edge_of_a_photograph_a_tile_is_grey(photograph):
    drawn = np.asarray(tile(read_photograph(photograph), (0, -50, 200), [], 200))
    assert (drawn[:45] == (228, 229, 231)).all()
    assert (drawn[60:85] == 0).all()


def test_a_cell_lies_on_the_photograph_as_the_letterbox_says():
    image = {"gain_x": 0.5, "gain_y": 0.25, "pad_x": 4.0, "pad_y": 0.0}
    assert cell_of({"row": 2, "col": 3}, 8.0, image) == (40, 64, 56, 96)


def scene(table, objects, detections=()):
    survey = surveyed("a.jpg", objects, detections)
    rows = select(survey, table=table).collect()
    return marks_of(survey, rows, table)


def test_what_was_found_wears_its_detection_in_the_colour_of_its_level():
    (only,) = scene(
        "objects",
        [{"found": True, "detection": 0, "box": (1, 1, 9, 9), "level": 1}],
        [{"box": (2, 2, 8, 8), "level": 1, "object": 0}],
    )
    assert [(mark.box, mark.color) for mark in only.marks] == [((1, 1, 9, 9), "#FFFFFF"), ((2, 2, 8, 8), "#E69F00")]
    assert only.size == (200, 100)


def test_what_was_missed_wears_the_cell_of_its_candidate_and_what_suppressed_it():
    (only,) = scene(
        "objects",
        [{**MISSED, "stage": "suppressed", "suppressed_by": 0, "row": 1, "col": 2, "level": 2}],
        [{"box": (2, 2, 8, 8), "level": 1}],
    )
    assert [(mark.box, mark.color) for mark in only.marks[1:]] == [
        ((2, 2, 8, 8), "#E69F00"),
        ((64, 32, 96, 64), "#009E73"),
    ]


def test_a_duplicate_wears_the_detection_that_was_better():
    twice = scene(
        "detections",
        [{"found": True, "detection": 0, "box": (1, 1, 9, 9)}],
        [
            {"box": (2, 2, 8, 8), "level": 1, "object": 0},
            {"box": (3, 3, 8, 8), "level": 0, "object": 0, "error": "duplicate"},
        ],
    )
    assert [mark.box for mark in twice[0].marks] == [(1, 1, 9, 9), (2, 2, 8, 8), (3, 3, 8, 8)]
    assert [mark.box for mark in twice[1].marks] == [(1, 1, 9, 9), (2, 2, 8, 8)]


CAPTIONS = [
    (
        "objects",
        {**MISSED, "row": 12, "col": 40, "confidence": 0.31},
        "P3 (12, 40) cat 0.31, missed: not confident enough",
    ),
    ("objects", {**MISSED, "confidence": 0.0012}, "P3 (0, 0) cat 0.001, missed: not confident enough"),
    ("objects", {"found": True, "iou": 0.756, "confidence": 0.5}, "P3 (0, 0) cat 0.50, found: IoU 0.76"),
    (
        "objects",
        {"stage": "wrong_class", "top_class_name": "dog", "top_score": 0.61, "confidence": 0.3},
        "P3 (0, 0) cat 0.30, missed: another class is more likely (dog 0.61)",
    ),
    ("detections", {"confidence": 0.5, "iou": 0.8}, "P3 (0, 0) cat 0.50, correct: IoU 0.80"),
    ("detections", {"confidence": 0.5, "error": "background"}, "P3 (0, 0) cat 0.50, nothing there"),
    (
        "detections",
        {"confidence": 0.5, "error": "both", "iou": 0.3},
        "P3 (0, 0) cat 0.50, class and box wrong (IoU 0.30)",
    ),
]


@pytest.mark.parametrize(("table", "row", "words"), CAPTIONS)
def test_a_row_in_words(table, row, words):
    survey = a_survey(**{table: [row]})
    assert caption(getattr(survey, table).collect().row(0, named=True), table) == words


def test_without_labels_nothing_is_said_of_right_and_wrong():
    survey = a_survey(detections=[{"confidence": 0.5}], truth=False)
    assert caption(survey.detections.collect().row(0, named=True), "detections") == "P3 (0, 0) cat 0.50"


def test_a_sheet_shows_the_worst_rows(photograph, tmp_path):
    objects = [{**MISSED, "box": (50, 40, 60, 50), "iou": i / 10} for i in range(5)]
    shown = show(surveyed(photograph, objects), n=3)
    assert shown.rows["object"].to_list() == [0, 1, 2]
    assert (len(shown), shown.fitting, repr(shown)) == (3, 5, "Photographs(3 of 5 rows)")
    assert shown.image.dtype == np.uint8 and shown.image.shape[1] > 2 * SIDE
    red = (shown.image[:SIDE, :SIDE, 0] > 200) & (shown.image[:SIDE, :SIDE, 1] < 30)
    assert red.any()
    written = shown.save(tmp_path / "sheet.png")
    with Image.open(written) as again, Image.open(io.BytesIO(shown._repr_png_())) as held:
        assert (np.asarray(again) == shown.image).all() and (np.asarray(held) == shown.image).all()


def test_no_row_makes_a_sheet_that_says_so():
    shown = show(a_survey([MISSED]), {"found": True})
    assert len(shown) == 0 and shown.fitting == 0 and shown.image.std() > 0


def test_a_photograph_that_is_gone_or_of_another_size_leaves_a_grey_tile(photograph):
    for survey in (surveyed("gone.jpg", [MISSED]), surveyed(photograph, [MISSED], width=300)):
        corner = show(survey).image[10:60, 10:200]
        assert (corner == (228, 229, 231)).all()


def test_whole_images_are_shown_as_well(photograph):
    shown = show(surveyed(photograph, [MISSED], [{"error": "background"}]), table="images")
    assert shown.rows["objects"].to_list() == [1]


def test_a_file_of_another_size_is_named(photograph):
    with pytest.raises(ValueError, match="was 300 × 100 px when it was surveyed, but is 200 × 100 px now"):
        read_photograph(photograph, (300, 100))


@pytest.mark.parametrize("shape", [(900, 1200), (1200, 300), (5, 7), (1, 3000)])
def test_a_thumbnail_keeps_within_its_bytes_and_its_shape(shape):
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    content = thumbnail(noise, 480, 20_000)
    with Image.open(io.BytesIO(content)) as small:
        assert len(content) <= 20_000 and max(small.size) <= min(480, max(shape))
        assert small.width * shape[0] == pytest.approx(small.height * shape[1], rel=0.02, abs=max(shape))


def test_a_level_without_a_stride_and_an_image_without_a_row_are_borne():
    survey = a_survey([MISSED])
    bare = SimpleNamespace(
        objects=survey.objects, detections=survey.detections, images=survey.images.head(0), levels=()
    )
    (only,) = marks_of(bare, survey.objects.collect(), "objects")
    assert only.size is None and len(only.marks) == 1
