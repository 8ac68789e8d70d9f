"""What findings say: in plain words, of one as of one, without infinity, and summed up where many say little."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import diagnosis
from diagnosis import LabelReport, Reading
from diagnosis.labels.file_votes import FileVotes
from diagnosis.labels.files.rows import FileTally
from diagnosis.labels.rest import Rest
from diagnosis.labels.told import findings_of
from diagnosis.labels.verdict import judge
from diagnosis.objects.reading.label_file import read_label_file

from .planted import data_yaml, picture, plant, report_of
from .planting import material, sights, truths


def test_what_is_left_adds_up_and_says_what_fits():
    rest = Rest(codes=("scaled",), left_as_written=(Path("a.png"),) * 9, could_not_tell=(Path("b.png"),) * 4)
    assert str(rest).startswith(
        "The other 13 files of this split are left as they are: in 9 the labels fit better as they are written, of 4 "
        "it cannot be told; look at these: b.png"
    )


@pytest.mark.parametrize(
    ("row", "hint"),
    [
        ("0 0,5 0,5 0,2 0,2", "decimal comma"),
        ("0;0.5;0.5;0.2;0.2", "Semicolons stand where spaces belong"),
        ("0,0.5,0.5,0.2,0.2", "Commas stand where spaces belong"),
        ("car 0.5 0.5 0.2 0.2", "the row is left out."),
    ],
)
def test_what_is_no_number_is_told_with_what_it_may_be(tmp_path, row, hint):
    (tmp_path / "a.txt").write_text(row + "\n")
    (problem,) = read_label_file(tmp_path / "a.txt", {}).problems
    assert problem.code == "not_a_number" and hint in problem.message
    assert problem.message.endswith(f"{hint}." if "." not in hint else hint) or "decimal" in hint


def test_files_that_cannot_be_read_are_told_and_no_model_is_called_for(tmp_path):
    plant(tmp_path, Reading())
    for path in (tmp_path / "labels").rglob("*.txt"):
        path.write_text(path.read_text().replace(".", ","))
    report = diagnosis.check_labels(data_yaml(tmp_path), progress=False)
    assert report.codes == ("not_a_number",) and "decimal comma" in str(report)


def test_without_a_model_no_other_is_called_for(tmp_path):
    plant(tmp_path, Reading())
    (finding,) = diagnosis.check_labels(data_yaml(tmp_path), progress=False).findings
    assert finding.code == "cannot_tell" and "another model" not in finding.message


@pytest.mark.parametrize("count", [1, 2])
def test_infinity_is_never_told(count):
    truth = truths(count, 3)
    for finding in findings_of(judge(material(truth, sights(truth)))):
        assert "inf" not in finding.message.replace("information", "")


def test_a_box_that_barely_leaves_is_told_once_and_as_one(tmp_path):
    (tmp_path / "a.txt").write_text("0 0.5 0.5 0.2 1.000001\n")
    tally = FileTally(images=1)
    tally.add_problems(read_label_file(tmp_path / "a.txt", {}).problems)
    (finding,) = tally.findings()
    assert finding.message.startswith("1 box leaves the image by less than 1 % in 1 file: ")
    assert finding.message.count("lets") == 1 and finding.message.endswith("Clip them to [0, 1].")


def test_names_that_the_model_lacks_are_counted_beyond_the_first():
    told = str(LabelReport(subject="set", left_out=tuple(f"class {i}" for i in range(80))))
    assert "class 9 and 70 more" in told and "class 10" not in told
    assert told.startswith("set: 0 errors, 0 warnings in 0 images")


def test_many_findings_of_few_files_each_are_summed_up():
    truth = truths(12, 3)
    verdict = judge(material(truth, sights(truth)))
    kinds = (Reading(order="wh_swapped"), Reading(size=0.5), Reading(format="xywh"))
    votes = tuple(
        FileVotes(files=np.arange(3 * i, 3 * i + 3), could=12, probability=0.01, reading=kind, better=6, worse=3)
        for i, kind in enumerate(kinds)
    )
    told = [finding.message for finding in findings_of(replace(verdict, votes=votes))]
    assert "3 findings hold for 9 of 12 files together: most files deviate, by no single reading" in told[0]
    assert not any("by no single reading" in text for text in told[1:])
    assert all("only 6 of the 9 boxes of these files that tell fit better so" in text for text in told)
    few = findings_of(replace(verdict, votes=votes[:1]))
    assert "by no single reading" not in few[0].message


def test_arguments_that_no_prediction_has_are_refused_without_a_model_too(tmp_path):
    plant(tmp_path, Reading())
    with pytest.raises(TypeError, match=r"no argument 'imgz'\. Did you mean imgsz"):
        diagnosis.check_labels(data_yaml(tmp_path), imgz=320, progress=False)
    assert diagnosis.check_labels(data_yaml(tmp_path), imgsz=320, progress=False).images == 4


def test_rows_of_another_set_are_not_dropped_or_cut_by_a_report(tmp_path):
    plant(tmp_path / "one", Reading())
    plant(tmp_path / "two", Reading())
    report = diagnosis.check_labels(data_yaml(tmp_path / "one"), progress=False)
    other = data_yaml(tmp_path / "two")
    for also in (["outside"], ["duplicates"]):
        with pytest.raises(
            ValueError, match=r"4 of its 4 images, such as .*, are not in /.*data\.yaml\. Check"
        ) as raised:
            diagnosis.fix_labels(report, other, tmp_path / "out", also=also, progress=False)
        assert "PosixPath" not in str(raised.value)
    assert not (tmp_path / "out").exists()
    made = diagnosis.fix_labels(
        report, str(tmp_path / "one/data.yaml"), tmp_path / "out", also="outside", progress=False
    )
    assert made.is_file()
    gone = replace(report_of([picture(tmp_path / "x.png", (8, 8))]), data=tmp_path / "one/images/val", mends=())
    assert diagnosis.fix_labels(gone, tmp_path / "one/data.yaml", tmp_path / "more", also="outside", progress=False)
