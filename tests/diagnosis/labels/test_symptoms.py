"""Findings of files beside systematic ones: which are told, and which are consequences; and all of them as JSON."""

import json

from diagnosis import LabelReport
from diagnosis.findings import Finding
from diagnosis.labels.symptoms import with_symptoms


def finding(code: str, severity: str, message: str = "") -> Finding:
    return Finding(code, severity, None, message, {})


def test_two_findings_of_one_code_are_both_told():
    by_much, barely = finding("outside", "error", "far"), finding("outside", "warning", "barely")
    assert with_symptoms([], [by_much, barely]) == [by_much, barely]


def test_an_error_explains_what_the_files_show():
    error, symptoms = finding("pixels", "error"), [finding("outside", "error"), finding("outside", "warning")]
    (told,) = with_symptoms([error], symptoms)
    assert (told.code, told.consequences) == ("pixels", ("outside",))


def test_a_warning_does_not_hide_an_error_of_the_files():
    warning, lost = finding("shifted", "warning"), finding("empty_box", "error")
    barely = finding("outside", "warning")
    told = with_symptoms([warning], [lost, barely])
    assert [one.code for one in told] == ["shifted", "empty_box"]
    assert told[0].consequences == ("outside",)


def test_a_report_of_one_image_is_json_that_every_program_reads():
    told = Finding("cannot_tell", "warning", None, "", {"edge_se": float("inf"), "shift": [float("nan"), 0.5]})
    text = LabelReport(subject="", findings=(told,)).to_json()
    (read,) = json.loads(text, parse_constant=lambda name: name)["findings"]
    assert read["evidence"] == {"edge_se": None, "shift": [None, 0.5]}
