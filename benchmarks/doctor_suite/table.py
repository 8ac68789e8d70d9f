"""The answers of the doctor as a table in Markdown."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from .cases import GROUPS, KINDS

Answer = dict[str, Any]


def table(answers: Sequence[Answer], asked: int) -> str:
    """Schemes by findings, rates by kind and number of faults, times, and every miss."""
    parts = [f"{len(answers)} of {asked} cases answered.", correct(answers), rates(answers), by_scheme(answers)]
    return "\n\n".join(part for part in (*parts, times(answers), misses(answers)) if part)


def correct(answers: Sequence[Answer]) -> str:
    """What came of what is right."""
    rows = ["| correct | scheme | errors | warnings |", "|---|---|---|---|"]
    for one in answers:
        if one["group"] == "correct":
            errors = one["crash"] or ", ".join(one["errors"]) or "none"
            rows.append(f"| {one['kind']} | {one['scheme']} | {errors} | {', '.join(one['warnings']) or 'none'} |")
    return "\n".join(rows) if len(rows) > 2 else ""


def rates(answers: Sequence[Answer]) -> str:
    """How many cases are right, by kind and group: named by their cause, and by it alone."""
    rows = ["| kind | group | cases | every cause named | by their causes alone |", "|---|---|---|---|---|"]
    for kind in KINDS:
        for group in GROUPS:
            mine = [one for one in answers if (one["kind"], one["group"]) == (kind, group)]
            if mine:
                named = "" if group == "correct" else _rate(mine, "named")
                rows.append(f"| {kind} | {group} | {len(mine)} | {named} | {_rate(mine, 'right')} |")
    return "\n".join(rows)


def by_scheme(answers: Sequence[Answer]) -> str:
    """How many faults are right in each scheme."""
    rows = ["| kind | scheme | single | pair | triple | errors that came besides |", "|---|---|---|---|---|---|"]
    faulty = [one for one in answers if one["group"] != "correct"]
    for kind, scheme in dict.fromkeys((one["kind"], one["scheme"]) for one in faulty):
        mine = [one for one in faulty if (one["kind"], one["scheme"]) == (kind, scheme)]
        cells = [_count([one for one in mine if one["group"] == group]) for group in ("single", "pair", "triple")]
        besides: Counter = Counter()
        for one in mine:
            besides.update(set(one["errors"]).difference(*(names for names, _ in one["expected"])))
        told = ", ".join(f"{code} {count}" for code, count in besides.most_common(5))
        rows.append(f"| {kind} | {scheme} | {' | '.join(cells)} | {told} |")
    return "\n".join(rows) if len(rows) > 2 else ""


def times(answers: Sequence[Answer]) -> str:
    """Seconds of CPU a check, without what encoders take themselves, by kind."""
    rows = ["| kind | median | largest | over 2 s | with the encoders, largest |", "|---|---|---|---|---|"]
    for kind in KINDS:
        mine = sorted((one["cpu"] - one["own"], one["key"]) for one in answers if one["kind"] == kind)
        if mine:
            slow = sum(cpu > 2 for cpu, _ in mine)
            whole = max(one["cpu"] for one in answers if one["kind"] == kind)
            longest = f"{mine[-1][0]:.2f} s, {mine[-1][1]}"
            rows.append(f"| {kind} | {mine[len(mine) // 2][0]:.2f} s | {longest} | {slow} | {whole:.2f} s |")
    return "\n".join(rows)


def misses(answers: Sequence[Answer]) -> str:
    """Every case that is not right, with what was expected and what came."""
    rows = ["| not right | expected | errors that came | warnings that came |", "|---|---|---|---|"]
    for one in answers:
        if not one["right"]:
            expected = " and ".join(_told(names, severity) for names, severity in one["expected"]) or "no error"
            came = one["crash"] or ", ".join(one["errors"]) or "none"
            rows.append(f"| {one['key']} | {expected} | {came} | {', '.join(one['warnings']) or 'none'} |")
    return "\n".join(rows) if len(rows) > 2 else ""


def _told(names: Sequence[str], severity: str) -> str:
    words = " or ".join(names)
    return words if severity == "error" else f"{words} ({'warning' if severity == 'warning' else 'error or warning'})"


def _rate(answers: Sequence[Answer], field: str) -> str:
    good = sum(one[field] for one in answers)
    return f"{good}, {good / len(answers):.1%}"


def _count(answers: Sequence[Answer]) -> str:
    return f"{sum(one['right'] for one in answers)} of {len(answers)}" if answers else ""
