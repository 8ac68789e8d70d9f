"""Findings of files beside systematic ones: which are told, and which are consequences; and all of them as JSON."""

import json
from dataclasses import replace

from diagnosis import LabelReport, Reading
from diagnosis.findings import Finding
from diagnosis.labels.beyond import brought_back
from diagnosis.labels.other_splits import likely_source, mends_with, told_with
from diagnosis.labels.symptoms import with_symptoms
from diagnosis.labels.told import findings_of
from diagnosis.labels.verdict import judge

from .planting import material, sights, truths


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


def test_a_reading_that_brings_rows_back_explains_the_errors_of_these_and_is_told_as_one():
    warning = Finding("wrong_side", "warning", None, "x by the height.", {"brings_back": 43})
    lost, apart, empty = finding("outside", "error"), finding("off_image", "error"), finding("empty_box", "error")
    told, rest = with_symptoms([warning], [lost, apart, empty])
    assert (told.code, told.severity, told.consequences) == ("wrong_side", "error", ("off_image", "outside"))
    assert "wrong_side explains these 43 lines that leave the image (off_image, outside)" in told.message
    assert rest == empty


def test_a_reading_of_another_split_is_offered_where_it_brings_rows_back():
    reading, truth = Reading(unit="wrong_side"), truths(24)
    told = judge(replace(material(truth, sights(truth), reading), split="train"))
    few = judge(replace(material(truth[:4], sights(truth[:4]), reading), split="val", seen=None))
    assert brought_back(few.material, reading) > 0 == brought_back(few.material, Reading(order="wh_swapped"))
    assert likely_source(few, [few, told]) is told and likely_source(told, [few, told]) is None
    (finding,) = [told_with(one, few, told) for one in findings_of(few)]
    assert "train says wrong_side by 24 images; val probably too: also=['wrong_side'] mends both" in finding.message
    (mend,) = mends_with([], few, told)
    assert (mend.doubtful, mend.split, len(mend.images)) == (("wrong_side",), "val", 4)
    assert not mend.sure.does


def test_what_another_split_says_explains_the_rows_of_one_too_small_to_judge():
    evidence = {"brings_back": 7, "also": ["wrong_side"]}
    unsure = Finding("cannot_tell", "warning", None, "Too few images.", evidence)
    lost, apart, empty = finding("outside", "error"), finding("off_image", "warning"), finding("empty_box", "error")
    told, rest = with_symptoms([unsure], [lost, apart, empty])
    assert (told.code, told.severity, told.consequences) == ("cannot_tell", "error", ("off_image", "outside"))
    assert told.message.endswith("wrong_side explains these 7 lines that leave the image (off_image, outside).")
    assert rest == empty
    bare = Finding("cannot_tell", "warning", None, "Too few images.", {})
    assert with_symptoms([bare], [lost]) == [bare, lost]
