"""What lives beside the account: a network, the objects that hold it, and the predictors that run a copy of it."""

import zlib
from collections.abc import Iterator

import torch
from torch import nn

from .arithmetic import same_bits
from .heads import Kind
from .runners import Runner, hooks_of, read
from .truth import State


class Network:
    """A living network: ``net``, what is true of it, the YOLO objects that hold it and predictors kept by hand."""

    def __init__(self, kind: Kind, net: nn.Module, state: State | None = None, owners=(), told: set | None = None):
        self.kind, self.net, self.owners, self.kept, self.known = kind, net, list(owners), [], False
        self.state = State(kind, read(kind.convs(net))) if state is None else state
        self.runners: list[Runner] = []
        self.left = False  # whether a YOLO object that held it was given another one
        self.portrait = self.draw()
        self.told = set() if told is None else told  # rows of which the record has said that it does not explain them

    def row_tensors(self) -> list[torch.Tensor]:
        """The network's own tensors that hold class rows."""
        convs = {id(conv): conv for conv in self.kind.convs(self.net).values()}
        return [part for conv in convs.values() for part in (conv.weight, conv.bias) if part is not None]

    def handles(self) -> list:
        """All that surgery takes for this network."""
        return [self.net, *self.owners]

    def held_predictors(self) -> list:
        held = [owner.predictor for owner in self.owners if owner.predictor is not None] + self.kept
        return [predictor for predictor in held if predictor.model is not None]

    def meet(self, predictor) -> Runner:
        """The runner of a predictor; noted when it is new, and then it must run the rows as they are."""
        for runner in self.runners:
            if runner.is_of(predictor):
                return runner
        by_hand = any(predictor is kept for kept in self.kept)
        self.runners.append(Runner(self.kind, predictor, by_hand, self.portrait))
        return self.runners[-1]

    def introduce(self, others: list["Network"]) -> None:
        """The workbench sees this network for the first time: which predictors can it know for copies of it?"""
        if self.known:
            return
        self.known = True
        alike = any(other is not self and other.bits() == self.bits() for other in others)
        for runner in self.runners:
            changed = bool(runner.stale) or runner.portrait["values"] != self.portrait["values"]
            runner.bound = not changed and not (alike and runner.by_hand)

    def move(self, state: State) -> None:
        """Surgery has made ``state`` of this network: what it wrote, every runner must have."""
        written = {place for place, rows in state.rows.items() if not same_bits(rows, self.state.rows[place])}
        for runner in self.runners:
            runner.stale -= written
        self.state = state

    def changed_outside(self, everything_else: bool = True) -> None:
        """Rows were changed by other means: read them; runners that were there need not know."""
        rows, before = read(self.kind.convs(self.net)), self.state.rows
        dtype = next(iter(rows.values()))[0].dtype
        if dtype != self.state.dtype:
            self.state = self.state.passed(dtype)
        for place, old in before.items():
            if place in rows and not same_bits(rows[place], old):
                for runner in self.runners:
                    runner.stale.add(place)
        self.state = self.state.outside(rows)
        if everything_else:
            self.portrait = self.draw()

    def faults(self, state: State) -> Iterator[str]:
        """Where rows and runners are not as ``state`` says, in words."""
        found = read(self.kind.convs(self.net))
        if found.keys() != state.rows.keys():
            yield f"there are rows at {sorted(found)} in place of {sorted(state.rows)}"
            return
        yield from (f"other rows at {place}" for place in found if not same_bits(found[place], state.rows[place]))
        for predictor in self.held_predictors():
            self.meet(predictor)
        self.runners = [runner for runner in self.runners if runner.lives]
        for predictor in self.held_predictors():
            yield from self.meet(predictor).faults(state)

    def settle(self) -> None:
        """Note what each runner has, after everything was found right."""
        for runner in self.runners:
            runner.settle()

    def tell(self) -> None:
        """The record was asked: what it does not explain it has told now, and need not tell again of the same rows."""
        if not self.state.explained:
            self.told.add(self.bits())

    def bits(self, state: State | None = None) -> tuple:
        """All bits of the class rows, by place, as they are now or in another state."""
        rows = (state or self.state).rows.items()
        return tuple((place, *(None if part is None else part.tobytes() for part in kept)) for place, kept in rows)

    def draw(self) -> dict:
        """All of the network but its class rows: values (checksums), identities, flags, names, hooks."""
        rows = {id(part) for conv in self.kind.convs(self.net).values() for part in (conv.weight, conv.bias)}
        modules = dict(self.net.named_modules())
        tensors = list(tensors_of(modules))
        return {
            "values": {name: checksum(value) for name, value in tensors if id(value) not in rows},
            "tensors": [(id(value), value.requires_grad) for _, value in tensors],
            "modules": [(id(module), module.training) for module in modules.values()],
            "names": dict(enumerate(self.net.names)) if isinstance(self.net.names, tuple) else dict(self.net.names),
            "hooks": hooks_of(modules.values()),
        }


def tensors_of(modules: dict[str, nn.Module]) -> Iterator[tuple[str, torch.Tensor]]:
    """Parameters and buffers of modules, by the path of the module and their name in it."""
    for path, module in modules.items():
        for name, value in (*module._parameters.items(), *module._buffers.items()):
            if value is not None:
                yield f"{path}.{name}", value


def checksum(value: torch.Tensor) -> int:
    return zlib.crc32(value.detach().contiguous().view(-1).view(torch.uint8).numpy())
