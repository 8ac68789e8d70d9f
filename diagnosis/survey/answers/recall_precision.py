"""How many objects were found, and how many detections are right."""

import polars
from polars import DataFrame, col

from ..tables import SurveyTables
from .grouping import group_columns, grouped, need_truth
from .intervals import wilson


def recall(survey: SurveyTables, *by: str) -> DataFrame:
    """The share of objects that were found, overall or by columns of ``survey.objects``.

    Columns: those of ``by``, ``objects``, ``found``, ``recall``, and ``low`` and ``high`` of Wilson's 95 % interval. By
    a level: an object that was missed counts for the level of its best candidate. ``size_strides`` and scores are
    binned. Raises ValueError for another column, or without labels.
    """
    need_truth(survey, "recall")
    by = group_columns([survey.objects], by, "recall", own=["found"])
    counts = grouped(
        survey,
        survey.objects,
        by,
        polars.len().cast(polars.Int64).alias("objects"),
        col("found").cast(polars.Int64).sum().alias("found"),
    )
    low, high = wilson(col("found"), col("objects"))
    return counts.with_columns((col("found") / col("objects")).alias("recall"), low.alias("low"), high.alias("high"))


def precision(survey: SurveyTables, *by: str) -> DataFrame:
    """The share of detections that are right, overall or by columns of ``survey.detections``.

    Columns: those of ``by``, ``detections``, ``correct``, ``precision``, ``low`` and ``high`` of Wilson's 95 %
    interval, and ``share`` of all right detections of the survey (null where there are none). Raises ValueError for
    another column, or without labels.
    """
    need_truth(survey, "precision")
    by = group_columns([survey.detections], by, "precision", own=["correct"])
    counts = grouped(
        survey,
        survey.detections,
        by,
        polars.len().cast(polars.Int64).alias("detections"),
        col("correct").cast(polars.Int64).sum().alias("correct"),
    )
    low, high = wilson(col("correct"), col("detections"))
    total = col("correct").sum()
    return counts.with_columns(
        (col("correct") / col("detections")).alias("precision"),
        low.alias("low"),
        high.alias("high"),
        polars.when(total > 0).then(col("correct") / total).alias("share"),
    )
