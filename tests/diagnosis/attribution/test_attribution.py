"""What can be explained, by which methods, on which heads; and that the network is left as it was."""

import numpy as np
import pytest
import torch

import anatomy
import diagnosis

CAMS = ("gradcam", "gradcam++", "layercam", "odam", "eigencam", "layercam levels")
HEADS = [
    ("yolov8n", None, False),
    ("yolov8n", None, True),
    ("yolov8n-obb", None, False),
    ("yolov10n", False, False),
    ("yolo11n", None, False),
    ("yolo26n", None, False),
    ("yolo26n", False, True),
]


@pytest.fixture(scope="module")
def traced(build, picture):
    """A function from one of ``HEADS`` to its trace of the picture, made once."""
    made = {}

    def make(case=HEADS[0]):
        if case not in made:
            name, nms, fused = case
            model = build(name, picture)
            if nms is False:
                model.model.end2end = True
            if fused:
                model.fuse()
            made[case] = anatomy.trace(model, picture, imgsz=192, **({} if nms is None else {"nms": nms}))
        return made[case]

    return make


def state(net):
    """All that attribution could leave behind."""
    tensors = {**dict(net.named_parameters()), **dict(net.named_buffers())}
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in net.modules()]
    values = {name: value.detach().clone() for name, value in tensors.items()}
    flags = [(value.requires_grad, value.grad is None, id(value)) for value in tensors.values()]
    return values, flags, hooks, [module.training for module in net.modules()]


@pytest.mark.parametrize("case", HEADS, ids=lambda case: "-".join(map(str, case)))
def test_every_head_is_explained_by_the_branch_that_ran(traced, case):
    trace = traced(case)
    levels = {int(level): i for i, level in reversed(list(enumerate(trace.detections.level)))}
    for method in CAMS:
        for made in diagnosis.attribute_all(trace, list(levels.values()), method):
            subject = made.subject
            assert made.map.shape == trace.image.shape[:2] and np.isfinite(made.map).all()
            assert subject.value == pytest.approx(
                float(trace.logits[subject.level][subject.class_id, subject.row, subject.col]), abs=1e-3
            )
            if method != "layercam levels":
                assert trace.levels[subject.level].name in made.layer


@pytest.mark.parametrize("case", [HEADS[0], HEADS[5]], ids=["v8", "26"])
def test_windows_weigh_as_the_whole_network_does(traced, case):
    """Gradient through a window of the head alone is the gradient through the whole network."""
    trace = traced(case)
    found = trace.detections
    for level in sorted(set(found.level.tolist())):
        i = int(np.flatnonzero(found.level == level)[0])
        ours = diagnosis.attribute(trace, i, "odam").heat.grid
        whole = diagnosis.attribute(trace, i, "odam", layer=level).heat.grid
        np.testing.assert_allclose(ours, whole, atol=1e-4 * abs(whole).max() + 1e-6)


def test_together_is_as_one_by_one(traced):
    trace = traced()
    for method in CAMS:
        together = diagnosis.attribute_all(trace, [0, 1, 2], method)
        for i, one in enumerate(together):
            alone = diagnosis.attribute(trace, i, method)
            slack = 1e-2 if method == "gradcam++" else 1e-4  # Grad-CAM++ divides by what can be next to nothing
            np.testing.assert_allclose(one.map, alone.map, atol=slack * abs(alone.map).max() + 1e-7)


@pytest.mark.parametrize("what", ["logit", "score", "left", "top", "right", "bottom", "entropy"])
def test_numbers_that_can_be_explained(traced, what):
    trace = traced()
    made = diagnosis.attribute(trace, 0, "odam", what=what)
    assert made.map.any() and made.subject.what == what and made.subject.unit in made.unit
    box = trace.decode([made.subject.anchor])[0]
    if what in ("left", "top", "right", "bottom"):
        assert made.subject.value == pytest.approx(box[["left", "top", "right", "bottom"].index(what)], abs=1e-2)
    if what == "entropy":
        bins = trace.distribution(0)
        assert made.subject.value == pytest.approx(float(-(bins * bins.log()).sum(1).mean()), abs=1e-3)


def test_a_difference_is_the_difference_of_the_maps(traced):
    trace = traced()
    ours, theirs = (diagnosis.attribute(trace, 0, "odam", class_id=c).heat.grid for c in (3, 5))
    both = diagnosis.attribute(trace, 0, "odam", what="difference", class_id=3, against=5).heat.grid
    np.testing.assert_allclose(both, ours - theirs, atol=1e-4)


