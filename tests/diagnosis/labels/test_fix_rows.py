"""Rows of one label file, mended one by one: numbers, classes, what is dropped, and what stays to the byte."""

from pathlib import Path

import numpy as np
import pytest

from diagnosis import Reading
from diagnosis.labels.fixing.label_text import Correction, LabelForm, mend_text

CORNER = Reading(format="xywh")
FLIP = Reading(turn="flipped_horizontally")
NAMES = {0: "bird", 1: "cat", 2: "dog"}


def mended(text, keypoints=None, size=(200, 100), **correction):
    data = text if isinstance(text, bytes) else text.encode()
    return mend_text(data, Path("a.txt"), Correction(size=size, **correction), LabelForm(NAMES, keypoints))


def test_a_corner_becomes_a_centre_and_the_class_stays():
    done = mended("2 0.1 0.2 0.4 0.2\n", reading=CORNER)
    assert done.data == b"2 0.3 0.3 0.4 0.2\n"
    assert (done.rows, done.moved, done.renamed, done.lost) == (1, 1, 0, ())


def test_numbers_have_the_decimals_that_they_need():
    done = mended("0 1 2 1 3", reading=Reading(unit="px"), size=(3, 30))
    assert done.data == b"0 0.33333333 0.06666667 0.33333333 0.1"


def test_where_only_the_class_changes_the_rest_of_the_line_keeps_its_words():
    done = mended("0 0.50 .5 2e-1 0.400\n1 0.5 0.5 0.2 0.4\n", classes={0: 2})
    assert done.data == b"2 0.50 .5 2e-1 0.400\n1 0.5 0.5 0.2 0.4\n"
    assert (done.moved, done.renamed) == (0, 1)


def test_classes_are_mapped_at_once_and_not_one_after_the_other():
    assert mended("0 .5 .5 .2 .4\n1 .5 .5 .2 .4\n", classes={0: 1, 1: 0}).data == b"1 .5 .5 .2 .4\n0 .5 .5 .2 .4\n"


def test_a_row_whose_class_is_meant_to_be_none_of_the_set_is_left_out_and_told():
    done = mended("0 .5 .5 .2 .4\n1 .5 .5 .2 .4\n2 .5 .5 .2 .4\n", classes={0: -1, 1: 0, 2: 3})
    assert (done.data, done.nameless, done.renamed) == (b"0 .5 .5 .2 .4\n", (1, 3), 1)


@pytest.mark.parametrize(
    "data", [b"", b"\xef\xbb\xbf0 0.10 0.5 0.2 0.4\r\n\r\n\xff\xfe x\n0 nan 1 1 1\n  ", b"\n\n", b"a b"]
)
def test_what_is_not_touched_stays_to_the_byte(data):
    assert mended(data, classes={7: 1}, reading=Reading()).data == data
    assert mended(data).data == data


def test_ends_of_lines_stay_as_they_are_around_what_changes():
    data = b"\xef\xbb\xbf0 .2 .5 .2 .4\r\n\r\n\xff 1\n1 0.2 .5 .2 .4"
    assert mended(data, reading=FLIP).data == b"\xef\xbb\xbf0 0.8 .5 .2 .4\r\n\r\n\xff 1\n1 0.8 .5 .2 .4"


def test_a_row_that_the_reading_puts_off_the_image_is_left_out_and_told():
    done = mended("0 0.5 0.5 0.2 0.4\n1 1.5 0.5 0.2 0.4\n2 .5 .5 .2 .4", reading=FLIP)
    assert done.data == b"0 0.5 0.5 0.2 0.4\n2 .5 .5 .2 .4"
    assert done.lost == (2,)


def test_a_box_is_cut_only_where_ultralytics_would_reject_it():
    edge = Reading(shift=(-0.3, 0.0))
    done = mended("0 0.6 0.5 0.4 0.4\n0 0.65 0.5 0.8 0.4\n0 0.75 0.5 0.4 0.4\n", reading=edge)
    rows = np.array([line.split() for line in done.data.decode().splitlines()], float)
    assert rows[:, 1:4:2] == pytest.approx(np.array([[0.9, 0.4], [0.95, 0.8], [0.925, 0.15]]))


