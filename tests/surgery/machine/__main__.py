"""Many random sequences, head by head: ``python -m tests.surgery.machine 5000``."""

import argparse
import logging
import sys
import traceback
from collections import Counter

from tqdm import tqdm
from ultralytics.utils import LOGGER

import tests.conftest  # noqa: F401 - one thread, nothing fetched, nothing written to a home

from .base import done, interrupted
from .heads import KINDS
from .machine import run

CHUNK = 20  # sequences of one head in a row


def main() -> int:
    """Run them, and say what was run and what failed; returns how many chunks failed, at most 1."""
    options = _options()
    LOGGER.setLevel(logging.ERROR)
    finished, failures = Counter(), []
    plan = [(options.heads[i % len(options.heads)], options.seed + i) for i in range(-(-options.sequences // CHUNK))]
    bar = tqdm(total=options.sequences, unit="sequence")
    try:
        for head, number in plan:
            bar.set_postfix(head=head, failed=len(failures))
            count = min(CHUNK, options.sequences - bar.n)
            try:
                run(head, count, seed_of=number, shrink=options.shrink)
            except Exception as error:
                failures.append((head, number))
                bar.write(_failure(head, number, error))
            finished[head] += count
            bar.set_postfix(head=head, failed=len(failures))
            bar.update(count)
    except KeyboardInterrupt:
        bar.write("interrupted")
    bar.close()
    print(_summary(finished, failures))
    return min(1, len(failures))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.surgery.machine", description=__doc__)
    parser.add_argument("sequences", type=int, help="how many in all")
    parser.add_argument("--heads", nargs="+", choices=KINDS, default=list(KINDS), help="these alone")
    parser.add_argument("--seed", type=int, default=0, help="of the first chunk; a chunk fails again with its own seed")
    parser.add_argument("--shrink", action="store_true", help="look for the fewest steps that fail (minutes a failure)")
    return parser.parse_args()


def _failure(head: str, number: int, error: Exception) -> str:
    steps = "\n".join(getattr(error, "__notes__", ()))
    where = "".join(traceback.format_tb(error.__traceback__)[-2:])
    return f"\n{head}, seed {number}: {type(error).__name__}: {error}\n{where}{steps}\n"


def _summary(finished: Counter, failures: list) -> str:
    rules = Counter()
    for (_, rule), count in done.items():
        rules[rule] += count
    lines = [f"{sum(finished.values())} sequences, {sum(rules.values())} steps"]
    lines += [f"  {head:14} {count:6} sequences, {_steps(head):7} steps" for head, count in finished.items()]
    lines += ["rules"] + [f"  {rule:24} {count:7}" for rule, count in rules.most_common()]
    lines += ["interrupted in"] + [f"  {file:24} {count:7}" for file, count in interrupted.most_common()]
    lines += [f"FAILED: --heads {head} --seed {number}" for head, number in failures] or ["nothing failed"]
    return "\n".join(lines)


def _steps(head: str) -> int:
    return sum(count for (name, _), count in done.items() if name == head)


if __name__ == "__main__":
    sys.exit(main())
