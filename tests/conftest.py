"""Shared by all tests: nothing written to a home, one thread, small random networks, real data where it is at hand."""

import gc
import os
import tempfile
from pathlib import Path

os.environ["YOLO_OFFLINE"] = "1"
os.environ["YOLO_CONFIG_DIR"] = tempfile.mkdtemp(prefix="yolo-config-")
os.environ["YOLO_AUTOINSTALL"] = "false"
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # a second thread that spins beside a busy process takes its core away

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent


LONGEST = ("test_gates.py", "test_notebooks.py")  # in this order


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests come first: what is left for the end, when a worker may have nothing more to do, is short."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    """When it is a test's turn: the longest files, other long tests, the rest."""
    if item.path.name in LONGEST:
        return LONGEST.index(item.path.name)
    return len(LONGEST) + (item.get_closest_marker("long") is None)


def pytest_collection_finish() -> None:
    """What was made by imports stays: neither the collector nor a look among all living objects need go through it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _one_thread():
    import torch  # here, since the process that hands tests to workers needs none

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def real() -> Path:
    """The folder with COCO-trained weights and photographs, beside the checkout (or $WORKBENCH_REAL)."""
    folder = Path(os.environ.get("WORKBENCH_REAL", ROOT.parent / "shared" / "real"))
    if not (folder / "weights" / "yolov8n_coco.pt").exists():
        pytest.skip(f"no real weights and photographs at {folder} (set WORKBENCH_REAL to point to them)")
    return folder


@pytest.fixture(scope="session")
def kernels():
    """Managers of notebooks' kernels: a process each, forked from one that has loaded what all of them load."""
    from tests.kernels.forked import Nursery, managers
    from tests.ultralytics_nets import without_other_loggers

    without_other_loggers()
    with Nursery() as nursery:
        yield managers(nursery)


@pytest.fixture(scope="session")
def picture() -> np.ndarray:
    """A (128, 192, 3) uint8 BGR image with some structure; both sides are multiples of every stride up to 64."""
    rng = np.random.default_rng(7)
    coarse = rng.integers(0, 255, (8, 12, 3), dtype=np.uint8).repeat(16, 0).repeat(16, 1)
    return np.ascontiguousarray((coarse * 0.7 + rng.integers(0, 76, coarse.shape)).astype(np.uint8))


@pytest.fixture(scope="session")
def build():
    """A factory of YOLO objects with random weights whose class rows are scaled so that they detect something."""
    from tests.ultralytics_nets import as_published

    return as_published