def test_polygons_follow_by_what_holds_for_points_and_a_format_is_not_theirs():
    polygon = "1 0.1 0.2 0.3 0.2 0.3 0.8 0.1 0.9\n"
    assert mended(polygon, reading=FLIP).data == b"1 0.9 0.2 0.7 0.2 0.7 0.8 0.9 0.9\n"
    assert mended(polygon, reading=CORNER).data == polygon.encode()
    both = Reading(format="xywh", turn="flipped_horizontally")
    assert mended(polygon, reading=both).data == mended(polygon, reading=FLIP).data
    assert mended("0 20 10 60 10 60 50", reading=Reading(unit="px")).data == b"0 0.1 0.1 0.3 0.1 0.3 0.5"


def test_key_points_follow_their_box_but_for_those_that_are_not_labelled():
    row = "0 0.3 0.5 0.2 0.4 0.25 0.4 2 0.35 0.6 1 0 0 0\n"
    flipped = b"0 0.7 0.5 0.2 0.4 0.75 0.4 2 0.65 0.6 1 0 0 0\n"
    assert mended(row, (3, 3), reading=FLIP).data == flipped
    row = "0 0.3 0.5 0.2 0.4 0.25 0.4 0 0 0.35 0.6\n"
    assert mended(row, (3, 2), reading=FLIP).data == b"0 0.7 0.5 0.2 0.4 0.75 0.4 0 0 0.65 0.6\n"


def test_key_points_that_are_right_already_stay():
    row = "0 0.1 0.3 0.4 0.4 0.45 0.6 2 0.4 0.65 2\n"
    assert mended(row, (2, 3), reading=CORNER).data == b"0 0.3 0.5 0.4 0.4 0.45 0.6 2 0.4 0.65 2\n"
    assert mended("0 0.3 0.5 0.2 0.4 0.75 0.4 2 0.65 0.6 2", (2, 3), reading=FLIP).data.split()[5] == b"0.75"


def test_rows_are_dropped_where_their_code_is_asked_for_and_nowhere_else():
    rows = [
        "0 .5 .5 .2 .4",
        "0 .5 .5 .2 .4",
        "9 .5 .5 .2 .4",
        "0 .5 .5 0 .4",
        "0 5 5 .2 .4",
        "x",
        "1 2 3",
        "-1 .5 .5 .2 .4",
    ]
    codes = [
        "duplicate_row",
        "class_unknown",
        "empty_box",
        "off_image",
        "not_a_number",
        "wrong_columns",
        "class_negative",
    ]
    text = "\n".join(rows) + "\n"
    for line, code in enumerate(codes, 1):
        done = mended(text, drop=frozenset([code]))
        assert done.data.decode() == "".join(f"{row}\n" for i, row in enumerate(rows) if i != line)
        assert done.dropped == {code: 1}
    assert mended(text, drop=frozenset(codes)).data == b"0 .5 .5 .2 .4\n"


def test_rows_are_judged_as_they_are_once_mended():
    text = "0 20 10 40 20\n0 20.0 10 40 20\n0 500 10 40 20\n"
    done = mended(text, reading=Reading(unit="px"), drop=frozenset(["off_image", "duplicate_row"]))
    assert done.data == b"0 0.1 0.1 0.2 0.2\n"
    assert (done.dropped, done.lost) == ({"duplicate_row": 1}, (3,))


def test_rows_out_of_0_to_1_are_cut_where_it_is_asked_for():
    lines = ["0 -0.1 0.5 0.4 0.2", "1 0.5 0.5 .2 .4", "2 0.9 0.5 0.4 0.2", "0 -0.2 0.1 0.6 0.1 -0.9 0.9", "0 9 9 1 1"]
    found = mended("\n".join(lines).encode(), cut=True)
    kept = lines[1], lines[2], lines[4]  # a centre and a size in [0, 1] are let pass; off the image is another code
    assert found.data.decode().splitlines() == ["0 0.05 0.5 0.1 0.2", *kept[:2], "0 0 0.1 0.6 0.1 0 0.9", kept[2]]
    assert (found.cut, found.moved) == (2, 0)
    assert mended("\n".join(lines).encode()).data.decode().splitlines() == lines
