"""Every result can be pickled, opened in another process and deep-copied; what needs the model afterwards says so."""

import copy
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import anatomy
import diagnosis
import surgery
import viz
from anatomy.head.at_rest import at_rest
from diagnosis import TargetLayout
from tests.contract import lending
from tests.contract.same_answers import alike
from tests.ultralytics_nets import as_published

ROOT = Path(__file__).parent.parent
ARGS = {"imgsz": 192}
BOXES = np.array([[10, 12, 90, 100], [60, 20, 180, 120], [100, 5, 112, 19]], np.float64)
REPORT = """
import json, pickle, sys
found = {}
for name, result in pickle.loads(sys.stdin.buffer.read()).items():
    table = result.to_df().write_json() if hasattr(result, "to_df") else ""
    found[name] = [type(result).__name__, str(result) if type(result).__str__ is not object.__str__ else "", table]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def model(picture):
    return as_published("yolov8n", picture, bodiless=True)


@pytest.fixture(scope="module")
def trace(model, picture):
    return anatomy.trace(model, picture, **ARGS)


@pytest.fixture(scope="module")
def results(model, trace, picture) -> dict:
    """One of everything that the public functions return, by name; a trace with edits, so that all say something."""
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Conv2d(4, 2, 3))
    layout = TargetLayout(box=(0, 1, 2, 3), format="cxcywh", unit="px", objectness=4, classes=slice(5, 8), strides=(8,))
    labels = np.arange(len(BOXES))
    with surgery.scratch(model):
        surgery.shift_classes(model, "all", 1)
        edits, certificate, replayed = surgery.history(model), surgery.certify(model), trace.replay()
    subject = diagnosis.subject(trace, 0, "difference", against=3)
    attribution = diagnosis.attribute(trace, 0, "layercam")
    return {
        "levels": anatomy.levels(model),
        "trace": trace,
        "replayed": replayed,
        "silenced": trace.silenced("P4"),
        "detections": trace.detections,
        "rivals": next(rivals for rivals in trace.detections.suppressed if len(rivals)),
        "letterbox": trace.letterbox,
        "places": trace.places([3, 7]),
        "limits": trace.limits,
        "training targets": trace.targets(BOXES, labels),
        "comparison": anatomy.compare(trace, replayed),
        "layers": anatomy.layers(model, 64),
        "receptive field": anatomy.receptive_field(model, "P4", images=[picture], **ARGS),
        "equivalence": anatomy.equivalent(model, model, picture, **ARGS),
        "edit": edits[0],
        "certificate": certificate,
        "assignment": diagnosis.assign(model, trace, BOXES, labels),
        "missed": diagnosis.missed(trace, BOXES, labels, positives=True),
        "loss by level": diagnosis.loss_by_level(model, trace, BOXES, labels),
        "level evidence": diagnosis.level_evidence(trace, [0, 1]),
        "subject": subject,
        "attribution": attribution,
        "faithfulness": diagnosis.faithfulness(attribution, steps=2, shuffles=1),
        "grid": diagnosis.check_grid(model, step=64),
        "doctor": diagnosis.check_targets(_wrong, layout, image_sizes=((64, 96),)),
        "numerics": diagnosis.numerics(net, torch.rand(1, 3, 16, 16)),
    }


def _wrong(boxes, labels, size):
    return (torch.zeros(8, size[0] // 8, size[1] // 8),)


def test_everything_that_is_public_is_here(results):
    kinds = {type(result) for result in results.values()}
    made = {
        *(anatomy.Trace, anatomy.Detections, anatomy.Rivals, anatomy.Comparison, anatomy.LayerTable),
        *(anatomy.ReceptiveField, anatomy.Equivalence, anatomy.Targets, anatomy.Limits, anatomy.Letterbox),
        *(surgery.Edit, surgery.Certificate, diagnosis.Assignment, diagnosis.Missed, diagnosis.LossByLevel),
        *(diagnosis.LevelEvidence, diagnosis.Subject, diagnosis.Attribution, diagnosis.Faithfulness),
        *(diagnosis.GridReport, diagnosis.Report, diagnosis.Numerics),
    }
    assert made <= kinds
    assert results["doctor"].findings and results["certificate"].rows and results["grid"].levels


NAMES = [
    *("levels", "trace", "replayed", "silenced", "detections", "rivals", "letterbox", "places", "limits"),
    *("training targets", "comparison", "layers", "receptive field", "equivalence", "edit", "certificate"),
    *("assignment", "missed", "loss by level", "level evidence", "subject", "attribution", "faithfulness"),
    *("grid", "doctor", "numerics"),
]


@pytest.mark.parametrize("name", NAMES)
def test_a_result_is_pickled_and_copied(results, name):
    result = results[name]
    travelled = pickle.loads(pickle.dumps(result))
    assert alike(travelled, result)
    assert alike(pickle.loads(pickle.dumps(travelled)), result)
    copied = copy.deepcopy(result)
    assert alike(copied, result)
    if hasattr(result, "to_df"):
        assert travelled.to_df().equals(result.to_df())
        assert copied.to_df().equals(result.to_df())


def test_names_are_those_of_the_results(results):
    assert list(results) == NAMES


def test_results_open_in_another_process(results):
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", REPORT], input=pickle.dumps(results), env=env, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    for name, (kind, text, table) in json.loads(done.stdout.splitlines()[-1]).items():
        result = results[name]
        assert kind == type(result).__name__
        assert text == (str(result) if type(result).__str__ is not object.__str__ else "")
        assert table == (result.to_df().write_json() if hasattr(result, "to_df") else "")


def test_the_original_result_travels_with_masks_and_key_points():
    for name, part in (("yolov8n-seg", "masks"), ("yolov8n-pose", "keypoints"), ("yolov8n-obb", "obb")):
        trace = lending.traced(lending.called(name))
        travelled = pickle.loads(pickle.dumps(trace)).result
        assert torch.equal(getattr(travelled, part).data, getattr(trace.result, part).data)
        assert travelled.names == trace.result.names
        assert np.array_equal(travelled.orig_img, trace.result.orig_img)


def test_no_more_travels_than_is_written_down(trace):
    parts = (trace.frame, *trace.features, *trace.inputs, *trace.logits, trace.run.box_logits, trace.run.boxes)
    numbers = sum(part.numel() * part.element_size() for part in parts)
    assert numbers < len(pickle.dumps(trace)) < 1.15 * numbers + 2 * trace.image.nbytes + 100_000


def test_a_view_is_pickled_without_what_it_is_a_view_of():
    whole = torch.rand(1000, 1000)
    assert len(pickle.dumps(at_rest({"corner": [whole[:2, :2]], "none": None}))) < 1000
    assert torch.equal(at_rest((whole.T,))[0], whole.T)


def test_explanations_that_travelled_keep_their_maps_and_name_what_they_need(results):
    attribution = results["attribution"]
    travelled, copied = pickle.loads(pickle.dumps(attribution)), copy.deepcopy(attribution)
    assert np.array_equal(travelled.map, attribution.map)
    maps = attribution.subject.trace.inputs[attribution.subject.level][None].clone()
    assert float(copied.subject.of_inputs(maps)[0]) == pytest.approx(attribution.subject.value, rel=1e-3)
    with pytest.raises(RuntimeError, match="travelled without its model"):
        travelled.subject.of_inputs(maps)
    with pytest.raises(RuntimeError, match="travelled without its model"):
        diagnosis.faithfulness(travelled)


def drawn(figure) -> bytes:
    figure.set_layout_engine("none")  # where things stand is not at issue
    return figure.png(30)


@pytest.mark.parametrize("name", ["yolov8n", "yolov8n-obb", "fcos", "pafpn as described"])
def test_figures_of_a_travelled_trace_are_the_same(name):
    trace = lending.traced(lending.called(name))
    travelled = pickle.loads(pickle.dumps(trace))
    draws = [viz.heatmaps, viz.detections, lambda seen: viz.anchor_grid(seen, level=0), viz.features]
    draws += [lambda seen: viz.compare(seen, seen), lambda seen: viz.distribution(seen, 0)]
    for draw in draws:
        assert drawn(draw(travelled)) == drawn(draw(trace))


@pytest.mark.parametrize(
    "name", ["attribution", "assignment", "missed", "receptive field", "layers", "grid", "numerics"]
)
def test_figures_of_travelled_results_are_the_same(results, name):
    draw = {"receptive field": viz.receptive_field}.get(name) or getattr(viz, name)
    assert drawn(draw(pickle.loads(pickle.dumps(results[name])))) == drawn(draw(results[name]))
