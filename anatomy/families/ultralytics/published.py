"""Ultralytics' published weights and its sample photographs: at hand, or to be downloaded."""

import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

RELEASE = "https://github.com/ultralytics/assets/releases/download/v8.4.0"  # where YOLO(name) takes weights from


def weights_at_hand(name: str) -> Path | None:
    """The file of this name in the working folder or where Ultralytics keeps weights; None where there is none."""
    from ultralytics import settings

    places = (Path(name), Path(settings["weights_dir"]) / name)
    return next((path for path in places if path.is_file()), None)


def why_no_download(name: str, seconds: float = 5.0) -> str | None:
    """None where the published weights can be reached, otherwise the reason, found within seconds."""
    if os.environ.get("YOLO_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        return "YOLO_OFFLINE forbids a download"
    try:
        urllib.request.urlopen(urllib.request.Request(f"{RELEASE}/{name}", method="HEAD"), timeout=seconds).close()
    except (urllib.error.URLError, OSError) as error:
        return f"the network does not reach it ({getattr(error, 'reason', error)})"
    return None


def download(name: str) -> Any:
    """The YOLO object of published weights, which come into the working folder; OSError, RuntimeError or TypeError."""
    from ultralytics import YOLO

    return YOLO(name)


def sample_photographs() -> dict[str, Path]:
    """The two photographs that come with Ultralytics, by name."""
    from ultralytics import ASSETS

    return {"bus": ASSETS / "bus.jpg", "zidane": ASSETS / "zidane.jpg"}
