"""JupyterLab on a free port, and a headless Chromium; screenshots go to ``artifacts/browser``."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHOTS = ROOT / "artifacts" / "browser"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = ["--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
ANNOUNCEMENTS = "@jupyterlab/apputils-extension:announcements"  # they would be asked for over the network
START = 60  # seconds that the server may take


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab: its address, its token, and the folder it serves."""

    address: str
    token: str
    folder: Path


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab over a copy of the notebooks, with settings of its own."""
    folder, home = tmp_path_factory.mktemp("notebooks"), tmp_path_factory.mktemp("jupyter")
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        shutil.copy(path, folder)
    _write(home / "config/labconfig/page_config.json", {"disabledExtensions": {ANNOUNCEMENTS: True}})
    _write(home / "settings/@jupyterlab/notebook-extension/tracker.jupyterlab-settings", {"windowingMode": "none"})
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    options = {"ip": "127.0.0.1", "port": port, "port_retries": 0, "root_dir": folder, "allow_root": True}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--IdentityProvider.token={token}"]
    command += [f"--ServerApp.{name}={value}" for name, value in options.items()]
    server = subprocess.Popen(
        command, cwd=folder, env=_environment(home), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        _wait_until_it_runs(server)
        yield Lab(f"http://127.0.0.1:{port}", token, folder)
    finally:
        server.terminate()
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            server.kill()


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium of the system, driven by Playwright."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no chromium on this system (apt-get install chromium)")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *QUIET])
        yield chromium
        chromium.close()


@pytest.fixture
def shoot():
    """``shoot(page, name)``: keep a picture of the page."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    return lambda page, name: page.screenshot(path=SHOTS / f"{name}.png")


def _write(path: Path, settings: dict) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(settings))


def _environment(home: Path) -> dict[str, str]:
    """Of this process, but with the packages at hand and nothing of the user's Jupyter."""
    env = {name: value for name, value in os.environ.items() if name not in ("MPLBACKEND", "WORKBENCH_WEIGHTS")}
    places = ("config", "data", "runtime", "settings", "workspaces", "ipython")
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_SETTINGS_DIR")
    names += ("JUPYTERLAB_WORKSPACES_DIR", "IPYTHONDIR")
    env |= {name: str(home / place) for name, place in zip(names, places, strict=True)}
    return env | {"PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))}


def _wait_until_it_runs(server: subprocess.Popen) -> None:
    """Read the server's log until it says that it runs; the rest of the log is read by a thread, to the end."""
    lines, ready = [], threading.Event()

    def read():
        for line in server.stderr:
            lines.append(line)
            if "is running at" in line:
                ready.set()
        ready.set()

    threading.Thread(target=read, daemon=True).start()
    if not ready.wait(START) or server.poll() is not None:
        pytest.fail(f"JupyterLab did not start within {START} s:\n{''.join(lines)}")
