"""What the record of a network says when it is asked, held against the account."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import surgery

from .arithmetic import Wanted
from .truth import State
from .world import Network


def record_faults(network: Network) -> list[str]:
    """Where the record, asked now, is not the account's."""
    told = ask(network)
    faults = list(judge(network, network.state, told))
    network.tell()
    return faults


@dataclass(frozen=True)
class Told:
    """What the record of a network says when it is asked: its edits through each handle, and every warning."""

    edits: tuple[list[tuple], ...]
    warnings: tuple[str, ...]

    @property
    def unexplained(self) -> bool:
        return any("not those that the recorded edits left" in message for message in self.warnings)


def ask(network: Network) -> Told:
    """Ask the record of a network through every handle, the bare network first."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        histories = [surgery.history(handle) for handle in network.handles()]
    found = tuple([plain(edit) for edit in history] for history in histories)
    return Told(found, tuple(str(entry.message) for entry in said))


def judge(network: Network, state: State, told: Told) -> Iterator[str]:
    """Where what the record says is not the account, or it does not say that it no longer explains the rows."""
    edits = [wanted(entry.edit) for entry in state.entries]
    yield from (f"history is {found} in place of {edits}" for found in told.edits if found != edits)
    if told.unexplained and state.explained:
        yield f"the record says wrongly that it does not explain the rows: {told.warnings}"
    if not told.unexplained and not state.explained and network.bits(state) not in network.told:
        yield "the record does not explain the rows and does not say so"


def plain(edit: surgery.Edit) -> tuple:
    """An edit of surgery as plain values; the order of its branches does not count."""
    parameters = {name: _plain(value) for name, value in edit.parameters.items()}
    return edit.operation, tuple(edit.levels), tuple(edit.classes), parameters, set(edit.branches)


def wanted(edit: Wanted) -> tuple:
    return edit.operation, edit.levels, edit.classes, edit.parameters, set(edit.branches)


def _plain(value):
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value
