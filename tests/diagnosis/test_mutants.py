"""Each fault by its name: encoders that were broken in one way, half of them after the doctor was built."""

import pytest
import torch

from diagnosis import check_targets
from tests.diagnosis import held_out, mutants
from tests.diagnosis.encoders import styles

SMALL = ((256, 256), (192, 320))


def named(kind, fault, code, style) -> bool:
    report = check_targets(kind(style, fault), style.layout, image_sizes=SMALL)
    return {finding.code for finding in report.errors} == {code}


@pytest.mark.parametrize(
    ("kind", "faults", "applies"),
    [(mutants.Encoder, mutants.DEVELOPED, mutants.applies), (held_out.LateEncoder, held_out.HELD_OUT, held_out.fits)],
    ids=["developed", "held out"],
)
def test_nearly_all_mutants_are_named_by_their_cause_alone(kind, faults, applies):
    """Each fault on one of the styles, another for each; the benchmark runs them all."""
    torch.set_num_threads(1)
    results = {}
    for i, (fault, code) in enumerate(faults.items()):
        fitting = [style for style in styles() if applies(fault, style)]
        style = fitting[i % len(fitting)]
        results[fault, style.name] = named(kind, fault, code, style)
    missed = [key for key, right in results.items() if not right]
    assert len(missed) <= 0.05 * len(results), missed


def test_there_are_enough_kinds_on_enough_encoders():
    kinds = {**mutants.DEVELOPED, **held_out.HELD_OUT}
    on = {
        fault: sum((mutants.applies if fault in mutants.DEVELOPED else held_out.fits)(fault, s) for s in styles())
        for fault in kinds
    }
    assert len(kinds) >= 40
    assert sum(count >= 4 for count in on.values()) >= 20
