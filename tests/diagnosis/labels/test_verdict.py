"""Planted faults are named by what a made-up model sees, with the files they are in; right labels are left alone."""

from dataclasses import replace

import numpy as np
import pytest

from diagnosis import Reading
from diagnosis.labels.class_maps import COCO_NUMBERS
from diagnosis.labels.looking import knows_most
from diagnosis.labels.mends import mends_of
from diagnosis.labels.residuals import _line_of_both
from diagnosis.labels.told import findings_of
from diagnosis.labels.verdict import judge

from .planting import NAMES, material, sights, truths

IMAGES = 32
ALPHABET = {i: sorted(NAMES.values()).index(name) for i, name in NAMES.items()}


@pytest.fixture(scope="module")
def truth():
    return truths(IMAGES)


@pytest.fixture(scope="module")
def seen(truth):
    return sights(truth)


def named(given) -> list[str]:
    return sorted(finding.code for finding in findings_of(judge(given)))


@pytest.mark.parametrize("count", [8, 16, 32])
@pytest.mark.parametrize("seed", range(3))
def test_right_labels_are_left_alone(count, seed):
    some = truths(count, seed + 10)
    verdict = judge(material(some, sights(some, seed=seed)))
    assert findings_of(verdict) == []
    assert mends_of(verdict) == []


@pytest.mark.parametrize(
    "reading",
    [
        Reading(order="xy_swapped"),
        Reading(order="wh_swapped"),
        Reading(order="axes_swapped"),
        Reading(format="xywh"),
        Reading(format="xyxy"),
        Reading(unit="px"),
        Reading(unit="px", format="xyxy"),
        Reading(unit=1000.0),
        Reading(unit="per_px"),
        Reading(format="xyxy_as_xywh"),
        Reading(unit="wrong_side"),
        Reading(unit="width"),
        Reading(turn="flipped_vertically"),
        Reading(turn="rotated_90_cw"),
        Reading(frame="letterbox"),
        Reading(size=2.0),
        Reading(unit="px", order="axes_swapped"),
        Reading(format="xywh", turn="rotated_180"),
    ],
    ids=str,
)
def test_a_fault_of_all_boxes_is_named_and_mended(truth, seen, reading):
    verdict = judge(material(truth, seen, reading))
    assert sorted({finding.code for finding in findings_of(verdict)}) == sorted(reading.codes)
    (mend,) = mends_of(verdict)
    assert mend.reading == reading
    assert len(mend.images) == IMAGES


@pytest.mark.parametrize(
    ("reading", "codes"),
    [
        (Reading(shift=(0.02, 0.0)), ["shifted"]),
        (Reading(scale=(0.9, 0.9)), ["scaled"]),
        (Reading(size=1.4), ["scaled"]),
    ],
)
def test_what_is_fitted_comes_near_to_what_was_planted(truth, seen, reading, codes):
    verdict = judge(material(truth, seen, reading))
    assert [finding.code for finding in findings_of(verdict)] == codes
    (mend,) = mends_of(verdict)
    assert mend.reading.shift == pytest.approx(reading.shift, abs=0.004)
    assert mend.reading.scale == pytest.approx(reading.scale, abs=0.015)
    assert mend.reading.size == pytest.approx(reading.size, rel=0.06)


def test_the_line_through_centres_that_hardly_spread_is_neither_too_flat_nor_too_steep():
    """Both ends of a pair are off, by a third of the spread: a line of one over the other has 0.9 of the slope."""
    rng = np.random.default_rng(0)
    true, image = rng.normal(0.5, 0.03, 3000), np.arange(3000)
    seen, labelled = true + rng.normal(0, 0.01, 3000), 0.1 + 0.8 * true + rng.normal(0, 0.01 * 0.8, 3000)
    found = _line_of_both(seen, labelled, np.ones(3000), image)
    assert (found.slope, found.offset) == (pytest.approx(0.8, abs=0.01), pytest.approx(0.1, abs=0.006))
    assert _line_of_both(seen, true + rng.normal(0, 0.01, 3000), np.ones(3000), image).slope == 1.0


