"""What the detector is taught: the repaired encoder, and each fault of the published one by itself."""

import pytest
import torch
from torchvision.ops import box_iou

from detectors.fastvit.blocks import LevelOutput
from detectors.fastvit.head import BINS, decode
from detectors.fastvit.published import naive
from detectors.pyramid import targets
from detectors.pyramid.outputs import points

SIZE = (96, 160)
SMALL, MIDDLE, LARGE = [8.0, 8, 32, 40], [60.0, 10, 120, 60], [20.0, 0, 150, 90]


def read(levels, form: str) -> list[tuple[int, int, int, list[float], list[int]]]:
    """(level, row, column, xyxy px, classes) of every cell that holds an object."""
    found = []
    for index, (level, stride) in enumerate(zip(levels, targets.STRIDES, strict=True)):
        for row, col in (level[4] > 0).nonzero().tolist():
            a, b, c, d = level[:4, row, col].tolist()
            x, y = (col + 0.5) * stride, (row + 0.5) * stride
            box = [x - a, y - b, x + c, y + d] if form == "ltrb" else [a - c / 2, b - d / 2, a + c / 2, b + d / 2]
            found.append((index, row, col, box, level[5:, row, col].nonzero().view(-1).tolist()))
    return found


def test_an_image_without_objects_has_empty_targets():
    levels = targets.encode(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64), SIZE, 3)
    assert [tuple(level.shape) for level in levels] == [(8, 12, 20), (8, 6, 10), (8, 3, 5)]
    assert all(not level.any() for level in levels)


def test_each_object_is_written_around_its_centre_on_the_level_of_its_size():
    boxes = torch.tensor([SMALL, MIDDLE, LARGE])
    levels = targets.encode(boxes, torch.tensor([2, 0, 1]), SIZE, 3)
    found = read(levels, "ltrb")
    for level, box, label in ((0, SMALL, 2), (1, MIDDLE, 0), (2, LARGE, 1)):
        mine = [entry for entry in found if entry[0] == level]
        assert all(entry[3] == pytest.approx(box) and entry[4] == [label] for entry in mine)
    assert {entry[1:3] for entry in found if entry[0] == 0} == {(row, col) for row in (2, 3) for col in (1, 2, 3)}
    assert {(0, 2, 2), (1, 2, 5), (2, 1, 2)} <= {entry[:3] for entry in found}


def test_a_shared_cell_goes_to_the_smaller_object_and_nobody_is_lost():
    boxes = torch.tensor([[16.0, 16, 24, 24], [15.0, 15, 25, 25], [17.0, 17, 23, 23], [0.0, 0, 2, 2]])
    found = read(targets.encode(boxes, torch.arange(4), (64, 64), 4), "ltrb")
    assert sorted(entry[4] for entry in found) == [[0], [1], [2], [3]]
    assert all(entry[3] == pytest.approx(boxes[entry[4][0]].tolist()) for entry in found)
    assert next(entry for entry in found if entry[4] == [2])[1:3] == (2, 2)


def test_a_crowd_keeps_one_cell_for_each_object():
    generator = torch.Generator().manual_seed(3)
    corner = torch.rand(40, 2, generator=generator) * 80
    boxes = torch.cat((corner, corner + 4 + 40 * torch.rand(40, 2, generator=generator)), 1)
    found = read(targets.encode(boxes, torch.arange(40), (128, 128), 40), "ltrb")
    assert {entry[4][0] for entry in found} == set(range(40))
    assert all(entry[3] == pytest.approx(boxes[entry[4][0]].tolist(), abs=1e-4) for entry in found)


@pytest.mark.parametrize(
    ("boxes", "labels", "size", "message"),
    [
        ([[0, 0, 9, 9]], [0], (96, 100), r"multiples of 32 px, but \(96, 100\)"),
        ([[9, 9, 9, 9]], [0], SIZE, "right > left"),
        ([[0, 0, float("nan"), 9]], [0], SIZE, "right > left"),
        ([[0, 0, 9, 9]], [3], SIZE, "Labels must be 0 to 2, but 3 to 3"),
        ([[0, 0, 9, 9]], [], SIZE, "1 boxes and 0 labels"),
    ],
)
def test_wrong_objects_are_refused(boxes, labels, size, message):
    with pytest.raises(ValueError, match=message):
        targets.encode(torch.tensor(boxes), torch.tensor(labels, dtype=torch.int64), size, 3)


