"""How a mend is asked for, in Python and on the command line."""

from collections.abc import Sequence

from . import severity

LOOK = "look at viz.labels(report) first."
LOOK_AT_FIGURES = "look at its figure, or at those of --figures, first."


def asked_for(weight: str, codes: Sequence[str]) -> list[str]:
    """The codes that must be asked for by ``also``: those of a warning; an error is mended by itself."""
    return [] if weight == severity.ERROR else list(codes)


def in_python(also: Sequence[str]) -> str:
    """The call that writes mended copies, and what to do before it."""
    asked = f", also={list(also)}" if also else ""
    return f"diagnosis.fix_labels(report, data, out{asked}) writes mended copies; {LOOK}"


def on_command_line(also: Sequence[str]) -> str:
    """The options that write mended copies, likewise."""
    return f"--fix OUT{''.join(f' --also {code}' for code in also)} writes mended copies; {LOOK_AT_FIGURES}"


def for_command_line(message: str, also: Sequence[str]) -> str:
    """A finding's message with the options in place of the call."""
    return message.replace(in_python(also), on_command_line(also))