@pytest.mark.parametrize(
    ("written", "codes", "k"),
    [
        ({i: i + 1 for i in NAMES}, ["ids_shifted"], 1),
        ({i: i - 1 for i in NAMES}, ["ids_shifted"], -1),
        (ALPHABET, ["ids_alphabetical"], 0),
        ({1: 4, 4: 1}, ["classes_swapped"], None),
        ({4: 1}, ["classes_merged"], None),
    ],
)
def test_faults_of_classes_are_named(truth, seen, written, codes, k):
    verdict = judge(material(truth, seen, written=written))
    (finding,) = findings_of(verdict)
    assert [finding.code] == codes
    if k is not None:
        assert finding.evidence["k"] == k
    meant = {new: old for old, new in written.items()}
    if codes != ["classes_merged"]:
        (mend,) = mends_of(verdict)
        assert dict(mend.classes) == {i: meant[i] for i in mend.classes}
        assert mend.reading == Reading()


def test_compound_faults_are_named_each(truth, seen):
    given = material(truth, seen, Reading(format="xywh"), {i: i + 1 for i in NAMES})
    assert named(given) == ["corner_as_centre", "ids_shifted"]


def test_a_fault_of_some_files_is_named_with_them(truth, seen):
    verdict = judge(material(truth, seen, Reading(turn="flipped_horizontally"), faulty=slice(4, 10)))
    (finding,) = findings_of(verdict)
    assert finding.code == "flipped_horizontally"
    assert set(finding.evidence["files"]) <= {f"{place:04d}.png" for place in range(4, 10)}
    assert finding.evidence["files_count"] >= 4
    (mend,) = mends_of(verdict)
    assert list(map(str, mend.images)) == finding.evidence["files"]


def test_ids_of_some_files_are_named_with_them(truth, seen):
    verdict = judge(material(truth, seen, written={i: i + 1 for i in NAMES}, faulty=slice(0, 6)))
    (finding,) = findings_of(verdict)
    assert finding.code == "ids_shifted"
    assert set(finding.evidence["files"]) <= {f"{place:04d}.png" for place in range(6)}


@pytest.mark.parametrize("begin", [0, 12])
def test_files_of_other_images_are_named_from_where_they_begin(truth, seen, begin):
    labels = [*truth[:begin], *truth[begin + 1 :], truth[begin]]
    (finding,) = findings_of(judge(material(labels, seen)))
    assert finding.code == "files_mispaired"
    assert finding.evidence["k"] == 1
    assert finding.evidence["share"] == pytest.approx(1 - begin / IMAGES, abs=0.05)


def test_missing_labels_are_named(truth, seen):
    labels = [(ids[::2], boxes[::2]) for ids, boxes in truth]
    (finding,) = findings_of(judge(material(labels, seen)))
    assert finding.code == "labels_missing"
    assert finding.severity == "warning"


def test_a_model_that_sees_something_else_cannot_tell(truth, seen):
    others = sights(truths(IMAGES, 77))
    (finding,) = findings_of(judge(material(truth, others)))
    assert finding.code == "cannot_tell"
    needed = finding.evidence["images_needed"]
    assert needed is None or needed > IMAGES


def test_a_model_of_other_classes_does_not_take_parts_for_wrong_boxes(truth, seen):
    """Heads are labelled, and it sees persons: boxes of 0.3 times the size at their upper ends."""
    heads = []
    for ids, boxes in truth:
        side = boxes[:, 2:] - boxes[:, :2]
        middle = (boxes[:, :2] + boxes[:, 2:]) / 2 - (0, 0.35) * side
        heads.append((ids, np.concatenate((middle - 0.15 * side, middle + 0.15 * side), 1)))
    verdict = judge(replace(material(heads, seen), classes_known=False))
    assert [finding.code for finding in findings_of(verdict)] == ["cannot_tell"]
    assert mends_of(verdict) == []


def test_labels_of_whole_images_are_left_alone():
    rng = np.random.default_rng(0)
    whole = []
    for _ in range(40):
        edge = np.abs(rng.normal(0, 0.005, (1, 2)))
        whole.append((np.zeros(1, np.int64), np.concatenate((edge, 1 - edge), 1)))
    assert set(named(material(whole, sights(whole)))) <= {"cannot_tell"}