def test_decoding_the_targets_gives_the_objects_back():
    boxes, labels = torch.tensor([SMALL, MIDDLE, LARGE]), torch.tensor([0, 1, 2])
    outputs = []
    for level, stride in zip(targets.encode(boxes, labels, SIZE, 3), targets.STRIDES, strict=True):
        raw = (level[:4] / stride).clamp(min=1e-3).expm1().log().repeat_interleave(BINS, 0)
        outputs.append(LevelOutput(raw[None], level[None, 5:], raw[None]))
    hit = torch.cat([level.classes[0].amax(0).flatten() for level in outputs]) > 0
    owner = torch.cat([level.classes[0].argmax(0).flatten() for level in outputs])[hit]
    decoded = decode(outputs, targets.STRIDES)[0][hit]
    assert torch.allclose(decoded, boxes[owner], atol=1e-3)


def test_a_box_may_be_many_times_larger_than_its_cell():
    raw = torch.full((1, 4 * BINS, 3, 5), 400.0)
    box = decode([LevelOutput(raw, raw, raw)], (32,))[0]
    assert (box[:, 2:] - box[:, :2]).min() == 2 * 400 * 32


def test_anchor_points_are_cell_middles_row_by_row():
    middle, step = points([(1, 2), (1, 1)], (8, 16), torch.empty(0))
    assert middle.T.tolist() == [[4, 4], [12, 4], [8, 8]]
    assert step.tolist() == [8, 8, 16]


def published(boxes, labels, size, *faults):
    return naive.encode(torch.tensor(boxes), torch.tensor(labels), size, 3, faults)


def test_without_its_faults_the_published_encoder_is_right():
    boxes = [SMALL, MIDDLE, LARGE, [9.0, 9, 31, 39]]
    found = read(published(boxes, [0, 1, 2, 2], SIZE), "cxcywh")
    assert sorted(entry[0] for entry in found) == [0, 0, 1, 2]
    boxes_found = torch.tensor([entry[3] for entry in found])
    assert box_iou(torch.tensor(boxes), boxes_found).amax(1).min() > 0.999


def test_each_fault_of_the_published_encoder_by_itself():
    def one(fault, boxes=(SMALL,), labels=(0,)):
        return read(published(list(boxes), list(labels), SIZE, fault), "cxcywh")

    right = published([SMALL], [0], SIZE)
    assert [tuple(level.shape[1:]) for level in published([SMALL], [0], SIZE, "swapped_size")] == [
        (20, 12), (10, 6), (5, 3)
    ]  # fmt: skip
    assert one("transposed_cell")[0][1:3] == (2, 3)
    assert read(right, "cxcywh")[0][1:3] == (3, 2)
    assert one("transposed_cell")[0][3] == read(right, "cxcywh")[0][3] == pytest.approx(SMALL)
    assert one("viewed_grid")[0][3] != pytest.approx(SMALL)
    centre = [(one("absolute_offset")[0][3][i] + one("absolute_offset")[0][3][i + 2]) / 2 for i in (0, 1)]
    assert centre == [24, 32]  # the far corner of the cell that begins at (16, 24)
    assert [entry[0] for entry in one("all_levels")] == [0, 1, 2]
    both = one("shared_cell", (SMALL, [9.0, 9, 31, 39]), (0, 2))
    assert [entry[4] for entry in both] == [[0, 2]]


def test_all_faults_together_index_outside_the_grid_of_an_image_that_is_not_square():
    with pytest.raises(IndexError, match="out of bounds"):
        naive.encode(torch.tensor([[10.0, 60, 60, 94]]), torch.tensor([0]), SIZE, 3)


def test_no_published_box_is_larger_than_one_cell():
    raw = torch.full((1, 4 * BINS, 3, 5), 400.0)
    outputs = [LevelOutput(raw, raw, raw)] * 3
    assert naive.decode(outputs)[0, 2:].unique().tolist() == [8, 16, 32]
    assert naive.decode(outputs, ("viewed_grid",))[0, 2:].min() > 1000
