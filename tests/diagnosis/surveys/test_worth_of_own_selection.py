"""What a class row is worth of a detector that chooses by itself: that of a survey of the edited model."""

import pytest

import diagnosis
import surgery
from diagnosis.surveys.evaluation.scoreboard import SCORES
from tests.contract.families import FAMILIES
from tests.diagnosis.surveys.sets import scene_set

ROWS = [("P3", 0), ("P3", 2), ("P4", 0), ("P4", 3)]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Four scenes whose classes are those of the small networks."""
    data = scene_set(tmp_path_factory.mktemp("scenes"), 4, (240, 320))
    for file in (data.parent / "labels" / "val").glob("*.txt"):
        rows = [line.split() for line in file.read_text().splitlines()]
        file.write_text("".join(" ".join([str(int(row[0]) % 4), *row[1:]]) + "\n" for row in rows))
    return data.parent / "images" / "val"


@pytest.mark.parametrize("name", ["fastvit", "corner net", "own detector"])
def test_a_silent_row_lets_other_classes_in(name, images, tmp_path):
    (family,) = (each for each in FAMILIES if each.name == name)
    model, arguments = family.build(), {**family.args, "progress": False}
    worth = diagnosis.survey(model, images, tmp_path / "plain", ablation=True, **arguments).worth()
    for level, class_id in ROWS:
        with surgery.scratch(model):
            surgery.zero_classes(model, level, class_id)
            edited = diagnosis.survey(model, images, tmp_path / f"{level} {class_id}", **arguments).scores()
        row = worth.filter((worth["level_name"] == level) & (worth["class_id"] == class_id)).row(0, named=True)
        assert [row[score] for score in SCORES] == pytest.approx([edited[score] for score in SCORES], nan_ok=True)
