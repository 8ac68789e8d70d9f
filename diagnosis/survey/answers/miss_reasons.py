"""Why objects are missed, the most frequent reason first."""

import polars
from polars import DataFrame, String, col

from ...objects.missed import STAGES
from ..tables import SurveyTables
from .grouping import group_columns, grouped, need_truth


def reasons(survey: SurveyTables, *by: str) -> DataFrame:
    """What stopped the objects that were missed, most frequent first, overall or by columns of ``survey.objects``.

    Columns: those of ``by``, ``stage`` (a key of ``diagnosis.STAGES``), ``count``, ``share`` of the missed objects of
    the group, and ``reason`` in words. Stages that stop nothing are left out. Raises ValueError for another column, or
    without labels.
    """
    need_truth(survey, "reasons")
    by = group_columns([survey.objects], by, "reasons", own=["stage"])
    missed = survey.objects.filter(~col("found"))
    found = grouped(survey, missed, (*by, "stage"), polars.len().cast(polars.Int64).alias("count"))
    group = polars.struct(by).rle_id() if by else polars.lit(0)  # groups come together, in natural order
    ranked = found.with_columns(
        group.alias("group"), col("stage").replace_strict(STAGES, default=None, return_dtype=String).alias("reason")
    )
    share = col("count") / col("count").sum().over("group")
    ranked = ranked.with_columns(share.alias("share"))
    ordered = ranked.sort("group", "count", descending=[False, True], maintain_order=True)
    return ordered.select(*by, "stage", "count", "share", "reason")
