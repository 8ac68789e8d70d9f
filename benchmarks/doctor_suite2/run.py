"""Ask the doctor for the suite, or a part of it: one JSON line a case, and a table.

``python -m benchmarks.doctor_suite2.run answers.jsonl --kind losses --shard 1/3``; without ``--kind`` and ``--shard``
all thirds. What the file holds is not asked again as long as the files of its third are the same, so a run that
was interrupted goes on where it ended; ``--again`` asks anew, ``--table`` asks nothing. ``--failures`` lists what was
missed, and what came instead. ``--shard 4`` asks the fourth part, ``--shard 5`` the fifth, and nothing else does.
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

from .cases import KINDS, Case, judge
from .later import LATER, cases
from .parts import FOURTH
from .table import table

HERE = Path(__file__).parent
THIRDS = tuple(third for third in (1, 2, 3) if (HERE / f"third{third}").is_dir())
ASKING = ("cases.py", "planting.py")  # what, beside its own files, makes the cases of a third what they are
ASKING_PART = {FOURTH: (*ASKING, "parts.py"), **dict.fromkeys(LATER, (*ASKING, "later.py"))}


def fingerprint(third: int | None = None) -> str:
    """sha256 over the names and contents of the suite's files; of a part, over its own and what makes cases."""
    made = hashlib.sha256()
    if third is None:
        paths = [*HERE.rglob("*.py")]
    elif third in ASKING_PART:
        paths = [*HERE.glob(f"part{third}/*.py"), *(HERE / name for name in ASKING_PART[third])]
    else:
        paths = [*HERE.glob(f"third{third}/*.py"), *(HERE / name for name in ASKING)]
    for path in sorted(paths):
        made.update(f"{path.relative_to(HERE).as_posix()}\n".encode())
        made.update(path.read_bytes())
    return made.hexdigest()


def answer(case: Case, mark: str) -> dict[str, Any]:
    """What the doctor says of a case, how it is judged, its cost; an exception of the doctor is an answer too."""
    case.make()  # imports what the base imports, which is no cost of the check
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
        "third": case.third,
        "base": case.base,
        "faults": [one.form for one in case.faults],
        "expected": [[sorted(names), severity] for names, severity in case.expected],
        "errors": sorted(errors),
        "warnings": sorted(warnings),
        "levels": [[finding.code, finding.level] for finding in findings],
        "named": judged.named and not crash,
        "right": judged.right and not crash,
        "crash": crash,
        "cpu": round(cpu, 3),
        "wall": round(wall, 3),
        "report": "" if report is None else str(report),
        "suite": mark,
    }


def kept(path: Path, marks: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The last answer of each case in a file that was asked with these very thirds."""
    if not path.is_file():
        return {}
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            one = json.loads(line)
        except json.JSONDecodeError:
            continue  # the last line of a run that was killed
        if one["suite"] in marks:
            found[one["key"]] = one
    return found


def thirds(shard: str) -> tuple[int, ...]:
    """Of "2/3" the second third, of "1/1" all thirds, of "4" the fourth part, of "5" the fifth."""
    if shard in map(str, ASKING_PART):
        return (int(shard),)
    part, parts = map(int, shard.split("/")) if shard.count("/") == 1 else (0, 0)
    if parts == 1:
        return THIRDS
    if parts != 3 or part not in THIRDS:
        raise SystemExit(
            f"The suite is in thirds, of which there are {THIRDS}, and in later parts, {tuple(ASKING_PART)}: "
            f"--shard 1/3, and so on, or 4, and so on, not {shard}."
        )
    return (part,)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("answers", type=Path)
    parser.add_argument("--kind", nargs="*", choices=KINDS, default=KINDS)
    parser.add_argument("--shard", default="1/1")
    parser.add_argument("--match", default="", help="only cases whose key holds this")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--failures", action="store_true")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    marks = {third: fingerprint(third) for third in thirds(options.shard)}
    wanted = [one for third in marks for kind in options.kind for one in cases(kind, third) if options.match in one.key]
    done = {} if options.again and not options.table else kept(options.answers, list(marks.values()))
    with options.answers.open("a", encoding="utf-8") as out:
        for case in () if options.table else tqdm([one for one in wanted if one.key not in done]):
            done[case.key] = answer(case, marks[case.third])
            out.write(json.dumps(done[case.key]) + os.linesep)
            out.flush()
    print(table([done[case.key] for case in wanted if case.key in done], len(wanted), failures=options.failures))
    print(
        "",
        *(f"{'part' if third in ASKING_PART else 'third'} {third} {mark}" for third, mark in marks.items()),
        f"suite {fingerprint()}",
        sep="\n",
    )


if __name__ == "__main__":
    main()
