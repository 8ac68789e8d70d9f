"""Which errors a detector makes, and where: TIDE's kinds, and which levels repeat what another one found."""

import polars
from polars import DataFrame, Int64, LazyFrame, col

from ..tables import ERRORS, SurveyTables
from .grouping import group_columns, grouped, need_truth, rank

MISSED = "missed"
ACCOUNTED = ("classification", "localisation")  # put right, such a detection would find its object
BY_LEVEL = ("level_name",)
OBJECT = ("number", "object")


def errors(survey: SurveyTables, *by: str) -> DataFrame:
    """How often each kind of error happens, by level.

    By other columns that objects and detections both have where they are named, over everything where ``"all"`` is.
    Columns: those of ``by``, ``error``, ``count``, ``share`` of the errors of the same group. The kinds are those of
    detections (``classification``, ``localisation``, ``both``, ``duplicate``, ``background``) and ``missed``: an object
    that was not found and that no classification or localisation error accounts for, at the level of its best candidate
    (Bolya et al. 2020, arXiv:2008.08115). A kind that does not happen in a group counts 0; a group without errors is
    left out. Raises ValueError for another column, or without labels.
    """
    need_truth(survey, "errors")
    frames = [survey.detections, survey.objects]
    by = group_columns(frames, by or BY_LEVEL, "errors", own=["error"])
    wrong = survey.detections.filter(col("error").is_not_null()).select(*by, "error")
    lost = missed_objects(survey).with_columns(polars.lit(MISSED).alias("error")).select(*by, "error")
    found = grouped(
        survey,
        polars.concat([wrong, lost], how="vertical_relaxed"),
        by,
        *((col("error") == kind).cast(Int64).sum().alias(kind) for kind in (*ERRORS, MISSED)),
    )
    groups = found.with_row_index("group").unpivot(
        [*ERRORS, MISSED], index=["group", *by], variable_name="error", value_name="count"
    )
    ordered = groups.with_columns(rank(survey, "error").alias("kind")).sort("group", "kind")
    share = col("count") / col("count").sum().over("group")
    return ordered.with_columns(share.alias("share")).select(*by, "error", "count", "share")


def missed_objects(survey: SurveyTables) -> LazyFrame:
    """Objects that were not found, without those that a classification or localisation error is about."""
    about = survey.detections.filter(col("error").is_in(ACCOUNTED)).select(OBJECT)
    return survey.objects.filter(~col("found")).join(about, on=OBJECT, how="anti", maintain_order="left")


def duplicates(survey: SurveyTables) -> DataFrame:
    """Which levels repeat what which levels found.

    Columns: ``level_name`` of the duplicate, ``found_by`` the level of the detection that found its object, ``count``,
    ``share`` of all duplicates. Pairs that do not happen are left out. Raises ValueError without labels.
    """
    need_truth(survey, "duplicates")
    finders = survey.objects.filter(col("found")).select(*OBJECT, col("level_name").alias("found_by"))
    repeated = survey.detections.filter(col("error") == "duplicate").select(*OBJECT, "level_name")
    places = {level.name: level.index for level in survey.levels}
    by_level = [col(name).replace_strict(places, return_dtype=Int64) for name in ("level_name", "found_by")]
    return (
        repeated.join(finders, on=OBJECT)
        .group_by("level_name", "found_by")
        .agg(polars.len().cast(Int64).alias("count"))
        .sort(by_level)
        .with_columns((col("count") / col("count").sum()).alias("share"))
        .collect()
    )
