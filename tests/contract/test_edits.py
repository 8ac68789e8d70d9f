"""Laws 1 and 3: what was done is taken back bit for bit, and what an edit does not name does not move."""

import numpy as np
import pytest
import torch

import anatomy
import surgery
from tests.contract.edits import at, edit_everything, single_edits
from tests.contract.portrait import assert_same, changed_values, portrait
from tests.contract.rows import PICTURE

pytestmark = pytest.mark.usefixtures("edited")
ENDINGS = {"raises": RuntimeError, "interrupted": KeyboardInterrupt}


def test_law_1_undo_reset_and_scratch_are_exact(family, model):
    family.predict(model, PICTURE, family.args)
    before = portrait(model)
    edit_everything(model, family)
    count = len(surgery.history(model))
    surgery.undo(model, 2)
    assert len(surgery.history(model)) == count - 2
    with surgery.scratch(model):
        edit_everything(model, family)
        with surgery.scratch(model):
            surgery.reset(model)
        assert len(surgery.history(model)) == 2 * count - 2
    surgery.reset(model)
    assert_same(before, portrait(model))
    assert surgery.history(model) == ()


@pytest.mark.parametrize("ending", ENDINGS)
def test_law_1_scratch_is_exact_however_it_ends(family, model, ending):
    before = portrait(model)
    with pytest.raises(ENDINGS[ending]):  # noqa: PT012, SIM117
        with surgery.scratch(model):
            edit_everything(model, family)
            anatomy.trace(model, PICTURE, **family.args)
            raise ENDINGS[ending]
    assert_same(before, portrait(model))
    assert surgery.history(model) == ()


def test_law_1_a_recipe_whose_second_edit_fails_changes_nothing(family, model):
    before = portrait(model)
    every = tuple(range(len(family.levels)))
    with pytest.raises(anatomy.SelectionError):
        surgery.apply(model, [surgery.Edit("mute_level", every), surgery.Edit("mute_level", (9,))])
    assert_same(before, portrait(model))
    assert surgery.history(model) == ()


def test_law_1_every_edit_is_undone(family, model):
    for name, edit in single_edits(model, family).items():
        before = portrait(model)
        edit()
        surgery.undo(model)
        assert changed_values(before, portrait(model)) == [], name
        assert surgery.history(model) == (), name


def test_law_1_a_trace_leaves_nothing_behind(family, model):
    family.predict(model, PICTURE, family.args)
    before = portrait(model)
    anatomy.trace(model, PICTURE, **family.args).replay()
    traces = anatomy.stream(model, PICTURE, **family.args)
    next(traces)
    traces.close()
    assert_same(before, portrait(model))


def test_law_3_what_is_not_named_does_not_move(family, model, trace):
    head = anatomy.describe(model)
    before = portrait(model)["values"]
    chosen, level = list(head.names)[-1], 1
    surgery.scale_classes(model, at(family, level), chosen, 0.5)
    paths = {f"{path}.{part}" for path in head.levels[level].paths.values() for part in ("weight", "bias")}
    for name, value in head.net.state_dict().items():
        if name in paths:
            named = torch.arange(len(value)) % len(head.names) == chosen
            assert not torch.equal(value[named], before[name][named])
            assert torch.equal(value[~named], before[name][~named])
        else:
            assert torch.equal(value, before[name]), name
    again = anatomy.trace(model, PICTURE, **family.args)
    others = [index for index in trace.names if index != chosen]
    for index, (old, new) in enumerate(zip(trace.logits, again.logits, strict=True)):
        touched = family.shared or index == level
        assert torch.equal(old[others] if touched else old, new[others] if touched else new)
    every = np.arange(trace.pyramid.count)
    assert np.array_equal(trace.decode(every), again.decode(every))


def test_the_certificate_names_the_rows_that_changed(family, model):
    head = anatomy.describe(model)
    surgery.bias_classes(model, at(family, 0), 0, 0.7)
    certificate = surgery.certify(model)
    for check in certificate.rows:
        touched = family.shared or check.level == 0
        assert check.changed == ((0,) if touched else ())
        assert set(check.changed) | set(check.equal) == set(head.names)
    assert {check.branch for check in certificate.rows} == set(head.branches)
