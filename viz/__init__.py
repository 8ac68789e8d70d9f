"""Draw what the other packages return: every function takes data and returns a matplotlib Figure.

A name is loaded at its first use: ``detector-workbench --help`` waits for neither matplotlib nor torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .canvas.palette import LEVEL_COLORS, level_color
    from .canvas.style import STYLE
    from .explorer.explore import explore
    from .explorer.state import Explorer
    from .figures.anchor_grid import anchor_grid
    from .figures.assignment import assignment
    from .figures.attribution import attribution
    from .figures.compare import compare
    from .figures.detections import detections
    from .figures.distribution import distribution
    from .figures.features import features
    from .figures.grid import grid
    from .figures.heatmaps import heatmaps
    from .figures.labels.labels import labels
    from .figures.layers import layers
    from .figures.level_shares import level_shares
    from .figures.loss_by_level import loss_by_level
    from .figures.maps import maps
    from .figures.missed import missed
    from .figures.numerics import numerics
    from .figures.receptive_field import receptive_field
    from .figures.survey.survey import survey
    from .figures.targets import targets
    from .figures.watch import watch
    from .figures.why import why
    from .reports.report import report
    from .reports.survey.report import survey_report

__all__ = [
    "LEVEL_COLORS",
    "STYLE",
    "Explorer",
    "anchor_grid",
    "assignment",
    "attribution",
    "compare",
    "detections",
    "distribution",
    "explore",
    "features",
    "grid",
    "heatmaps",
    "labels",
    "layers",
    "level_color",
    "level_shares",
    "loss_by_level",
    "maps",
    "missed",
    "numerics",
    "receptive_field",
    "report",
    "survey",
    "survey_report",
    "targets",
    "watch",
    "why",
]

HOMES = {  # where a name is that is no figure with a file of its own
    "LEVEL_COLORS": "canvas.palette",
    "STYLE": "canvas.style",
    "Explorer": "explorer.state",
    "explore": "explorer.explore",
    "labels": "figures.labels.labels",
    "level_color": "canvas.palette",
    "report": "reports.report",
    "survey": "figures.survey.survey",
    "survey_report": "reports.survey.report",
}

if not TYPE_CHECKING:  # to which every name would be a name of this package

    def __getattr__(name: str):
        if name not in __all__:
            raise AttributeError(f"module 'viz' has no attribute {name!r}")
        found = getattr(import_module(f"viz.{HOMES.get(name, f'figures.{name}')}"), name)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
