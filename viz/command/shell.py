"""Typer's commands as this one needs them: settings as ``key=value``, plain help in a pipe, errors on one line."""

import re
import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from .settings import SettingError, take_settings
from .words import IMPOSSIBLE, INTERRUPTED, PROGRAM, complain


def _fit_help(command: TyperCommand | TyperGroup) -> None:
    """Frames and colours on a terminal alone."""
    command.rich_markup_mode = "rich" if sys.stdout.isatty() else None


class Command(TyperCommand):
    """A command that takes ``key=value`` beside options."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            rest, settings = take_settings(args, self.get_params(ctx))
        except SettingError as error:
            error.ctx = ctx
            raise
        ctx.default_map = {**(ctx.default_map or {}), **settings}
        return super().parse_args(ctx, rest)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [re.sub(r"[{}]", "", piece) for piece in super().collect_usage_pieces(ctx)]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        _fit_help(self)
        super().format_help(ctx, formatter)


class Program(TyperGroup):
    """The commands together; whatever is wrong with a line is said on one line."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a line, and end the process with its exit status; where ``standalone_mode`` is False, return it."""
        try:
            status = super().main(args, PROGRAM, complete_var, standalone_mode=False, **extra) or 0
        except typer.TyperException as error:
            complain(f"error: {error.format_message()}{_further(error)}")
            status = IMPOSSIBLE
        except typer.Abort:
            status = INTERRUPTED
        if standalone_mode:
            sys.exit(status)
        return status

    def format_help(self, ctx: Any, formatter: Any) -> None:
        _fit_help(self)
        super().format_help(ctx, formatter)


def _further(error: Exception) -> str:
    ctx = getattr(error, "ctx", None)
    return f" ({ctx.command_path if ctx else PROGRAM} --help tells more.)"
