"""Which error each detection of an image makes, and about which object."""

import numpy as np
import pytest

from diagnosis.surveys.looking.error_kinds import error_kinds

OBJECT = (0, 0, 100, 100)  # a cat


def shifted(iou: float) -> tuple[float, float, float, float]:
    """A box of the object's size that overlaps it by this much: (100 − d) / (100 + d) = IoU."""
    d = 100 * (1 - iou) / (1 + iou)
    return (d, 0, 100 + d, 100)


def kinds(boxes, classes, objects=(OBJECT,), object_classes=(0,), found=None, **settings):
    found = np.full(len(objects), -1) if found is None else np.asarray(found)
    boxes, objects = np.reshape(boxes, (-1, 4)), np.reshape(objects, (-1, 4))
    return error_kinds(boxes, np.asarray(classes), objects, np.asarray(object_classes), found, **settings)


@pytest.mark.parametrize(
    ("iou", "class_id", "error", "about"),
    [
        (0.45, 0, "localisation", 0),
        (0.11, 0, "localisation", 0),
        (0.09, 0, "background", -1),
        (0.7, 1, "classification", 0),
        (0.45, 1, "both", 0),
        (0.09, 1, "background", -1),
    ],
)
def test_one_detection_and_one_object(iou, class_id, error, about):
    result = kinds([shifted(iou)], [class_id])
    assert result.error.tolist() == [error]
    assert result.object.tolist() == [about]
    assert not result.correct[0]
    assert result.iou[0] == pytest.approx(iou if about == 0 else 0)


def test_the_detection_that_found_an_object_is_correct_and_a_second_one_is_its_duplicate():
    result = kinds([shifted(0.6), shifted(0.8)], [0, 0], found=[1])
    assert result.correct.tolist() == [False, True]
    assert result.error.tolist() == ["duplicate", None]
    assert result.object.tolist() == [0, 0]
    assert result.iou == pytest.approx([0.6, 0.8])


def test_the_iou_of_a_match_is_the_survey_s():
    assert kinds([shifted(0.6)], [0], match_iou=0.75).error.tolist() == ["localisation"]
    assert kinds([shifted(0.6)], [1], match_iou=0.75).error.tolist() == ["both"]


def test_the_edges_belong_to_the_nearer_kind():
    half, tenth = [(0, 0, 50, 100)], [(0, 0, 10, 100)]  # IoU 0.5 and 0.1 exactly
    assert kinds(half, [1]).error.tolist() == ["classification"]
    assert kinds([OBJECT, *half], [0, 0], found=[0]).error.tolist() == [None, "duplicate"]
    assert kinds(tenth, [0]).error.tolist() == ["localisation"]
    assert kinds(tenth, [1]).error.tolist() == ["both"]


def test_where_several_hold_localisation_comes_before_classification_and_classification_before_duplicate():
    cat, dog = OBJECT, (0, 0, 100, 90)
    loc = kinds([(0, 0, 100, 40)], [0], [cat, (0, 0, 100, 50)], [0, 1])  # IoU 0.4 with the cat, 0.8 with the dog
    assert (loc.error[0], loc.object[0]) == ("localisation", 0)
    dup = kinds([cat, cat], [0, 0], [cat, dog], [0, 1], found=[0, -1])
    assert (dup.error[1], dup.object[1]) == ("classification", 1)
    assert dup.iou[1] == pytest.approx(0.9)


def test_a_duplicate_is_about_the_object_of_its_class_that_it_fits_best():
    objects = [(0, 0, 100, 100), (0, 20, 100, 120)]
    result = kinds([*objects, (0, 18, 100, 118)], [0, 0, 0], objects, [0, 0], found=[0, 1])
    assert (result.error[2], result.object[2]) == ("duplicate", 1)


@pytest.mark.parametrize(("boxes", "objects"), [(0, 0), (0, 1), (2, 0)])
def test_nothing_found_or_nothing_there(boxes, objects):
    result = kinds([OBJECT] * boxes, [0] * boxes, [OBJECT] * objects, [0] * objects)
    assert result.error.tolist() == ["background"] * boxes
    assert result.object.tolist() == [-1] * boxes
    assert result.iou.tolist() == [0] * boxes
    assert not result.correct.any()
