"""Files that are left as they are where others of their split vote: told, named, and written into mended.json."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import diagnosis
from diagnosis import Mend, Reading
from diagnosis.labels.as_read import as_meant, as_read
from diagnosis.labels.file_votes import FileVotes
from diagnosis.labels.fixing.changes import told_changes
from diagnosis.labels.mends import mends_of
from diagnosis.labels.rest import Rest, hint_of_names
from diagnosis.labels.rows import Rows
from diagnosis.labels.seen import Seen
from diagnosis.labels.single import suspects_of
from diagnosis.labels.told import findings_of
from diagnosis.labels.verdict import judge

from .planted import data_yaml, plant, report_of
from .planting import material, sights, truths

BOB = [Path(f"bob_{i:03d}.jpg") for i in range(4)]
ANNA = [Path(f"anna_{i:03d}.jpg") for i in range(6)]


@pytest.fixture(scope="module")
def voted():
    """Twenty images, of which the first eight have corners as centres; the last has no label at all."""
    truth = truths(20, 4)
    labels = [*truth[:19], (truth[19][0][:0], truth[19][1][:0])]
    given = material(labels, sights(truth), Reading(format="xywh"), faulty=slice(0, 8))
    return judge(replace(given, paths=[f"{'bob' if i < 8 else 'anna'}_{i:03d}.jpg" for i in range(20)]))


def test_every_file_of_a_split_is_accounted_for(voted):
    (mend,) = [mend for mend in mends_of(voted) if mend.rest]
    rest = mend.rest
    parts = [set(mend.images), set(rest.left_as_written), set(rest.could_not_tell)]
    assert set.union(*parts) == {Path(path) for path in voted.material.paths}
    assert sum(map(len, parts)) == 20
    assert Path("anna_019.jpg") in rest.could_not_tell and len(rest.left_as_written) >= 8
    assert all(path.name.startswith("anna") for path in rest.left_as_written)
    (finding,) = [one for one in findings_of(voted) if one.code == "corner_as_centre"]
    left, fit = 20 - len(mend.images), len(rest.left_as_written)
    told = f"The other {left} files of this split are left as they are: in {fit} the labels fit better"
    assert told in finding.message
    assert "look at these" in finding.message and "are named bob_…" in finding.message
    assert str(rest.could_not_tell[0]) in finding.evidence["could_not_tell"]


@pytest.mark.parametrize(
    ("mended", "left", "told"),
    [
        (BOB[:3], [BOB[3], *ANNA], "are named bob_…, and 1 of those left too: look at bob_003.jpg"),
        (BOB, ANNA, "named bob_…, none of those left"),
        (BOB[:2], [*BOB[2:], ANNA[0]], ""),  # most of those left bear it too
        ([Path("000001.jpg"), Path("000002.jpg")], [Path("000103.jpg")], ""),  # a number is no name
        ([BOB[0], ANNA[0]], ANNA[1:], ""),
        ([Path("cam_left_1.jpg"), Path("cam_lower_1.jpg")], [Path("drone_1.jpg")], "named cam_…, none"),
    ],
)
def test_a_name_that_mended_files_share_is_a_hint(mended, left, told):
    found = hint_of_names(mended, left)
    assert told in found and bool(told) == bool(found)


def test_what_was_left_is_written_and_told_only_where_the_vote_was_mended(tmp_path):
    plant(tmp_path / "set", Reading(format="xywh"))
    path = data_yaml(tmp_path / "set")
    images = diagnosis.read_labels(path).images
    rest = Rest(("corner_as_centre",), images[1:2], images[2:], hint="all are named so", split="val")
    report = report_of(images[:1], reading=Reading(format="xywh"), classes={0: 1}, codes=["ids_shifted"])
    (mend,) = report.mends
    sure = Mend(images=mend.images, classes={0: 1}, codes=("ids_shifted",))
    report = replace(report, mends=(replace(mend, proven=sure, rest=rest),))
    for out, also in (("sure", ()), ("all", "corner_as_centre")):
        diagnosis.fix_labels(report, path, tmp_path / out, also=also, progress=False)
    assert json.loads((tmp_path / "sure/mended.json").read_text())["left"] == []
    (left,) = json.loads((tmp_path / "all/mended.json").read_text())["left"]
    assert left["left_as_written"] == [str(images[1])] and left["could_not_tell"] == list(map(str, images[2:]))
    (line,) = [line for line in told_changes(tmp_path / "all") if "left as they" in line]
    assert line.startswith("corner_as_centre of val: The other 3 files of this split are left as they are: in 1 the")
    assert line.endswith("all are named so")


def test_labels_of_files_that_vote_are_not_missing_and_no_suspects_but_as_they_are_read():
    """Most files have corners as centres; of their objects none lacks a label, read so, and ids of theirs are meant."""
    truth = truths(24, 4)
    given = material(truth, sights(truth), Reading(format="xywh"), {i: i + 1 for i in range(6)}, slice(0, 13))
    verdict = judge(given)
    assert [one.reading for one in verdict.votes if one.reading] == [Reading(format="xywh")]
    assert "labels_missing" not in {finding.code for finding in findings_of(verdict)}
    voted = {given.paths[i] for entry in verdict.votes if entry.reading for i in entry.files}
    suspects = [row for row in suspects_of(verdict) if row["image"] in voted and row["kind"] == "lacking"]
    seen = sum(len(given.seen[i]) for entry in verdict.votes if entry.reading for i in entry.files)
    assert len(suspects) <= seen / 10


def test_each_file_is_read_and_meant_by_its_own():
    rows = Rows(
        image=np.array([0, 1, 1]),
        line=np.array([1, 1, 2]),
        class_id=np.array([1, 1, 0]),
        quads=np.array([[0.5, 0.5, 0.2, 0.2], [0.4, 0.4, 0.2, 0.2], [0.1, 0.2, 0.2, 0.4]]),
        polygon=np.zeros(3, bool),
    )
    nothing = np.empty(0)
    seen = [Seen((100, 50), nothing.reshape(0, 4), nothing, nothing.astype(np.int64))] * 2
    votes = [
        FileVotes(files=np.array([1]), could=2, probability=0.0, reading=Reading(format="xywh")),
        FileVotes(files=np.array([1]), could=2, probability=0.0, code="ids_shifted", meant={1: 0, 0: 5}),
    ]
    read = as_meant(as_read(rows, seen, Reading(), votes), {1: 2}, votes)
    np.testing.assert_allclose(read.quads, [[0.5, 0.5, 0.2, 0.2], [0.5, 0.5, 0.2, 0.2], [0.2, 0.4, 0.2, 0.4]])
    assert read.class_id.tolist() == [2, 0, 5]
