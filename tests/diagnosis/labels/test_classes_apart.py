"""Boxes of single classes that are written otherwise in all files: named by class, and mended there alone."""

import json
from dataclasses import replace

import numpy as np
import pytest

import diagnosis
from diagnosis import Mend, Reading
from diagnosis.labels.class_readings import of_classes
from diagnosis.labels.fixing.choice import chosen
from diagnosis.labels.mends import mends_of
from diagnosis.labels.rows import Rows
from diagnosis.labels.told import findings_of
from diagnosis.labels.verdict import judge

from .planted import data_yaml, loaded, plant, report_of
from .planting import material, sights, truths
from .test_fix_coco import box, fixed
from .test_fix_coco import written as written_json

IMAGES = 24
CORNER, CORNERS = Reading(format="xywh"), Reading(format="xyxy")


@pytest.fixture(scope="module")
def truth():
    return truths(IMAGES, 4)


@pytest.fixture(scope="module")
def seen(truth):
    return sights(truth)


def written(given, reading: Reading, classes):
    """The same material with the boxes of some classes written by a reading."""
    rows = given.rows
    mine, size = np.isin(rows.class_id, classes), given.sizes[rows.image]
    quads = rows.quads.copy()
    quads[mine] = reading.written(Reading().boxes(quads[mine], size[mine]), size[mine])
    return replace(given, rows=Rows(**{**vars(rows), "quads": quads}))


@pytest.mark.parametrize(("reading", "classes"), [(CORNER, [0]), (CORNERS, [3, 4]), (Reading(unit="px"), [2])], ids=str)
def test_boxes_of_a_class_are_named_by_it_and_mended_in_all_files(truth, seen, reading, classes):
    verdict = judge(written(material(truth, seen), reading, classes))
    (finding,) = findings_of(verdict)
    assert (finding.code, finding.severity) == (reading.codes[0], "warning")
    assert finding.evidence["class_ids"] == classes
    assert f"(id {classes[0]})" in finding.message and "in all files" in finding.message
    (mend,) = mends_of(verdict)
    assert mend.by_class == dict.fromkeys(classes, reading)
    assert mend.reading == Reading() and len(mend.images) == IMAGES
    assert mend.doubtful == reading.codes and not mend.sure.does


def test_classes_that_are_right_are_kept_from_the_mend_of_all_others(truth, seen):
    verdict = judge(written(material(truth, seen), CORNER, [0, 1, 2, 3, 5]))
    (finding,) = findings_of(verdict)
    assert finding.code == "corner_as_centre" and "'emu' (id 4) are right as they are written" in finding.message
    (mend,) = mends_of(verdict)
    assert mend.reading == CORNER and mend.by_class == {4: Reading()}


def test_a_fault_of_files_stays_one_of_files(truth, seen):
    verdict = judge(material(truth, seen, CORNER, faulty=slice(3, 9)))
    assert verdict.by_class == () and [entry.reading for entry in verdict.votes] == [CORNER]


def test_a_class_that_only_faulty_files_have_does_not_make_it_one_of_the_class():
    """All boxes of the class are written wrongly, and so are the others of its files."""
    some = [(np.where(ids == 5, 4, ids), boxes) for ids, boxes in truths(IMAGES, 4)]
    some[:6] = [(np.concatenate((ids[:1] * 0 + 5, ids[1:])), boxes) for ids, boxes in some[:6]]
    verdict = judge(material(some, sights(some), CORNER, faulty=slice(0, 6)))
    assert verdict.by_class == () and [entry.reading for entry in verdict.votes] == [CORNER]


@pytest.mark.parametrize("seed", range(2))
def test_right_labels_have_no_class_apart(seed):
    some = truths(24, seed + 90)
    assert judge(material(some, sights(some, noise=0.09, seed=seed))).by_class == ()


def test_both_are_found_a_class_in_all_files_and_a_fault_of_some(truth, seen):
    given = written(material(truth, seen, Reading(turn="flipped_vertically"), faulty=slice(3, 9)), CORNER, [0])
    found = {finding.code for finding in findings_of(judge(given))}
    assert "corner_as_centre" in found and "flipped_vertically" in found


def plant_a_class(root, class_id: int):
    """Right labels of three classes, of which one is written by its corner."""
    right = plant(root, Reading())
    for path in sorted((root / "labels").rglob("*.txt")):
        lines = [line.split() for line in path.read_text().splitlines()]
        for words in lines:
            if int(words[0]) == class_id:
                x, y, w, h = map(float, words[1:])
                words[1:3] = [f"{x - w / 2:.10g}", f"{y - h / 2:.10g}"]
        path.write_text("".join(" ".join(words) + "\n" for words in lines))
    return right


def test_only_rows_of_the_class_are_mended_and_the_others_stay_to_the_byte(tmp_path):
    right = plant_a_class(tmp_path / "set", 1)
    label = tmp_path / "set/labels/val/0.txt"
    images = sorted((tmp_path / "set").rglob("*.png"))
    report = report_of(images, by_class={1: CORNER}, codes=CORNER.codes)
    made = diagnosis.fix_labels(report, data_yaml(tmp_path / "set"), tmp_path / "out")
    for name, boxes in right.items():
        np.testing.assert_allclose(loaded(made)[name][1], boxes, atol=2e-7)
    before, after = label.read_text().splitlines(), (tmp_path / "out/labels/val/0.txt").read_text().splitlines()
    assert [one == two for one, two in zip(before, after, strict=True)] == [True, False, True]
    told = json.loads((tmp_path / "out/mended.json").read_text())
    assert told["mended"] == {"corner_as_centre": {"files": 4, "rows": 4}}


def test_annotations_of_the_class_alone_are_mended(tmp_path):
    right = [box(10, 5, 8, 4), box(10, 5, 8, 4, category=3)]
    wrong = [right[0] | {"bbox": [6, 3, 8, 4]}, right[1]]  # half the size before
    _, data = fixed(written_json(tmp_path / "set", wrong), by_class={1: CORNER})
    assert data["annotations"] == right


def test_what_is_asked_for_by_class_is_done_there_alone():
    mend = Mend(images=(), reading=CORNER, by_class={1: Reading(), 2: CORNERS}, codes=(*CORNER.codes, *CORNERS.codes))
    report = replace(report_of(["a.png"]), mends=(replace(mend, images=("a.png",)),))
    part = chosen(report, CORNER.codes).mends["a.png"]
    assert part.reading == CORNER and part.by_class == {1: Reading(), 2: Reading()}
    part = chosen(report, CORNERS.codes).mends["a.png"]
    assert part.reading == Reading() and of_classes(()) == {} and part.by_class == {2: CORNERS}
