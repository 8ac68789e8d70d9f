"""Every public function with every public result and with what is none, in the place of each thing that it takes.

``python -m tests.public_calls`` prints what each answers to what is none.
"""

import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import nn

import anatomy
import diagnosis
import surgery
import viz
from tests.ultralytics_nets import small

ROOT = Path(__file__).parent.parent
PACKAGES: tuple[ModuleType, ...] = (anatomy, surgery, diagnosis, viz)
WRONG: dict[str, Any] = {
    "None": None,
    "3": 3,
    "'x'": "x",
    "{}": {},
    "[]": [],
    "empty array": np.empty(0),
    "array": np.zeros((2, 2)),
    "nn.Linear": nn.Linear(2, 2),
}


@dataclass(frozen=True)
class Material:
    """One small detector, what it makes of one small picture, and every public result of both."""

    model: Any
    picture: np.ndarray
    folder: Path

    @cached_property
    def other(self) -> Any:
        """Another of the same, to be edited."""
        return small("yolov8n", self.picture, 3, bodiless=True)

    @cached_property
    def trace(self) -> anatomy.Trace:
        """What the detector makes of the picture."""
        path = self.folder / "images" / "one.png"
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), self.picture)
        labels = self.folder / "labels" / "one.txt"
        labels.parent.mkdir(exist_ok=True)
        labels.write_text("0 0.25 0.5 0.2 0.4\n2 0.75 0.5 0.1 0.2\n")
        return anatomy.trace(self.model, str(path), imgsz=192, max_det=4)

    @cached_property
    def objects(self) -> str:
        """A label file of the picture."""
        assert self.trace
        return str(self.folder / "labels" / "one.txt")

    @cached_property
    def layout(self) -> diagnosis.TargetLayout:
        """A layout of two levels."""
        return diagnosis.TargetLayout(classes=slice(5, 7), strides=(16, 32))

    @cached_property
    def results(self) -> dict[str, Any]:
        """One of every public result, by the name of its type."""
        trace, model = self.trace, self.model
        made = [trace, trace.detections, trace.detections[0], trace.detections[0].rivals, trace.run, trace.pyramid]
        made += [trace.levels[0], trace.letterbox, trace.limits]
        table = anatomy.layers(model, 64)
        made += [table, table["model.0"], table.totals()["head"], table.field("model.0")]
        made += [anatomy.compare(trace, trace), trace.targets([[10, 10, 60, 60]], [0])]
        same = anatomy.equivalent(model, model, trace.image)
        made += [same, same.outputs[0], same.detections]
        made += [anatomy.receptive_field(model, 0, images=trace.path, imgsz=64)]
        made += [self.certificate, self.certificate.rows[0], self.edit]
        lost = diagnosis.missed(trace, self.objects)
        made += [lost, lost.candidates[lost.objects[0]][0]]
        evidence = diagnosis.level_evidence(trace, 0)
        made += [evidence, diagnosis.assign_trace(trace, self.objects)]
        made += [diagnosis.loss_by_level(model, trace, self.objects)]
        map_ = diagnosis.attribute(trace, 0, "quick")
        made += [map_, map_.subject, map_.heat, diagnosis.faithfulness(map_, ("box",))]
        made += [
            diagnosis.check_grid(model, step=32, sight=False),
            diagnosis.Finding("raises", "error", 0, "it raises."),
        ]
        made += [diagnosis.Report("a check"), self.layout, diagnosis.read_labels(self.objects)]
        made += [diagnosis.read_labels(self.objects)[0], diagnosis.watch(self.other)]
        made += [diagnosis.numerics(nn.Linear(2, 2), torch.ones(1, 2), progress=False)]
        made += [diagnosis.check_labels(self.objects, progress=False)]
        return {type(one).__name__: one for one in made}

    @cached_property
    def edit(self) -> surgery.Edit:
        """An edit."""
        return surgery.Edit("shift_classes", (0,), parameters={"k": 1})

    @cached_property
    def certificate(self) -> surgery.Certificate:
        """What can be certified of an edited detector."""
        with surgery.scratch(self.other):
            surgery.shift_classes(self.other, 0, 1)
            return surgery.certify(self.other)


