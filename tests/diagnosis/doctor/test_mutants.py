"""Each fault by its name: encoders that were broken in one way, most of them after the doctor was built."""

from dataclasses import dataclass
from functools import cache

import pytest
import torch

from diagnosis import check_targets
from tests.diagnosis.doctor import fresh, held_out, last, mutants, unseen
from tests.diagnosis.doctor.encoders import styles

SMALL = ((256, 256), (192, 320))


@dataclass(frozen=True)
class Suite:
    """Faults with their codes, the encoder that has them, the styles that they fit, and the share that may be missed.

    The doctor was not tuned on the last suite.
    """

    kind: type
    faults: dict
    dress: object
    missed: float = 0.05


def worn(applies):
    return lambda fault, style: style if applies(fault, style) else None


SUITES = {
    "developed": Suite(mutants.Encoder, mutants.DEVELOPED, worn(mutants.applies)),
    "held out": Suite(held_out.LateEncoder, held_out.HELD_OUT, worn(held_out.fits)),
    "last": Suite(last.LastEncoder, last.LAST, worn(last.fits)),
    "unseen": Suite(unseen.UnseenEncoder, unseen.UNSEEN, unseen.dress),
    "fresh": Suite(fresh.FreshEncoder, fresh.SINGLE, fresh.dress, 0.1),
}
ASKED, MANY = 1, 20


def missed(name: str, asked: int) -> list:
    """Faults spread over the suite, each on another style: those that are not named by their cause alone."""
    suite, wrong = SUITES[name], []
    for i, (fault, code) in enumerate(list(suite.faults.items())[:: max(len(suite.faults) // asked, 1)][:asked]):
        style, found = errors(name, fault, i)
        if len(found) != 1 or not found <= ({code} if isinstance(code, str) else code):
            wrong.append((fault, style, found))
    return wrong


@cache
@torch.inference_mode()
def errors(name: str, fault: str, turn: int) -> tuple[str, frozenset[str]]:
    """A style that a fault of a suite fits, and the errors that it has there; asked once."""
    torch.set_num_threads(1)
    suite = SUITES[name]
    fitting = [style for one in styles() if (style := suite.dress(fault, one))]
    style = fitting[turn % len(fitting)]
    report = check_targets(suite.kind(style, fault), style.layout, image_sizes=SMALL)
    return style.name, frozenset(finding.code for finding in report.errors)


@pytest.mark.parametrize("name", SUITES)
def test_mutants_are_named_by_their_cause_alone(name):
    assert not missed(name, ASKED)


@pytest.mark.long
@pytest.mark.parametrize("name", SUITES)
def test_nearly_all_mutants_are_named_by_their_cause_alone(name):
    wrong = missed(name, MANY)
    assert len(wrong) <= SUITES[name].missed * MANY, wrong


def test_there_are_enough_kinds_on_enough_encoders():
    kinds = [
        sum(suite.dress(fault, style) is not None for style in styles())
        for suite in SUITES.values()
        for fault in suite.faults
    ]
    assert sum(count >= 4 for count in kinds) >= 100
