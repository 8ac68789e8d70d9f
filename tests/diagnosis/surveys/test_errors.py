"""Kinds of errors by level, and which levels repeat what another one found."""

from diagnosis.surveys.answers import duplicates, errors
from tests.diagnosis.surveys.frames import a_survey


def counts(frame, *by):
    """{(group, error): count} of what happens."""
    rows = frame.filter(frame["count"] > 0).select(*by, "error", "count").rows()
    return {row[:-1]: row[-1] for row in rows}


def test_errors_by_level_and_the_objects_that_none_accounts_for():
    objects = [
        {"object": 0, "level_name": "P3", "found": True},
        {"object": 1, "level_name": "P4"},  # a classification error is about it
        {"object": 2, "level_name": "P4"},  # a detection of another class near it does not account for it
        {"object": 3, "level_name": "P5"},  # a localisation error is about it
        {"object": 1, "level_name": "P5", "number": 1},  # the same index in another image
    ]
    detections = [
        {"level_name": "P3", "object": 0},
        {"level_name": "P4", "object": 0, "error": "duplicate"},
        {"level_name": "P4", "object": 1, "error": "classification"},
        {"level_name": "P3", "object": 2, "error": "both"},
        {"level_name": "P5", "object": 3, "error": "localisation"},
        {"level_name": "P5", "error": "background"},
        {"level_name": "P5", "error": "background"},
    ]
    survey = a_survey(objects, detections)
    found = errors(survey)
    assert counts(found, "level_name") == {
        ("P3", "both"): 1,
        ("P4", "classification"): 1,
        ("P4", "duplicate"): 1,
        ("P4", "missed"): 1,
        ("P5", "localisation"): 1,
        ("P5", "background"): 2,
        ("P5", "missed"): 1,
    }
    kinds = ["classification", "localisation", "both", "duplicate", "background", "missed"]
    assert found["error"].to_list() == kinds * 3
    assert found.filter(found["level_name"] == "P5")["share"].to_list() == [0, 0.25, 0, 0, 0.5, 0.25]
    assert counts(errors(survey, "all"))[("missed",)] == 2


def test_errors_by_the_class_that_was_said_or_missed():
    objects = [{"class_name": "dog"}]
    detections = [{"class_name": "bird", "error": "background"}, {"class_name": "cat"}]
    found = errors(a_survey(objects, detections), "class_name")
    assert counts(found, "class_name") == {("dog", "missed"): 1, ("bird", "background"): 1}


def test_without_errors_there_are_no_rows():
    survey = a_survey([{"found": True}], [{"object": 0}])
    assert errors(survey).is_empty()
    assert errors(survey, "all").columns == ["error", "count", "share"]
    assert errors(survey, "all").is_empty()


def test_duplicates_by_their_level_and_that_of_the_finder():
    objects = [
        {"object": 0, "found": True, "level_name": "P3"},
        {"object": 1, "found": True, "level_name": "P4"},
        {"object": 0, "found": True, "level_name": "P5", "number": 1},
    ]
    repeated = [("P4", 0, 0), ("P4", 0, 0), ("P3", 0, 0), ("P4", 0, 1), ("P4", 1, 0)]
    detections = [
        {"level_name": level, "number": number, "object": index, "error": "duplicate"}
        for level, index, number in repeated
    ]
    detections.append({"level_name": "P5", "object": 0, "error": "localisation"})
    assert duplicates(a_survey(objects, detections)).rows() == [
        ("P3", "P3", 1, 0.2),
        ("P4", "P3", 2, 0.4),
        ("P4", "P4", 1, 0.2),
        ("P4", "P5", 1, 0.2),
    ]
