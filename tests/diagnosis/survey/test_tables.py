"""The schema of a survey's tables, and the stand-in that tests write by hand."""

import polars
import pytest

from diagnosis.survey.tables import DETECTIONS, EVALUATION, IMAGES, OBJECTS, detections_schema
from tests.diagnosis.survey.frames import a_survey


def test_the_columns_of_rivals_follow_the_number_of_rivals():
    names = list(detections_schema(["P2", "P3"]))
    at = names.index("suppressed")
    assert names[at : at + 4] == ["suppressed", "rivals_P2", "rivals_P3", "second_class_id"]
    assert [name for name in names if not name.startswith("rivals_")] == list(DETECTIONS)


def test_a_survey_without_rows_has_every_column():
    survey = a_survey()
    for frame, schema in [
        (survey.images, IMAGES),
        (survey.objects, OBJECTS),
        (survey.detections, detections_schema(["P3", "P4", "P5"])),
        (survey.evaluation, EVALUATION),
    ]:
        assert frame.collect_schema() == polars.Schema(schema)
        assert frame.collect().is_empty()


def test_what_a_row_leaves_out_is_filled_in():
    survey = a_survey(
        objects=[{"number": 1, "class_name": "dog", "box": (0, 0, 32, 32), "level_name": "P4"}, {"found": True}],
        detections=[{"number": 1, "rivals_P4": 2, "error": "background"}],
        evaluation=[{"number": 4}],
        images=2,
    )
    first, second = survey.objects.collect().to_dicts()  # in the order of the set
    assert (first["number"], first["stage"], first["size"]) == (0, "", "medium")
    assert (second["class_id"], second["size"], second["size_strides"]) == (1, "medium", 2.0)
    detection = survey.detections.collect().row(0, named=True)
    assert (detection["suppressed"], detection["correct"], detection["iou"]) == (2, False, 0.0)
    images = survey.images.select("number", "objects", "found", "detections").collect()
    assert images.rows() == [(0, 1, 1, 0), (1, 1, 0, 1), (4, 0, 0, 0)]


def test_a_row_of_another_column_is_refused():
    with pytest.raises(AssertionError, match="no columns"):
        a_survey(objects=[{"colour": "red"}])
