"""Faults of grids, last third."""

from ..planting import Edit, fault

CLASSES = "def classes_out(self, level, made):\n"
BOXES = "def boxes_out(self, level, made):\n"


def moved(head: str, function: str, level: int) -> Edit:
    """One output of a level goes through a function of ``rearranging``."""
    lines = f"from .rearranging import {function}\n\n        made = {function}(made) if level == {level} else made\n"
    return head, f"{head}        {lines}"


FAULTS = (
    fault(
        "rolled three rows down",
        "grid_steps",
        "off_by_one_cell scrambled_layout",
        moved(CLASSES, "three_rows_on", 0),
        moved(BOXES, "three_rows_on", 0),
    ),
    fault(
        "one flat cell on",
        "grid_wide",
        "off_by_one_cell scrambled_layout",
        moved(CLASSES, "one_flat_cell_on", 0),
        moved(BOXES, "one_flat_cell_on", 0),
    ),
    fault(
        "boxes: half a row on",
        "grid_wide",
        "off_by_one_cell scrambled_layout",
        moved(BOXES, "half_a_row_on", 1),
    ),
    fault(
        "boxes: padded above alone",
        "grid_steps",
        "off_by_one_cell scrambled_layout",
        moved(BOXES, "padded_above", 1),
    ),
    fault(
        "boxes: rows exchanged two by two",
        "grid_free",
        "scrambled_layout off_by_one_cell",
        moved(BOXES, "rows_exchanged", 0),
    ),
    fault(
        "classes: the square part turned by a right angle",
        "grid_wide",
        "scrambled_layout axes_swapped",
        moved(CLASSES, "square_turned", 0),
    ),
    fault(
        "twice the stride along y",
        "grid_wide",
        "wrong_stride",
        (
            "torch.tensor([[STRIDES[level]], [STRIDES[level]]])",
            "torch.tensor([[STRIDES[level]], [2 * STRIDES[level]]])",
        ),
    ),
    fault(
        "corners of cells declared where boxes lie around their middles",
        "grid_steps",
        "half_cell_offset",
        ("offset = 1, 1, 0.5", "offset = 1, 1, 0.0"),
    ),
    fault(
        "the far corners of cells declared",
        "grid_wide",
        "half_cell_offset",
        ("offset = 0.5", "offset = 1.0"),
    ),
    fault(
        "y1, x1, y2, x2 come out",
        "grid_free",
        "axes_swapped",
        ("(cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)", "(cy - h / 2, cx - w / 2, cy + h / 2, cx + w / 2)"),
    ),
    fault(
        "boxes of levels in the opposite order",
        "grid_steps",
        "levels_reversed scrambled_layout wrong_stride",
        ("return maps, logits, raw\n", "return maps, logits, raw[::-1]\n"),
    ),
    fault(
        "the image flipped before the network",
        "grid_steps",
        "scrambled_layout",
        ("self.stem(images)", "self.stem(images.flip(3))"),
    ),
    fault(
        "x and y exchanged on the middle level",
        "grid_steps",
        "axes_swapped",
        ("        sides = ", "        points = points.flip(0) if level == 1 else points\n        sides = "),
    ),
    fault(
        "points by the strides from coarse to fine",
        "grid_steps",
        "levels_reversed wrong_stride",
        ("step = STRIDES[level]", "step = STRIDES[-1 - level]"),
    ),
    fault(
        "the coarser level begins one finer cell later",
        "grid_free",
        "half_cell_offset",
        ("self.down(fine)", "self.down(nn.functional.pad(fine[:, :, 1:, 1:], (0, 1, 0, 1)))"),
    ),
    fault(
        "points two columns back",
        "grid_wide",
        "off_by_one_cell",
        ("torch.stack((col, row))", "torch.stack((col - 2, row))"),
    ),
    fault(
        "columns of the coarser level counted from the right",
        "grid_free",
        "scrambled_layout",
        (
            "        cx, cy = ",
            "        x = shape[1] - 1 - x if level == 1 else x\n        cx, cy = ",
        ),
    ),
)

PAIRS = (
    ("corners of cells declared where boxes lie around their middles", "x and y exchanged on the middle level"),
    ("twice the stride along y", "classes: the square part turned by a right angle"),
    ("the coarser level begins one finer cell later", "boxes: rows exchanged two by two"),
)
