"""Which predictors run a copy of a network, and which YOLO objects hold it.

``Kinds`` carries Ultralytics' own classes, as another file alone imports them. Copies that predictors make while the
network is marked tell of themselves; those made before are looked for once, among all living objects.
"""

import gc
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import nn

from ...head.mark import Mark, is_marked, mark_of, runner_of, unmarked

LISTS = ("cv3", "one2one_cv3", "cv2", "one2one_cv2")  # class and box convolutions of both branches
LISTS += ("dec_score_head", "dec_bbox_head")  # RT-DETR's of each decoder layer


class Kinds(NamedTuple):
    """Ultralytics' ``engine.model.Model`` (whose YOLO is one) and ``engine.predictor.BasePredictor``."""

    holder: type
    predictor: type

    def maker(self) -> Any:
        """While a predictor copies a network: the YOLO object that sets it up, or the predictor made by hand."""
        frame = sys._getframe(1)
        while frame is not None and not self._sets_up(frame):
            frame = frame.f_back
        if frame is None:
            return None
        predictor = frame.f_locals["self"]
        for _ in range(4):  # overridden and decorated methods may stand between
            frame = frame.f_back
            if frame is None:
                break
            if frame.f_code.co_name == "predict" and frame.f_globals.get("__name__") == self.holder.__module__:
                return frame.f_locals["self"]
        return predictor

    def _sets_up(self, frame) -> bool:
        """Locals are asked for where the name fits alone: a frame that was asked keeps what they are alive."""
        return frame.f_code.co_name == "setup_model" and isinstance(frame.f_locals.get("self"), self.predictor)


def network_of(predictor: Any) -> nn.Module | None:
    """The network that a predictor runs; None before it is set up, or where it runs an exported file."""
    whole = getattr(predictor, "model", None)
    backend = getattr(getattr(whole, "_orig_mod", whole), "backend", None)
    found = getattr(backend, "model", None)
    return found if isinstance(found, nn.Module) else None


def holds(holder: Any, net: nn.Module) -> bool:
    """Whether a YOLO object holds this network now."""
    return holder.__dict__.get("_modules", {}).get("model") is net


def holders(mark: Mark, net: nn.Module) -> Iterator:
    """Of the YOLO objects that were seen with this network those that hold it now."""
    return (holder for holder in list(mark.holders) if holds(holder, net))


def strange(predictor: Any, net: nn.Module, mark: Mark) -> bool:
    """Whether a predictor runs a network that is no copy of this one, as far as that is known."""
    running = network_of(predictor)
    return running is not None and running is not net and running not in mark.runners


def predictors(net: nn.Module, mark: Mark, own: Any) -> list:
    """The predictors that run a copy of this network, as far as they are known; ``own`` as in ``runners``."""
    known = [own, *(_predictor(holder) for holder in holders(mark, net)), *mark.predictors]
    running = {id(entry): entry for entry in known if entry is not None and not strange(entry, net, mark)}
    return list(running.values())


def runners(net: nn.Module, mark: Mark, own: Any) -> Iterator[tuple[str, nn.Module]]:
    """Who runs what in place of this network now; ``own`` is the predictor that was made for it without an object.

    A copy that is kept by a result alone does not count.
    """
    for predictor in [_predictor(holder) for holder in holders(mark, net)]:
        running = network_of(predictor)
        if running is not None and running is not net:
            other = strange(predictor, net, mark)
            yield (
                "a YOLO object, of another network or of this one before it changed" if other else "a YOLO object",
                running,
            )
    running = network_of(own)
    if running is not None and not strange(own, net, mark):
        yield "the predictor of the bare network", running
    for copy, by_hand in list(mark.runners.items()):
        if by_hand:
            yield "a predictor made by hand", copy
    for copy in list(mark.unclear):
        yield "a predictor made by hand, of this network or of another with the same rows", copy


def look_around(net: nn.Module, mark: Mark, kinds: Kinds) -> None:
    """Find what was made before the network was marked: YOLO objects that hold it, predictors that run a copy.

    A copy is known by its class and box rows, bit for bit. The predictor of a YOLO object that holds another network
    is left out; one that nobody holds is unclear if another network has the same rows.
    """
    around = _around(net, kinds)
    if around.by_hand and around.others:
        del around  # it keeps alive what nobody else holds, and such a network shall leave no predictor unclear
        gc.collect()
        around = _around(net, kinds)
    mark.holders.update(holder for holder in around.objects if holds(holder, net))
    for predictor, copy in around.held:
        mark.adopt(copy, predictor, by_hand=False)
    for predictor, copy in around.by_hand:
        if any(same_rows(other, copy) for other in around.others):
            mark.unclear.add(copy)
        else:
            mark.adopt(copy, predictor, by_hand=True)


