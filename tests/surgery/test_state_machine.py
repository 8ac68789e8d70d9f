"""Random sequences of everything that can happen to a network and its record, against an account kept apart from it."""

import pytest

from tests.surgery.machine.choices import Draft
from tests.surgery.machine.machine import of, run

SEQUENCES = {
    "yolov8n": 36,
    "yolov8n-p2": 20,
    "yolov8n-seg": 20,
    "yolov8n-pose": 20,
    "yolov8n-obb": 20,
    "yolov10n": 36,
    "yolo26n": 40,
    "fcos": 27,
    "retinanet": 24,
    "fastvit": 12,
    "own": 45,
}  # 300 in all; `python -m tests.surgery.machine 5000` runs more


@pytest.mark.parametrize("head", SEQUENCES)
def test_rows_record_and_runners_are_as_the_account_says(head):
    run(head, SEQUENCES[head])


@pytest.mark.parametrize("fault", range(12))
def test_the_account_and_the_workbench_know_a_network_from_the_same_step_on(fault):
    """A refusal may come before the network was looked at: then its predictors are known by what they run later."""
    machine = of("yolov8n")()
    machine.begin(owned=True, quiet=True)
    machine.predictor_by_hand(which=0, mode=True)
    machine.all_is_as_the_account_says()
    machine.refused_at_the_door(which=0, via=0, fault=fault, at=None)
    machine.by_hand(which=0, numbers=[0, 1], undone=False)
    machine.all_is_as_the_account_says()
    machine.move_rows(
        which=0, via=0, drafts=[Draft("shift_classes", ("all", [0]), ("all", [0]), (), number=1)], at=None
    )
    machine.all_is_as_the_account_says()
    machine.teardown()
