"""All cases of the suite: target encoders, decoders, losses, grids."""

import inspect
from types import ModuleType
from typing import Any

import diagnosis

from . import decoder_conduct, decoder_faults, encoder_cases, loss_boxes, loss_faults, published
from .cases import Case
from .decoders import DECODERS
from .grid_cases import grids
from .losses import LOSSES


def every() -> list[Case]:
    return [*targets(), *decoders(), *losses(), *grids()]


def targets() -> list[Case]:
    found = []
    groups = {
        "correct": encoder_cases.correct(),
        "single": encoder_cases.singles(),
        "pair": encoder_cases.pairs(),
        "triple": encoder_cases.triples(),
    }
    for group, planted in groups.items():
        for one in planted:
            found.append(Case("targets", group, one.scheme, one.faults, one.expected, _ask_targets(one.make)))
    names = tuple((frozenset((code,)), "error") for code in published.ERRORS)
    names += tuple((frozenset((code,)), "warning") for code in published.WARNINGS)
    ask = lambda: diagnosis.check_targets(published.encode, published.layout(diagnosis.TargetLayout))  # noqa: E731
    found.append(Case("targets", "published", "published", ("as it was",), names, ask, frozenset(published.ALLOWED)))
    return found


def decoders() -> list[Case]:
    return _planted("decoder", DECODERS, (decoder_faults, decoder_conduct), _ask_decoder)


def losses() -> list[Case]:
    return _planted("loss", LOSSES, (loss_faults, loss_boxes), _ask_loss)


def _planted(kind: str, schemes: dict[str, type], homes: tuple[ModuleType, ...], ask: Any) -> list[Case]:
    """The correct ones, and every mix-in of these files in each scheme that it suits."""
    found = [Case(kind, "correct", name, (), (), ask(scheme)) for name, scheme in schemes.items()]
    for home in homes:
        for name, fault in vars(home).items():
            if not inspect.isclass(fault) or fault.__module__ != home.__name__ or not getattr(fault, "codes", None):
                continue
            for scheme in fault.suits:
                made = type("Planted", (fault, schemes[scheme]), {})
                expected = ((fault.codes, fault.severity),)
                found.append(Case(kind, "single", scheme, (name,), expected, ask(made)))
    return found


def _ask_targets(make: type) -> Any:
    def ask():
        encoder = make()
        return diagnosis.check_targets(encoder, encoder.layout(diagnosis.TargetLayout))

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
