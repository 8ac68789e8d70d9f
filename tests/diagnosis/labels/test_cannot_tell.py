"""Why nothing can be told: the cause first, and numbers beside what they must exceed."""

from dataclasses import replace

import pytest

import diagnosis
from diagnosis.labels.search import Difference
from diagnosis.labels.told import findings_of
from diagnosis.labels.verdict import judge

from .planting import material, sights, truths


def test_a_mean_must_exceed_the_margin_and_so_many_of_its_errors():
    """At one side of 0.003 and three degrees of freedom Student's t is 6.993."""
    assert Difference(0.39, 0.11, 4).least(0.05) == pytest.approx(6.993 * 0.11, rel=0.01)
    assert Difference(0.39, 0.001, 4).least(0.05) == 0.05


@pytest.mark.parametrize(
    ("common", "told"),
    [((), "told: the class names of the model and of the labels share nothing;"), (("cow",), "share only 'cow';")],
)
def test_strange_classes_are_the_first_cause_and_numbers_stand_beside_their_bounds(common, told):
    given = material(truths(8), sights(truths(8, 77)))
    (finding,) = findings_of(judge(replace(given, in_common=common)))
    assert told in finding.message
    assert "beyond chance, which must exceed" in finding.message and "no better than chance" not in finding.message
    (plain,) = findings_of(judge(given))
    assert "class names" not in plain.message


def test_the_name_of_a_model_is_told_to_be_opened():
    with pytest.raises(
        TypeError, match=r"'best.pt' is the name of one.*surgery.load\('best.pt'\), or YOLO\('best.pt'\)"
    ):
        diagnosis.check_labels("data.yaml", "best.pt")
