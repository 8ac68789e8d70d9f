"""Classes from a few labelled boxes: rows by a closed form, held against another way to them, and evidence."""

import numpy as np
import pytest
import torch

import anatomy
import surgery
from anatomy.head.levels import SILENT_LOGIT
from surgery.structure import prototype as fitting
from tests.contract.rows import PICTURE, blocks
from tests.surgery.structure.heads import NAMES, assert_same, head_of, looked_at, portrait

BOXES = [[20, 10, 60, 50]]


def features(seed: int, count: int, shift: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 4, generator=generator) + shift * torch.tensor([1.0, 0.0, -1.0, 0.5])


def test_ridge_is_the_least_squares_solution_where_both_sides_weigh_the_same(monkeypatch):
    monkeypatch.setattr(fitting, "PENALTY", 0.0)
    positive, background = features(0, 9, 2.0), features(1, 40, 0.0)
    weight, bias = fitting._row(positive, background, "ridge")
    given = np.concatenate([positive, background])
    importance = np.sqrt(np.r_[np.full(9, 1 / 9), np.full(40, 1 / 40)])[:, None]
    wanted = np.r_[np.full(9, fitting.POSITIVE), np.full(40, fitting.BACKGROUND)][:, None]
    columns = np.c_[given, np.ones(49)]
    by_numpy = np.linalg.lstsq(columns * importance, wanted * importance, rcond=None)[0].ravel()
    np.testing.assert_allclose([*weight, bias], by_numpy, rtol=1e-4, atol=1e-4)


def test_the_mean_direction_takes_one_mean_to_each_logit():
    positive, background = features(0, 9, 2.0), features(1, 40, 0.0)
    weight, bias = fitting._row(positive, background, "mean")
    assert (positive.mean(0) @ weight + bias).item() == pytest.approx(fitting.POSITIVE, abs=1e-4)
    assert (background.mean(0) @ weight + bias).item() == pytest.approx(fitting.BACKGROUND, abs=1e-4)


def test_a_prototype_is_the_logit_of_its_row_and_levels_without_examples_are_silent():
    model = head_of("yolo26n")
    before = looked_at(model)
    with surgery.scratch(model):
        made = surgery.prototype(model, [(PICTURE, BOXES)], imgsz=128)
        edit = surgery.add_class(model, "disc", from_=made)
        after = looked_at(model)
        assert after.names[6] == "disc" and surgery.certify(model).in_step
    assert set(made.rows) == {(branch, level) for branch in ("one2many", "one2one") for level in range(3)}
    for level, (old, new) in enumerate(zip(before.logits, after.logits, strict=True)):
        weight, bias = made.rows[before.branch, level]
        by_hand = (before.features[level] * weight[0]).sum(0) + bias
        torch.testing.assert_close(new[:6], old, rtol=0, atol=5e-5)
        torch.testing.assert_close(new[6], by_hand, rtol=1e-4, atol=1e-3)
        if not made.evidence.cells[before.levels[level].name]:
            assert (new[6] == SILENT_LOGIT).all()
    assert 0 < sum(made.evidence.cells.values()) <= 10
    assert (made.evidence.boxes, made.evidence.images, made.evidence.found) == (1, 1, None)
    assert edit.parameters["evidence"] == "ridge on 1 boxes of 1 images; not tried on any other image"
    assert str(made).startswith("prototype: ridge on 1 boxes of 1 images; not tried on any other image (positive cells")


def test_positives_are_the_cells_in_a_box_whose_own_boxes_fit_it_best():
    from surgery.structure.examples import _owners

    overlap = np.array([[0.9, 0.0], [0.6, 0.0], [0.8, 0.0], [0.3, 0.1], [0.0, 0.2], [0.0, 0.0]])
    points = np.array([[1.0, 1], [2, 2], [50, 50], [3, 3], [21, 21], [22, 22]])
    boxes = np.array([[0.0, 0, 10, 10], [20, 20, 30, 30]])
    # the third fits but lies outside; the second box is fitted by none, so it has the best that there is
    assert _owners(overlap, points, boxes).tolist() == [0, 0, -1, -1, 1, -1]
    small = np.array([[21.2, 21.2, 21.6, 21.6]])  # between the points of all cells: the nearest one
    assert _owners(np.zeros((6, 1)), points, small).tolist() == [-1, -1, -1, -1, 0, -1]


def test_each_image_is_left_out_in_turn():
    model = head_of("yolov8n")
    examples = [(PICTURE, BOXES), (blocks(64, 128, seed=8), []), (blocks(64, 128, seed=9), BOXES * 2)]
    before = portrait(model)
    found = surgery.prototype(model, examples, imgsz=128, method="mean").evidence
    assert (found.boxes, found.images, found.held_out) == (3, 3, 3)
    assert 0 <= found.found <= 3 and found.false_cells >= 0
    assert f"left out in turn, {found.found} of 3 boxes reach 0.25" in found.in_short()
    assert_same(before, portrait(model))


@pytest.mark.parametrize(
    ("examples", "kind", "message"),
    [
        ([PICTURE], TypeError, r"An example is a pair \(image, boxes\)"),
        ([(PICTURE, [[1, 2, 3]])], ValueError, r"finite xyxy px of the image, but they have the shape \(1, 3\)"),
        ([(PICTURE, [[9, 2, 3, 4]])], ValueError, "the right side must be right of the left"),
        ([(PICTURE, [[1, 2, 3, float("nan")]])], ValueError, "finite xyxy"),
        ([(PICTURE, [["a", 2, 3, 4]])], TypeError, r"Boxes must be \(n, 4\) numbers, xyxy px, but \["),
        ([(PICTURE, [[900, 2, 950, 4]])], ValueError, r"128 × 64 px, but \[900\.0, .* lies outside of it"),
        (None, TypeError, r"Examples are pairs \(image, boxes\), one an image, but None"),
    ],
)
def test_examples_that_are_none_are_refused(examples, kind, message):
    with pytest.raises(kind, match=message):
        surgery.prototype(head_of("yolov8n"), examples, imgsz=128)


def test_a_prototype_of_another_head_is_refused():
    made = surgery.prototype(head_of("yolov8n"), [(PICTURE, BOXES)], imgsz=128)
    for name in ("yolo26n", "yolov8n-p2"):
        model = head_of(name)
        before = portrait(model)
        with pytest.raises(ValueError, match="made for"):
            surgery.add_class(model, "disc", from_=made)
        assert_same(before, portrait(model))


def test_rows_go_through_a_recipe_bit_for_bit(tmp_path):
    model = head_of("yolov8n")
    with surgery.scratch(model):
        surgery.add_class(model, "disc", from_=surgery.prototype(model, [(PICTURE, BOXES)], imgsz=128))
        surgery.keep_classes(model, ["disc", "ball"])
        recipe = surgery.write_recipe(surgery.history(model), tmp_path / "recipe.json")
        after, rows = looked_at(model), anatomy.describe(model).class_conv(1, "one2many").weight.clone()
        surgery.undo(model, 2)
        told = surgery.dry_run(model, recipe)
        assert told.refused is None and (told.before, told.after) == (NAMES, ("disc", "ball"))
        assert told.steps[1] == "head: 2 classes kept: disc, ball"
        surgery.apply(model, recipe)
        assert torch.equal(anatomy.describe(model).class_conv(1, "one2many").weight, rows)
        assert all(torch.equal(a, b) for a, b in zip(looked_at(model).logits, after.logits, strict=True))
