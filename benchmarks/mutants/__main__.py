"""Plant faults into the sources, run the tests that could notice each, and print how many were noticed.

Verdicts are kept as they come, so that a run can be broken off and goes on when it is called again with the same seed;
they count for one state of sources and tests alone. A mutant that means the same as the source is entered in
``equivalent.json`` beside this file, with a reason, and is then counted apart.
"""

import argparse
import json
import random
import signal
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from .change import Change
from .crew import share_out
from .nursery import ROOT
from .places import places
from .reach import Reach, holds, measure, state, test_files
from .trial import Verdict, try_out
from .verdicts import keep, kept, reasons, table, unnoticed

KEPT = ROOT / ".benchmarks" / "mutants"  # git ignores it
TESTS = (
    "tests/contract",
    "tests/surgery",
    "tests/anatomy",
    "tests/diagnosis/test_assignment.py",
    "tests/diagnosis/test_ceiling.py",
    "tests/diagnosis/test_level_evidence.py",
    "tests/diagnosis/test_loss_by_level.py",
    "tests/diagnosis/test_missed.py",
    "tests/detectors/test_fastvit_description.py",
    "tests/detectors/test_pafpn_description.py",
    "tests/viz/test_alignment.py",
    "tests/viz/test_torchvision.py",
)


def sources(only: Sequence[str]) -> dict[str, str]:
    """Path -> text of the Python files at or below these paths; ValueError for a path without any."""
    found = {}
    for name in only:
        path = ROOT / name
        files = [path] if path.is_file() else sorted(path.rglob("*.py"))
        if not files:
            raise ValueError(f"There is no source at {name!r}; paths are taken from {ROOT.name}/.")
        found |= {file.relative_to(ROOT).as_posix(): file.read_text() for file in files}
    return found


def drawn(texts: dict[str, str], count: int, seed: int) -> list[Change]:
    """Places drawn evenly from all, without one twice, and at each one of the changes that are possible there."""
    at: dict[tuple, list[Change]] = defaultdict(list)
    for path, text in texts.items():
        for change in places(path, text):
            at[change.path, change.line, change.col, change.kind].append(change)
    chance, chosen = random.Random(seed), []
    for place in chance.sample(sorted(at), len(at)):
        if len(chosen) == count:
            break
        sound = [change for change in at[place] if change.sound(texts[change.path])]
        if sound:
            chosen.append(chance.choice(sound))
    return chosen


def reach_of(tests: Sequence[str], workers: int) -> tuple[Reach, str]:
    """Who runs what: read where it was kept and holds still, measured elsewhere; and a name for the whole state."""
    files = test_files(tests)
    name = state(files)
    folder = KEPT / "reach"
    folder.mkdir(parents=True, exist_ok=True)
    places_of = {file: folder / (file.replace("/", "-") + ".json") for file in files}
    missing = [file for file, path in places_of.items() if not holds(path)]
    for file in missing:
        places_of[file].unlink(missing_ok=True)
    came = share_out(missing, lambda nursery, file: measure(nursery, file, places_of[file]), workers)
    for trouble in tqdm(came, total=len(missing), desc="which test runs what", unit="file", disable=not missing):
        if trouble:
            tqdm.write(trouble)
    return Reach.read(path for path in places_of.values() if path.exists()), name


def tried(changes: Sequence[Change], texts: dict[str, str], reach: Reach, name: str, args) -> list[Verdict]:
    """A verdict on every change: of an earlier run of this state, or of this one."""
    known = {verdict.key: verdict for verdict in kept(args.results) if verdict.state == name}
    keys = {change: change.key(texts[change.path]) for change in changes}
    jobs = [change for change in changes if keys[change] not in known or known[keys[change]].outcome == "broke"]

    def work(nursery, change):
        text = texts[change.path]
        return try_out(nursery, change, text, reach.tests(change, text), reach.seconds, args.budget)

    with tqdm(total=len(jobs), desc="mutants", unit="mutant", disable=not jobs) as bar:
        try:
            for made in share_out(jobs, work, args.workers):
                verdict = Verdict(**made.line_of_json() | {"state": name})
                keep(args.results, verdict)
                known[verdict.key] = verdict
                bar.update()
        except KeyboardInterrupt:
            tqdm.write("Broken off. What was tried is kept; the same call goes on from here.")
    return [known[key] for key in dict.fromkeys(keys.values()) if key in known]


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutants", description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=100, help="how many mutants")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--only", nargs="+", default=["surgery", "anatomy"], metavar="PATH", help="packages or files")
    parser.add_argument("--tests", nargs="+", default=list(TESTS), metavar="PATH", help="folders or files of tests")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--budget", type=float, default=240.0, help="seconds of tests for one mutant at most")
    parser.add_argument("--list", action="store_true", help="show the mutants that would be planted, and stop")
    parser.add_argument("--results", type=Path, default=KEPT / "results.jsonl", help="where verdicts are kept")
    return parser


def main() -> None:
    args = parser().parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: no worker stays behind
    texts = sources(args.only)
    changes = drawn(texts, args.count, args.seed)
    if args.list:
        for change in changes:
            print(f"{change.path}:{change.line} [{change.kind}]", *change.diff(texts[change.path]), sep="\n  ")
        return
    KEPT.mkdir(parents=True, exist_ok=True)
    reach, name = reach_of(args.tests, args.workers)
    if reach.failing:
        print(f"{len(reach.failing)} test(s) fail or are skipped without a mutant, and are left out.")
    verdicts, equivalent = tried(changes, texts, reach, name, args), reasons()
    print(*table(verdicts, equivalent), "", *unnoticed(verdicts, equivalent), sep="\n")
    print(json.dumps({"seed": args.seed, "state": name, "tried": len(verdicts), "of": len(changes)}))


if __name__ == "__main__":
    main()
