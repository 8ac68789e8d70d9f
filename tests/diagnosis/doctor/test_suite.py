"""The suite that judges the doctor is held to account itself: its correct encoders decode back, its judge is just."""

import numpy as np
import pytest

from benchmarks.doctor_suite.cases import Case, judge
from benchmarks.doctor_suite.changes import conduct, differ
from benchmarks.doctor_suite.encoder_cases import plant
from benchmarks.doctor_suite.readback import Declared, read
from benchmarks.doctor_suite.scenes import scenes
from benchmarks.doctor_suite.schemes import SCHEMES
from benchmarks.doctor_suite.verify import answers

SIZE = (128, 256)


@pytest.mark.parametrize("name", SCHEMES)
def test_what_a_correct_encoder_writes_is_the_objects_and_nothing_else(name):
    encoder = SCHEMES[name]()
    for scene in scenes(SIZE, encoder.classes)[4:9]:  # two single objects, a large one, a crowd, three in one place
        readings = read(encoder(scene.boxes, scene.labels, SIZE), encoder.layout(Declared), SIZE)
        assert readings
        assert (answers(readings, scene) >= 0).all()


def test_the_reader_by_hand():
    encoder = SCHEMES["yolov1"]()
    box, size = np.array([[70.0, 20, 110, 60]]), (128, 128)
    out = encoder(box, np.array([3]), size)
    assert out[0].shape == (2, 2, 13)
    # the centre (90, 40) lies in row 0, column 1 of 64 px cells; sides are 40 of 128 px
    assert out[0][0, 1, 9:] == pytest.approx([26 / 64, 40 / 64, (40 / 128) ** 0.5, (40 / 128) ** 0.5])
    (reading,) = read(out, encoder.layout(Declared), size)
    assert (reading.row, reading.col, reading.label) == (0, 1, 3)
    assert reading.box == pytest.approx(box[0], abs=1e-4)


def test_a_planted_fault_shows_and_a_correct_encoder_equals_itself():
    right = conduct(plant("yolov2", ()).make())
    assert not differ(right, conduct(plant("yolov2", ()).make()))
    assert differ(right, conduct(plant("yolov2", ("PriorsTurned",)).make()))


A, B = (frozenset({"class_wrong", "class_leak"}), "error"), (frozenset({"all_levels_assigned"}), "warning")


@pytest.mark.parametrize(
    ("expected", "errors", "warnings", "verdict"),
    [
        ((), set(), {"object_lost"}, (True, True)),
        ((), {"object_lost"}, set(), (True, False)),
        ((), {"shifted"}, set(), (True, True)),  # tolerated
        ((A,), {"class_leak"}, set(), (True, True)),
        ((A,), {"class_leak", "class_wrong"}, set(), (True, False)),  # one cause, one name
        ((A,), {"class_leak", "wrong_box"}, set(), (True, False)),
        ((A,), set(), {"class_leak"}, (False, True)),
        ((B,), set(), {"all_levels_assigned"}, (True, True)),
        ((B,), {"all_levels_assigned"}, set(), (False, False)),
        ((A, B), {"class_wrong"}, {"all_levels_assigned"}, (True, True)),
    ],
)
def test_the_judge(expected, errors, warnings, verdict):
    case = Case("targets", "single", "a", (), expected, lambda: None, frozenset({"shifted"}))
    judged = judge(case, frozenset(errors), frozenset(warnings))
    assert (judged.named, judged.alone) == verdict
