"""Every result can be pickled, opened in another process and deep-copied; what needs the model afterwards says so."""

import copy
import io
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

import anatomy
import diagnosis
import surgery
import viz
from anatomy.head.at_rest import at_rest
from detectors.fastvit import FastViTDetector
from detectors.pafpn import PafpnDetector
from diagnosis import TargetLayout
from tests.anatomy.test_contract import TwoLevels
from tests.torchvision_nets import tiny

ROOT = Path(__file__).parent.parent
ARGS = {"imgsz": 192}
BOXES = np.array([[10, 12, 90, 100], [60, 20, 180, 120], [100, 5, 112, 19]], np.float64)
FAMILIES = ["yolov8n", "yolov8n-seg", "yolov8n-pose", "yolov8n-obb", "yolo26n", "fcos", "retinanet", "fastvit", "pafpn"]
REPORT = """
import json, pickle, sys
found = {}
for name, result in pickle.loads(sys.stdin.buffer.read()).items():
    table = result.to_df().write_json() if hasattr(result, "to_df") else ""
    found[name] = [type(result).__name__, str(result) if type(result).__str__ is not object.__str__ else "", table]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def model(build, picture):
    return build("yolov8n", picture)


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


def alike(a, b) -> bool:
    """Whether two results hold the same, bit for bit, all the way down."""
    if type(a) is not type(b):
        return False
    if isinstance(a, anatomy.Trace):
        return same_answers(a, b)
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if is_dataclass(a):
        return all(alike(getattr(a, field.name), getattr(b, field.name)) for field in fields(a) if field.name != "head")
    if isinstance(a, Mapping):
        return a.keys() == b.keys() and all(alike(a[key], b[key]) for key in a)
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(alike, a, b))
    return a == b or (a != a and b != b)


def same_answers(a: anatomy.Trace, b: anatomy.Trace) -> bool:
    """Whether two traces answer alike to everything that can be asked without the model."""
    anchors = np.arange(len(a.places().level))
    names = ("image", "logits", "features", "inputs", "shapes", "letterbox", "steps", "limits", "detections")
    names += ("levels", "names", "input_shape", "path", "branch", "reg_max", "grid_offset", "anchors_per_cell")
    asked = [(getattr(a, name), getattr(b, name)) for name in names]
    asked += [(a.decode(anchors), b.decode(anchors)), (a.points(), b.points()), (repr(a), repr(b))]
    asked += [(a.objectness(), b.objectness()), (a.scores(), b.scores())]
    asked += [(a.frame, b.frame), (a.anchor(0, 1, 2), b.anchor(0, 1, 2))]
    if a.reg_max > 1 and len(a.detections):
        asked.append((a.distribution(0), b.distribution(0)))
    return all(alike(*pair) for pair in asked) and a.to_df().equals(b.to_df())


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


@pytest.fixture(scope="module")
def family(build, picture):
    """A function from a family's name to a trace of it and what is needed to trace again."""
    made = {}

    def make(name: str):
        if name not in made:
            torch.manual_seed(1)
            args = ARGS
            if name in ("fcos", "retinanet"):
                net, args = tiny(name), {"conf": 0.3, "imgsz": 256}
            elif name in ("fastvit", "pafpn"):
                kinds = {
                    "fastvit": lambda: FastViTDetector(3, "fastvit_t8", branches=1).eval(),
                    "pafpn": lambda: PafpnDetector(3, (16, 32, 64, 128), (1, 1, 1, 1)).eval(),
                }
                net, args = kinds[name](), {"conf": {"fastvit": 0.009, "pafpn": 9e-5}[name], "imgsz": 192}
            else:
                net = build(name, picture)
            made[name] = anatomy.trace(net, picture, **args)
        return made[name]

    return make


@pytest.mark.parametrize("name", FAMILIES)
def test_a_trace_of_every_family_travels_and_is_copied(family, name):
    trace = family(name)
    assert len(trace.detections)
    travelled, copied = pickle.loads(pickle.dumps(trace)), copy.deepcopy(trace)
    assert same_answers(travelled, trace)
    assert same_answers(copied, trace)
    assert same_answers(copied.replay(), trace)
    assert same_answers(copy.copy(trace).replay(), trace)
    assert copied.head is trace.head
    assert not np.shares_memory(copied.image, trace.image)
    assert copied.logits[0].data_ptr() != trace.logits[0].data_ptr()
    for ask, needed in (
        (lambda: travelled.replay(), r"replay\(\)"),
        (lambda: travelled.silenced("P3"), "replaying or silencing"),
        (lambda: travelled.recomputed(), "running the network"),
        (lambda: travelled.targets(BOXES, [0, 0, 0]), "assigning targets"),
        (lambda: diagnosis.attribute(travelled, 0), "running the network"),
        (lambda: travelled.head.net, "its network"),
    ):
        with pytest.raises(RuntimeError, match=rf"travelled without its model.*{needed} needs.*Trace the image again"):
            ask()


def test_a_trace_of_a_foreign_detector_travels(picture):
    torch.manual_seed(0)
    net = TwoLevels()
    trace = anatomy.trace(net, picture, conf=0.4)
    assert len(trace.detections)
    assert same_answers(pickle.loads(pickle.dumps(trace)), trace)
    assert same_answers(copy.deepcopy(trace).replay(), trace)


def test_the_original_result_travels_with_masks_and_key_points(family):
    for name, part in (("yolov8n-seg", "masks"), ("yolov8n-pose", "keypoints"), ("yolov8n-obb", "obb")):
        trace = family(name)
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
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=60)
    return file.getvalue()


@pytest.mark.parametrize("name", ["yolov8n", "yolov8n-obb", "fcos", "pafpn"])
def test_figures_of_a_travelled_trace_are_the_same(family, name):
    trace = family(name)
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
