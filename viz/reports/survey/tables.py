"""The tables of a survey's page: levels, reasons, duplicates, classes, thresholds, worth."""

from collections import Counter, defaultdict
from typing import Any

from diagnosis.objects.missed import STAGES
from diagnosis.surveys.answers import CHANGES
from diagnosis.surveys.photographs.selection import WORDS
from diagnosis.surveys.tables import ERRORS, SIZES

from ...figures.survey.rescue import lower_thresholds
from .cells import Cell, Table, level, number, plain, share
from .image_table import image_table

SCORES = ("AP", "AP50", "APs", "APm", "APl", "mAP50_95")


def tables(survey: Any, joined: Any = None) -> list[Table]:
    """The tables that this survey has something for; ``joined`` is its comparison with another."""
    made = []
    if survey.truth:
        made += [_recall(survey), _precision(survey), _reasons(survey), _duplicates(survey), _classes(survey)]
        made += [_rescue(survey)]
        if survey.settings.get("ablation"):
            made.append(_worth(survey))
        if joined is not None:
            made.append(_changes(survey, joined))
    made.append(image_table(survey))
    return [table for table in made if table.rows]


def _recall(survey: Any) -> Table:
    cells = _found(survey, "level_name", "size") | _found(survey, "level_name")
    rows = [
        (
            level(each.name),
            *(_share_of(cells, level_name=each.name, size=size) for size in SIZES),
            _share_of(cells, level_name=each.name),
        )
        for each in survey.levels
    ]
    whole = _found(survey, "size") | _found(survey, "all")
    rows.append((Cell("all"), *(_share_of(whole, size=size) for size in SIZES), _share_of(whole)))
    headings = (("level", False), *((size, True) for size in SIZES), ("all", True))
    return Table(
        "recall",
        "Objects found",
        "Found of all objects; a missed one counts for the level of its best candidate.",
        headings,
        tuple(rows),
    )


def _found(survey: Any, *by: str) -> dict[frozenset, tuple[int, int]]:
    """(found, objects) of each group, by its columns and values."""
    names = [name for name in by if name != "all"]
    return {
        frozenset((name, row[name]) for name in names): (row["found"], row["objects"])
        for row in survey.recall(*by).iter_rows(named=True)
    }


def _share_of(cells: dict[frozenset, tuple[int, int]], **where: str) -> Cell:
    part, whole = cells.get(frozenset(where.items()), (0, 0))
    return share(part, whole, where)


def _precision(survey: Any) -> Table:
    kinds = Counter()
    for name, kind, count in survey.errors("level_name").select("level_name", "error", "count").iter_rows():
        kinds[name, kind] += count
    right = {
        row["level_name"]: (row["correct"], row["detections"])
        for row in survey.precision("level_name").iter_rows(named=True)
    }
    rows = []
    for each in survey.levels:
        here = {"level_name": each.name}
        of_kinds = (number(kinds[each.name, kind], here | {"error": kind}, "detections") for kind in ERRORS)
        rows.append((level(each.name), share(*right.get(each.name, (0, 0)), here, "detections"), *of_kinds))
    headings = (("level", False), ("right", True), *((WORDS[kind], True) for kind in ERRORS))
    return Table(
        "precision",
        "Detections, and what is wrong with them",
        "Right of all detections; then the wrong ones by kind.",
        headings,
        tuple(rows),
    )


def _reasons(survey: Any) -> Table:
    counts: Counter[tuple[str, str]] = Counter()
    for name, stage, count in survey.reasons("level_name").select("level_name", "stage", "count").iter_rows():
        counts[stage, name] += count
    names = [each.name for each in survey.levels]
    rows = []
    for row in survey.reasons().iter_rows(named=True):
        stage = row["stage"]
        of_levels = (number(counts[stage, name], {"stage": stage, "level_name": name}) for name in names)
        rows.append((Cell(STAGES[stage]), *of_levels, number(row["count"], {"stage": stage})))
    headings = (("reason", False), *((name, True) for name in names), ("all", True))
    return Table("reasons", "Why objects are missed", "", headings, tuple(rows))


