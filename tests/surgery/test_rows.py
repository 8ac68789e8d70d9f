"""The arithmetic of the operations by hand, on four rows of two numbers."""

import pytest
import torch

from anatomy.head.levels import SILENT_LOGIT
from surgery.edit import Edit, edited
from surgery.table import OPERATIONS

ROWS = [[1.0, 2], [3, 4], [5, 6], [7, 8]]
BIAS = [10.0, 20, 30, 40]

# operation: classes, parameters, the rows and the biases after it
BY_HAND = {
    "shift_classes by 1": ((), {"k": 1}, [[7, 8], [1, 2], [3, 4], [5, 6]], [40, 10, 20, 30]),
    "shift_classes by -1": ((), {"k": -1}, [[3, 4], [5, 6], [7, 8], [1, 2]], [20, 30, 40, 10]),
    "shift_classes by 6": ((), {"k": 6}, [[5, 6], [7, 8], [1, 2], [3, 4]], [30, 40, 10, 20]),
    "permute_classes": ((), {"order": [2, 0, 3, 1]}, [[5, 6], [1, 2], [7, 8], [3, 4]], [30, 10, 40, 20]),
    "swap_classes": ((0, 3), {}, [[7, 8], [3, 4], [5, 6], [1, 2]], [40, 20, 30, 10]),
    "zero_classes, silence": (
        (1, 2),
        {"bias": "silence"},
        [[1, 2], [0, 0], [0, 0], [7, 8]],
        [10, *[SILENT_LOGIT] * 2, 40],
    ),
    "zero_classes, keep": ((1,), {"bias": "keep"}, [[1, 2], [0, 0], [5, 6], [7, 8]], BIAS),
    "zero_classes, zero": ((3,), {"bias": "zero"}, [[1, 2], [3, 4], [5, 6], [0, 0]], [10, 20, 30, 0]),
    "mute_level": ((0, 1, 2, 3), {"bias": "silence"}, [[0, 0]] * 4, [SILENT_LOGIT] * 4),
    "scale_classes": ((0, 2), {"factor": 0.5}, [[0.5, 1], [3, 4], [2.5, 3], [7, 8]], [5, 20, 15, 40]),
    "bias_classes": ((2,), {"delta": -3.0}, ROWS, [10, 20, 27, 40]),
}


def made(name: str) -> Edit:
    classes, parameters, *_ = BY_HAND[name]
    return Edit(name.partition(",")[0].partition(" by")[0], (0,), classes, parameters)


def rows(anchors: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight (4 * anchors, 2, 1, 1) and bias; those of anchor a are 100 a larger."""
    more = 100.0 * torch.arange(anchors).repeat_interleave(4)
    return (torch.tensor(ROWS).repeat(anchors, 1) + more[:, None])[..., None, None], torch.tensor(BIAS).repeat(
        anchors
    ) + more


@pytest.mark.parametrize("name", BY_HAND)
def test_rows_after_an_edit(name):
    weight, bias = rows()
    new, new_bias = edited(weight, bias, made(name))
    assert new[..., 0, 0].tolist() == BY_HAND[name][2]
    assert new_bias.tolist() == BY_HAND[name][3]
    assert (new.shape, new.dtype, new_bias.dtype) == (weight.shape, weight.dtype, bias.dtype)
    assert torch.equal(weight, rows()[0]) and torch.equal(bias, rows()[1])  # what was given stays


@pytest.mark.parametrize("name", BY_HAND)
def test_each_anchor_of_a_cell_is_edited_as_if_it_were_alone(name):
    weight, bias = rows(anchors=3)
    new, new_bias = edited(weight, bias, made(name), 3)
    parts = [edited(*both, made(name)) for both in zip(weight.chunk(3), bias.chunk(3), strict=True)]
    assert torch.equal(new, torch.cat([part[0] for part in parts]))
    assert torch.equal(new_bias, torch.cat([part[1] for part in parts]))


@pytest.mark.parametrize("anchors", [1, 3])
@pytest.mark.parametrize("name", BY_HAND)
def test_without_a_bias_what_can_be_done_is_done_and_the_rest_refused(name, anchors):
    weight, bias = rows(anchors)
    needs_bias = name in ("zero_classes, silence", "zero_classes, zero", "mute_level", "bias_classes")
    if needs_bias:
        with pytest.raises(
            ValueError, match=f"{made(name).operation} changes the bias, but this class convolution has none"
        ):
            edited(weight, None, made(name), anchors)
    else:
        new, new_bias = edited(weight, None, made(name), anchors)
        assert new_bias is None
        assert torch.equal(new, edited(weight, bias, made(name), anchors)[0])


def test_every_operation_is_worked_out_here():
    assert {made(name).operation for name in BY_HAND} == {row.name for row in OPERATIONS if row.change is not None}
