"""Random sequences of everything that can happen to a network and its record, against an account kept apart from it."""

import pytest

from tests.surgery.machine.machine import run

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
    "fastvit_t8": 12,
    "own": 45,
}  # 300 in all; `python -m tests.surgery.machine 5000` runs more


@pytest.mark.parametrize("head", SEQUENCES)
def test_rows_record_and_runners_are_as_the_account_says(head):
    run(head, SEQUENCES[head])
