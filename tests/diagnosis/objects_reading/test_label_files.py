"""One label file: the rows that stay, and what is told of the others."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import diagnosis

from .written import codes, labelled

GOOD = "0 0.5 0.5 0.2 0.4"


def read(tmp_path, text, names=("bird", "cat", "dog")):
    image = labelled(tmp_path, "one", text)
    return diagnosis.read_labels(image, names=names)[0]


def test_a_box_is_read_to_the_digit(tmp_path):
    labels = read(tmp_path, "1 0.25 0.5 0.125 0.75\n\n2 0.1 0.2 0.3 0.4\n")
    assert labels.class_id.dtype == np.int64
    assert labels.class_id.tolist() == [1, 2]
    assert labels.class_names() == ("cat", "dog")
    assert labels.cxcywh.dtype == np.float64
    assert labels.cxcywh.tolist() == [[0.25, 0.5, 0.125, 0.75], [0.1, 0.2, 0.3, 0.4]]
    assert labels.lines.tolist() == [1, 3]
    assert labels.crowd.tolist() == [False, False]
    assert labels.segments == ((), ())
    assert labels.problems == ()
    assert labels.boxes(80, 40)[0].tolist() == [15.0, 5.0, 25.0, 35.0]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("0 0.5 0.5 0.2", "wrong_columns"),
        ("0 0.5 0.5 0.2 0.4 0.9", "wrong_columns"),
        ("0 0.1 0.1 0.2 0.2 0.3 0.3 0.4", "wrong_columns"),
        ("0", "wrong_columns"),
        ("bird 0.5 0.5 0.2 0.4", "not_a_number"),
        ("0 0.5 0,5 0.2 0.4", "not_a_number"),
        ("0 nan 0.5 0.2 0.4", "not_finite"),
        ("0 0.5 0.5 inf 0.4", "not_finite"),
        ("0 0.1 0.1 inf 0.2 0.3 0.3", "not_finite"),
        ("-1 0.5 0.5 0.2 0.4", "class_negative"),
        ("0.5 0.5 0.5 0.2 0.4", "class_not_whole"),
        ("3 0.5 0.5 0.2 0.4", "class_unknown"),
        ("1e300 0.5 0.5 0.2 0.4", "class_unknown"),
        ("0 0.5 0.5 0 0.4", "empty_box"),
        ("0 0.5 0.5 0.2 -0.4", "empty_box"),
        ("0 0.5 0.5 1e-30 0.4", "empty_box"),
        ("0 0.1 0.1 0.3 0.1 0.5 0.1", "empty_box"),
        ("0 320 240 100 80", "off_image"),
        ("0 -0.5 0.5 0.2 0.2", "off_image"),
    ],
)
def test_a_bad_row_is_left_out_and_told_by_its_line(tmp_path, line, code):
    labels = read(tmp_path, f"{GOOD}\n{line}\n1 0.5 0.5 0.2 0.4\n")
    assert codes(problem for problem in labels.problems if problem.code != "mixed_rows") == [(code, 2, False)]
    assert labels.lines.tolist() == [1, 3]
    told = labels.problems[-1]
    assert told.path == labels.path == tmp_path / "labels" / "one.txt"
    assert str(told).startswith(f"{told.path}:2: {code}: ")
    assert told.code in diagnosis.PROBLEMS


@pytest.mark.parametrize(
    "line", ["0 1.2 0.5 0.5 0.4", "0 0.5 0.5 1.5 0.4", "0 -0.05 0.5 0.2 0.4", "0 1.005 0.5 0.2 0.4"]
)
def test_a_box_that_leaves_the_image_is_kept_and_told(tmp_path, line):
    labels = read(tmp_path, line)
    assert codes(labels.problems) == [("outside", 1, True)]
    assert labels.cxcywh.tolist() == [list(map(float, line.split()[1:]))]
    assert labels.problems[0].values == tuple(map(float, line.split()))
    assert ("lets pass" in labels.problems[0].message) == ("1.005" in line)


def test_without_names_every_whole_id_stands(tmp_path):
    assert read(tmp_path, "907 0.5 0.5 0.2 0.4", names=None).class_id.tolist() == [907]
    assert codes(read(tmp_path, "3e9 0.5 0.5 0.2 0.4", names=None).problems) == [("class_unknown", 1, False)]


def test_a_row_is_kept_once(tmp_path):
    labels = read(tmp_path, f"1 0.5 0.5 0.2 0.4\n{GOOD}\n1 0.50 0.5 0.2 0.4\n1 0.500000000001 0.5 0.2 0.4\n")
    assert labels.lines.tolist() == [1, 2]
    assert codes(labels.problems) == [("duplicate_row", 3, False), ("duplicate_row", 4, False)]
    assert "line 1" in labels.problems[0].message


def test_a_polygon_becomes_its_box_and_is_kept(tmp_path):
    labels = read(tmp_path, "2 0.1 0.2 0.5 0.2 0.3 0.8\n1 0.2 0.1 0.6 0.3 0.4 0.9 0.1 0.5\n")
    np.testing.assert_allclose(labels.cxcywh, [[0.3, 0.5, 0.4, 0.6], [0.35, 0.5, 0.5, 0.8]], atol=1e-15)
    assert labels.segments[0][0].tolist() == [[0.1, 0.2], [0.5, 0.2], [0.3, 0.8]]
    assert labels.segments[1][0].shape == (4, 2)  # or the corners of a rotated box
    assert labels.problems == ()


def test_boxes_among_polygons_are_kept_and_told_once(tmp_path):
    labels = read(tmp_path, f"2 0.1 0.2 0.5 0.2 0.3 0.8\n{GOOD}\n1 0.5 0.5 0.2 0.2\n")
    assert len(labels) == 3
    assert codes(labels.problems) == [("mixed_rows", 2, True)]


@pytest.mark.parametrize(
    ("text", "told", "rows"),
    [
        (b"", [("empty_file", None, True)], 0),
        (b" \n\t\n", [("empty_file", None, True)], 0),
        (b"\xef\xbb\xbf0 0.5 0.5 0.2 0.4\r\n1 0.5 0.5 0.2 0.4\r\n", [], 2),
        (b"0 0.5 0.5 0.2 0.4\n1 0.5 0.5 \xff0.2 0.4\n", [("undecodable", 2, True), ("not_a_number", 2, False)], 1),
        ("0 0.5 0.5 0.2 0.4".encode("utf-16"), [("undecodable", 1, True), ("not_a_number", 1, False)], 0),
    ],
)
def test_bytes_are_utf8_with_any_ends_of_line(tmp_path, text, told, rows):
    labels = read(tmp_path, text)
    assert len(labels) == rows
    assert codes(labels.problems) == told


def test_a_folder_in_its_place_is_told(tmp_path):
    image = labelled(tmp_path, "one", None)
    (tmp_path / "labels" / "one.txt").mkdir(parents=True)
    labels = diagnosis.read_labels(image)[0]
    assert len(labels) == 0
    assert codes(labels.problems) == [("folder", None, False)]


def test_a_file_that_cannot_be_opened_is_told(tmp_path, monkeypatch):
    image = labelled(tmp_path, "one", GOOD)

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    labels = diagnosis.read_labels(image)[0]
    assert codes(labels.problems) == [("unreadable", None, False)]
    assert "Permission denied" in labels.problems[0].message


side = st.floats(1e-6, 1)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 79), side, side, side, side), max_size=8))
def test_what_is_written_is_read_again(tmp_path_factory, rows):
    root = tmp_path_factory.mktemp("set")
    image = labelled(root, "one", "".join(" ".join(map(repr, row)) + "\n" for row in rows))
    labels = diagnosis.read_labels(image)[0]
    distinct = {tuple(np.float32(row).tolist()): row for row in reversed(rows)}
    expected = sorted(distinct.values(), key=rows.index)
    assert labels.class_id.tolist() == [row[0] for row in expected]
    assert labels.cxcywh.tolist() == [list(row[1:]) for row in expected]
    pixels = labels.boxes(640, 480)
    np.testing.assert_allclose((pixels[:, :2] + pixels[:, 2:]) / 2, labels.cxcywh[:, :2] * (640, 480), atol=1e-9)
    np.testing.assert_allclose(pixels[:, 2:] - pixels[:, :2], labels.cxcywh[:, 2:] * (640, 480), atol=1e-9)