def calls(of: Material) -> dict[str, Callable[[Any], Any]]:
    """By name and place: each public function of one argument, the others as they should be."""
    trace, model, other, objects = of.trace, of.model, of.other, of.objects
    free = partial(next, map(str, map(of.folder.joinpath, map(str, range(10**6)))))
    encode, layout = (lambda boxes, labels, size: []), of.layout
    named = {
        "anatomy.compare": {
            "before": lambda x: anatomy.compare(x, trace),
            "after": lambda x: anatomy.compare(trace, x),
        },
        "anatomy.equivalent": {
            "a": lambda x: anatomy.equivalent(x, model),
            "b": lambda x: anatomy.equivalent(model, x),
        },
        "anatomy.finite_number": {"value": lambda x: anatomy.finite_number(x, "it")},
        "anatomy.whole_number": {"value": lambda x: anatomy.whole_number(x, "it")},
        "anatomy.evaluating": {"head": lambda x: anatomy.evaluating(x).__enter__()},
        "anatomy.layers": {"model": lambda x: anatomy.layers(x, 64), "imgsz": lambda x: anatomy.layers(model, x)},
        "anatomy.receptive_field": {
            "model": lambda x: anatomy.receptive_field(x, 0),
            "level": lambda x: anatomy.receptive_field(model, x, images=trace.path, imgsz=64),
        },
        "anatomy.select_class": {"which": lambda x: anatomy.select_class(trace.names, x)},
        "anatomy.select_classes": {"which": lambda x: anatomy.select_classes(trace.names, x)},
        "anatomy.select_level": {"which": lambda x: anatomy.select_level(trace.levels, x)},
        "anatomy.select_levels": {"which": lambda x: anatomy.select_levels(trace.levels, x)},
        "anatomy.stream": {
            "model": lambda x: anatomy.stream(x, trace.path),
            "source": lambda x: anatomy.stream(model, x),
        },
        "anatomy.trace": {"model": lambda x: anatomy.trace(x, trace.path), "image": lambda x: anatomy.trace(model, x)},
        "surgery.add_class": {
            "model": lambda x: surgery.add_class(x, "owl", from_=0),
            "from_": within(other, lambda x: surgery.add_class(other, "owl", from_=x)),
        },
        "surgery.dry_run": {"model": lambda x: surgery.dry_run(x, of.edit), "edits": partial(surgery.dry_run, other)},
        "surgery.keep_classes": {
            "model": lambda x: surgery.keep_classes(x, [0]),
            "classes": within(other, partial(surgery.keep_classes, other)),
        },
        "surgery.merge_classes": {"groups": within(other, partial(surgery.merge_classes, other))},
        "surgery.prototype": {"examples": lambda x: surgery.prototype(other, x, progress=False)},
        "surgery.rename_classes": {"names": within(other, partial(surgery.rename_classes, other))},
        "surgery.stack_heads": {"other": within(other, partial(surgery.stack_heads, other))},
        "surgery.apply": {"model": lambda x: surgery.apply(x, of.edit), "edits": lambda x: surgery.apply(other, x)},
        "surgery.bias_classes": {"classes": lambda x: surgery.bias_classes(other, 0, x, 1.0)},
        "surgery.mute_level": {"level": lambda x: surgery.mute_level(other, x)},
        "surgery.permute_classes": {"order": lambda x: surgery.permute_classes(other, 0, x)},
        "surgery.save": {"model": lambda x: surgery.save(x, free()), "path": lambda x: surgery.save(other, x)},
        "surgery.scale_classes": {"factor": lambda x: surgery.scale_classes(other, 0, 0, x)},
        "surgery.scratch": {"model": lambda x: surgery.scratch(x).__enter__()},
        "surgery.shift_classes": {"k": lambda x: surgery.shift_classes(other, 0, x)},
        "surgery.swap_classes": {"a": lambda x: surgery.swap_classes(other, 0, x, 1)},
        "surgery.undo": {"model": lambda x: surgery.undo(x), "n": lambda x: surgery.undo(other, x)},
        "surgery.write_recipe": {"edits": lambda x: surgery.write_recipe(x, free())},
        "surgery.zero_classes": {"model": lambda x: surgery.zero_classes(x, 0, 0)},
        "diagnosis.assign": {
            "model": lambda x: diagnosis.assign(x, trace.path, objects),
            "image": lambda x: diagnosis.assign(model, x, objects),
            "boxes": lambda x: diagnosis.assign(model, trace, x),
        },
        "diagnosis.assign_trace": {"trace": lambda x: diagnosis.assign_trace(x, objects)},
        "diagnosis.attribute": {
            "trace": lambda x: diagnosis.attribute(x, 0, "quick"),
            "detection": lambda x: diagnosis.attribute(trace, x, "quick"),
            "method": lambda x: diagnosis.attribute(trace, 0, x),
        },
        "diagnosis.attribute_all": {
            "trace": lambda x: diagnosis.attribute_all(x, None, "quick"),
            "detections": lambda x: diagnosis.attribute_all(trace, x, "quick"),
        },
        "diagnosis.check_decoder": {
            "decode": lambda x: diagnosis.check_decoder(x, layout),
            "layout": lambda x: diagnosis.check_decoder(encode, x),
        },
        "diagnosis.check_grid": {"data": lambda x: diagnosis.check_grid(model, x, step=32, sight=False)},
        "diagnosis.check_labels": {
            "data": lambda x: diagnosis.check_labels(x, progress=False),
            "model": lambda x: diagnosis.check_labels(objects, x, progress=False),
        },
        "diagnosis.check_loss": {
            "loss": lambda x: diagnosis.check_loss(x, layout),
            "layout": lambda x: diagnosis.check_loss(encode, x),
        },
        "diagnosis.check_targets": {
            "encode": lambda x: diagnosis.check_targets(x, layout),
            "layout": lambda x: diagnosis.check_targets(encode, x),
        },
        "diagnosis.faithfulness": {
            "attribution": lambda x: diagnosis.faithfulness(x, ("box",)),
            "parts": lambda x: diagnosis.faithfulness(of.results["Attribution"], x),
        },
        "diagnosis.fix_labels": {
            "report": lambda x: diagnosis.fix_labels(x, objects, free()),
            "data": lambda x: diagnosis.fix_labels(of.results["LabelReport"], x, free()),
        },
        "diagnosis.attribute_parts": {
            "trace": lambda x: diagnosis.attribute_parts(x, 0, "quick"),
            "detection": lambda x: diagnosis.attribute_parts(trace, x, "quick"),
        },
        "diagnosis.level_evidence": {
            "trace": lambda x: diagnosis.level_evidence(x),
            "detections": lambda x: diagnosis.level_evidence(trace, x),
        },
        "diagnosis.loss_by_level": {
            "image": lambda x: diagnosis.loss_by_level(model, x, objects),
            "boxes": lambda x: diagnosis.loss_by_level(model, trace, x),
        },
        "diagnosis.missed": {
            "trace": lambda x: diagnosis.missed(x, objects),
            "boxes": lambda x: diagnosis.missed(trace, x),
        },
        "diagnosis.numerics": {
            "model": lambda x: diagnosis.numerics(x, torch.ones(1, 2), progress=False),
            "x": lambda x: diagnosis.numerics(nn.Linear(2, 2), x, progress=False),
        },
        "diagnosis.odexai": {"attribution": lambda x: diagnosis.odexai(x, steps=1)},
        "diagnosis.subject": {"trace": diagnosis.subject, "detection": lambda x: diagnosis.subject(trace, x)},
        "diagnosis.subjects": {"trace": diagnosis.subjects, "detections": lambda x: diagnosis.subjects(trace, x)},
        "diagnosis.survey": {
            "model": lambda x: diagnosis.survey(x, objects, free(), progress=False),
            "data": lambda x: diagnosis.survey(model, x, free(), progress=False),
        },
        "viz.assignment": {"assigned": viz.assignment, "boxes": lambda x: viz.assignment(trace, x)},
        "viz.attribution": {
            "attributions": viz.attribution,
            "detection": lambda x: viz.attribution(trace, x, method="quick"),
        },
        "viz.compare": {"before": lambda x: viz.compare(x, trace), "after": lambda x: viz.compare(trace, x)},
        "viz.distribution": {"trace": lambda x: viz.distribution(x, 0), "i": lambda x: viz.distribution(trace, x)},
        "viz.explore": {"model": lambda x: viz.explore(x, trace.path), "image": lambda x: viz.explore(model, x)},
        "viz.features": {"trace": lambda x: viz.features(x, level=2)},
        "viz.heatmaps": {"trace": lambda x: viz.heatmaps(x, level=2)},
        "viz.loss_by_level": {"result": viz.loss_by_level, "boxes": lambda x: viz.loss_by_level(trace, x)},
        "viz.maps": {"attributions": viz.maps},
        "viz.why": {"maps": viz.why, "evidence": lambda x: viz.why(diagnosis.attribute(trace, 0, "quick"), x)},
        "viz.missed": {"result": viz.missed, "boxes": lambda x: viz.missed(trace, x)},
        "viz.report": {
            "traces": lambda x: viz.report(x, free(), ("png",), figures=("anchor_grid",), dpi=20, progress=False)
        },
        "viz.survey_report": {"survey": lambda x: viz.survey_report(x, free())},
        "viz.targets": {
            "encoded": lambda x: viz.targets(x, layout, image_size=(64, 64)),
            "layout": lambda x: viz.targets([np.zeros((7, 4, 4))], x, image_size=(64, 64)),
        },
    }
    found = {}
    for name, function in functions():
        for place, call in named.get(name, {"": function}).items():
            found[f"{name}({place})"] = call
    return found