def test_rivals_candidates_and_missed_objects_are_explained_at_their_cells(traced):
    trace = traced()
    winner = next(i for i, rivals in enumerate(trace.detections.suppressed) if len(rivals))
    rivals = trace.detections.suppressed[winner]
    made = diagnosis.attribute(trace, (rivals, 0), "odam")
    assert made.subject.anchor == rivals.anchor[0] and made.subject.class_id == rivals.class_id[0]
    assert made.subject == diagnosis.attribute(trace, made.subject, "odam").subject
    lost = diagnosis.missed(trace, [[3, 3, 40, 30]], [7], iou=0.9)
    best = lost.candidates[0][lost.best[0]]
    made = diagnosis.attribute(trace, (lost, 0), "odam")
    assert (made.subject.anchor, made.subject.class_id) == (best.anchor, 7)
    assert diagnosis.attribute(trace, best, "odam").subject.anchor == best.anchor


def test_nothing_detected_is_said_and_a_cell_can_still_be_explained(build, picture):
    trace = anatomy.trace(build("yolov8n", picture), picture, imgsz=192, conf=0.9999)
    assert not len(trace.detections)
    for ask in (diagnosis.attribute, diagnosis.attribute_all):
        with pytest.raises(ValueError, match=r"This trace has no detections to explain\. Trace with a lower conf"):
            ask(trace)
    assert diagnosis.attribute(trace, {"anchor": 40}, "odam").subject.anchor == 40


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"method": "magic"}, ValueError, "method must be one of default, quick, thorough, multiscale, gradcam"),
        ({"what": "colour"}, ValueError, "what must be one of logit, score"),
        ({"what": "difference"}, ValueError, "needs against="),
        ({"detection": 10_000}, IndexError, "Detection 10000 does not exist: this trace has"),
        ({"method": "odam", "steps": 3}, TypeError, "'odam' takes layer, but steps was given"),
        ({"method": "odam", "layer": "neck"}, ValueError, "layer must be a level \\(P3, P4, P5\\) or the path"),
        ({"method": "odam", "layer": "model.22"}, ValueError, "must put out one batch of feature maps"),
        ({"method": "occlusion", "replace": "pink"}, ValueError, "replaced by one of mean, blur, black"),
        ({"method": "kernelshap", "regions": 1}, ValueError, "regions must be at least 2, but 1"),
        ({"budget": 0}, ValueError, "budget must be above 0 predicts, but 0"),
        (
            {"patches": 3},
            TypeError,
            "'multiscale' takes batch, budget, progress, replace, window, but patches was given",
        ),
        ({"what": "difference", "class_id": 5, "against": 5}, ValueError, "against must be another class than the one"),
    ],
)
def test_errors_at_the_door(traced, arguments, error, message):
    with pytest.raises(error, match=message):
        diagnosis.attribute(traced(), **arguments)


def test_a_layer_can_be_chosen(traced):
    trace = traced()
    made = diagnosis.attribute(trace, 0, "gradcam", layer="model.4")
    assert made.layer == "the output of model.4" and made.heat.step == (8.0, 8.0) and made.heat.passes == 2
    assert "P3 head" in diagnosis.attribute(trace, 0, "odam", layer="P3").layer


@pytest.mark.parametrize("case", [HEADS[0], HEADS[6]], ids=["plain", "fused"])
def test_the_network_is_left_as_it_was(traced, case):
    trace = traced(case)
    net = trace.head.running
    net.train()
    before = state(net)
    quick = {
        "multiscale": {"budget": 1},
        "drise": {"masks": 8, "progress": False},
        "kernelshap": {"samples": 8, "regions": 4},
        "ablation": {"regions": 4},
        "occlusion": {"window": 96},
        "integrated gradients": {"steps": 2},
    }
    for method in diagnosis.METHODS:
        made = diagnosis.attribute(trace, 0, method, **quick.get(method, {}))
        if method == "odam":
            diagnosis.faithfulness(made, steps=2)
    after = state(net)
    assert before[1:] == after[1:]
    assert all(torch.equal(value, after[0][name]) for name, value in before[0].items())
    net.eval()


def test_an_edit_since_the_trace_is_noticed(build, picture):
    import surgery

    model = build("yolov8n", picture)
    trace = anatomy.trace(model, picture, imgsz=192)
    surgery.scale_classes(model, "all", "all", 1.5)
    with pytest.raises(RuntimeError, match=r"it has been changed since\. Explain trace\.replay"):
        diagnosis.attribute(trace)
    diagnosis.attribute(trace.replay(), {"anchor": 5}, "odam")


def test_an_attribution_says_in_short_what_it_is(traced):
    made = diagnosis.attribute(traced(), 0, "odam")
    assert repr(made).startswith("Attribution(odam: logit of ") and "192 × 128 px" in repr(made)
