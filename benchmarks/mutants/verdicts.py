"""What became of the mutants: kept line by line, and told as a table."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from .trial import Verdict

EQUIVALENT = Path(__file__).with_name("equivalent.json")


def kept(path: Path) -> list[Verdict]:
    """The verdicts of earlier runs; a line that was cut off is left out."""
    found = []
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            found.append(Verdict(**json.loads(line)))
        except json.JSONDecodeError:
            continue
    return found


def keep(path: Path, verdict: Verdict) -> None:
    with path.open("a") as file:
        file.write(json.dumps(verdict.line_of_json()) + "\n")


def reasons() -> dict[tuple[str, str, str, str], str]:
    """Mutants that nothing can notice, as they mean the same: (path, where, old, new) -> reason."""
    entries = json.loads(EQUIVALENT.read_text())
    return {(one["path"], one["where"], one["old"], one["new"]): one["reason"] for one in entries}


def table(verdicts: Sequence[Verdict], equivalent: dict) -> list[str]:
    """A row a package: planted, equivalent, noticed, and the share that was noticed of those that could be."""
    lines = ["| package | planted | equivalent | noticed | of them late | not noticed | share |", "|---|" + "---:|" * 6]
    packages = list(dict.fromkeys(verdict.package for verdict in verdicts))
    for name in [*packages, *(["all"] if len(packages) > 1 else [])]:
        of = [verdict for verdict in verdicts if name in (verdict.package, "all") and verdict.outcome != "broke"]
        same = sum(not verdict.seen and _name(verdict) in equivalent for verdict in of)
        seen, late = sum(verdict.seen for verdict in of), sum(verdict.outcome == "late" for verdict in of)
        share = f"{seen / (len(of) - same):.0%}" if len(of) > same else "–"
        lines.append(f"| {name} | {len(of)} | {same} | {seen} | {late} | {len(of) - seen - same} | {share} |")
    return lines


def unnoticed(verdicts: Iterable[Verdict], equivalent: dict) -> list[str]:
    """Every mutant that no test noticed, with what would have to be judged; then those whose trial failed."""
    lines = []
    for verdict in sorted(verdicts, key=lambda verdict: (verdict.path, verdict.line)):
        if verdict.seen or _name(verdict) in equivalent:
            continue
        asked = "no test runs this line" if verdict.outcome == "unreached" else f"{verdict.asked} test(s) passed"
        asked += f", {verdict.left} slower one(s) not asked" if verdict.left else ""
        asked = f"the trial broke: {verdict.by}" if verdict.outcome == "broke" else asked
        lines += [f"{verdict.path}:{verdict.line} {verdict.where} [{verdict.kind}] {asked}"]
        lines += [f"  - {verdict.old}", f"  + {verdict.new}"]
    return lines


def _name(verdict: Verdict) -> tuple[str, str, str, str]:
    return verdict.path, verdict.where, verdict.old, verdict.new
