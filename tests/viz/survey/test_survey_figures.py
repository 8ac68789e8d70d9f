"""Figures of a survey, by their artists: bars, tables, lines and what they say where something is missing."""

import numpy as np
import pytest
from matplotlib.image import AxesImage

import viz
from viz.figures.survey.pieces import WHOLE
from viz.figures.survey.survey import FIGURES

from .asked import Asked, a_full_survey, some, worth_of


def bars(figure, gid):
    """Heights (or lengths) of the bars of this name."""
    found = [patch for ax in figure.axes for patch in ax.patches if patch.get_gid() == gid]
    return [
        patch.get_height() if gid.count(":") != 1 or not gid.startswith("bars:") else patch.get_width()
        for patch in found
    ]


def texts(figure, gid=None):
    return [text.get_text() for ax in figure.axes for text in ax.texts if gid in (None, text.get_gid())]


def table(figure, gid):
    (image,) = [image for ax in figure.axes for image in ax.images if image.get_gid() == gid]
    assert isinstance(image, AxesImage)
    return np.ma.filled(np.ma.masked_invalid(image.get_array()), np.nan)


def test_recall_has_a_bar_for_each_level_and_size():
    figure = viz.survey(a_full_survey(), "recall")
    assert bars(figure, "P3:small") == [pytest.approx(0.3)]
    assert bars(figure, "P5:large") == [1.0]
    assert bars(figure, "P4:large") == [0.0]
    assert bars(figure, "all:large") == [pytest.approx(0.8)]
    assert bars(figure, "all:all") == [pytest.approx(0.55)]
    assert bars(figure, "P5:small") == []
    assert texts(figure, "count:P3:small") == ["3/10"] and texts(figure, "count:all:all") == ["11/20"]


def test_bars_wear_the_colours_of_levels_and_their_intervals():
    figure = viz.survey(a_full_survey(), "recall")
    colors = {patch.get_gid(): patch.get_facecolor() for patch in figure.axes[0].patches}
    rgb = [
        tuple(int(viz.level_color("P3")[i : i + 2], 16) / 255 for i in (1, 3, 5)),
        tuple(int(WHOLE[i : i + 2], 16) / 255 for i in (1, 3, 5)),
    ]
    assert colors["P3:small"][:3] == pytest.approx(rgb[0]) and colors["all:all"][:3] == pytest.approx(rgb[1])
    (line,) = [line for line in figure.axes[0].lines if line.get_gid() == "interval:P3:small"]
    assert line.get_ydata() == pytest.approx([0.1078, 0.6032], abs=1e-4)


def test_the_classes_missed_most_surely_come_first():
    objects = [*some(20, class_name="dog"), *some(1, class_name="cat"), *some(5, class_name="bird", found=True)]
    figure = viz.survey(Asked(objects), "recall")
    assert [label.get_text() for label in figure.axes[1].get_yticklabels()] == ["dog", "cat", "bird"]
    values = table(figure, "classes")
    assert values[:, 3].tolist() == [0, 0, 1] and np.isnan(values[0, 0])


def test_precision_has_a_bar_a_level_and_its_share():
    figure = viz.survey(a_full_survey(), "precision")
    assert texts(figure.axes and figure, "count:P3") == ["3/7", "3"]
    assert bars(figure, "P3") == [pytest.approx(3 / 7), pytest.approx(3 / 11)]
    assert bars(figure, "P4") == [0.0, 0.0]


def test_reliability_is_a_line_a_level_through_its_bins():
    figure = viz.survey(a_full_survey(), "calibration")
    (line,) = [line for line in figure.axes[0].lines if line.get_gid() == "line:P3"]
    assert line.get_xydata() == pytest.approx(np.array([[0.3, 0], [0.4, 1]]))
    (marks,) = [held for held in figure.axes[0].collections if held.get_gid() == "bins:P3"]
    assert marks.get_facecolors().tolist() == [[1, 1, 1, 1]] * 2  # 4 and 3 detections: too few


def test_errors_are_stacked_by_level_with_their_sums():
    figure = viz.survey(a_full_survey(), "errors")
    lengths = {name: bars(figure, f"bars:{name}") for name in ("P3", "P4", "P5")}
    assert lengths == {"P3": [0, 0, 0, 4, 0, 7], "P4": [0, 0, 0, 0, 5, 2], "P5": [0] * 6}
    assert texts(figure, "sum") == ["0", "0", "0", "4", "5", "9"]


def test_reasons_are_ranked():
    figure = viz.survey(a_full_survey(), "reasons")
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["not confident enough", "no box fits"]
    assert texts(figure, "sum") == ["7", "2"] and bars(figure, "bars:P4") == [0, 2]


def test_duplicates_stand_in_the_row_of_the_level_that_found_the_object():
    figure = viz.survey(a_full_survey(), "duplicates")
    first, second = (ax.images[0].get_array() for ax in figure.axes)
    assert np.asarray(first).tolist() == [[0, 0, 0], [0, 0, 0], [4, 0, 0]]
    assert np.asarray(second).tolist() == [[8, 0, 0], [0, 0, 5], [0, 0, 0]]


