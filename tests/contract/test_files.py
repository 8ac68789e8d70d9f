"""Laws 0, 7 and 8: a saved detector predicts the same where its own library is alone, and nothing of a file runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import surgery
from tests.contract import lending
from tests.contract.edits import edit_everything
from tests.contract.families import FAMILIES
from tests.contract.portrait import changed_values, portrait
from tests.contract.rows import PICTURE

ROOT = Path(__file__).parents[2]
SAVED = [family for family in FAMILIES if family.files is not None]
LOOP = """
import json, sys, numpy, torch
torch.set_num_threads(1)
for line in sys.stdin:
    path, image, answer, args = json.loads(line)
    torch.save([part.clone() for part in predict(path, numpy.load(image), args)], answer)
    print("done", *sorted(set(sys.modules) & {"anatomy", "detectors", "surgery", "viz"}), flush=True)
"""


class Elsewhere:
    """A process that has a family's library alone; it opens checkpoints and predicts."""

    def __init__(self, files, folder: Path):
        self.image, self.answer = folder / "image.npy", folder / "answer.pt"
        np.save(self.image, PICTURE)
        reach = f"import sys; sys.path.append({str(ROOT)!r})\n" if files.foreign else ""
        command = [sys.executable, "-I", "-c", reach + files.program + LOOP]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder)

    def predict(self, path: Path, args) -> tuple[list[torch.Tensor], set[str]]:
        """What it finds on the picture, and which packages of ours it has loaded."""
        asked = json.dumps([str(path), str(self.image), str(self.answer), dict(args)])
        self.process.stdin.write(asked + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        while not line.startswith("done"):
            assert line, "the other process died"
            line = self.process.stdout.readline()
        return torch.load(self.answer), set(line.split()[1:])

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=60)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """A function from a family's files to the process that opens them."""
    made = {}

    def find(files) -> Elsewhere:
        if files.program not in made:
            made[files.program] = Elsewhere(files, tmp_path_factory.mktemp("elsewhere"))
        return made[files.program]

    yield find
    for process in made.values():
        process.close()


@pytest.fixture(params=SAVED, ids=str, scope="module")
def family(request):
    return request.param


@pytest.fixture(scope="module")
def files(family, tmp_path_factory):
    """The folder in which the first test that wants a file of the family leaves it, for the others."""
    return tmp_path_factory.mktemp("files")


def test_law_7_a_saved_detector_predicts_the_same_elsewhere(family, model, elsewhere, files):
    if family.editable:
        edit_everything(model, family)
        surgery.undo(model)  # the muted level would leave little to compare
    here = family.predict(model, PICTURE, family.args)
    path = surgery.save(model, files / "edited.pt")
    there, ours = elsewhere(family.files).predict(path, family.args)
    assert ours <= family.files.foreign
    assert len(here[0]) and len(here) == len(there)
    assert all(torch.equal(*pair) for pair in zip(here, there, strict=True))


def test_law_7_a_history_that_was_saved_can_be_undone(edited, family, model, tmp_path):
    before = portrait(model)
    edit_everything(model, family)
    edited = portrait(model)
    opened = surgery.load(surgery.save(model, tmp_path / "edited.pt"), opener=family.files.open)
    assert surgery.history(opened) == surgery.history(model)
    assert changed_values(edited, portrait(opened)) == []
    surgery.reset(opened)
    assert changed_values(before, portrait(opened)) == []


def written(family, folder: Path) -> Path:
    """A file of the detector: that of the first test, if it has run in this process."""
    path = folder / "edited.pt"
    return path if path.exists() else surgery.save(lending.network(family), path)


class Code:
    """Makes a file when it is unpickled."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


def test_laws_0_and_8_code_in_a_file_is_named_and_does_not_run(family, files, tmp_path):
    mark, path = tmp_path / "ran", tmp_path / "model.pt"
    found = torch.load(written(family, files), weights_only=False)
    torch.save({**found, "extra": Code(mark)}, path)
    with pytest.raises(ValueError, match=r"asks for more than .*(posix|nt)\.system"):
        surgery.load(path, opener=family.files.open)
    assert not mark.exists()