def _duplicates(survey: Any) -> Table:
    counts = {(row["found_by"], row["level_name"]): row["count"] for row in survey.duplicates().iter_rows(named=True)}
    names = [each.name for each in survey.levels] if counts else []
    rows = []
    for finder in names:
        where = {"error": "duplicate", "found_by": finder}
        made = (number(counts.get((finder, name), 0), where | {"level_name": name}, "detections") for name in names)
        rows.append((level(finder), *made))
    headings = (("object found by", False), *((f"again by {name}", True) for name in names))
    return Table("duplicates", "Duplicates", "", headings, tuple(rows))


def _classes(survey: Any) -> Table:
    cells = _found(survey, "class_name") | _found(survey, "class_name", "size")
    right = {
        row["class_name"]: (row["correct"], row["detections"])
        for row in survey.precision("class_name").iter_rows(named=True)
    }
    reasons = defaultdict(str)
    for row in survey.reasons("class_name").iter_rows(named=True):
        reasons.setdefault(row["class_name"], f"{row['reason']} ({row['count']})")
    names = [
        row["class_name"] for row in survey.recall("class_name").sort("high", maintain_order=True).iter_rows(named=True)
    ]
    names += [name for name in right if name not in set(names)]
    rows = []
    for name in names:
        here = {"class_name": name}
        sizes = (_share_of(cells, class_name=name, size=size) for size in SIZES)
        precise = share(*right.get(name, (0, 0)), here, "detections")
        rows.append((Cell(name), _share_of(cells, class_name=name), *sizes, precise, Cell(reasons[name])))
    headings = (
        ("class", False),
        ("found", True),
        *((size, True) for size in SIZES),
        ("right detections", True),
        ("missed most because", False),
    )
    return Table("classes", "Classes", "Those that are missed most surely come first.", headings, tuple(rows))


def _rescue(survey: Any) -> Table:
    asked = lower_thresholds(survey)
    rows = []
    for row in survey.rescue(asked).iter_rows(named=True) if asked else ():
        where = {"stage": "confidence", "confidence": {"from": row["conf"]}}
        cost = plain(row["cost"], "{:.1f}")
        rows.append(
            (plain(row["conf"], "{:g}"), number(row["rescued"], where), plain(row["false_positives"], "{:.0f}"), cost)
        )
    headings = (("threshold", True), ("objects more", True), ("false positives more", True), ("for one object", True))
    note = "A number leads to the objects whose best candidate is that confident; which are found is matched anew."
    return Table("rescue", "Lower thresholds", note, headings, tuple(rows))


def _worth(survey: Any) -> Table:
    rows = []
    for row in survey.worth().iter_rows(named=True):
        deltas = tuple(plain(row[f"delta_{score}"], "{:+.4f}") for score in SCORES)
        here = {"level_name": row["level_name"]} | (
            {} if row["class_name"] is None else {"class_name": row["class_name"]}
        )
        name = Cell(row["class_name"] or "all", where=here | {"found": True})
        rows.append((level(row["level_name"]), name, *deltas))
    headings = (("level", False), ("class", False), *((score.replace("_", "-"), True) for score in SCORES))
    return Table("worth", "Scores without a level or a class row", "The change of each score.", headings, tuple(rows))


def _changes(survey: Any, joined: Any) -> Table:
    names = [each.name for each in survey.levels]
    tally = Counter(joined.objects.select("change", "before_level_name").iter_rows())
    rows = []
    for change, meaning in CHANGES.items():
        of_levels = (number(tally[change, name], {"change": change, "level_name": name}) for name in names)
        rows.append((Cell(meaning), *of_levels, number(sum(tally[change, name] for name in names), {"change": change})))
    headings = (("change", False), *((name, True) for name in names), ("all", True))
    note = "By the level before; the photographs show what was before."
    return Table("changes", "What became of every object", note, headings, tuple(rows))
