"""Findings of files: one a code, with how many, where, and the mend; copies of images by path, bytes and content."""

import cv2
import numpy as np
import pytest

import diagnosis
from diagnosis.labels.files import copy_findings, find_copies, image_findings, look_at_all, tally_files
from tests.diagnosis.objects_reading.written import labelled

BOX = "0 .5 .5 .2 .2\n"


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    """(96, 128, 3) uint8 with structure at every scale."""
    rng = np.random.default_rng(2)
    layers = [cv2.resize(rng.uniform(0, 255, (3 * k, 4 * k, 3)), (128, 96)) for k in (1, 2, 4, 8, 16)]
    return np.mean(layers, 0).astype(np.uint8)


def _tallied(root, names=("a", "b")):
    tally = tally_files(diagnosis.read_labels(root / "images", names=list(names)), progress=False)
    return tally, {found.code: found for found in tally.findings()}


def test_clean_files_have_no_findings(tmp_path):
    for name in "abc":
        labelled(tmp_path, name, BOX)
    labelled(tmp_path, "d", "")  # an image without objects is none
    tally, found = _tallied(tmp_path)
    assert (tally.images, tally.objects, found) == (4, 3, {})
    assert [row["code"] for row in tally.rows("val")] == ["empty_file"]


def test_each_code_is_told_once_with_count_files_and_place(tmp_path):
    labelled(tmp_path, "a", "7 .5 .5 .2 .2\n" + BOX + "8 .4 .5 .2 .2\n")
    labelled(tmp_path, "b", "9 .5 .5 .2 .2\n0 .5 .5 0 .2\n")
    labelled(tmp_path, "c", BOX + BOX + "1 .5 .5 1.5 .2\n1 .5 .5 1.005 .2\n")
    labelled(tmp_path, "d", None)
    (tmp_path / "labels" / "z.txt").write_text(BOX)
    tally, found = _tallied(tmp_path)
    severities = {code: (entry.severity, entry.evidence["count"]) for code, entry in found.items()}
    assert severities == {
        "class_unknown": ("error", 3),
        "empty_box": ("error", 1),
        "duplicates": ("warning", 1),
        "outside": ("warning", 1),  # the last of two: one is rejected, one passes
        "missing_file": ("warning", 1),
        "orphan": ("warning", 1),
    }
    assert [entry.severity for entry in tally.findings() if entry.code == "outside"] == ["error", "warning"]
    unknown = found["class_unknown"]
    assert unknown.message.startswith(
        f"3 class ids are beyond the names in 2 files: {tmp_path / 'labels' / 'a.txt'}:1,"
    )
    assert unknown.message.endswith("Ids count from 0. Mend the ids, or complete the names.")
    assert unknown.evidence["file_count"] == 2 and unknown.evidence["share"] == 0.5
    assert [row["line"] for row in tally.rows("") if row["code"] == "class_unknown"] == [1, 3, 1]


def test_a_file_of_polygons_among_boxes_and_a_set_that_is_mostly_empty(tmp_path):
    for name in "abcd":
        labelled(tmp_path, name, BOX)
    labelled(tmp_path, "e", "0 .1 .1 .5 .1 .5 .5\n")
    _, found = _tallied(tmp_path)
    assert list(found) == ["polygons_among_boxes"]
    assert found["polygons_among_boxes"].message.startswith("1 files hold polygons, 4 hold boxes")
    for name in "fghijk":
        labelled(tmp_path, name, "")
    assert set(_tallied(tmp_path)[1]) == {"polygons_among_boxes", "empty_files"}