def test_rescue_draws_objects_over_false_positives():
    evaluation = [
        {"number": 0, "confidence": 0.12, "anchor": 1, "x1": 0, "y1": 0, "x2": 40, "y2": 40},
        {"number": 0, "confidence": 0.06, "anchor": 2, "x1": 300, "y1": 300, "x2": 340, "y2": 340},
    ]
    survey = Asked([{"box": (0, 0, 40, 40), "stage": "confidence"}], [], 1, evaluation)
    figure = viz.survey(survey, "rescue")
    (line,) = [line for line in figure.axes[0].lines if line.get_gid() == "rescue"]
    assert line.get_xydata().tolist() == [[0, 0], [0, 0], [0, 1], [0, 1], [1, 1], [1, 1], [1, 1], [1, 1]]
    assert texts(figure)[:3] == ["0.2", "0.15", "0.1: 0.0 each"]


def test_rescue_names_thresholds_that_lie_close_together_apart():
    far = {"number": 0, "x1": 300, "y1": 300, "x2": 340, "y2": 340}
    weak = [{**far, "confidence": 5 / (20.5 + i), "anchor": i} for i in range(480)]  # the lower, the more of them
    survey = Asked([{"box": (0, 0, 40, 40), "stage": "confidence"}], [], 1, weak)
    figure = viz.survey(survey, "rescue")
    figure.canvas.draw()
    words = [text for text in figure.axes[0].texts if text.get_gid() == "threshold"]
    assert {(text.get_rotation(), text.get_horizontalalignment()) for text in words} == {(325.0, "right")}
    x = np.array([figure.axes[0].transData.transform(text.xy)[0] for text in words])
    high = words[0].get_fontsize() * figure.dpi / 72
    assert (np.diff(x) * np.sin(np.deg2rad(35)) > high).all()  # they run parallel, so this is between their lines


def test_worth_is_a_bar_a_score_and_a_table_of_classes():
    given = worth_of(
        {("P3", None): -0.1, ("P5", None): 0.02, ("P3", "dog"): -0.003, ("P4", "cat"): 0.004, ("P5", "cat"): np.nan}
    )
    figure = viz.survey(a_full_survey(ablation=True, worth=given), "worth")
    assert bars(figure, "P3:AP") == [-0.1] and bars(figure, "P5:mAP50_95") == [0.02] and bars(figure, "P4:AP") == []
    assert [label.get_text() for label in figure.axes[1].get_yticklabels()] == ["cat", "dog"]
    assert np.nan_to_num(table(figure, "worth"), nan=9).tolist() == [[9, 0.004, 9], [-0.003, 9, 9]]
    assert "−0.003" in texts(figure) and "+0.004" in texts(figure)


def test_two_surveys_are_held_against_each_other():
    before = Asked([{"found": True}, {"found": False}, {"found": True, "level": 1}, {"found": False}])
    after = Asked([{"found": False}, {"found": True, "level": 2}, {"found": True}, {"found": False}])
    figure = viz.survey(before, "compare", after=after)
    assert texts(figure, "sum") == ["1", "1", "1"]
    assert bars(figure, "bars:P3") == [0, 1, 1] and bars(figure, "bars:P5") == [1, 0, 0]
    names = [label.get_text() for label in figure.axes[1].get_yticklabels()]
    assert names[0] == "all objects (4)"
    points = [line.get_xdata()[0] for line in figure.axes[1].lines if line.get_gid() == "difference"]
    assert points[0] == 0


def test_the_overview_has_four_panels():
    figure = viz.survey(a_full_survey())
    titles = [ax.get_title() for ax in figure.axes]
    assert titles == [
        "Objects found, by size",
        "Why objects are missed",
        "Errors by kind",
        "Right detections at each confidence",
    ]


def draw(survey, what):
    figure = viz.survey(survey, what, after=survey if what == "compare" else None)
    figure.draw_without_rendering()
    return figure


@pytest.mark.parametrize("what", FIGURES)
def test_an_empty_survey_draws_and_says_what_is_missing(what):
    assert texts(draw(Asked(), what), "missing") or what == "errors"


@pytest.mark.parametrize("what", FIGURES)
def test_without_labels_a_figure_says_so(what):
    figure = draw(Asked([], some(6), truth=False), what)
    assert any("without labels" in text for text in texts(figure))


@pytest.mark.parametrize("what", FIGURES)
def test_nothing_detected_is_borne(what):
    draw(Asked(some(4)), what)


def test_without_labels_what_can_be_counted_is_drawn():
    figure = viz.survey(Asked([], [*some(3), *some(1, level=2, rivals_P3=5)], truth=False), "precision")
    assert bars(figure, "P3") == [0.75] and bars(figure, "P5") == [0.25]
    rivals = viz.survey(Asked([], some(1, level=2, rivals_P3=5), truth=False), "duplicates")
    assert table(rivals, "levels")[2].tolist() == [5, 0, 0]


def test_an_unknown_question_is_told_with_those_there_are():
    with pytest.raises(ValueError, match=r"what must be one of 'overview', 'recall'.*'compare', but 'speed'"):
        viz.survey(Asked(), "speed")


def test_a_comparison_needs_a_second_survey_and_nothing_else_takes_one():
    with pytest.raises(ValueError, match="after was missing"):
        viz.survey(Asked(), "compare")
    with pytest.raises(ValueError, match="after was given"):
        viz.survey(Asked(), "recall", after=Asked())


@pytest.mark.parametrize("name", [r"$\frac{1$", "a\nb", "class " * 60, "", "<b>"])
def test_names_are_shown_as_they_are_written(name):
    survey = Asked(some(3, class_id=0), some(3, class_id=0), names={0: name})
    figure = draw(survey, "recall")
    (label,) = [label.get_text() for label in figure.axes[1].get_yticklabels()]
    assert len(label) <= 18 and "\n" not in label
