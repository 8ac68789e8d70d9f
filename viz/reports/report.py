"""A folder that tells all about one image or thousands: figures, a page, tables, and the edits of the model."""

import inspect
from collections.abc import Iterable, Mapping, Sequence, Sized
from contextlib import closing
from pathlib import Path

import surgery
from anatomy import Trace, whole_number
from surgery.ledger import names_then

from ..canvas.style import Style
from .folder import NotWritten, disk, free_name, move_in, open_place, staging
from .kinds import FORMATS, KINDS
from .mark import seal
from .writer import Writer

BAR = {"desc": "report", "unit": " images", "delay": 1}  # as tqdm takes them; seconds before it shows


def report(
    traces: Trace | Iterable[Trace],
    out_dir: str | Path,
    formats: str | Sequence[str] = ("png", "pdf"),
    *,
    model: object = None,
    figures: str | Sequence[str] = KINDS[:4],
    best: int = 3,
    dpi: int = 200,
    style: Style = None,
    title: str = "Detections by pyramid level",
    about: Mapping[str, object] | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> Path:
    """Write a folder with every figure of every trace, ``index.html``, the table of detections and the recipe of edits.

    ``traces``: one, or any iterable, taken one at a time, ``anatomy.stream`` above all. ``formats``: of "png", "pdf",
    "svg"; ``figures``: of "detections", "heatmaps", "anchor_grid", "distribution" (of the ``best`` most confident),
    "features" and "attribution" (a sheet with the map of every detection, and the surest once more with its evidence).
    ``model``: the one whose edits are recorded.
    ``about``: what else the page shall say, thresholds say.

    The folder is written beside its place and moved in whole; ``overwrite`` replaces a report, and nothing else: a
    folder without the list of what a report wrote (``report.json``), or with more in it, is refused. On Ctrl-C, or when
    the iterable fails, the images finished so far become a report that says so (beside an old one, if there is one),
    and the exception goes on. Returns the folder. Raises ValueError for an unknown format or figure and
    where there is no trace, FileNotFoundError or FileExistsError for the place, OSError where the disk refuses.
    """
    formats, figures = _choice(formats, FORMATS, "format"), _choice(figures, KINDS, "figure")
    _check(best, dpi)
    source = _traces(traces)
    edits = None if model is None else tuple(zip(surgery.history(model), names_then(model), strict=True))
    place = open_place(out_dir, overwrite)
    with staging(place) as stage, closing(Writer(stage, formats, figures, best, dpi, style, progress)) as writer:
        stopped = None
        try:
            for trace in _bar(source, progress):
                with disk(place):
                    writer.add(trace)
        except NotWritten:
            raise
        except BaseException as error:
            if not writer.count:
                raise
            stopped = error
        finally:
            if inspect.isgenerator(traces):
                traces.close()  # a stream holds the model's predictor while it is open
        with disk(place):
            writer.finish(title, about or {}, edits, _note(stopped, writer.count))
            seal(stage)
        beside = stopped is not None and place.exists() and any(place.iterdir())
        place = move_in(stage, free_name(place) if beside else place, overwrite)
    if stopped is not None:
        stopped.add_note(f"The report of the {writer.count} images that were finished is {str(place)!r}.")
        raise stopped
    return place


def _check(best: int, dpi: int) -> None:
    what = "best, the number of distributions and maps,"
    if whole_number(best, what) < 0:
        raise ValueError(f"{what} must be 0 or more, but {best} was given.")
    if whole_number(dpi, "dpi") < 1:
        raise ValueError(f"dpi must be at least 1, but {dpi} was given.")


def _choice(given: str | Iterable[str], known: tuple[str, ...], what: str) -> tuple[str, ...]:
    """The given names, each once, in the order of ``known``; raises ValueError for none and for an unknown one."""
    given = (given,) if isinstance(given, str) else tuple(given)
    wrong = [entry for entry in given if entry not in known]
    if wrong or not given:
        told = f"{wrong[0]!r} was given" if wrong else "none was given"
        raise ValueError(f"Every {what} must be one of {', '.join(map(repr, known))}, but {told}.")
    return tuple(entry for entry in known if entry in given)


def _traces(traces: Trace | Iterable[Trace]) -> Iterable[Trace]:
    if isinstance(traces, Trace):
        return [traces]
    if isinstance(traces, str | Path) or not isinstance(traces, Iterable):
        raise TypeError(
            f"A report is made of a trace or an iterable of traces, but a {type(traces).__name__} was given. Make them "
            "with anatomy.trace(model, image) or anatomy.stream(model, folder)."
        )
    return traces


def _bar(source: Iterable[Trace], progress: bool) -> Iterable[Trace]:
    """The same traces behind a progress bar, unless there is but one."""
    total = len(source) if isinstance(source, Sized) else None
    if not progress or total == 1:
        return source
    from tqdm.auto import tqdm

    return tqdm(source, total=total, **BAR)


def _note(stopped: BaseException | None, count: int) -> str:
    if stopped is None:
        return ""
    why = "it was interrupted" if isinstance(stopped, KeyboardInterrupt) else f"{type(stopped).__name__}: {stopped}"
    return f"This report is incomplete: it ends after image {count} ({why})."