@pytest.mark.parametrize(("ids", "known"), [([0, 0, 1], False), ([0, 1], True), ([5, 5, 1], True), ([], True)])
def test_a_model_that_lacks_the_class_of_most_labels_judges_none(ids, known):
    assert knows_most({7: 1}, {0: "head", 1: "person"}, np.array(ids, np.int64)) is known
    assert not knows_most({}, {0: "head", 1: "person"}, np.array(ids, np.int64))


def test_pixels_need_no_class_that_the_model_has(truth, seen):
    given = replace(material(truth, seen, Reading(unit="px")), classes_known=False)
    assert named(given) == ["pixels"]


def test_one_image_cannot_tell(truth, seen):
    (finding,) = findings_of(judge(material(truth[:1], seen[:1])))
    assert finding.code == "cannot_tell"
    assert finding.evidence["images_needed"] >= 4


@pytest.mark.parametrize(("count", "least"), [(1, 16), (8, 16), (20, 21)])
def test_what_would_do_is_always_more_than_was_looked_at(truth, count, least):
    (finding,) = findings_of(judge(material(truth[:count], sights(truths(count, 77)))))
    needed = finding.evidence["images_needed"]
    assert finding.code == "cannot_tell" and (needed is None or needed >= least)
    absurd = needed is not None and needed > 20 * max(count, 16)
    told = "More images would hardly tell" if absurd else f"About {needed} images"
    assert (told if needed else "More images of this kind would tell no more") in str(finding)


ALL_COCO = {i: f"class {i}" for i in range(80)}


@pytest.mark.parametrize(
    ("names", "used", "code", "k", "meant"),
    [
        (NAMES, [1, 2, 6], "ids_shifted", 1, {1: 0, 2: 1, 6: 5}),
        (NAMES, [0, 2, 6], None, 0, {}),
        (NAMES, [1, 2, 5], None, 0, {}),
        (NAMES, [1, 2, 7], None, 0, {}),
        (ALL_COCO, COCO_NUMBERS, "ids_coco91", 0, {1: 0, 13: 11, 90: 79}),
        (ALL_COCO, [number - 1 for number in COCO_NUMBERS], "ids_coco91", -1, {12: 11, 89: 79}),
        (ALL_COCO, [*COCO_NUMBERS, 12], None, 0, {}),
        (ALL_COCO, [1, 2, 3, 90], None, 0, {}),  # four ids miss ten gaps by chance
        (ALL_COCO, range(1, 81), "ids_shifted", 1, {1: 0, 80: 79}),
        ({}, [1, 2, 3], None, 0, {}),
    ],
)
def test_ids_alone_say_what_they_suggest_where_nothing_was_seen_of_classes(truth, names, used, code, k, meant):
    given = replace(material(truth[:2], sights(truth[:2])), seen=None, names=names, used=np.array(list(used)))
    verdict = judge(given)
    found = [finding for finding in findings_of(verdict) if finding.code != "cannot_tell"]
    assert [(finding.code, finding.severity, finding.evidence["k"]) for finding in found] == (
        [(code, "warning", k)] if code else []
    )
    mends = mends_of(verdict)
    assert [mend.doubtful for mend in mends] == ([(code,)] if code else [])
    if code:
        assert not mends[0].sure.does and meant.items() <= mends[0].classes.items()


def test_images_without_labels_do_not_break_it(truth, seen):
    nothing = [(np.empty(0, np.int64), np.empty((0, 4)))] * IMAGES
    assert named(material(nothing, seen)) == ["cannot_tell"]


def test_a_mend_says_what_of_it_is_proven(truth, seen):
    """Without edges the model alone speaks of the boxes, a warning; ids that nearly all pairs show are an error."""
    given = material(truth, seen, Reading(format="xywh"), {i: i + 1 for i in NAMES})
    (mend,) = mends_of(judge(given))
    assert mend.codes == ("corner_as_centre", "ids_shifted") and mend.doubtful == ("corner_as_centre",)
    assert mend.sure.reading == Reading() and mend.sure.classes == mend.classes != {}
    assert mend.sure.codes == ("ids_shifted",) and mend.sure.does
