"""One page about a survey, in a single file: its verdict, figures, tables, and the photographs behind each number."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anatomy import whole_number
from anatomy.archive import write_whole

from ...canvas.given import a_survey
from ...canvas.style import Style
from ...figures.survey.missing import without_objects
from ...figures.survey.survey import survey as draw
from ...figures.survey.worth import without_worth
from ..page import made_with
from ..templates import templates
from .embedded import embed
from .tables import tables
from .verdict import verdict

DPI = 170
FILE = "survey.html"
TEXTS = {
    "overview": "What tells most.",
    "recall": "Objects found by each level, by their size, and the classes that are missed most.",
    "reasons": "Why objects are missed.",
    "precision": "Detections of each level that are right.",
    "errors": "What is wrong with detections, and what is missed.",
    "duplicates": "Which level repeats what which level found.",
    "calibration": "Whether the confidence of each level can be believed.",
    "rescue": "What lower thresholds would find, and what they would cost.",
    "worth": "What each level and each class row is worth.",
    "compare": "The survey beside another one of the same set.",
}
TRUTHFUL = ("recall", "reasons", "precision", "errors", "duplicates", "calibration", "rescue")
TRUTHLESS = ("precision", "duplicates", "calibration")


@dataclass(frozen=True)
class Picture:
    """A figure in the page: its name, a sentence, and its PNG as text."""

    name: str
    text: str
    source: str


def survey_report(
    survey: Any,
    out: str | Path,
    compare: Any = None,
    *,
    most: int = 200,
    title: str = "Survey by pyramid level",
    style: Style = None,
) -> Path:
    """Write one self-contained HTML file about a survey (``diagnosis.survey``); returns its path.

    ``out``: the file, or a folder in which it is called survey.html. ``compare``: a later survey of the same set, held
    against this one. The page holds the photographs of the ``most`` images with most mistakes, together under 20 MB;
    numbers in its tables lead to them. Raises FileNotFoundError for a folder that is not there, ValueError where two
    surveys are not of one set, OSError where the disk refuses; a file that was there stays whole then.
    """
    most = whole_number(most, "most")
    if most < 0:
        raise ValueError(f"most counts photographs and must be 0 or more, but {most} was given.")
    survey = a_survey(survey, "viz.survey_report")
    compare = None if compare is None else a_survey(compare, "viz.survey_report")
    path = _place(out)
    joined = survey.compare(compare) if compare is not None else None
    told = {
        "title": title,
        "verdict": verdict(survey),
        "facts": _facts(survey),
        "figures": list(_figures(survey, compare, style)),
        "tables": tables(survey, joined),
        "shown": embed(survey, most, changes=None if joined is None else joined.objects),
        "truth": survey.truth,
    }
    page = templates().get_template("survey/survey.html").render(told)
    return write_whole(path, lambda file: file.write(page.encode("utf-8", "replace")))


def _place(out: str | Path) -> Path:
    """The file to write."""
    path = Path(out)
    path = path / FILE if path.is_dir() else path
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {str(path.parent)!r}. Make it first.")
    return path


def _facts(survey: Any) -> dict[str, str]:
    levels = ", ".join(f"{level.name} (stride {level.stride:g})" for level in survey.levels)
    settings = ", ".join(f"{name} {value}" for name, value in survey.settings.items())
    facts = {"survey": str(survey.path), "levels": levels, "settings": settings}
    return facts | {"classes": str(len(survey.names)), "written": made_with()}


def _figures(survey: Any, compare: Any, style: Style) -> Iterator[Picture]:
    """The figures that this survey has something for."""
    names = ["overview", *(TRUTHFUL if not without_objects(survey) else TRUTHLESS)]
    names += [] if without_worth(survey) else ["worth"]
    for name in names:
        yield _picture(name, draw(survey, name, style=style))
    if compare is not None:
        yield _picture("compare", draw(survey, "compare", after=compare, style=style))


def _picture(name: str, figure: Any) -> Picture:
    return Picture(name, TEXTS[name], base64.b64encode(figure.png(DPI, compress_level=9)).decode())
