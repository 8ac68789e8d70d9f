"""A training that diverges early is named from the second watched batch on; one that swings is not."""

import itertools

import pytest

from diagnosis.training.history import History, Seen
from diagnosis.training.record import About, Record, WatchLevel
from diagnosis.training.rules import RULES
from diagnosis.training.telling import Teller

ABOUT = About(subject="Net", levels=(WatchLevel(0, "P3", 8.0),), branches=("one2many",), names={0: "a"}, every=5)


def batch(step: int, loss: float | None, grad: float | None, *, images: int = 4, objects: int = 9, **items) -> Seen:
    level = {"branch": "one2many", "level": 0, "level_name": "P3", "weight": 1.0, "positives": 40, "target_mass": 9.0}
    level |= {"grad_box": 1.0, "grad_class": 1.0} | items
    row = {"step": step, "epoch": 0, "images": images, "objects": objects, "accumulated": 1, "rate": 0.5}
    return Seen(row=row | {"loss": loss, "grad": grad} | items, levels=[level])


def told(batches) -> list:
    """What is told of these batches, in order."""
    record, history = Record(ABOUT), History()
    teller = Teller(record, None)
    for one in batches:
        history.add(one)
        for finding in itertools.chain.from_iterable(rule(ABOUT, history) for rule in RULES):
            teller.tell(finding)
    return record.findings


def test_a_loss_that_leaps_is_an_error_from_the_second_watched_batch_on():
    first = batch(0, 64.0, 80.0, cls=7.0, box=8.0)
    (finding,) = told([first, batch(5, 61.8, 51.0, cls=7.2, box=8.0), batch(10, 5290.0, 5042.0, cls=1306.0, box=9.0)])
    assert (finding.code, finding.severity, finding.evidence["began"]) == ("exploding_gradient", "error", 10)
    assert finding.evidence["loss_ratio"] == pytest.approx(5290 / 64) and finding.evidence["rate"] == 0.5
    assert finding.evidence["ratio"] == pytest.approx(5042 / 80)
    assert "the loss is 82.7 times, the gradient is 63 times the greatest in steps 0 to 5 (epoch 1)" in finding.message
    assert "(cls most of all, 181 times)" in finding.message and "learning rate (it is 0.5)" in finding.message
    untold = [batch(0, None, 2.0, images=8), batch(5, None, 201.0, images=8)]  # a loop that does not tell its loss
    (finding,) = told(untold)
    assert finding.code == "exploding_gradient" and "the gradient is 100 times" in finding.message
    assert "the loss" not in finding.message


def test_single_images_batches_without_objects_and_a_loss_that_falls_are_no_leap():
    assert told([batch(0, 60.0, 50.0), batch(5, 60.0, 50.0), batch(10, 1100.0, 4900.0)]) == []
    assert told([batch(0, 60.0, 50.0), batch(5, 6000.0, 5000.0)]) == []  # four images are too few to be compared with
    assert told([batch(0, 6000.0, 5000.0), batch(5, 6.0, 5.0), batch(10, 5.0, None), batch(15, 60.0, 50.0)]) == []
    assert told([batch(0, 6.0, 5.0), batch(5, 600.0, 900.0, objects=0), batch(10, 6.0, 5.0)]) == []
    losses = (0.18, 0.2, 0.18, 0.3, 0.2, 0.18, 0.2, 0.3, 15.0, 16.0, 17.0)  # of single images, of a healthy training
    swings = [batch(step, loss, 1.0, images=1) for step, loss in enumerate(losses)]
    assert told([*swings, batch(11, 0.2, 1.0, images=1)]) == []
    (finding,) = told([*swings, batch(11, 18.0, 1.0, images=1)])  # four in a row
    assert finding.evidence["began"] == 8
    assert told([*swings[1:], batch(11, 18.0, 1.0, images=1)]) == []
    assert [one.code for one in told([batch(0, 6.0, 5.0), batch(5, float("inf"), float("nan"))])] == []


def test_a_warning_that_becomes_an_error_is_told_again_and_not_the_other_way_round():
    calm = [batch(step, 1.0, 1.0) for step in range(10)]
    grows = [*calm, *(batch(10 + step, 1.0, norm) for step, norm in enumerate((20.0, 20.0, 200.0, 30.0, 30.0)))]
    assert [(one.code, one.severity) for one in told(grows)] == [
        ("exploding_gradient", "warning"),
        ("exploding_gradient", "error"),
    ]
    assert [one.severity for one in told([*calm, *(batch(10 + step, 1.0, 200.0) for step in range(4))])] == ["error"]
