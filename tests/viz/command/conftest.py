"""The command as a shell would call it, in this process: exit status, stdout and stderr apart."""

from collections.abc import Callable

import pytest
import ultralytics  # noqa: F401  (tells of its new settings when it is loaded, not in the middle of a command)
from typer.testing import CliRunner, Result

from viz.command import app


@pytest.fixture
def call() -> Callable[..., Result]:
    """``call("report", "best.pt", ...)``: what the command answers."""
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])
