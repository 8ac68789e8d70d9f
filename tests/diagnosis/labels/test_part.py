"""Faults of a few files: found by the likelihood of all of them together, fitted to them, and with nothing beside."""

import numpy as np
import pytest

from diagnosis import Reading
from diagnosis.labels.class_units import Misnaming, Unit, gain
from diagnosis.labels.likelihood import Deviation, log_likelihoods
from diagnosis.labels.mends import mends_of
from diagnosis.labels.part_search import groups, mixture
from diagnosis.labels.rows import Rows
from diagnosis.labels.seen import Seen
from diagnosis.labels.told import findings_of
from diagnosis.labels.verdict import judge

from .planting import NAMES, material, sights, truths

IMAGES, FAULTY = 40, slice(3, 9)


@pytest.fixture(scope="module")
def truth():
    return truths(IMAGES, 4)


@pytest.fixture(scope="module")
def seen(truth):
    return sights(truth, noise=0.04)


def names(part: slice) -> set[str]:
    return {f"{place:04d}.png" for place in range(part.start, part.stop)}


@pytest.mark.parametrize(
    "reading",
    [Reading(shift=(0.05, 0.0)), Reading(scale=(1.2, 1.0)), Reading(scale=(0.8, 0.8), shift=(0.1, 0.1))],
    ids=str,
)
def test_what_few_files_depart_by_is_fitted_to_all_of_them(truth, seen, reading):
    verdict = judge(material(truth, seen, reading, faulty=FAULTY))
    (finding,) = findings_of(verdict)
    assert [finding.code] == list(reading.codes)
    assert set(finding.evidence["files"]) <= names(FAULTY)
    (mend,) = mends_of(verdict)
    assert mend.reading.shift == pytest.approx(reading.shift, abs=0.012)
    assert mend.reading.scale == pytest.approx(reading.scale, abs=0.03)


def test_two_departures_of_few_files_are_both_named(truth, seen):
    verdict = judge(material(truth, seen, Reading(format="xywh", turn="flipped_vertically"), faulty=FAULTY))
    assert {finding.code for finding in findings_of(verdict)} == {"corner_as_centre", "flipped_vertically"}


def test_two_classes_exchanged_in_few_files_are_mended_both_ways(truth, seen):
    verdict = judge(material(truth, seen, written={3: 5, 5: 3}, faulty=slice(0, 8)))
    (finding,) = findings_of(verdict)
    assert finding.code == "classes_swapped"
    assert set(finding.evidence["files"]) <= names(slice(0, 8))
    (mend,) = mends_of(verdict)
    assert dict(mend.classes) == {3: 5, 5: 3}


def test_one_class_written_as_another_in_few_files_is_named_and_not_mended(truth, seen):
    verdict = judge(material(truth, seen, written={4: 1}, faulty=slice(0, 12)))
    (finding,) = findings_of(verdict)
    assert finding.code in ("classes_merged", "classes_swapped")
    if finding.code == "classes_merged":
        assert mends_of(verdict) == []


def test_ids_in_no_order_in_few_files_are_named(truth, seen):
    verdict = judge(material(truth, seen, written={0: 3, 3: 5, 5: 1, 1: 0, 2: 4, 4: 2}, faulty=FAULTY))
    (finding,) = findings_of(verdict)
    assert finding.code == "ids_permuted"


def test_files_that_lack_labels_are_named(truth, seen):
    labels = [(ids[:1], boxes[:1]) if 3 <= i < 15 else (ids, boxes) for i, (ids, boxes) in enumerate(truth)]
    (finding,) = findings_of(judge(material(labels, seen)))
    assert finding.code == "labels_missing"
    assert set(finding.evidence["files"]) <= names(slice(3, 15))
    assert finding.evidence["files_count"] >= 3


@pytest.mark.parametrize("seed", range(2))
def test_right_labels_make_no_group(seed):
    some = truths(IMAGES, seed + 60)
    verdict = judge(material(some, sights(some, noise=0.09, seed=seed)))
    assert verdict.votes == ()
    assert len(verdict.missing.partly) == 0


def test_a_mixture_is_reckoned_over_all_files():
    """Three files of ten are e^4 times likelier, the others e^-9: a fifth fits best of the parts that are tried."""
    gains = np.array([[4.0]] * 3 + [[-9.0]] * 7)
    by_hand = 3 * np.log(0.8 + 0.2 * np.exp(4)) + 7 * np.log(0.8 + 0.2 * np.exp(-9))
    assert mixture(gains, 10) == pytest.approx([by_hand])


def test_one_file_proves_nothing_and_three_do():
    could = np.ones(40, bool)
    gains = np.full((40, 2), -5.0)
    gains[7, 0] = 500.0
    assert list(groups(gains, np.zeros(2), could)) == []
    gains[[1, 2, 3], 1] = 9.0
    (found,) = groups(gains, np.zeros(2), could)
    assert (found.place, found.files.tolist()) == (1, [1, 2, 3])


def test_a_label_upon_a_detection_is_likelier_and_one_inside_out_is_anywhere():
    seen = [Seen((100, 100), np.array([[0.2, 0.2, 0.6, 0.6]]), np.array([0.9]), np.array([0]))]
    usual = Deviation(centres=0.5, sides=0.5, unexplained=0.4)

    def likelihood(quad) -> float:
        rows = Rows(
            image=np.array([0]),
            line=np.array([1]),
            class_id=np.array([0]),
            quads=np.array([quad]),
            polygon=np.array([False]),
        )
        return log_likelihoods(rows, seen, (Reading(),), usual)[0, 0]

    # the law at 0 is 1 / sqrt(8) in each of four numbers, over half of 0.05 * 0.4 + 0.004 and of 0.05 + 0.004 / 0.4
    peak = (1 / 8**0.5 / (0.5 * 0.024)) ** 2 * (1 / 8**0.5 / (0.5 * 0.06)) ** 2 * 4.6**2
    assert likelihood((0.4, 0.4, 0.4, 0.4)) == pytest.approx(np.log(0.4 + 0.6 * peak))
    assert likelihood((0.42, 0.4, 0.4, 0.4)) < likelihood((0.4, 0.4, 0.4, 0.4))
    assert likelihood((0.4, 0.4, -0.4, 0.4)) == pytest.approx(np.log(0.4))


def test_what_the_model_often_takes_for_another_is_no_evidence():
    right = [Unit(file=i, written=0, sees=0, count=1, step=2) for i in range(20)]
    often = [Unit(file=20 + i, written=0, sees=1, count=1, step=2) for i in range(10)]
    odd = Unit(file=99, written=0, sees=1, count=3, step=2)
    knows, errs = Misnaming(right, len(NAMES)), Misnaming([*right, *often], len(NAMES))
    assert gain(odd, (1,), knows) > 7
    assert gain(odd, (1,), errs) < gain(odd, (1,), knows) - 3
    assert gain(odd, (0,), knows) == 0
