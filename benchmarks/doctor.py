"""Print how many faults of target encoders the doctor names by their cause alone, and its false alarms.

``python benchmarks/doctor.py`` asks at 512 x 512 and 384 x 640; ``--small`` at 256 x 256 and 192 x 320.
"""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from diagnosis import check_targets
from tests.diagnosis import held_out, last, mutants
from tests.diagnosis.encoders import styles, task_aligned

SUITES = (
    ("developed with", mutants.Encoder, mutants.DEVELOPED, mutants.applies),
    ("held out (88.2 % at the first run, mended after it)", held_out.LateEncoder, held_out.HELD_OUT, held_out.fits),
    ("written last (88.7 % at the first run, mended after it)", last.LastEncoder, last.LAST, last.fits),
)


def cell(report, code) -> str:
    """ "ok", or the codes that came instead."""
    found = {finding.code for finding in report.errors}
    return "ok" if found == {code} else ", ".join(sorted(found)) or "nothing"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--suite", type=int, choices=range(len(SUITES)))
    options = parser.parse_args()
    torch.set_num_threads(1)
    sizes = ((256, 256), (192, 320)) if options.small else ((512, 512), (384, 640))
    start, columns = time.perf_counter(), styles()
    print("| fault | code | " + " | ".join(style.name for style in columns) + " |")
    print("|---" * (2 + len(columns)) + "|")
    summary = []
    for title, kind, faults, applies in SUITES if options.suite is None else SUITES[options.suite :][:1]:
        right = total = 0
        print(f"| **{title}** |" + " |" * (1 + len(columns)))
        for fault, code in faults.items():
            row = []
            for style in columns:
                if applies(fault, style):
                    row.append(cell(check_targets(kind(style, fault), style.layout, image_sizes=sizes), code))
                else:
                    row.append("")
            right, total = right + row.count("ok"), total + sum(map(bool, row))
            print(f"| {fault} | {code} | " + " | ".join(row) + " |", flush=True)
        summary.append(f"{title}: {right} of {total}, {right / total:.1%}")
    perfect = replace(columns[-1], name="tal, perfect predictions", masks=task_aligned("perfect"))
    alarms = [len(check_targets(mutants.Encoder(s), s.layout, image_sizes=sizes).errors) for s in (*columns, perfect)]
    print("| no fault: errors | | " + " | ".join(str(count) for count in alarms[:-1]) + " |")
    print(f"\nfalse alarms with perfect predictions in tal: {alarms[-1]}\n" + "\n".join(summary))
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
