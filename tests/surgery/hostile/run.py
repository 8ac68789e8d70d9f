"""The one process in which all hostile files are opened."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
LIMIT = 900  # seconds


def run(folder: Path) -> dict[str, dict]:
    """What came of each file, by kind/name; RuntimeError where the process died."""
    settings = {"YOLO_CONFIG_DIR": str(folder / "config"), "YOLO_OFFLINE": "1", "YOLO_AUTOINSTALL": "true"}
    environment = os.environ | settings | {"OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    (folder / "config").mkdir()
    command = [sys.executable, "-m", "tests.surgery.hostile.child", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LIMIT)
    if done.returncode:
        raise RuntimeError(f"The process ended with {done.returncode} after:\n{done.stderr[-3000:]}")
    return json.loads((folder / "rows.json").read_text())
