"""The answers of the doctor as a table in Markdown."""

from collections.abc import Sequence
from typing import Any

from .cases import GROUPS, KINDS
from .void import VOID

Answer = dict[str, Any]
HEAD = "| kind | third | single faults, by their cause alone | pairs | correct, without an error | slowest check |"


def table(answers: Sequence[Answer], asked: int, *, failures: bool = False) -> str:
    """Rates by kind and third, the slowest check of each, without the cases that are void; and what was missed."""
    counted = [one for one in answers if one["key"] not in VOID]
    parts = [f"{len(answers)} of {asked} cases answered, {len(answers) - len(counted)} of them void.", rates(counted)]
    return "\n\n".join([*parts, missed(counted)] if failures else parts)


def rates(answers: Sequence[Answer]) -> str:
    rows = [HEAD, "|---|---|---|---|---|---|"]
    for kind in KINDS:
        for third in (1, 2, 3, 4, 5):
            mine = [one for one in answers if (one["kind"], one["third"]) == (kind, third)]
            if mine:
                groups = {group: [one for one in mine if one["group"] == group] for group in GROUPS}
                cells = [rate(groups["single"]), rate(groups["pair"]), rate(groups["correct"]), slowest(mine)]
                rows.append(f"| {kind} | {third} | {' | '.join(cells)} |")
    return "\n".join(rows)


def rate(answers: Sequence[Answer]) -> str:
    """How many are right, and in brackets how many had every cause named, with others beside."""
    if not answers:
        return ""
    right, named = (sum(one[field] for one in answers) for field in ("right", "named"))
    beside = f" ({named})" if named != right and answers[0]["group"] != "correct" else ""
    return f"{right} of {len(answers)}, {right / len(answers):.1%}{beside}"


def slowest(answers: Sequence[Answer]) -> str:
    one = max(answers, key=lambda one: one["cpu"])
    return f"{one['cpu']:.2f} s of CPU, {one['key']}"


def missed(answers: Sequence[Answer]) -> str:
    """Every case that is not right, with what was expected and what came."""
    rows = ["| not right | expected | errors that came | warnings that came |", "|---|---|---|---|"]
    for one in answers:
        if not one["right"]:
            expected = " and ".join(told(names, severity) for names, severity in one["expected"]) or "no error"
            came = one["crash"] or ", ".join(one["errors"]) or "none"
            rows.append(f"| {one['key']} | {expected} | {came} | {', '.join(one['warnings']) or 'none'} |")
    return "\n".join(rows)


def told(names: Sequence[str], severity: str) -> str:
    return " or ".join(names) + (" (error or warning)" if severity == "any" else "")
