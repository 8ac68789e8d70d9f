"""Two surveys of one set: what became of every object, and how sure the difference of recall is."""

import numpy as np
import pytest

from diagnosis.surveys.answers import compare
from diagnosis.surveys.answers.bootstrap import paired_difference
from tests.diagnosis.surveys.frames import a_survey

# found before, on which level; found after, on which level
FATES = [
    (1, "P3", 1, "P3"),
    (1, "P3", 1, "P4"),
    (1, "P4", 0, "P4"),
    (0, "P3", 1, "P3"),
    (0, "P5", 0, "P3"),
    (0, "P5", 1, "P5"),
]


def two_surveys(fates=FATES):
    sides = [], []
    for number, (before, level, after, later) in enumerate(fates):
        place = {"number": number // 2, "object": number % 2, "class_id": number % 3}
        sides[0].append(place | {"found": bool(before), "level_name": level})
        sides[1].append(place | {"found": bool(after), "level_name": later})
    return a_survey(sides[0]), a_survey(sides[1])


def test_every_object_has_one_fate():
    result = compare(*two_surveys())
    assert result.objects["change"].to_list() == ["kept", "moved", "lost", "found", "missed", "found"]
    told = result.to_df()
    assert dict(told.select("change", "count").rows()) == {"found": 2, "lost": 1, "moved": 1, "kept": 1, "missed": 1}
    assert told["share"].sum() == pytest.approx(1)


def test_the_objects_of_a_change_say_what_both_surveys_saw():
    moved = compare(*two_surveys()).of("moved").row(0, named=True)
    assert (moved["number"], moved["object"], moved["image"]) == (0, 1, "image0.jpg")
    assert (moved["before_level_name"], moved["after_level_name"]) == ("P3", "P4")
    assert moved["before_found"] and moved["after_found"]
    with pytest.raises(ValueError, match="change must be one of"):
        compare(*two_surveys()).of("gone")


def test_it_says_itself_in_words():
    text = str(compare(*two_surveys()))
    assert text.startswith("6 objects in both surveys: recall 0.500 before, 0.667 after, difference +0.167 (95 % ")
    assert "2 missed before, found after" in text
    assert "1 found in both, by another level" in text


def test_the_difference_by_columns_of_the_survey_before():
    found = compare(*two_surveys()).difference("level_name", n=50)
    assert found.columns == ["level_name", "objects", "before", "after", "difference", "low", "high"]
    assert found.select("level_name", "objects", "before", "after", "difference").rows() == [
        ("P3", 3, pytest.approx(2 / 3), 1.0, pytest.approx(1 / 3)),
        ("P4", 1, 1.0, 0.0, -1.0),
        ("P5", 2, 0.0, 0.5, 0.5),
    ]
    alone = found.filter(found["level_name"] == "P4").select("low", "high").row(0)
    assert np.isnan(alone).all(), "its one object says nothing of other images"


def test_the_interval_is_the_same_for_one_seed_and_covers_the_difference():
    fates = [(i % 2, "P3", int(i % 7 > 2), "P3") for i in range(100)] + [(0, "P3", 1, "P3")] * 9
    result = compare(*two_surveys(fates))
    row = result.difference().row(0, named=True)
    assert row == result.difference(seed=0).row(0, named=True)
    assert row["low"] < row["difference"] < row["high"]
    assert result.difference(seed=1, n=20).row(0) != result.difference(seed=0, n=20).row(0)


def test_surveys_that_saw_the_same_differ_by_nothing():
    before, _ = two_surveys()
    assert compare(before, before).difference().select("difference", "low", "high").row(0) == (0, 0, 0)


def test_the_interval_of_many_images_is_that_of_the_normal_distribution():
    """Of 4000 images of one object, 1200 are gained, 400 lost: mean 0.2, standard error sqrt((0.4 − 0.04) / 4000)."""
    before, after = np.zeros((4000, 1)), np.zeros((4000, 1))
    before[:400], after[400:1600] = 1, 1
    low, high = paired_difference(np.ones((4000, 1)), before, after)
    error = (0.36 / 4000) ** 0.5
    assert (low[0], high[0]) == pytest.approx((0.2 - 1.96 * error, 0.2 + 1.96 * error), abs=error / 5)


def test_images_are_drawn_whole_and_the_same_ones_for_both_sides():
    """Two images: 3 objects gained of 3, and none of 1. Every draw gives 1, 3/4 or 0, never a value in between."""
    objects, after = np.array([[3], [1]]), np.array([[3], [0]])
    low, high = paired_difference(objects, np.zeros((2, 1)), after)
    assert (low[0], high[0]) == (0, 1)
    both = paired_difference(objects, after, after)
    assert (both[0][0], both[1][0]) == (0, 0)


def test_a_group_without_objects_has_no_interval():
    zeros = np.zeros((3, 1))
    assert np.isnan(paired_difference(zeros, zeros, zeros, n=10)).all()


def test_a_group_that_lives_in_one_image_has_no_interval():
    objects, after = np.array([[10, 5], [0, 5]]), np.array([[4, 5], [0, 2]])
    low, high = paired_difference(objects, np.zeros((2, 2)), after)
    assert np.isnan([low[0], high[0]]).all()
    assert low[1] == pytest.approx(0.4)
    assert high[1] == 1


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"class_id": 1}, "same objects.*differ first at row 1.*class_name dog.*class_name cat"),
        ({"box": (10, 10, 50, 51)}, "same objects.*y2 51.0"),
        ({"image": "other.jpg"}, "same objects.*other.jpg"),
    ],
)
def test_other_objects_are_named(row, words):
    before = a_survey([{"object": 0}, {"object": 1} | row])
    with pytest.raises(ValueError, match=words):
        compare(before, a_survey([{"object": 0}, {"object": 1}]))


def test_other_images_are_named():
    with pytest.raises(ValueError, match=r"same images, but they have 3 and 2 .*row 2: number 2, image .* and nothing"):
        compare(a_survey(images=3), a_survey(images=2))
    renamed = a_survey(images=[{"number": 0}, {"number": 1, "image": "b.jpg"}])
    with pytest.raises(ValueError, match=r"same images.*row 1: .*b\.jpg and number 1, image image1\.jpg"):
        compare(renamed, a_survey(images=2))


def test_nothing_compared_with_nothing():
    result = compare(a_survey(), a_survey())
    assert str(result).startswith("0 objects in both surveys\n")
    assert result.difference("level_name").is_empty()
    assert result.to_df()["count"].sum() == 0
