"""Every public function answers every public result, and what is none, with an answer or with a sentence of ours."""

import copy
import pickle
from html.parser import HTMLParser

import numpy as np
import pytest
from torch import nn

import anatomy
import diagnosis
import viz
from tests.public_calls import WRONG, Material, answer, calls, functions
from tests.ultralytics_nets import small

COSTLY = {  # an answer takes long, or is another function's, which is given all: here what is none alone
    "diagnosis.check_grid(data)",
    "viz.assignment(boxes)",
    "viz.attribution(detection)",
    "viz.compare(after)",
    "viz.distribution(i)",
    "viz.explore(image)",
    "viz.loss_by_level(boxes)",
    "viz.missed(boxes)",
}
DIFFERENT = {"Watch", "Survey"}  # what has another way to travel


@pytest.fixture(scope="module")
def material(picture, tmp_path_factory) -> Material:
    return Material(small("yolov8n", picture, 3, bodiless=True), picture, tmp_path_factory.mktemp("public"))


@pytest.fixture(scope="module")
def named(material):
    return calls(material)


def test_every_public_function_is_called(named):
    assert {name for name, _ in functions()} == {name.partition("(")[0] for name in named}
    assert len(named) > 100


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("package", ["anatomy", "surgery", "diagnosis", "viz"])
def test_nothing_that_is_given_is_answered_from_inside(package, named, material):
    wrong = {}
    for name, call in named.items():
        if name.startswith(f"{package}."):
            given = WRONG if name in COSTLY else WRONG | material.results
            answers = {what: answer(call, value) for what, value in given.items()}
            wrong |= {(name, what): told for what, told in answers.items() if told.startswith("INSIDE")}
    assert wrong == {}


@pytest.mark.parametrize(
    ("call", "takes", "example"),
    [
        (lambda x: viz.heatmaps(x), "viz.heatmaps takes a Trace or several", "viz.heatmaps(anatomy.trace(model, "),
        (lambda x: viz.detections(x), "viz.detections takes a Trace", "viz.detections(anatomy.trace(model, "),
        (lambda x: viz.numerics(x), "viz.numerics takes a Numerics", "viz.numerics(diagnosis.numerics(net, batch))"),
        (lambda x: diagnosis.faithfulness(x), "takes an Attribution", "faithfulness(diagnosis.attribute(trace, 0))"),
    ],
)
def test_a_refusal_says_what_is_taken_what_was_given_and_gives_an_example(call, takes, example):
    with pytest.raises(TypeError) as refused:
        call(nn.Linear(1, 1))
    told = str(refused.value)
    assert takes in told and "but a Linear was given" in told and "Example: " in told and example in told


class Tags(HTMLParser):
    """Tags that stand open, all tags, and all that would be fetched or run."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.fetched = [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.fetched += [value for name, value in attrs if name in ("src", "href") and not value.startswith("data:")]
        self.fetched += [name for name, _ in attrs if name.startswith("on")] + [tag] * (tag in ("script", "link"))
        self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_every_result_shows_itself_and_travels(material):
    assert len(material.results) >= 40
    for name, result in material.results.items():
        line = repr(result)
        assert "\n" not in line and len(line) < 700 and "array(" not in line and "tensor(" not in line, name
        assert line.startswith(f"{name}("), line
        assert str(result), name
        tags = Tags()
        tags.feed(result._repr_html_())
        assert tags.open == [] and tags.fetched == [] and tags.seen[0] == "div", name
        if name not in DIFFERENT:
            assert repr(copy.deepcopy(result)) == line, name
            assert _without_private(repr(pickle.loads(pickle.dumps(result)))) == _without_private(line), name


def _without_private(line: str) -> str:
    """What a pass keeps for its family alone does not travel."""
    return line.partition("private=")[0]


def test_viz_computes_what_a_result_is_made_of(material):
    trace, model, objects = material.trace, material.model, material.objects
    lost = diagnosis.missed(trace, objects)
    assert viz.missed(trace, objects).axes[0].get_title().startswith(f"{len(lost.objects)} of 2 objects missed")
    told = " ".join(text.get_text() for text in viz.layers(model, imgsz=64).texts)
    assert f"{anatomy.layers(model, 64).multiply_adds:,} multiply-adds" in told
    found = diagnosis.faithfulness(trace, 0, method="quick", box=[0, 0, 192, 128], steps=2, shuffles=1)
    assert found.energy == 1.0 and found.curves is not None and found.randomization is not None
    assert diagnosis.faithfulness(trace, ("box",), method="quick").curves is None
    cells = viz.assignment(trace, [[10, 10, 90, 100]], [0]).axes[0].get_title()
    assert cells.startswith("1 objects: positive cells")
    with pytest.raises(TypeError, match=r"no objects were given\. Example: viz\.missed"):
        viz.missed(trace)
    with pytest.raises(TypeError, match=r"viz\.grid takes a GridReport or a model, but 3 \(int\) was given"):
        viz.grid(3)


def test_a_trace_shows_its_photograph_the_boxes_and_the_counts_of_its_levels(material):
    trace = material.trace
    html = trace._repr_html_()
    assert html.count("<rect") == len(trace.detections) and "data:image/jpeg;base64," in html
    counts = np.bincount(trace.detections.level, minlength=3).tolist()
    assert f"P3: {counts[0]}, P4: {counts[1]}, P5: {counts[2]}" in str(trace)
    assert all(f"--level: {viz.level_color(name)}" in html for name in set(trace.detections.level_name))