def within(model: Any, call: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The call, after which the model's classes are those that they were."""

    def made(value: Any) -> Any:
        with surgery.scratch(model):
            return call(value)

    return made


def functions() -> Iterator[tuple[str, Callable]]:
    """The public functions by name; classes and tables are none."""
    for package in PACKAGES:
        for name in package.__all__:
            found = getattr(package, name)
            if callable(found) and not isinstance(found, type):
                yield f"{package.__name__}.{name}", found


def answer(call: Callable[[Any], Any], value: Any) -> str:
    """ "" for an answer, else the sentence; what comes from inside begins with "INSIDE"."""
    try:
        made = call(value)
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        ours = Path(last.filename).is_relative_to(ROOT) and "tests" not in Path(last.filename).parts
        told = f"{type(error).__name__}: {error}"
        sentence = ours and (last.line or "").startswith("raise ") and isinstance(error, SENTENCES)
        return told if sentence else f"INSIDE {told} ({Path(last.filename).name}:{last.lineno}: {last.line})"
    if isinstance(made, Figure):
        made.clear()
    return ""


SENTENCES = (TypeError, ValueError, IndexError, LookupError, FileNotFoundError, RuntimeError, OSError, ImportError)


def main() -> None:
    """Print the table: public call × what is none."""
    import time

    rng = np.random.default_rng(7)
    picture = rng.integers(0, 255, (128, 192, 3), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        of = Material(small("yolov8n", picture, 3, bodiless=True), picture, Path(folder))
        given = WRONG | (of.results if "all" in sys.argv else {})
        print("material", time.perf_counter() - start, file=sys.stderr)
        for name, call in calls(of).items():
            for what, value in given.items():
                start = time.perf_counter()
                told = answer(call, value)
                spent = time.perf_counter() - start
                print(f"{name} | {what} | {told or 'an answer'}" + f" | {spent:.2f} s" * (spent > 0.2), flush=True)


if __name__ == "__main__":
    main()
