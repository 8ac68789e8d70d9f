"""Whether confidence keeps its word: how often detections of a confidence are right."""

from typing import Any

import polars
from polars import DataFrame, col

from anatomy.arguments import whole_number

from ..tables import SurveyTables
from .grouping import group_columns, grouped, need_truth

BY_LEVEL = ("level_name",)


def calibration(survey: SurveyTables, *by: str, bins: int = 10) -> DataFrame:
    """Mean confidence and the share of right detections in each of ``bins`` equal bins of confidence, by level.

    By other columns of ``survey.detections`` where they are named, of all detections where ``"all"`` is. Columns: those
    of ``by``, ``bin`` from 0, its edges ``lower`` and ``upper``, ``confidence``, ``correct``, ``count``. Bins without
    detections are left out, and there are none below the survey's ``conf``. Raises ValueError for another column,
    fewer bins than 1, or without labels.
    """
    need_truth(survey, "calibration")
    by, bins = _group_columns(survey, by, "calibration"), _bin_count(bins)
    seen = survey.detections.with_columns(
        (col("confidence") * bins).floor().clip(0, bins - 1).cast(polars.Int64).alias("bin"),
    )
    found = grouped(
        survey,
        seen,
        (*by, "bin"),
        col("confidence").mean(),
        col("correct").cast(polars.Float64).mean(),
        polars.len().cast(polars.Int64).alias("count"),
    )
    lower, upper = col("bin") / bins, (col("bin") + 1) / bins
    return found.select(*by, "bin", lower.alias("lower"), upper.alias("upper"), "confidence", "correct", "count")


def calibration_error(survey: SurveyTables, *by: str, bins: int = 10) -> DataFrame:
    """The expected calibration error by level: how far confidence and the share of right detections lie apart.

    The mean over bins of their distance, weighted by detections (Guo et al. 2017, arXiv:1706.04599). It means nothing
    without the threshold it was counted above: here the survey's ``conf``, which is a column. Far below it most
    detections are wrong and know it, which makes any detector look well calibrated. ``by`` as in ``calibration``.
    Columns: those of ``by``, ``detections``, mean ``confidence``, ``precision``, ``error``, ``conf``.
    """
    need_truth(survey, "calibration_error")
    columns = _group_columns(survey, by, "calibration_error")
    found = calibration(survey, *by, bins=bins)
    weight = col("count") / col("count").sum()
    figures = (
        col("count").sum().alias("detections"),
        (weight * col("confidence")).sum().alias("confidence"),
        (weight * col("correct")).sum().alias("precision"),
        (weight * (col("confidence") - col("correct")).abs()).sum().alias("error"),
    )
    summed = found.group_by(columns, maintain_order=True).agg(figures) if columns else _of_all(found, figures)
    return summed.with_columns(polars.lit(float(survey.settings["conf"])).alias("conf"))


def _of_all(found: DataFrame, figures: tuple[Any, ...]) -> DataFrame:
    """The figures of one group, or of none where there are no rows."""
    return found.select(figures).head(1 if len(found) else 0)


def _group_columns(survey: SurveyTables, by: tuple[str, ...], what: str) -> tuple[str, ...]:
    return group_columns([survey.detections], by or BY_LEVEL, what, own=["confidence", "correct"])


def _bin_count(bins: int) -> int:
    bins = whole_number(bins, "bins")
    if bins < 1:
        raise ValueError(f"bins must be at least 1, but {bins} was given.")
    return bins
