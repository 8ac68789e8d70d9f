"""Maps in a report: one sheet of all, the surest with their evidence, within a budget, and ended by an interrupt."""

from dataclasses import replace

import pytest
import torch

import anatomy
import diagnosis
import viz
from detectors import demo_scene
from viz.reports.sheets import ALL, EACH, Maps

unlaid = pytest.mark.usefixtures("unlaid")


@pytest.fixture(scope="module")
def trace(model):
    return anatomy.trace(model, demo_scene().image[..., ::-1].copy())


@unlaid
def test_maps_are_drawn_with_their_evidence_while_a_stream_is_open(model, tmp_path):
    image = demo_scene().image[120:360, 160:480, ::-1]
    before = {name: value.clone() for name, value in model.model.state_dict().items()}
    traces = anatomy.stream(model, [image.copy(), image[:, ::-1].copy()], imgsz=160, conf=0.05)
    folder = viz.report(traces, tmp_path / "out", ("png",), figures=("attribution",), best=1, dpi=60, progress=False)
    names = [sorted(path.name for path in image.iterdir()) for image in sorted((folder / "images").iterdir())]
    assert len(names) == 2
    for alone, together in names:
        assert alone.startswith("attribution_") and together == "attributions.png"
    page = (folder / "index.html").read_text()
    assert "Which pixels speak for detection" in page and "Which pixels speak for each of the " in page
    assert all(torch.equal(value, before[name]) for name, value in model.model.state_dict().items())


@pytest.mark.parametrize("left", [0, 1])
def test_an_interrupt_amid_the_maps_ends_the_report_too(trace, monkeypatch, left):
    """A map by itself survives it; whoever ends a report means the report."""
    made = diagnosis.attribute_all(trace, method="quick")
    cut = [replace(one, heat=replace(one.heat, note="interrupted after 2.0 predicts")) for one in made]
    monkeypatch.setattr("viz.reports.sheets.attribute_all", lambda *_, **__: cut[: left * len(cut)])
    with pytest.raises(KeyboardInterrupt):
        Maps(trace).of(0)


def test_the_maps_of_a_photograph_share_a_budget(trace, monkeypatch):
    asked, quick = [], diagnosis.attribute_all(trace, method="quick")
    monkeypatch.setattr("viz.reports.sheets.attribute_all", lambda _, **options: asked.append(options) or quick)
    maps = Maps(trace, progress=True)
    assert maps.of(1) is quick[1] and maps.all is quick
    assert asked == [{"budget": pytest.approx(min(EACH, ALL / len(trace.detections))), "progress": True}]