def test_images_cut_short_unreadable_tiny_and_turned(tmp_path, photograph):
    from PIL import Image

    whole = tmp_path / "whole.jpg"
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(photograph).save(tmp_path / "turned.jpg", exif=exif)
    Image.fromarray(photograph).save(whole)
    data = whole.read_bytes()
    cv2.imwrite(str(tmp_path / "tiny.png"), photograph[:9, :20])
    (tmp_path / "cut.jpg").write_bytes(data[:-200])
    (tmp_path / "text.jpg").write_bytes(b"none")
    (tmp_path / "notes.jpg").write_bytes(data + b"\0" * 99)  # bytes behind the end are no fault
    thumbnail = (
        data[:2] + b"\xff\xe1\x00\x04" + data[-2:] + data[2:-200]
    )  # the end mark of a thumbnail, none of its own
    (tmp_path / "thumbnail.jpg").write_bytes(thumbnail)
    files = look_at_all(sorted(tmp_path.iterdir()), progress=False)
    assert {entry.path.stem: entry.fault for entry in files} == {
        "cut": "image_truncated",
        "notes": "",
        "text": "image_unreadable",
        "thumbnail": "image_truncated",
        "tiny": "image_tiny",
        "turned": "",
        "whole": "",
    }
    sizes = {entry.path.stem: (entry.size, entry.orientation) for entry in files}
    assert sizes["turned"] == ((96, 128), 6) and sizes["whole"] == ((128, 96), 1) and sizes["text"][0] is None
    found = {entry.code: entry for entry in image_findings(files)}
    assert {code: entry.severity for code, entry in found.items()} == {
        "image_unreadable": "error",
        "image_truncated": "error",
        "image_tiny": "error",
        "exif_turned": "warning",
    }
    assert found["exif_turned"].evidence["share"] == pytest.approx(1 / 7)


def test_leaks_by_bytes_and_by_content_and_no_alarm_where_something_moved(tmp_path, photograph):
    train, val = tmp_path / "train", tmp_path / "val"
    train.mkdir()
    val.mkdir()
    moved = photograph.copy()
    moved[40:60, 40:60] = 255 - moved[40:60, 40:60]
    other = np.ascontiguousarray(photograph[::-1])
    cv2.imwrite(str(train / "a.png"), photograph)
    cv2.imwrite(str(train / "b.png"), other)
    cv2.imwrite(str(train / "grey.png"), np.full((96, 128), 114, np.uint8))
    cv2.imwrite(str(val / "small.jpg"), cv2.resize(photograph, (64, 48), interpolation=cv2.INTER_AREA))
    cv2.imwrite(str(val / "moved.png"), moved)
    cv2.imwrite(str(val / "flat.png"), np.full((96, 128), 116, np.uint8))
    (val / "b_again.png").write_bytes((train / "b.png").read_bytes())
    (val / "b_twice.png").write_bytes((train / "b.png").read_bytes())
    splits = {name: look_at_all(sorted((tmp_path / name).iterdir()), False) for name in ("train", "val")}
    copies = find_copies(splits, progress=False)
    named = [[path.stem for _, path in group] for group in copies.groups]
    assert sorted(named) == [["a", "small"], ["b", "b_again", "b_twice"]] and copies.compared
    leak, twice = copy_findings(copies)
    assert (leak.code, leak.severity, twice.code, twice.severity) == ("leak", "error", "image_copies", "warning")
    assert (leak.evidence["count"], leak.evidence["exact"], leak.evidence["share"]) == (3, 2, 0.6)
    assert twice.evidence["pairs"] == ((str(val / "b_again.png"), str(val / "b_twice.png")),)
    by_bytes = find_copies(splits, progress=False, most=3)
    assert len(by_bytes.groups) == 1 and not by_bytes.compared
    alone = {name: [entry for entry in files if not entry.path.stem.startswith("b_")] for name, files in splits.items()}
    assert [entry.severity for entry in copy_findings(find_copies(alone, False))] == ["warning"]


def test_one_folder_for_both_splits_is_told_as_such(tmp_path, photograph):
    cv2.imwrite(str(tmp_path / "a.png"), photograph)
    files = look_at_all([tmp_path / "a.png"], False)
    (found,) = copy_findings(find_copies({"train": files, "val": files}, False))
    assert (found.code, found.severity) == ("leak", "warning")
    assert found.message.startswith("1 files (100% of 'val') are listed in 'train' and in 'val'")
