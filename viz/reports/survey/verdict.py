"""What a survey says, in a few sentences that are computed from it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars
from polars import col

from diagnosis.objects.missed import STAGES
from diagnosis.surveys.answers import calibration_error
from diagnosis.surveys.photographs.selection import WORDS

from ...figures.survey.rescue import lower_thresholds

ENOUGH = 10  # objects or detections: of fewer nothing is said
ASTRAY = 0.1  # from here a calibration error is told


def verdict(survey: Any) -> list[str]:
    """The sentences that open the page of a survey, the most general first; never none.

    Shares of fewer than 10 objects or detections are not told.
    """
    told = [*_reading(survey)]
    if not survey.truth:
        return [*told, *_untruthful(survey)]
    if not _count(survey.objects):
        return [*told, f"The labels hold no object; {_count(survey.detections)} detections are held against nothing."]
    for part in (_overall, _levels, _ceiling, _why_missed, _wrong, _classes, _confidence, _worth):
        told += part(survey)
    return told


def _reading(survey: Any) -> Iterator[str]:
    images = _count(survey.images)
    if not images:
        yield "No image was surveyed."
    unread = _count(survey.images.filter(col("error").is_not_null()))
    if unread:
        yield f"{unread} of {images} images could not be read and count for nothing."
    flawed = _count(survey.images.filter(col("label_problems") > 0))
    if flawed:
        yield f"The labels of {_images(flawed)} have problems: look at these before the numbers."


def _untruthful(survey: Any) -> Iterator[str]:
    """What can be said without labels."""
    yield "There are no labels, so nothing is known of right and wrong."
    made = survey.detections.group_by("level_name").len().sort("len", "level_name", descending=[True, False]).collect()
    total = int(made["len"].sum())
    if total:
        name, most = made.row(0)
        where = _images(_count(survey.images))
        yield f"{total} detections in {where}; {name} makes most of them, {_share(most, total)}."
    elif _count(survey.images):
        yield "Nothing was detected."


def _overall(survey: Any) -> Iterator[str]:
    objects, conf = survey.recall("all").row(0, named=True), f"at confidence {survey.settings['conf']:g}"
    share = _share(objects["found"], objects["objects"])
    found = f"{objects['found']} of {objects['objects']} objects are found ({share})"
    precise = survey.precision("all")
    if precise.is_empty():
        yield f"{found}: nothing was detected {conf}."
        return
    row = precise.row(0, named=True)
    right = (
        f"{row['correct']} of {row['detections']} detections are right ({_share(row['correct'], row['detections'])})"
    )
    yield f"{found}, and {right}, {conf}."


def _levels(survey: Any) -> Iterator[str]:
    """The level and size with most objects missed, and the level with most duplicates."""
    parts: dict[str, list[str]] = {}
    worst = survey.recall("level_name", "size").with_columns((col("objects") - col("found")).alias("missed"))
    worst = worst.filter((col("objects") >= ENOUGH) & (col("missed") > 0)).sort(
        "missed", descending=True, maintain_order=True
    )
    if not worst.is_empty():
        row = worst.row(0, named=True)
        told = f"finds {_share(row['found'], row['objects'])} of {row['size']} objects"
        parts.setdefault(row["level_name"], []).append(told)
    twice = survey.duplicates().group_by("level_name", maintain_order=True).agg(col("count").sum())
    total = int(twice["count"].sum())
    if total >= ENOUGH:
        name, most = twice.sort("count", descending=True, maintain_order=True).row(0)
        parts.setdefault(name, []).append(f"makes {_share(most, total)} of the duplicates")
    if parts:
        yield "; ".join(f"{name} {' and '.join(words)}" for name, words in parts.items()) + "."


def _ceiling(survey: Any) -> Iterator[str]:
    count = _count(survey.objects.filter(col("ceiling")))
    if count:
        objects = "1 object" if count == 1 else f"{count} objects"
        yield f"{objects} cannot be reached by any box of their level, or only just."


def _why_missed(survey: Any) -> Iterator[str]:
    """The most frequent reason, and what a threshold of at most half would bring."""
    ranked = survey.reasons()
    if ranked.is_empty():
        yield "Every object was found."
        return
    row, missed = ranked.row(0, named=True), int(ranked["count"].sum())
    head = f"Of {missed} missed objects {row['count']} ({_share(row['count'], missed)}): {STAGES[row['stage']]}"
    half = [value for value in lower_thresholds(survey) if value <= survey.settings["conf"] / 2]
    if row["stage"] != "confidence" or not half:
        yield f"{head}."
        return
    gain = survey.rescue(half[0])
    rescued = 0 if gain.is_empty() else gain["rescued"][0]
    cost = f"a threshold of {half[0]:g} would find {rescued} of these"
    yield f"{head}; {cost}, with {gain['false_positives'][0]} more false positives." if rescued else f"{head}."


def _wrong(survey: Any) -> Iterator[str]:
    """The most frequent error of detections, and the level that makes most of it."""
    kinds = survey.errors("level_name").filter((col("error") != "missed") & (col("count") > 0))
    total = int(kinds["count"].sum())
    if total < ENOUGH:
        return
    kind, count = (
        kinds.group_by("error", maintain_order=True)
        .agg(col("count").sum())
        .sort("count", descending=True, maintain_order=True)
        .row(0)
    )
    mine = kinds.filter(col("error") == kind).sort("count", descending=True, maintain_order=True)
    yield (
        f"Of {total} wrong detections {count} ({_share(count, total)}): {WORDS[kind]}; most of these on "
        f"{mine['level_name'][0]} ({mine['count'][0]})."
    )


def _classes(survey: Any) -> Iterator[str]:
    """The class that is certainly found least, of those with enough objects."""
    known = survey.recall("class_name").filter(col("objects") >= ENOUGH).sort("high", maintain_order=True)
    if len(known) > 1:
        row = known.row(0, named=True)
        yield f"The class missed most surely: {row['class_name']}, {row['found']} of {row['objects']} found."


def _confidence(survey: Any) -> Iterator[str]:
    for row in calibration_error(survey, "level_name").iter_rows(named=True):
        if row["error"] >= ASTRAY and row["detections"] >= ENOUGH:
            sure = "too sure" if row["confidence"] > row["precision"] else "not sure enough"
            yield (
                f"{row['level_name']} is {sure}: mean confidence {row['confidence']:.2f}, of its detections "
                f"{100 * row['precision']:.0f} % are right."
            )


def _worth(survey: Any) -> Iterator[str]:
    """How AP changes without each level."""
    if not survey.settings.get("ablation"):
        return
    rows = survey.worth().filter(polars.col("class_name").is_null())
    told = [
        f"{change:+.3f} without {name}".replace("-", "−")
        for name, change in rows.select("level_name", "delta_AP").iter_rows()
        if change is not None and np.isfinite(change)
    ]
    if told:
        yield f"AP changes by {', '.join(told)}."


def _count(frame: polars.LazyFrame) -> int:
    return int(frame.select(polars.len()).collect().item())


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %"


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"
