"""Ids that count a list sorted as strings: named, with the map of them, whichever of the two lists was sorted."""

from dataclasses import replace

import numpy as np
import pytest

from diagnosis.labels.mends import mends_of
from diagnosis.labels.told import findings_of
from diagnosis.labels.verdict import judge

from .planting import material, sights, truths

NAMES = {i: f"name {i:02d}" for i in range(14)}  # in the order of the alphabet
BY_HAND = [0, 1, 10, 11, 12, 13, 2, 3, 4, 5, 6, 7, 8, 9]  # their ids sorted as strings
FROM_ONE = [0, 9, 10, 11, 12, 13, 1, 2, 3, 4, 5, 6, 7, 8]  # "1", "10", …, "14", "2", …: less 1
USED = np.array([1, 2, 9, 10, 4, 13])


@pytest.fixture(scope="module")
def truth():
    return [(USED[ids], boxes) for ids, boxes in truths(24, 5)]


def clean(truth):
    """What a model sees that misnames nothing."""
    return [
        replace(one, class_id=_nearest(one.boxes, *labels)) for one, labels in zip(sights(truth), truth, strict=True)
    ]


def _nearest(boxes, ids, true):
    return ids[np.abs(boxes[:, None] - true).sum(2).argmin(1)]


@pytest.mark.parametrize(
    "meant", [dict(enumerate(BY_HAND)), {j: i for i, j in enumerate(BY_HAND)}, dict(enumerate(FROM_ONE))]
)
def test_ids_sorted_as_strings_are_named_and_mended_both_ways(truth, meant):
    written = {means: writes for writes, means in meant.items()}
    given = replace(material(truth, clean(truth), written=written), names=NAMES)
    verdict = judge(given)
    (finding,) = findings_of(verdict)
    assert (finding.code, finding.severity) == ("ids_as_strings", "error")
    assert "Label them anew" not in finding.message
    (mend,) = mends_of(verdict)
    assert all(meant[i] == j for i, j in mend.classes.items()) and mend.sure.classes == mend.classes


def test_some_files_of_such_ids_are_named_so(truth):
    written = {means: writes for writes, means in enumerate(BY_HAND)}
    verdict = judge(replace(material(truth, clean(truth), written=written, faulty=slice(2, 8)), names=NAMES))
    (finding,) = findings_of(verdict)
    assert finding.code == "ids_as_strings" and finding.evidence["files_count"] >= 4


def test_right_ids_of_as_many_classes_are_left_alone(truth):
    assert findings_of(judge(replace(material(truth, clean(truth)), names=NAMES))) == []
