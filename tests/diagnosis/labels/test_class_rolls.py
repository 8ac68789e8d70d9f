"""Class ids that stand a row too far on in each file are named so, and not as maps of a few files."""

from dataclasses import replace

import numpy as np
import pytest

from diagnosis.labels.class_rolls import rolled_back
from diagnosis.labels.mends import mends_of
from diagnosis.labels.rows import Rows
from diagnosis.labels.told import findings_of
from diagnosis.labels.verdict import judge

from .planting import material, sights, truths


def with_ids(given, ids):
    return replace(given, rows=Rows(**{**vars(given.rows), "class_id": ids}), used=np.unique(ids))


@pytest.mark.parametrize(("by", "told"), [(1, "the row before it"), (-1, "the row after it")])
def test_a_column_of_ids_moved_on_by_a_row_is_named(by, told):
    truth = truths(24, 6)
    given = material(truth, sights(truth))
    verdict = judge(with_ids(given, np.concatenate([np.roll(ids, by) for ids, _ in truth])))
    (finding,) = findings_of(verdict)
    assert (finding.code, finding.severity, finding.evidence["k"]) == ("ids_rolled", "error", by)
    assert finding.evidence["explained"] > 0.8 > 0.5 > finding.evidence["as_written"]
    assert f"each row has the class of {told}," in finding.message
    assert mends_of(verdict) == []


def test_ids_are_taken_back_within_their_file():
    ids, image = np.array([3, 1, 2, 7, 5, 4]), np.array([0, 0, 0, 1, 2, 2])
    whole = np.zeros(6, np.int64)
    rows = Rows(image=image, line=whole, class_id=ids, quads=np.zeros((6, 4)), polygon=whole.astype(bool))
    assert rolled_back(rows, 1).tolist() == [1, 2, 3, 7, 4, 5]
    assert rolled_back(rows, -1).tolist() == [2, 3, 1, 7, 4, 5]
