"""Every notebook runs from top to bottom, in an empty folder; those that take weights or a set also with real ones."""

import re
import shlex
from pathlib import Path

import pytest

from tests.diagnosis.surveys.evaluation.validation import copy_of_photographs

pytestmark = pytest.mark.long

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TAKE_WEIGHTS = [path for path in NOTEBOOKS if "WORKBENCH_WEIGHTS" in path.read_text()]
TAKE_A_SET = [path for path in NOTEBOOKS if "WORKBENCH_SURVEY" in path.read_text()]

ERRORS = {  # of each report of the doctor that a notebook prints, in their order
    "05_my_detector_learns_nonsense": [
        set(),  # the encoder at last, then decoder and loss as they are mended
        {"scrambled_layout"},
        {"not_permutation_invariant"},
        set(),
        {"range_ceiling"},
        set(),
        {"mixed_batch"},
        set(),
        set(),  # the repaired one
    ],
    "11_someone_elses_encoder": [
        {"axes_swapped", "half_cell_offset"},
        {"half_cell_offset"},
        set(),
        {"image_size_swapped"},  # of the decoder
        set(),
    ],
}


@pytest.fixture
def run(tmp_path, monkeypatch, kernels):
    """A function that runs a notebook, with variables of its environment set, and returns it with its outputs."""
    import nbformat  # here, since every worker collects this file and few run it: these cost seconds
    from nbclient import NotebookClient

    from tests.kernels.forked import python_path

    monkeypatch.setenv("PYTHONPATH", python_path())
    for name in ("MPLBACKEND", "WORKBENCH_WEIGHTS", "WORKBENCH_LEARNING", "WORKBENCH_SURVEY"):
        monkeypatch.delenv(name, raising=False)

    def execute(path: Path, **variables: str):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        before = path.read_bytes()
        notebook = nbformat.reads(before.decode(), as_version=4)
        folder = {"metadata": {"path": str(tmp_path)}}
        how = {"timeout": 300, "kernel_name": "python3", "kernel_manager_class": kernels}
        notebook = NotebookClient(notebook, resources=folder, **how).execute()
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [], "A notebook leaves nothing behind in the folder it was started in."
        return notebook

    return execute


@pytest.fixture(scope="module")
def photographs(real, tmp_path_factory):
    """The data YAML of some labelled photographs."""
    return copy_of_photographs(real, tmp_path_factory.mktemp("photographs"), 8)


def check(notebook) -> None:
    """Every cell ran; there are pictures, drawn as such; nothing was complained about."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    outputs = [output for cell in code for output in cell.outputs]
    assert [cell.source for cell in code if cell.execution_count is None] == []
    assert [output.text for output in outputs if output.output_type == "stream" and output.name == "stderr"] == []
    results = [output.data for output in outputs if output.output_type in ("execute_result", "display_data")]
    assert any("image/png" in data for data in results)
    plots = [cell for cell in code if "plt.subplots(" in cell.source]
    assert [cell.source for cell in plots if not any("image/png" in o.get("data", {}) for o in cell.outputs)] == []
    assert [data for data in results if "Figure(" in data.get("text/plain", "") and "image/png" not in data] == []


def reported(notebook) -> list[set[str]]:
    """The codes of the errors in each report of a target encoder, decoder or loss that was printed."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    printed = "".join(output.text for output in outputs if output.output_type == "stream")
    reports = re.split(r"^(?=(?:target encoder|decoder|loss): \d)", printed, flags=re.MULTILINE)[1:]
    return [set(re.findall(r"^  error: (\w+)", text, re.MULTILINE)) for text in reports]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_with_what_comes_with_the_project(run, path):
    notebook = run(path)
    check(notebook)
    if path.stem in ERRORS:
        assert reported(notebook) == ERRORS[path.stem]


@pytest.mark.parametrize("path", TAKE_WEIGHTS, ids=lambda path: path.stem)
def test_runs_with_real_weights(run, real, path):
    check(run(path, WORKBENCH_WEIGHTS=str(real / "weights" / "yolov8n_coco.pt")))


@pytest.mark.parametrize("path", TAKE_A_SET, ids=lambda path: path.stem)
def test_runs_with_a_real_set(run, real, photographs, path):
    surveyed = [str(real / "weights" / "yolov8n_coco.pt"), str(photographs)]
    check(run(path, WORKBENCH_SURVEY=shlex.join(surveyed)))
