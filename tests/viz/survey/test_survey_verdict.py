"""What a survey says in words: computed, and silent where there is too little to tell."""

import pytest

from viz.reports.survey.verdict import verdict

from .asked import Asked, a_full_survey, some, worth_of

SMALL, LARGE = (0, 0, 10, 10), (0, 0, 200, 200)


def test_a_survey_in_words():
    assert verdict(a_full_survey()) == [
        "11 of 20 objects are found (55 %), and 11 of 20 detections are right (55 %), at confidence 0.25.",
        "P3 finds 30 % of small objects.",
        "2 objects cannot be reached by any box of their level, or only just.",
        "Of 9 missed objects 7 (78 %): not confident enough.",
        "The class missed most surely: cat, 3 of 10 found.",
    ]


def test_the_level_that_misses_and_repeats_is_named_once():
    objects = [*some(40, box=SMALL, level=0), *some(20, box=SMALL, level=0, found=True, detection=0)]
    doubles = [
        *some(10, number=3, level=0, error="duplicate", object=0),
        *some(6, level=1, error="duplicate", object=0),
    ]
    told = verdict(Asked(objects, doubles))
    assert any(sentence.startswith("P3 finds 33 % of small objects") for sentence in told)


def test_duplicates_are_told_of_the_level_that_makes_most():
    objects = some(1, box=LARGE, level=2, found=True, detection=0)
    detections = [
        *some(1, box=LARGE, level=2, object=0),
        *some(6, number=0, level=1, error="duplicate", object=0),
        *some(4, number=0, level=0, error="duplicate", object=0),
    ]
    told = verdict(Asked(objects, detections))
    assert "P4 makes 60 % of the duplicates." in told
    assert "Of 10 wrong detections 10 (100 %): found twice; most of these on P4 (6)." in told
    assert "Every object was found." in told


def test_of_a_few_objects_no_share_is_told():
    told = verdict(Asked(some(9, box=SMALL)))
    assert told == [
        "0 of 9 objects are found (0 %): nothing was detected at confidence 0.25.",
        "Of 9 missed objects 9 (100 %): not confident enough.",
    ]


def test_a_lower_threshold_is_told_with_its_cost():
    evaluation = [
        {"confidence": 0.12, "anchor": 1, "x1": 0, "y1": 0, "x2": 40, "y2": 40},
        {"confidence": 0.11, "anchor": 2, "x1": 300, "y1": 300, "x2": 340, "y2": 340},
    ]
    told = verdict(Asked([{"box": (0, 0, 40, 40), "stage": "confidence"}], [], 1, evaluation))
    head = "Of 1 missed objects 1 (100 %): not confident enough"
    expected = f"{head}; a threshold of 0.1 would find 1 of these, with 1 more false positives."
    assert expected in told


@pytest.mark.parametrize(
    ("confidence", "error", "words"), [(0.9, "background", "too sure"), (0.3, None, "not sure enough")]
)
def test_a_level_that_cannot_be_believed_is_named(confidence, error, words):
    told = verdict(Asked(some(1), some(12, level=1, confidence=confidence, error=error)))
    right = 0 if error else 100
    assert f"P4 is {words}: mean confidence {confidence:.2f}, of its detections {right} % are right." in told


def test_the_class_that_is_missed_most_surely_is_named():
    told = verdict(
        Asked([*some(12, class_name="dog"), *some(12, class_name="cat", found=True), *some(3, class_name="bird")])
    )
    assert "The class missed most surely: dog, 0 of 12 found." in told


def test_what_levels_are_worth_is_told_of_those_known():
    given = worth_of({("P3", None): -0.031, ("P4", None): float("nan"), ("P5", None): 0.002, ("P3", "dog"): -0.5})
    told = verdict(Asked(some(1), ablation=True, worth=given))
    assert told[-1] == "AP changes by −0.031 without P3, +0.002 without P5."


def test_what_could_not_be_read_comes_first():
    images = [{"number": 0}, {"number": 1, "error": "torn"}, {"number": 2, "label_problems": 3}]
    told = verdict(Asked(some(1), [], images))
    assert told[:2] == [
        "1 of 3 images could not be read and count for nothing.",
        "The labels of 1 image have problems: look at these before the numbers.",
    ]


def test_without_labels_detections_are_counted():
    told = verdict(Asked([], [*some(3), *some(1, level=2)], truth=False))
    assert told == [
        "There are no labels, so nothing is known of right and wrong.",
        "4 detections in 3 images; P3 makes most of them, 75 %.",
    ]


def test_nothing_is_told_as_nothing():
    assert verdict(Asked()) == [
        "No image was surveyed.",
        "The labels hold no object; 0 detections are held against nothing.",
    ]
    assert verdict(Asked([], [], 2, truth=False))[1] == "Nothing was detected."
