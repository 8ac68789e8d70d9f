"""A mark on a network: the copies of it that predictors run, and the record of edits that travels with it.

A predictor runs a copy that it made of the network, and nothing in the copy says where it came from. So the mark, which
lies among the attributes of the network, is told when it is copied along. It goes through ``deepcopy`` and ``pickle``,
where it becomes plain data and tensors that any program can open; casts, moves and fusion leave it where it is.
"""

import warnings
import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

ATTRIBUTE = "_workbench"  # private, so that Ultralytics' copy_attr leaves it alone


class Mark:
    """What the workbench knows of one network; it keeps no network and no predictor alive.

    ``runners``: copies that a predictor made of the network, each with True where a person made the predictor by hand.
    ``unclear``: networks of predictors that are copies of this network or of another with the same rows.
    ``predictors``: those of them that a person made by hand.
    ``holders``: objects, such as YOLO, that were seen to hold the network; whether they still do is for the asker.
    ``root``: the mark of the network that this one is a runner's copy of, or None.
    ``fold``: the ``TextFold`` by which the network came to the head that it has; no copy of the network has it.
    ``record`` belongs to the one who writes it: None, plain data from a pickle, or an object with ``copy()`` and
    ``plain()`` (a mapping of plain data and tensors, or None).
    ``maker``: called while the network is deep-copied; gives the predictor, or the object that is setting one up, if
    the copy is made to be run by one, and None for any other copy.
    """

    def __init__(self, maker: Callable[[], Any] | None = None, root: "Mark | None" = None, record: Any = None):
        self.maker, self.root, self.record = maker, root, record
        self.fold: Any = None
        self.runners: weakref.WeakKeyDictionary[nn.Module, bool] = weakref.WeakKeyDictionary()
        self.unclear: weakref.WeakSet[nn.Module] = weakref.WeakSet()
        self.holders: weakref.WeakSet = weakref.WeakSet()
        self.predictors: weakref.WeakSet = weakref.WeakSet()
        self._bearers: weakref.WeakSet[nn.Module] = weakref.WeakSet()

    def lay_on(self, net: nn.Module) -> "Mark":
        """Put the mark on a network; returns it."""
        net.__dict__[ATTRIBUTE] = self
        self._bearers.add(net)
        return self

    def adopt(self, copy: nn.Module, predictor: Any, *, by_hand: bool) -> None:
        """Take a network for a copy that a predictor runs."""
        mark_of(copy, self.maker).root = self
        self.runners[copy] = by_hand
        if by_hand:
            self.predictors.add(predictor)

    def __deepcopy__(self, memo: dict) -> "Mark":
        copies = [memo[id(net)] for net in self._bearers if id(net) in memo]  # copy makes the object, then fills it
        maker = self.maker() if self.maker is not None and copies else None
        if maker is None:
            new = Mark(self.maker, record=self._carried())
        else:
            root = self.root or self
            new = Mark(self.maker, root=root)
            for copy in copies:
                root.runners[copy] = not isinstance(maker, nn.Module)
            (root.holders if isinstance(maker, nn.Module) else root.predictors).add(maker)
        new._bearers.update(copies)
        return new

    def __reduce__(self) -> tuple:
        record = self._carried()
        plain = record.plain() if hasattr(record, "plain") else record
        content = {} if plain is None else {"record": plain}
        return OrderedDict, (), None, None, iter(content.items())  # as an OrderedDict, which every unpickler makes

    def _carried(self) -> Any:
        """The record that an independent copy goes on with: of a runner, that of the network it was made from."""
        record: Any = self.root.record if self.record is None and self.root is not None else self.record
        return record.copy() if hasattr(record, "plain") else record


def mark_of(net: nn.Module, maker: Callable[[], Any] | None = None) -> Mark:
    """The mark of a network; laid on it at the first call. What a pickle left there is taken up again."""
    found = net.__dict__.get(ATTRIBUTE)
    if isinstance(found, Mark):
        found._bearers.add(net)  # a shallow copy shares modules and mark
        found.maker = found.maker or maker
        return found
    mark = Mark(maker)
    if isinstance(found, Mapping) and isinstance(found.get("record", {}), Mapping):
        mark.record = found.get("record")
    elif found is not None:
        warnings.warn(
            f"The record of edits that lies on this {type(net).__name__} is no record ({type(found).__name__}), so it "
            "is left out: the history begins anew.",
            stacklevel=2,
        )
    return mark.lay_on(net)


def is_marked(net: nn.Module) -> bool:
    """Whether a living mark lies on a network already (plain data out of a pickle is none yet)."""
    return isinstance(net.__dict__.get(ATTRIBUTE), Mark)


def runner_of(net: nn.Module) -> Mark | None:
    """The mark of the network that this one is a predictor's copy of; None where that is not known."""
    found = net.__dict__.get(ATTRIBUTE)
    return found.root if isinstance(found, Mark) else None


def unmarked(net: nn.Module) -> nn.Module:
    """The network itself, with its mark taken off."""
    net.__dict__.pop(ATTRIBUTE, None)
    return net
