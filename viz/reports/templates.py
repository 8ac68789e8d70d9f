"""The templates of the pages: every value is escaped, style sheets and scripts stand in the page itself."""

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from ..canvas.palette import level_color

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup


@cache
def templates() -> "Environment":
    """The templates of this folder and of those in it."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("viz.reports", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(level_color=level_color, source=_source)
    return made


def _source(name: str) -> "Markup":
    """A style sheet or script of this folder, as it is."""
    from markupsafe import Markup

    return Markup(files("viz.reports").joinpath(name).read_text(encoding="utf-8"))
