"""House rules that the sources themselves show: which way imports point, what is loaded when, sizes, outputs."""

import ast
import json
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.fresh_process import loaded_by
from tests.import_graph import circles, graph, imports

ROOT = Path(__file__).parent.parent

# package: the other packages of the project that it may import
ARROWS = {
    "detectors": set(),
    "anatomy": set(),
    "surgery": {"anatomy"},
    "diagnosis": {"anatomy", "surgery"},
    "viz": {"anatomy", "diagnosis", "surgery"},
}
# package: its wings, and which of them each may import; the package's own file imports them all
WINGS = {
    "anatomy": {
        "errors": set(),
        "arguments": set(),
        "shown": set(),
        "archive": {"errors"},
        "head": {"errors", "arguments", "shown"},
        "families": {"errors", "arguments", "shown", "archive", "head"},
        "tracing": {"errors", "arguments", "shown", "head", "families"},
        "network": {"errors", "arguments", "shown", "head", "families", "tracing"},
    },
    "diagnosis": {
        "findings": set(),
        "objects": {"findings"},
        "scales": {"findings"},
        "grid": {"findings", "objects"},
        "attribution": {"findings"},
        "doctor": {"findings"},
        "parts": set(),
        "surveys": {"findings", "objects", "parts"},
        "labels": {"findings", "objects", "surveys"},
        "training": {"findings", "scales", "parts"},
    },
    "diagnosis.surveys": {
        "tables": set(),
        "spreadsheet": set(),
        "settings": set(),
        "folder": set(),
        "answers": {"tables", "spreadsheet"},
        "evaluation": {"tables", "settings"},
        "photographs": {"tables"},
        "result": {"tables", "folder", "answers", "evaluation", "photographs"},
        "looking": {"tables", "settings", "evaluation"},
        "running": {"tables", "settings", "folder", "evaluation", "looking", "result"},
    },
    "diagnosis.attribution": {
        "place": set(),
        "subject": set(),
        "windows": set(),
        "presence": {"subject", "windows"},
        "perturbation_frame": {"place"},
        "result": {"place", "subject"},
        "maps": {"place", "subject", "windows", "presence", "perturbation_frame", "result"},
        "methods": {"subject", "result", "maps"},
        "parts": {"subject", "result", "methods"},
        "evidence": {"place", "subject", "windows", "presence", "perturbation_frame", "result", "methods"},
    },
    "diagnosis.doctor": {
        "families": set(),
        "layout": {"families"},
        "notes": set(),
        "copying": set(),
        "storage": {"layout"},
        "boxes": {"layout", "storage"},
        "targets": {"layout", "notes", "storage", "boxes"},
        "inference": {"layout", "storage", "boxes", "targets"},
        "decoder": {"layout", "notes", "copying", "boxes"},
        "loss": {"layout", "notes", "copying", "boxes"},
    },
    "viz": {
        "canvas": set(),
        "figures": {"canvas"},
        "explorer": {"canvas"},
        "reports": {"canvas", "figures"},
        "command": {"figures", "reports"},
    },
    "detectors": {
        "scenes": set(),
        "pyramid": set(),
        "demo": {"scenes"},
        "fastvit": {"scenes", "pyramid"},
        "pafpn": {"scenes", "pyramid"},
    },
}
# what detectors may know of anatomy: what describes a head, and the reader of archives that runs nothing
KNOWN_TO_DETECTORS = ("anatomy.head", "anatomy.archive")
KNOWN_TO_COMMAND = ("detectors",)  # its demo shows the bundled detector
DESCRIPTIONS = "description.py"  # the files in which a detector fulfils the contract: these may know all of it
# foreign library: the one package that may import it
AT_HOME = {
    "ultralytics": "anatomy",
    "timm": "detectors",
    "captum": "diagnosis",
    "scipy": "diagnosis",
    "skimage": "diagnosis",
    "torchinfo": "anatomy",
    "onnx": "anatomy",
    "onnxruntime": "anatomy",
    "openvino": "anatomy",
    "matplotlib": "viz",
    "ipywidgets": "viz",
    "ipympl": "viz",
    "typer": "viz",
}
HEAVY = ("ultralytics", "torchvision", "timm", "captum", "torchinfo", "matplotlib", "ipywidgets", "polars", "cv2")
HEAVY += ("scipy", "skimage", "sklearn", "onnx", "onnxruntime", "openvino")
MACHINE_PATH = re.compile(rb"(?<![\w.:/~-])/(?:home|root|Users|work|mnt|srv)/[\w.-]")
LONGEST = 400  # lines of a source file

PACKAGES = [name for name in ARROWS if (ROOT / name / "__init__.py").is_file()]
MODULES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
BRINGS_FUNCTIONS = ("notebooks/11_someone_elses_encoder.ipynb",)  # which are what it is about


@cache
def files() -> dict[str, set[str]]:
    """By file of the packages: the files that it imports."""
    return graph(MODULES, ROOT)


