"""Rules that edit class rows, take edits back, and open and leave scratch blocks."""

import warnings
from dataclasses import dataclass, field

from hypothesis import strategies as st

import surgery

from .base import Ground, open_to_others, step
from .choices import CHANGES, DRAFTS, MOVES, SILENCES, WHICH
from .interrupts import MOMENTS, Interrupt
from .record import plain, wanted
from .truth import Refused, State
from .world import Network

ENDINGS = st.sampled_from((None, ValueError, KeyboardInterrupt))
SPENT = st.integers(0, 12)
FORCE = st.sampled_from((False, False, False, True))


@dataclass
class Block:
    """An open scratch block: where it was entered, and the state at that time."""

    context: object
    network: Network
    owner: object
    entered: State
    stale: dict = field(default_factory=dict)

    @property
    def replaced(self) -> bool:
        """Whether the YOLO object it was entered through has another network by now."""
        return self.owner is not None and self.owner.model is not self.network.net

    def close(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.context.__exit__(None, None, None)


class Edits(Ground):
    @step(which=WHICH, via=WHICH, drafts=st.lists(MOVES, min_size=1, max_size=3), at=MOMENTS)
    def move_rows(self, which, via, drafts, at):
        self._edit(which, via, drafts, at)

    @step(which=WHICH, via=WHICH, drafts=st.lists(SILENCES, min_size=1, max_size=3), at=MOMENTS)
    def silence_rows(self, which, via, drafts, at):
        self._edit(which, via, drafts, at)

    @step(which=WHICH, via=WHICH, drafts=st.lists(CHANGES, min_size=1, max_size=3), at=MOMENTS)
    def change_rows(self, which, via, drafts, at):
        self._edit(which, via, drafts, at)

    def _edit(self, which, via, drafts, at):
        """One edit after another; the last may be interrupted."""
        network, calls = self.pick(which), [draft.call(self.kind) for draft in drafts]
        for call in calls:
            outcome = network.state.edited(call.edit)
            last = at if call is calls[-1] else None
            made = self.attempt(network, lambda call=call: call.run(self.handle(network, via)), outcome, last)
            assert made is None or plain(made) == wanted(outcome.entries[-1].edit)

    @step(which=WHICH, via=WHICH, drafts=st.lists(DRAFTS, max_size=3), other=WHICH, written=st.booleans(), at=MOMENTS)
    def recipe(self, which, via, drafts, other, written, at):
        """Edits in one go, through a file or not; an empty list stands for the last edits of another network."""
        network, handle = self.pick(which), self.handle(self.pick(which), via)
        edits = [draft.call(self.kind).edit for draft in drafts]
        edits = edits or [entry.edit for entry in self.pick(other).state.entries[-4:]]
        self._apply(network, handle, edits, written, at)

    def _apply(self, network, handle, edits, written, at):
        recipe = [surgery.Edit(e.operation, e.levels, e.classes, e.parameters, e.branches) for e in edits]
        if written:
            recipe = surgery.read_recipe(surgery.write_recipe(recipe, self.folder / "recipe.json"))
        outcome = network.state.all_edited(edits)
        made = self.attempt(network, lambda: surgery.apply(handle, recipe), outcome, at)
        if made is not None:
            last = outcome.entries[len(outcome.entries) - len(edits) :]
            assert [plain(edit) for edit in made] == [wanted(entry.edit) for entry in last]

    @step(which=WHICH, via=WHICH, some=SPENT, force=FORCE, at=MOMENTS)
    def undo(self, which, via, some, force, at):
        network = self.pick(which)
        count = some % (len(network.state.entries) + 2)
        given = {"force": True} if force else {}
        taken = network.state.entries[::-1][:count]
        outcome = network.state.undone(count, force)
        made = self.attempt(network, lambda: surgery.undo(self.handle(network, via), count, **given), outcome, at)
        assert made is None or [plain(edit) for edit in made] == [wanted(entry.edit) for entry in taken]

    @step(which=WHICH, via=WHICH, force=FORCE, at=MOMENTS)
    def reset(self, which, via, force, at):
        network = self.pick(which)
        given = {"force": True} if force else {}
        outcome = network.state.undone(len(network.state.entries), force)
        self.attempt(network, lambda: surgery.reset(self.handle(network, via), **given), outcome, at)

    @step(which=WHICH, via=WHICH, sure=st.integers(0, 2), at=MOMENTS)
    def forget(self, which, via, sure, at):
        """Now and then: what follows needs a record to speak of."""
        network = self.pick(which)
        if sure == 2:
            self.attempt(network, lambda: surgery.forget(self.handle(network, via)), network.state.forgotten(), at)

    @step(which=WHICH, via=WHICH, enter=st.booleans(), ending=ENDINGS, at=MOMENTS)
    def scratch(self, which, via, enter, ending, at):
        """Open a block, or leave the innermost one."""
        if self.blocks and (len(self.blocks) == 3 or not enter):
            self._leave(ending, at)
        else:
            self._enter(self.pick(which), via, at)

    @step(which=WHICH, via=WHICH, drafts=st.lists(DRAFTS, max_size=3), n=SPENT, ending=ENDINGS, at=MOMENTS)
    def scratch_from_end_to_end(self, which, via, drafts, n, ending, at):
        """A whole block at once: edits, and some taken back, further than the block began."""
        network = self.pick(which)
        self._enter(network, via, None)
        self._edit(which, via, drafts, None)
        count = n % (len(network.state.entries) + 1)
        self.attempt(network, lambda: surgery.undo(network.net, count), network.state.undone(count))
        self._leave(ending, at)

    def _enter(self, network, via, at):
        handle = self.handle(network, via)
        context = surgery.scratch(handle)
        value = self.attempt(network, context.__enter__, network.state, at)
        if value is not None:
            assert value is handle
            owner = None if handle is network.net else handle
            stale = {id(runner): set(runner.stale) for runner in network.runners}
            self.blocks.append(Block(context, network, owner, network.state, stale))

    def _leave(self, ending, at):
        """Whatever happened inside is gone, however the block ends, an interruption of the leaving included."""
        block = self.blocks.pop()
        error = () if ending is None else (ending, ending("inside the block"), None)
        interrupt = Interrupt(at, block.network.row_tensors())
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            try:
                with interrupt:
                    assert not block.context.__exit__(*(error or (None,) * 3))
            except KeyboardInterrupt:
                if not interrupt.raised:
                    raise  # somebody really wants to stop
        if interrupt.raised:
            self.note(interrupt)
            assert open_to_others(block.network), f"{interrupt.where}: another thread waits for ever"
        said = any("network" in str(entry.message) for entry in heard)
        if not interrupt.raised:
            assert said == block.replaced, [str(entry.message) for entry in heard]
        for runner in block.network.runners:
            runner.stale &= block.stale.get(id(runner), set())
        block.network.move(block.network.state.restored(block.entered))

    @step(which=WHICH, via=WHICH, fault=st.integers(0, 11), at=MOMENTS)
    def refused_at_the_door(self, which, via, fault, at):
        network = self.pick(which)
        handle, names = self.handle(network, via), self.kind.names
        nc, first = len(names), names[0]
        call = (
            lambda: surgery.shift_classes(handle, 9, 1),
            lambda: surgery.shift_classes(handle, "all", 1.5),
            lambda: surgery.mute_level(handle, []),
            lambda: surgery.permute_classes(handle, "all", [0] * nc),
            lambda: surgery.permute_classes(handle, "all", {first: nc - 1}),
            lambda: surgery.swap_classes(handle, "all", first, 0),
            lambda: surgery.zero_classes(handle, "all", "no such class"),
            lambda: surgery.zero_classes(handle, "all", first, "quiet"),
            lambda: surgery.scale_classes(handle, "all", first, float("nan")),
            lambda: surgery.bias_classes(handle, "all", nc, 1.0),
            lambda: surgery.apply(handle, [surgery.Edit("mute_level", (0,)), surgery.Edit("grow", (0,))]),
            lambda: surgery.undo(handle, -1),
        )[fault]
        self.attempt(network, call, Refused("a wrong argument", (ValueError, TypeError)), at)
