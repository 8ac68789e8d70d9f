"""The machine of every head, whole, and how it is run."""

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from .base import Ground
from .heads import KINDS
from .rules_copies import Copies
from .rules_edits import Edits
from .rules_looks import Looks
from .rules_outside import Outside
from .rules_owners import Owners

STEPS, STEPS_OF_SMALL = 25, 60  # of a sequence; the smallest networks take longer ones in less time
SMALL = ("own", "fcos", "retinanet")


class Record(Edits, Owners, Outside, Copies, Looks, Ground):
    """Everything that can happen to networks of one head and their records."""


def of(head: str) -> type[Record]:
    """The machine of one head."""
    return type(f"Record of {head}", (Record,), {"kind": KINDS[head]})


def run(head: str, sequences: int, *, seed_of: int | None = None, shrink: bool = True) -> None:
    """Run random sequences on one head; raises the first failure, with the steps that led to it among its notes.

    Without ``seed_of`` the sequences are the same each time. ``shrink``: look for the fewest steps that fail.
    """
    machine = of(head)
    chosen = settings(
        max_examples=sequences,
        stateful_step_count=STEPS_OF_SMALL if head in SMALL else STEPS,
        derandomize=seed_of is None,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink) if shrink else (Phase.generate,),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine if seed_of is None else seed(seed_of)(machine), settings=chosen)
