"""Laws 4 and 5: a detection comes from the anchor that is recorded, and that anchor is its cause."""

import numpy as np
import pytest
import torch

import anatomy
import surgery
from tests.contract.rows import PICTURE


def pairs(detections) -> set[tuple[int, int]]:
    """Anchor and class of each detection."""
    return set(zip(detections.anchor.tolist(), detections.class_id.tolist(), strict=True))


def test_law_4_the_recorded_anchor_decodes_to_the_box(family, model, trace):
    found = trace.detections
    assert len(found) > 5
    assert len(set(found.level)) > 1
    decoded = trace.decode(found.anchor, found.class_id)
    if trace.rotated:  # decoded as centre, width and height before they are turned
        centre = trace.letterbox.to_input(trace.corners.mean(1))
        assert np.abs((decoded[:, :2] + decoded[:, 2:]) / 2 - centre).max() < 1e-4
        return
    height, width = PICTURE.shape[:2]
    low, high = trace.letterbox.to_input([[0.0, 0.0], [width, height]])
    clipped = decoded.clip(np.tile(low, 2), np.tile(high, 2))
    boxes = trace.letterbox.to_input(found.xyxy.reshape(-1, 2)).reshape(-1, 4)
    differences = [np.abs(expected - boxes).max() for expected in (clipped, decoded)]
    assert min(differences) < 1e-4  # clipped to the image, or not at all


def test_law_4_the_recorded_anchor_is_that_of_the_cell(family, model, trace):
    found, places, points = trace.detections, trace.places(), trace.points()
    for name in ("level", "row", "col"):
        assert np.array_equal(getattr(found, name), getattr(places, name)[found.anchor])
    assert found.level_name == tuple(trace.levels[level].name for level in found.level)
    assert found.class_name == tuple(trace.names[index] for index in found.class_id)
    assert np.allclose(trace.letterbox.to_input(found.center), points[found.anchor], atol=1e-4)
    with pytest.raises(ValueError, match=f"Anchors run from 0 to {trace.pyramid.count - 1}"):
        trace.decode([trace.pyramid.count])


def test_law_4_the_recorded_anchor_has_the_logits_and_the_score(family, model, trace):
    found, places = trace.detections, trace.places()
    scores, logits = trace.scores().numpy(), trace.anchor_logits().numpy()
    assert scores.shape == logits.shape == (len(trace.names), trace.pyramid.count)
    assert np.array_equal(found.logits, logits[:, found.anchor].T)
    for i, anchor in enumerate(found.anchor.tolist()):
        rows = trace.run.logits[found.level[i]][:, found.row[i], found.col[i]]
        mine = rows.unflatten(0, (-1, len(trace.names)))[places.turn[anchor]]
        assert np.array_equal(found.logits[i], mine.numpy())
    assert np.allclose(scores[found.class_id, found.anchor], found.confidence, atol=1e-6)
    several = trace.limits.every_class or trace.branch == "one2one"  # an anchor may be found as several classes
    if not several:
        assert np.array_equal(scores[:, found.anchor].argmax(0), found.class_id)


def test_law_4_rivals_are_worse_and_were_not_kept(family, model, trace):
    kept = pairs(trace.detections)
    for confidence, class_id, rivals in zip(
        trace.detections.confidence, trace.detections.class_id, trace.detections.suppressed, strict=True
    ):
        assert (rivals.confidence <= confidence).all()
        assert (rivals.class_id == class_id).all()
        assert not kept & pairs(rivals)
    if trace.head.candidates(trace.run) is None:
        assert sum(map(len, trace.detections.suppressed)) == 0


@pytest.mark.parametrize("way", ["by an edit", "in the trace"])
def test_law_5_cause_agrees_with_index(family, model, trace, way):
    if way == "by an edit" and (family.shared or not family.editable):
        pytest.skip("levels share their rows, or there are none: the edit is refused, which test_refusals.py holds")
    found = trace.detections
    every = [level.index for level in trace.levels]
    for pick in range(0, len(found), max(1, len(found) // 4)):
        pair, level = (int(found.anchor[pick]), int(found.class_id[pick])), int(found.level[pick])
        elsewhere = [index for index in every if index != level]
        assert pair not in pairs(silenced(model, family, trace, level, pair[1], way))
        assert pair in pairs(silenced(model, family, trace, elsewhere, pair[1], way))


def silenced(model, family, trace, level, class_id: int, way: str):
    """What is found while a class is silent at some levels."""
    if way == "in the trace":
        return trace.silenced(level, class_id).detections
    with surgery.scratch(model):
        surgery.zero_classes(model, level, class_id)
        fresh = anatomy.trace(model, PICTURE, **family.args)
        assert fresh.to_df().equals(trace.silenced(level, class_id).to_df())
    return fresh.detections


def test_law_5_a_class_that_is_silent_everywhere_is_gone(edited, family, model, trace):
    class_id = int(trace.detections.class_id[0])
    with surgery.scratch(model):
        surgery.zero_classes(model, "all", class_id)
        assert class_id not in anatomy.trace(model, PICTURE, **family.args).detections.class_id


def test_law_5_without_its_logit_alone_a_detection_is_gone(family, model, trace):
    found, places = trace.detections, trace.places()
    for i in range(0, len(found), max(1, len(found) // 8)):
        level, row, col, class_id = (int(part[i]) for part in (found.level, found.row, found.col, found.class_id))
        channel = int(places.turn[found.anchor[i]]) * len(trace.names) + class_id
        logits = [maps.clone() for maps in trace.run.logits]
        logits[level][channel, row, col] = -1e4
        with torch.inference_mode():
            after = trace.head.finish(trace.run.evolve(logits=tuple(logits)))
        assert (int(found.anchor[i]), class_id) not in pairs(anatomy.Trace(trace.head, after).detections)
