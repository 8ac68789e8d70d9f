"""What importing our packages loads, read from one fresh process that imports them one after another."""

import json
import os
import subprocess
import sys
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
