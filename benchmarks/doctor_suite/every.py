"""All cases of the suite: target encoders, decoders, losses, grids, proposed layouts."""

import inspect
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import diagnosis

from . import (
    decoder_conduct,
    decoder_faults,
    decoder_units,
    encoder_cases,
    loss_boxes,
    loss_conduct,
    loss_faults,
    published,
)
from .cases import Case
from .combinations import REST_PAIRS
from .decoders import DECODERS
from .grid_cases import grids
from .inferred import layouts
from .losses import LOSSES


def every() -> list[Case]:
    return [*targets(), *decoders(), *losses(), *grids(), *layouts()]


def targets() -> list[Case]:
    found = []
    groups = {
        "correct": encoder_cases.correct(),
        "single": encoder_cases.singles(),
        "pair": encoder_cases.pairs(),
        "triple": encoder_cases.triples(),
    }
    for group, planted in groups.items():
        found += [_target_case(group, one) for one in planted]
    names = tuple((frozenset((code,)), "error") for code in published.ERRORS)
    names += tuple((frozenset((code,)), "warning") for code in published.WARNINGS)
    ask = _ask_targets(lambda: published)
    found.append(Case("targets", "published", "published", ("as it was",), names, ask, frozenset(published.ALLOWED)))
    return found


def _target_case(group: str, one: encoder_cases.Case) -> Case:
    return Case("targets", group, one.scheme, one.faults, one.expected, _ask_targets(one.make))


def decoders() -> list[Case]:
    return _of_kind("decoder", _ask_decoder)


def losses() -> list[Case]:
    return _of_kind("loss", _ask_loss)


FAMILIES: dict[str, tuple[dict[str, type], tuple[ModuleType, ...]]] = {
    "decoder": (DECODERS, (decoder_faults, decoder_units, decoder_conduct)),
    "loss": (LOSSES, (loss_faults, loss_boxes, loss_conduct)),
}
"""The correct ones of a kind, and the files of its faults."""


def planted(kind: str) -> Iterator[tuple[str, tuple[str, ...], type]]:
    """(scheme, faults, class with them) for every mix-in of a kind in each scheme that it suits, and for pairs."""
    schemes, homes = FAMILIES[kind]
    known = dict(item for home in homes for item in _mixins(home))
    wanted = [(scheme, name) for name, fault in known.items() for scheme in fault.suits]
    for scheme, *faults in (*wanted, *REST_PAIRS[kind]):
        kinds = [known[name] for name in faults]
        made = type("Planted", (*kinds, schemes[scheme]), {})
        made.expected = tuple((fault.codes, fault.severity) for fault in kinds)
        yield scheme, tuple(faults), made


def _mixins(home: ModuleType) -> Iterator[tuple[str, type]]:
    """The faults of a file, by name."""
    for name, fault in vars(home).items():
        if inspect.isclass(fault) and fault.__module__ == home.__name__ and getattr(fault, "codes", None):
            yield name, fault


def _of_kind(kind: str, ask: Any) -> list[Case]:
    found = [Case(kind, "correct", name, (), (), ask(scheme)) for name, scheme in FAMILIES[kind][0].items()]
    for scheme, faults, made in planted(kind):
        group = "single" if len(faults) == 1 else "pair"
        found.append(Case(kind, group, scheme, faults, made.expected, ask(made)))
    return found


def _ask_targets(make: Callable[[], Any]) -> Any:
    """``make()`` has ``encode`` and ``layout``."""

    def ask():
        encoder = make()
        layout = encoder.layout(diagnosis.TargetLayout)
        ask.own = 0.0  # seconds of CPU in the encoder itself

        def encode(boxes, labels, image_size):
            start = time.process_time()
            try:
                return encoder.encode(boxes, labels, image_size)
            finally:
                ask.own += time.process_time() - start

        return diagnosis.check_targets(encode, layout)

    return ask


def _ask_decoder(make: type) -> Any:
    def ask():
        decoder = make()
        return diagnosis.check_decoder(decoder, decoder.layout(diagnosis.TargetLayout), prepare=decoder.prepare)

    return ask


def _ask_loss(make: type) -> Any:
    def ask():
        loss = make()
        return diagnosis.check_loss(
            loss,
            loss.layout(diagnosis.TargetLayout),
            prepare=loss.prepare,
            box_channels=loss.box_channels,
        )

    return ask
