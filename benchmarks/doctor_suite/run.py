"""Ask the doctor for the whole suite: one JSON line a case, and a table.

``python -m benchmarks.doctor_suite.run answers.jsonl``; ``--kind``, ``--group`` and ``--match`` choose cases;
``--table`` asks nothing and prints what the file holds. What the file holds of the same suite is not asked again, so a
run that was interrupted goes on where it ended; ``--again`` asks anew. ``--shard 2/4`` asks every fourth case, for runs
side by side.
"""

import argparse
import hashlib
import json
import os
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from .cases import GROUPS, KINDS, Case, judge
from .every import every
from .table import table

HERE = Path(__file__).parent


def fingerprint() -> str:
    """sha256 over the suite's files, names and contents."""
    made = hashlib.sha256()
    for path in sorted(HERE.rglob("*.py")):
        made.update(f"{path.relative_to(HERE).as_posix()}\n".encode())
        made.update(path.read_bytes())
    return made.hexdigest()


def answer(case: Case, mark: str) -> dict[str, Any]:
    """What the doctor says of a case, how it is judged, and its cost; an exception of the doctor is an answer too."""
    wall, cpu = time.perf_counter(), time.process_time()
    crash, report = "", None
    try:
        report = case.ask()
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        crash = f"{type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})"
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    findings = [] if report is None else list(report)
    errors = frozenset(finding.code for finding in findings if finding.severity == "error")
    warnings = frozenset(finding.code for finding in findings if finding.severity == "warning")
    judged = judge(case, errors, warnings)
    return {
        "key": case.key,
        "kind": case.kind,
        "group": case.group,
        "scheme": case.scheme,
        "faults": list(case.faults),
        "expected": [[sorted(names), severity] for names, severity in case.expected],
        "errors": sorted(errors),
        "warnings": sorted(warnings),
        "levels": [[finding.code, finding.level] for finding in findings],
        "named": judged.named and not crash,
        "alone": judged.alone and not crash,
        "right": judged.right and not crash,
        "crash": crash,
        "unexplained": getattr(report, "unexplained", None),
        "cpu": round(cpu, 3),
        "own": round(getattr(case.ask, "own", 0.0), 3),
        "wall": round(wall, 3),
        "report": "" if report is None else str(report),
        "suite": mark,
    }


def kept(path: Path, mark: str) -> dict[str, dict[str, Any]]:
    """The last answer of each case in a file that was asked with this suite."""
    if not path.is_file():
        return {}
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            one = json.loads(line)
        except json.JSONDecodeError:
            continue  # the last line of a run that was killed
        if one["suite"] == mark:
            found[one["key"]] = one
    return found


def chosen(options: argparse.Namespace) -> list[Case]:
    """The cases that the command line names."""
    kinds, groups = options.kind or KINDS, options.group or GROUPS
    cases = [case for case in every() if case.kind in kinds and case.group in groups and options.match in case.key]
    part, parts = map(int, options.shard.split("/"))
    return cases[part - 1 :: parts]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("answers", type=Path)
    parser.add_argument("--kind", nargs="*", choices=KINDS)
    parser.add_argument("--group", nargs="*", choices=GROUPS)
    parser.add_argument("--match", default="")
    parser.add_argument("--shard", default="1/1")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--again", action="store_true")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    mark, cases = fingerprint(), chosen(options)
    done = {} if options.again and not options.table else kept(options.answers, mark)
    with options.answers.open("a", encoding="utf-8") as out:
        for case in () if options.table else tqdm([case for case in cases if case.key not in done]):
            done[case.key] = answer(case, mark)
            out.write(json.dumps(done[case.key]) + os.linesep)
            out.flush()
    print(table([done[case.key] for case in cases if case.key in done], len(cases)))
    print(f"\nsuite {mark}")


if __name__ == "__main__":
    main()
