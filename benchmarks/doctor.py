"""Print how many faults of target encoders the doctor names by their cause alone, and its false alarms.

``python benchmarks/doctor.py`` asks at 512 x 512 and 384 x 640; ``--small`` at 256 x 256 and 192 x 320. The number at
first sight of each suite is a constant, measured once, on 23 November 2026, before the mends that the suite led to;
the present number is measured now. A mutant counts as named when all its errors carry the expected code (one of two,
where two names are equally right; all of them, where two faults are mixed).
"""

import argparse
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from diagnosis import check_targets
from tests.diagnosis.doctor import fresh, held_out, last, mutants, unseen
from tests.diagnosis.doctor.encoders import styles, task_aligned
from tests.diagnosis.doctor.schemes import schemes


@dataclass(frozen=True)
class Suite:
    """Faults with their codes; ``dress(fault, style)`` is the style that the fault is planted in, or None."""

    title: str
    kind: type
    faults: dict
    dress: object
    first_sight: str


def worn(applies):
    """``dress`` of suites whose faults fit a style as it is, or not at all."""
    return lambda fault, style: style if applies(fault, style) else None


SUITES = (
    Suite("developed with", mutants.Encoder, mutants.DEVELOPED, worn(mutants.applies), "84 %"),
    Suite("held out", held_out.LateEncoder, held_out.HELD_OUT, worn(held_out.fits), "120 of 136, 88.2 %"),
    Suite("written last", last.LastEncoder, last.LAST, worn(last.fits), "86 of 97, 88.7 %"),
    Suite("unseen", unseen.UnseenEncoder, unseen.UNSEEN, unseen.dress, "163 of 296, 55.1 %"),
    Suite("fresh", fresh.FreshEncoder, fresh.SINGLE, fresh.dress, "162 of 183, 88.5 %"),
    Suite("fresh, two faults at once", fresh.FreshEncoder, fresh.MIXED, fresh.dress, "21 of 30, 70.0 %"),
)


def judge(report, expected) -> str:
    """ "ok", or the codes that came instead; ``expected``: a code, a set of equally right ones, or a list of all."""
    found = {finding.code for finding in report.errors}
    right = found == set(expected) if isinstance(expected, list) else len(found) == 1 and found <= expected
    return "ok" if right else ", ".join(sorted(found)) or "nothing"


def row(suite: Suite, fault, codes, sizes) -> list[str]:
    """One cell an encoder; empty where the fault changes nothing."""
    names = (fault,) if isinstance(fault, str) else fault
    expected = {codes} if isinstance(codes, str) else codes if isinstance(fault, str) else list(codes)
    cells = []
    for style in styles():
        worn = suite.dress(fault, style)
        report = worn and check_targets(suite.kind(worn, *names), worn.layout, image_sizes=sizes)
        cells.append("" if worn is None else judge(report, expected))
    return cells


def right_schemes(sizes) -> None:
    """A line for each right encoder of a well-known scheme: errors (there should be none), warnings, CPU seconds."""
    sizes = tuple((-(-height // 128) * 128, -(-width // 128) * 128) for height, width in sizes)
    print("\n| right scheme | errors | warnings | CPU s |\n|---|---|---|---|")
    for name, scheme in schemes().items():
        begun = time.process_time()
        report = check_targets(scheme, scheme.layout, image_sizes=sizes)
        warned = ", ".join(dict.fromkeys(finding.code for finding in report.warnings))
        wrong = ", ".join(finding.code for finding in report.errors) or "none"
        print(f"| {name} | {wrong} | {warned} | {time.process_time() - begun:.1f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--suite", type=int, choices=range(len(SUITES)))
    options = parser.parse_args()
    torch.set_num_threads(1)
    sizes = ((256, 256), (192, 320)) if options.small else ((512, 512), (384, 640))
    start, columns = time.perf_counter(), styles()
    print("| fault | code | " + " | ".join(style.name for style in columns) + " |")
    print("|---" * (2 + len(columns)) + "|")
    summary = ["| suite | at first sight | now |", "|---|---|---|"]
    for suite in SUITES if options.suite is None else SUITES[options.suite :][:1]:
        right = total = 0
        print(f"| **{suite.title}** |" + " |" * (1 + len(columns)))
        for fault, codes in suite.faults.items():
            cells = row(suite, fault, codes, sizes)
            right, total = right + cells.count("ok"), total + sum(map(bool, cells))
            name = fault if isinstance(fault, str) else " + ".join(fault)
            wanted = codes if isinstance(codes, str) else (" or " if isinstance(fault, str) else " and ").join(codes)
            print(f"| {name} | {wanted} | " + " | ".join(cells) + " |", flush=True)
        summary.append(f"| {suite.title} | {suite.first_sight} | {right} of {total}, {right / total:.1%} |")
    perfect = replace(columns[-1], name="tal, perfect predictions", masks=task_aligned("perfect"))
    alarms = [len(check_targets(mutants.Encoder(s), s.layout, image_sizes=sizes).errors) for s in (*columns, perfect)]
    print("| no fault: errors | | " + " | ".join(str(count) for count in alarms[:-1]) + " |")
    print(f"\nfalse alarms with perfect predictions in tal: {alarms[-1]}\n\n" + "\n".join(summary))
    right_schemes(sizes)
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
