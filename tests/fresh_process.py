"""Other processes: a fresh one that tells what importing our packages loads, and copies of this one."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
ORDER = ("anatomy", "surgery", "viz")  # what the first load, the last would load as well
CODE = """
import importlib, json, sys
found = {}
for package in sys.argv[1:]:
    importlib.import_module(package)
    found[package] = sorted(sys.modules)
print(json.dumps(found))
"""


def loaded_by(package: str) -> set[str]:
    """The modules that are loaded once a package and those before it in ``ORDER`` are imported."""
    return set(_loaded()[package])


@cache
def _loaded() -> dict[str, list[str]]:
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", CODE, *ORDER]
    return json.loads(subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout)


def in_a_fork(work: Callable[[], int]) -> int:
    """What ``work`` returns in a copy of this process, which then ends; of one that is killed, the signal, negative."""
    process = os.fork()
    if process == 0:
        status = 255
        try:
            status = work()
        finally:
            os._exit(status)  # nothing that this process has open is flushed or taken down twice
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status)