def project_files() -> list[Path]:
    """Every file of the project: what git tracks, or, without git, what lies in its folders."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        found = [ROOT / name for name in listed.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        folders = (*ARROWS, "notebooks", "tests", "benchmarks", ".ci")
        found = [path for folder in folders for path in (ROOT / folder).rglob("*") if "__pycache__" not in path.parts]
        found += ROOT.glob("*.*")
    return sorted(path for path in found if path.is_file())


def imported(source: str) -> set[str]:
    """The top-level names that a source imports absolutely, wherever the import stands in it."""
    return {module.partition(".")[0] for module, _ in imports(source)}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("", set()),
        ("import viz.heat as heat, torch", {"viz", "torch"}),
        ("from viz.heat import draw", {"viz"}),
        ("from . import viz\nfrom .viz import draw", {""}),
        ("def late():\n    from viz import draw", {"viz"}),
        ("if TYPE_CHECKING:\n    import viz", {"viz"}),
        ("import importlib\nimportlib.import_module('viz.heat')", {"importlib", "viz"}),
        ("__import__('viz')", {"viz"}),
        ("'import viz'  # import viz", set()),
    ],
)
def test_imports_are_read_wherever_they_stand(source, names):
    assert imported(source) == names


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_no_arrow_points_the_wrong_way(path):
    package = relative(path).partition("/")[0]
    known = _known_besides(path)
    reached = [module for module, _ in imports(path.read_text()) if not _among(module, known)]
    wrong = {module.partition(".")[0] for module in reached} & set(ARROWS) - ARROWS[package] - {package}
    assert not wrong, f"{relative(path)} imports {sorted(wrong)}, but {package} may import {sorted(ARROWS[package])}."


def _known_besides(path: Path) -> tuple[str, ...]:
    """The modules that this file may import although no arrow of its package points there."""
    if relative(path).startswith("viz/command/"):
        return KNOWN_TO_COMMAND
    if not relative(path).startswith("detectors/"):
        return ()
    return ("anatomy",) if path.name == DESCRIPTIONS else KNOWN_TO_DETECTORS


def _among(module: str, known: tuple[str, ...]) -> bool:
    """Whether a module is one of those of anatomy that are known, or lies in one."""
    return any(module == place or module.startswith(f"{place}.") for place in known)


@pytest.mark.parametrize("room", WINGS)
def test_no_arrow_between_wings_points_the_wrong_way(room):
    wings, wrong = WINGS[room], []
    for module, targets in files().items():
        wing = _wing(module, room)
        for target in targets if wing else ():
            other = _wing(target, room)
            if other not in (None, wing) and other not in wings[wing]:
                wrong.append(f"{module} imports {target}")
    assert wrong == []


@pytest.mark.parametrize("room", WINGS)
def test_every_wing_has_its_arrows_and_says_what_lives_there(room):
    folder = ROOT / room.replace(".", "/")
    there = {path.stem for path in folder.iterdir() if (path / "__init__.py").is_file() or path.suffix == ".py"}
    assert there - {"__init__"} == set(WINGS[room])
    opened = [folder / wing / "__init__.py" for wing in WINGS[room] if (folder / wing).is_dir()]
    assert [relative(path) for path in opened if not ast.get_docstring(ast.parse(path.read_text()))] == []


def _wing(module: str, room: str) -> str | None:
    """The wing of a room that a module lies in; None elsewhere, and for the file of the room itself."""
    return module.removeprefix(f"{room}.").partition(".")[0] if module.startswith(f"{room}.") else None


def test_no_files_import_each_other_in_a_circle():
    assert circles(files()) == []


def test_a_circle_is_found_wherever_its_arrows_stand():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}) == [["b", "c"]]


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_a_foreign_library_stays_in_its_package(path):
    package = relative(path).partition("/")[0]
    wrong = [name for name in imported(path.read_text()) & set(AT_HOME) if AT_HOME[name] != package]
    assert not wrong, f"{relative(path)} imports {wrong}; their place is {[AT_HOME[name] for name in wrong]}."


def test_its_own_files_alone_import_ultralytics():
    importing = [relative(path) for path in MODULES if "ultralytics" in imported(path.read_text())]
    assert importing
    assert [name for name in importing if not name.startswith("anatomy/families/ultralytics/")] == []


@pytest.mark.parametrize("package", ["anatomy", "surgery"])
def test_importing_loads_no_heavy_library(package):
    assert loaded_by(package) & set(HEAVY) == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_opens_with_a_docstring_and_says_what_it_exports(package):
    tree = ast.parse((ROOT / package / "__init__.py").read_text())
    assert ast.get_docstring(tree)
    assigned = [target.id for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    assert "__all__" in assigned


def test_sources_are_short_and_named_for_what_they_do():
    sources = [path for path in project_files() if path.suffix == ".py"]
    assert sources
    assert {relative(path): count for path in sources if (count := path.read_text().count("\n")) > LONGEST} == {}
    assert [relative(path) for path in sources if path.stem in ("utils", "util", "helpers", "common", "misc")] == []


def test_no_path_of_one_machine_is_written_down():
    found = {relative(path): MACHINE_PATH.findall(path.read_bytes()) for path in project_files()}
    assert {name: hits for name, hits in found.items() if hits} == {}


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=relative)
def test_a_notebook_is_committed_without_outputs_and_without_functions(path):
    cells = json.loads(path.read_text())["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["source"] for cell in code if cell["outputs"] or cell["execution_count"] is not None] == []
    functions = [text for cell in code if re.search(r"^\s*(def|class) ", text := "".join(cell["source"]), re.MULTILINE)]
    assert bool(functions) == (relative(path) in BRINGS_FUNCTIONS), functions
    assert cells[0]["cell_type"] == "markdown"
    assert "".join(cells[0]["source"]).startswith("# ")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=relative)
def test_the_cells_of_a_notebook_are_short(path):
    cells = json.loads(path.read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    longest = {text: lines for text in code if (lines := text.count("\n") + 1) > 7 and "import " not in text}
    assert longest == {}
