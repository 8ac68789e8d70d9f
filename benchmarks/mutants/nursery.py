"""A copy of the project in which one mutant after the other is brought up, each in a child of a warmed-up process.

Importing torch and Ultralytics takes far longer than most tests: the parent imports them once, and never the project.
"""

import contextlib
import importlib
import importlib.util
import io
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("anatomy", "detectors", "diagnosis", "surgery", "viz", "tests", "benchmarks", "notebooks", "pyproject.toml")
PRELOADED = (
    "numpy",
    "cv2",
    "PIL.Image",
    "torch",
    "torchvision.models.detection",
    "ultralytics.models.yolo",
    "ultralytics.data.augment",
    "polars",
    "matplotlib.pyplot",
    "matplotlib.backends.backend_agg",
    "timm",
    "hypothesis",
    "pytest",
)
QUIET = ["-q", "-x", "--no-header", "--tb=no", "-p", "no:cacheprovider"]
COLLECTING = 180.0  # seconds that reading the tests may take


class Nursery:
    """One working copy and one parent; ``run`` forks."""

    def __init__(self, folder: Path):
        self.tree = folder / "tree"
        for name in COPIED:
            _copy(ROOT / name, self.tree / name)
        os.environ |= {
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "POLARS_MAX_THREADS": "1",
            "MPLBACKEND": "agg",
            "PYTHONDONTWRITEBYTECODE": "1",  # a stale .pyc would hide a mutant
            "YOLO_OFFLINE": "true",
            "YOLO_AUTOINSTALL": "false",
            "YOLO_CONFIG_DIR": tempfile.mkdtemp(dir=folder),
        }
        os.environ.setdefault("WORKBENCH_REAL", str(ROOT.parent / "shared" / "real"))
        sys.dont_write_bytecode = True
        with contextlib.redirect_stdout(io.StringIO()):  # Ultralytics greets a new folder of settings
            for name in PRELOADED:
                if importlib.util.find_spec(name.partition(".")[0]):
                    importlib.import_module(name)
        sys.path[:] = [str(self.tree), *(entry for entry in sys.path if Path(entry or ".").resolve() != ROOT)]

    def run(self, work: Callable[[int], int], limit: Callable[[str], float]) -> tuple[str, str]:
        """Fork, call ``work`` with a file descriptor to speak on, and listen until it ends.

        Returns how it ended and by what: ("failed", test), ("late", test) where one took longer than ``limit`` of its
        name (killed), ("passed", ""), or ("broke", status) where the child itself came to grief.
        """
        ours, theirs = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(ours)
            self._live(work, theirs)
        os.close(theirs)
        try:
            word, what = _listen(ours, limit)
        finally:
            os.close(ours)
            _end(child)
            os.waitpid(child, 0)
        return word, what

    def _live(self, work: Callable[[int], int], to: int) -> None:
        code = 70
        try:
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.chdir(self.tree)
            log = os.open(self.tree.parent / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            for stream in (1, 2):
                os.dup2(log, stream)
            code = work(to)
            os.write(to, (json.dumps(_ended(code)) + "\n").encode())
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)


def _ended(code: int) -> tuple[str, str]:
    """How a run ended; where a conftest.py cannot be imported, pytest says that it was called wrongly."""
    if code == 4:
        return "failed", "reading of the tests"
    return ("broke", f"exit status {code}") if code else ("passed", "")


def pytest_run(tests: Sequence[str], plugin, *options: str) -> int:
    """Run test files in this process; the exit status, 0 also where none of them was chosen."""
    import pytest

    code = pytest.main([*tests, *QUIET, *options], plugins=[plugin])
    return 0 if code in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) else int(code)


def _listen(pipe: int, limit: Callable[[str], float]) -> tuple[str, str]:
    """The first failure, the test that took too long, or the end."""
    now, until, rest = "reading the tests", time.monotonic() + COLLECTING, b""
    while True:
        ready, _, _ = select.select([pipe], [], [], max(until - time.monotonic(), 0))
        if not ready:
            return "late", now
        some = os.read(pipe, 65536)
        if not some:
            return "broke", "it ended without a word"
        *lines, rest = (rest + some).split(b"\n")
        for line in lines:
            word, what = json.loads(line)
            if word != "begins":
                return word, what
            now, until = what, time.monotonic() + limit(what)


def _end(child: int) -> None:
    """End the child, if it has not ended, and whatever it started."""
    try:
        os.killpg(child, signal.SIGKILL)
    except ProcessLookupError:  # it has ended, or has not come to lead its group yet
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            os.kill(child, signal.SIGKILL)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    elif source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
