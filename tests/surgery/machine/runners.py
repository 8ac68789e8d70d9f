"""A predictor and the copy of a network that it runs."""

import weakref
from collections.abc import Iterable, Iterator

from torch import nn

from .arithmetic import Rows, cast, same_bits
from .heads import Kind, Place
from .truth import State

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
TAPS = {"postprocess", "get_obj_feats", "construct_result", "get_topk_index"}  # never left on an instance


def read(convs: dict[Place, nn.Conv2d]) -> dict[Place, Rows]:
    """A copy of the class rows at every place."""
    return {place: (_array(conv.weight), _array(conv.bias)) for place, conv in convs.items()}


def _array(value):
    return None if value is None else value.detach().numpy().copy()


def network_of(predictor) -> nn.Module:
    """The copy of a network that a predictor runs."""
    return predictor.model.backend.model


class Runner:
    """The copy of a network that a predictor made to run it, and what must stand in it.

    ``bound``: it was made when the workbench knew the network, or was equal to it when they first met, and no other
    network was; only such a one can be known for what it is. ``by_hand``: its predictor was made by no YOLO object.
    ``stale``: places that were changed outside since it was made; they may still be as they were (``seen``).
    """

    def __init__(self, kind: Kind, predictor, by_hand: bool, portrait: dict):
        net = network_of(predictor)
        self.kind, self.by_hand, self.portrait = kind, by_hand, portrait
        self._net, self._predictor = weakref.ref(net), weakref.ref(predictor)
        self.bound, self.stale, self.seen = True, set(), read(kind.convs(net))

    @property
    def lives(self) -> bool:
        return self._net() is not None

    def is_of(self, predictor) -> bool:
        return self.lives and network_of(predictor) is self._net()

    def rows(self) -> dict[Place, Rows]:
        return read(self.kind.convs(self._net()))

    def faults(self, state: State) -> Iterator[str]:
        """What it runs that it must not, in words."""
        if not self.lives:
            return
        wrong = self._wrong(state) if self.bound else []
        yield from (f"a predictor runs other rows at {place}" for place in wrong)
        if count := hooks_of(self._net().modules()):
            yield f"{count} hooks are left on what a predictor runs"
        for entry in (self._predictor(), self._net().model[-1]):
            if entry is not None and TAPS & vars(entry).keys():
                yield f"{TAPS & vars(entry).keys()} are left on a {type(entry).__name__}"

    def settle(self) -> None:
        """Note what it runs, after that was found right."""
        if self.lives:
            self.seen = self.rows()

    def _wrong(self, state: State) -> list[Place]:
        found = self.rows()
        others = _unlike(found, state)
        return [place for place in others if not (place in self.stale and same_bits(found[place], self.seen[place]))]

    def in_step(self, state: State) -> bool:
        return not _unlike(self.rows(), state)


def _unlike(found: dict[Place, Rows], state: State) -> list[Place]:
    """The live places where rows of a predictor are not those of the account, in the predictor's dtype."""
    shared = found.keys() & state.rows.keys()
    return [place for place in shared if not same_bits(found[place], cast(state.rows[place], found[place][0].dtype))]


def hooks_of(modules: Iterable[nn.Module]) -> int:
    """How many hooks lie on these modules."""
    return sum(len(vars(module)[kind]) for module in modules for kind in HOOKS)
