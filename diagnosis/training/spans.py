"""Which batches a finding speaks of, as evidence and in words."""

from collections.abc import Sequence

from .history import Seen


def since(seen: Seen) -> dict:
    """Where something began, as evidence."""
    return {"began": seen.step, "epoch": seen.row.get("epoch")}


def span(run: Sequence[Seen]) -> str:
    """The steps of batches, oldest first: those that a finding speaks of, whatever comes after."""
    return f"in steps {run[0].step} to {run[-1].step}" + _epochs(run[0].row.get("epoch"), run[-1].row.get("epoch"))


def _epochs(first: int | None, last: int | None) -> str:
    if first is None or last is None:
        return ""
    return f" (epoch {first + 1})" if first == last else f" (epochs {first + 1} to {last + 1})"


def when(seen: Seen) -> str:
    """One batch."""
    epoch = seen.row.get("epoch")
    return f"step {seen.step}" + ("" if epoch is None else f" (epoch {epoch + 1})")
