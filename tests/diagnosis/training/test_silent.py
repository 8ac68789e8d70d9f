"""A loss item of no weight is named with its gain, and stacks without gradient though their level is empty at times."""

import pytest

import diagnosis

from .test_planted import ABOUT, found, seen
from .trainings import fresh, train


@pytest.mark.parametrize(
    ("gains", "item", "words"),
    [
        ({"cls": 0.0}, "cls", "Class rows get no gradient"),
        ({"box": 0.0}, "box", "Nothing is learned from it"),
        ({"box": 0.0, "dfl": 0.0, "l1": 0.0}, "box", "Boxes get no gradient"),
    ],
)
def test_a_gain_of_0_is_named_in_a_training_of_two_batches(data, tmp_path, gains, item, words):
    model = fresh()
    watch = diagnosis.watch(model, every=1, out=tmp_path / "rows")
    train(model, data, tmp_path, epochs=1, **{name: gain for name, gain in gains.items() if name != "l1"})
    assert watch.error is None and len(watch) == 2
    findings = {one.evidence.get("item"): one for one in watch.findings if one.code == "no_gradient"}
    assert set(findings) == {name for name in gains if name != "l1"}
    finding = findings[item]
    assert (finding.severity, finding.level, finding.evidence["began"]) == ("error", None, 0)
    assert f"its gain is 0 ({item}=0)" in finding.message and words in finding.message
    read = diagnosis.read_watch(tmp_path / "rows")
    assert read.about.gains == watch.about.gains and read.about.gains[item] == 0.0


def test_an_item_of_0_without_a_known_gain_is_told_after_five_batches_and_one_with_a_gain_never():
    def zero(step, **row):
        return seen(step, cls=(0.0, 0.0, 0.0), row=row)

    assert found(zero(step) for step in range(4)) == []
    (finding,) = found(zero(step) for step in range(5))
    assert (finding.code, finding.evidence["item"], finding.evidence["gain"]) == ("no_gradient", "cls", None)
    assert "look at the weight that it is given" in finding.message
    frozen = (None, None, None)
    assert found(seen(step, cls=(0.0, 0.0, 0.0), grad_class=frozen) for step in range(9)) == []
    assert found(seen(step, cls=(0.0, 0.0, 0.1)) for step in range(9)) == []
    weightless = {"target_mass": (0.0, 0.0, 0.0), "box": (0.0, 0.0, 0.0), "grad_box": (0.0, 0.0, 0.0)}
    assert found(seen(step, **weightless) for step in range(9)) == []  # box losses are weighted by target mass
    assert ABOUT.gains == {}


def test_a_stack_without_gradient_is_told_though_its_level_has_positives_in_every_other_batch_only():
    steps = range(10)
    idle = [seen(step, grad_box=(1.0, 0.5, 0.0), positives=(60, 30, 10 * (step % 2))) for step in steps]
    (finding,) = found(idle)
    assert (finding.code, finding.level, finding.evidence["batches"]) == ("no_gradient", 2, 5)
    alive = [seen(step, grad_box=(1.0, 0.5, 0.1 * (step % 4 == 0)), positives=(60, 30, 1)) for step in range(20)]
    assert found(alive) == []
