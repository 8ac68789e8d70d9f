"""The one command of the workbench; nothing heavy is loaded before a command runs."""

from typing import Annotated

import typer

from . import demo, labels, report, survey
from .shell import Command, Program
from .words import PROGRAM, STATUSES, epilog

EPILOG = epilog(
    "Begin with:",
    ("demo", "report yolov8n.pt photos/", "survey best.pt data.yaml", "labels data.yaml"),
    f"{PROGRAM} COMMAND --help tells all about one of them.",
    f"{STATUSES} What went wrong is said on stderr, in one line.",
)
app = typer.Typer(
    name=PROGRAM,
    cls=Program,
    epilog=EPILOG,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
app.command("report", cls=Command, epilog=report.EPILOG)(report.report)
app.command("survey", cls=Command, epilog=survey.EPILOG)(survey.survey)
app.command("labels", cls=Command, epilog=labels.EPILOG)(labels.labels)
app.command("demo", cls=Command, epilog=demo.EPILOG)(demo.demo)


def main(argv: list[str] | None = None) -> int:
    """Run a command line; returns the exit status.

    0; 1 where a check found errors, 2 where it cannot be done as asked, 130 when interrupted.
    """
    return typer.main.get_command(app).main(argv, standalone_mode=False)


def _say_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"{PROGRAM} {version(PROGRAM)}")
        except PackageNotFoundError:
            print(f"{PROGRAM}, not installed but run from its folder")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _workbench(
    ctx: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", metavar="", callback=_say_version, is_eager=True, help="Say the version, and end."),
    ] = False,
) -> None:
    """See which pyramid level and which cell of a YOLO-style detector made every detection, and what it misses."""
    if ctx.invoked_subcommand is None:
        print(ctx.get_help())
