"""The gates of `.pre-commit-config.yaml` as one test, so that they run beside the others and nobody waits for them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_all_gates_are_passed(tmp_path):
    if subprocess.run(["git", "rev-parse", "--git-dir"], cwd=ROOT, capture_output=True).returncode:
        pytest.skip("This is no git checkout, which pre-commit needs: the gates are left out.")
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    env = os.environ | {"PATH": path, "PRE_COMMIT_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "pre_commit", "run", "--all-files", "--show-diff-on-failure", "--color=never"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, f"\n{done.stdout}{done.stderr}"
    gates = [line for line in done.stdout.splitlines() if line.endswith("Passed")]
    assert len(gates) == 3, done.stdout
