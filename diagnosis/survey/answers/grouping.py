"""Which rows of a table belong together, and in which order groups are told: the natural one, never the alphabet's."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import polars
from polars import Boolean, DataFrame, Expr, LazyFrame, String

from anatomy.arguments import shown

from ...objects.missed import STAGES
from ..tables import ERRORS, SIZES, SurveyTables

ALL = "all"  # in place of columns: one group of everything
STRIDES = (1.0, 2.0, 4.0, 8.0, 16.0)  # at which sizes in strides are told apart
TENTHS = tuple(tenth / 10 for tenth in range(1, 10))
EDGES = {"size_strides": STRIDES, **dict.fromkeys(("iou", "confidence", "top_score", "second_score", "reach"), TENTHS)}


def need_truth(survey: SurveyTables, what: str) -> None:
    """Refuse a survey of images without labels (ValueError)."""
    if not survey.truth:
        raise ValueError(
            f"{what} needs labelled objects, but this survey was made of images without labels. Make one of a data set "
            "with labels."
        )


def group_columns(
    frames: Sequence[LazyFrame], by: Iterable[Any], what: str, *, own: Sequence[str] = ()
) -> tuple[str, ...]:
    """The columns to group by, which all ``frames`` must have; ``("all",)`` stands for none.

    ``own`` are columns of the answer itself, which cannot be grouped by. Raises ValueError for what is no column to
    group by, and says which are.
    """
    asked = tuple(by)
    if asked == (ALL,):
        return ()
    schemas = [frame.collect_schema() for frame in frames]
    known = [
        name
        for name, kind in schemas[0].items()
        if name not in own
        and (kind.is_integer() or kind in (String, Boolean) or name in EDGES)
        and all(name in other for other in schemas[1:])
    ]
    wrong = [name for name in asked if name not in known]
    if wrong:
        raise ValueError(f"{what} groups by columns of {known}, but {shown(wrong[0])} was given.")
    if len(set(asked)) < len(asked):
        raise ValueError(f"{what} groups by each column once, but {list(asked)} was given.")
    return asked


def grouped(survey: SurveyTables, frame: LazyFrame, by: Sequence[str], *figures: Expr) -> DataFrame:
    """``figures`` of each group of rows, in natural order; of all rows where ``by`` names no column.

    Numbers with a fraction are grouped by the bins of ``EDGES``. No rows make no groups.
    """
    ranks = [_rank(name) for name in ("", *by)]
    ranked = frame.with_columns(
        polars.lit(0).alias(_rank("")),
        *(rank(survey, name).alias(_rank(name)) for name in by),
        *(told(name).alias(name) for name in by),
    )
    found = ranked.group_by(*by, *ranks).agg(*figures)
    return found.sort(ranks, nulls_last=True).drop(ranks).collect()


def told(name: str) -> Expr:
    """What a column says of a group: the value itself, or the words of its bin."""
    column = polars.col(name)
    if name not in EDGES:
        return column
    words = dict(enumerate(_words(EDGES[name])))
    return _bin(name).replace_strict(words, return_dtype=String)


def rank(survey: SurveyTables, name: str) -> Expr:
    """The place of a value of this column among the others."""
    column = polars.col(name)
    if name in EDGES:
        return _bin(name)
    order = _orders(survey).get(name)
    if order is None:
        return column
    places = {value: place for place, value in enumerate(order)}
    return column.replace_strict(places, default=len(places), return_dtype=polars.Int64)


def _orders(survey: SurveyTables) -> dict[str, Sequence[str]]:
    """Column: its values, in the order in which people tell them."""
    classes = list(dict.fromkeys(survey.names[id_] for id_ in sorted(survey.names)))
    return {
        "level_name": [level.name for level in survey.levels],
        "size": SIZES,
        "stage": ("", *STAGES),
        "error": (*ERRORS, "missed"),
        **dict.fromkeys(("class_name", "top_class_name", "second_class_name"), classes),
    }


def _bin(name: str) -> Expr:
    """Which bin of ``EDGES`` a number lies in; an edge belongs to the bin above it."""
    edges = [(polars.col(name) >= edge).cast(polars.Int64) for edge in EDGES[name]]
    return polars.sum_horizontal(edges, ignore_nulls=False)


def _words(edges: Sequence[float]) -> list[str]:
    """``below 1``, ``1 to 2``, …, ``from 16``."""
    between = [f"{low:g} to {high:g}" for low, high in pairwise(edges)]
    return [f"below {edges[0]:g}", *between, f"from {edges[-1]:g}"]


def _rank(name: str) -> str:
    return f"rank of {name}"