class _Around(NamedTuple):
    """What lives beside a network: YOLO objects, predictors that may run a copy of it with the copy, other networks.

    ``held``: predictors of YOLO objects that hold the network; ``by_hand``: those that no YOLO object has.
    """

    objects: list
    held: list[tuple[Any, nn.Module]]
    by_hand: list[tuple[Any, nn.Module]]
    others: list[nn.Module]


def _around(net: nn.Module, kinds: Kinds) -> _Around:
    wanted = _all_subclasses(kinds.holder) | _all_subclasses(kinds.predictor) | {type(net)}
    there = [entry for entry in gc.get_objects() if type(entry) in wanted]
    objects = [entry for entry in there if isinstance(entry, kinds.holder)]
    running = _copies(there, net, kinds.predictor)
    copies = {id(copy) for _, copy in running}
    holder_of = {id(_predictor(holder)): holder for holder in objects}
    return _Around(
        objects=objects,
        held=[pair for pair in running if id(pair[0]) in holder_of and holds(holder_of[id(pair[0])], net)],
        by_hand=[pair for pair in running if id(pair[0]) not in holder_of],
        others=[entry for entry in there if type(entry) is type(net) and entry is not net and id(entry) not in copies],
    )


def _copies(there: list, net: nn.Module, kind: type) -> list[tuple[Any, nn.Module]]:
    """The predictors among these objects that may run a copy of a network, each with the copy."""
    found = []
    for entry in there:
        if isinstance(entry, kind):
            copy = network_of(entry)
            if copy is not None and _could_be(copy, net):
                found.append((entry, copy))
    return found


def _predictor(holder: Any) -> Any:
    return holder.__dict__.get("predictor")


def _could_be(copy: nn.Module, net: nn.Module) -> bool:
    return copy is not net and runner_of(copy) is None and same_rows(net, copy)


def same_rows(net: nn.Module, copy: nn.Module) -> bool:
    """Whether class and box rows of two networks agree bit for bit, as far as both have them, in the copy's dtype."""
    ours, theirs = _last_layer(net), _last_layer(copy)  # None has no list, and so no pair
    pairs = []
    for name in LISTS:
        pairs += _pairs(getattr(ours, name, None), getattr(theirs, name, None))
    return bool(pairs) and all(_agree(mine, other) for mine, other in pairs)


def _last_layer(net: nn.Module) -> nn.Module | None:
    """The head of a network that is a sequence of layers; None for any other."""
    layers = getattr(net, "model", None)
    return layers[-1] if isinstance(layers, nn.Sequential) and len(layers) else None


def _pairs(ours: Any, theirs: Any) -> list[tuple[nn.Module, nn.Module]]:
    if ours is None or theirs is None:
        return []
    return [(_end(mine), _end(other)) for mine, other in zip(ours, theirs, strict=False)]


def _end(stack: nn.Module) -> nn.Module:
    """The last layer of a stack; of a layer or block itself."""
    return stack[-1] if isinstance(stack, nn.Sequential) else stack


def _agree(ours: nn.Module, theirs: nn.Module) -> bool:
    mine, other = ours.state_dict(), theirs.state_dict()
    return mine.keys() == other.keys() and all(_equal(mine[name], other[name]) for name in mine)


def _equal(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.shape == b.shape and torch.equal(a.detach().to(b).nan_to_num(), b.detach().nan_to_num())


def _all_subclasses(kind: type) -> set[type]:
    found = {kind}
    for below in type.__subclasses__(kind):
        found |= _all_subclasses(below)
    return found


def known_mark(net: nn.Module, kinds: Kinds) -> Mark:
    """The mark of a network; when it is new, what was made of the network before is looked for once.

    Interrupted meanwhile, it takes the mark off again, so that the next one looks.
    """
    if is_marked(net):
        return mark_of(net, kinds.maker)
    before = vars(net).copy()
    try:
        mark = mark_of(net, kinds.maker)
        look_around(net, mark, kinds)
        return mark
    except BaseException:
        for copy_of_it in (*mark_of(net).runners, net):
            unmarked(copy_of_it)
        vars(net).update(before)
        raise
