"""Faults of grids, first third."""

from ..planting import Edit, Fault, fault

CLASSES = "def classes_out(self, level, made):\n"
BOXES = "def boxes_out(self, level, made):\n"


def moved(head: str, function: str, level: int) -> Edit:
    """One output of a level goes through a function of ``rearranging``."""
    lines = f"from .rearranging import {function}\n\n        made = {function}(made) if level == {level} else made\n"
    return head, f"{head}        {lines}"


def cells(form: str, base: str, codes: str, *edits: Edit) -> Fault:
    return fault(form, base, codes, *edits)


FAULTS = (
    cells("boxes: odd columns upside down", "grid_towers", "scrambled_layout", moved(BOXES, "snake", 0)),
    cells("classes: cells strewn", "grid_priors", "scrambled_layout", moved(CLASSES, "strewn", 1)),
    cells(
        "windows not put back",
        "grid_towers",
        "scrambled_layout",
        moved(CLASSES, "windowed", 0),
        moved(BOXES, "windowed", 0),
    ),
    cells("boxes: blocks turned", "grid_bins", "scrambled_layout axes_swapped", moved(BOXES, "blocks_turned", 0)),
    cells(
        "classes: the middle enlarged", "grid_towers", "wrong_stride scrambled_layout", moved(CLASSES, "enlarged", 1)
    ),
    fault(
        "half a cell of the finest level on every level",
        "grid_towers",
        "half_cell_offset wrong_stride",
        ("x = (index % w) * stride + stride // 2", "x = (index % w) * stride + STRIDES[0] // 2"),
        (
            'y = torch.div(index, w, rounding_mode="floor") * stride + stride // 2',
            'y = torch.div(index, w, rounding_mode="floor") * stride + STRIDES[0] // 2',
        ),
    ),
    fault(
        "no half cell along x on the coarsest level",
        "grid_bins",
        "half_cell_offset",
        ("sx = np.arange(shape[1]) + offset", "sx = np.arange(shape[1]) + offset * (stride < 32)"),
    ),
    fault(
        "points a row up",
        "grid_priors",
        "off_by_one_cell",
        ("torch.stack((grid_x.flatten(), grid_y.flatten()))", "torch.stack((grid_x.flatten(), grid_y.flatten() - 1))"),
    ),
    fault(
        "decoded with strides of 2 to the power of level + 2",
        "grid_towers",
        "wrong_stride",
        ("        stride = STRIDES[level]\n", "        stride = 2 ** (level + 2)\n"),
        (".exp() * STRIDES[level]", ".exp() * 2 ** (level + 2)"),
    ),
    fault(
        "every level declares the finest stride",
        "grid_priors",
        "wrong_stride",
        ("return (8, 16, 32)", "return (8, 8, 8)"),
    ),
    fault(
        "strides declared half as large",
        "grid_bins",
        "wrong_stride",
        ("        return STRIDES\n", "        return tuple(stride // 2 for stride in STRIDES)\n"),
    ),
    fault(
        "points spread evenly from border to border",
        "grid_towers",
        "wrong_stride half_cell_offset off_by_one_cell",
        ("x = (index % w) * stride + stride // 2", "x = torch.linspace(0, w * stride, w).repeat(h)"),
        (
            'y = torch.div(index, w, rounding_mode="floor") * stride + stride // 2',
            "y = torch.linspace(0, h * stride, h).repeat_interleave(w)",
        ),
    ),
    cells(
        "left half mirrored",
        "grid_bins",
        "scrambled_layout",
        moved(CLASSES, "left_mirrored", 0),
        moved(BOXES, "left_mirrored", 0),
    ),
    cells("boxes: cells along a Z-curve", "grid_priors", "scrambled_layout", moved(BOXES, "by_morton", 1)),
    fault(
        "columns counted with the width of the finest level",
        "grid_towers",
        "scrambled_layout",
        ("index = torch.arange(h * w)\n", "index = torch.arange(h * w)\n        w = self.finest[1]\n"),
    ),
    cells(
        "classes: the last row first",
        "grid_towers",
        "off_by_one_cell scrambled_layout",
        moved(CLASSES, "last_row_first", 0),
    ),
    fault(
        "points half a cell up",
        "grid_priors",
        "half_cell_offset",
        (
            "torch.stack((grid_x.flatten(), grid_y.flatten()))",
            "torch.stack((grid_x.flatten(), grid_y.flatten() - 0.5))",
        ),
    ),
)

PAIRS = (
    ("no half cell along x on the coarsest level", "left half mirrored"),
    ("points a row up", "classes: cells strewn"),
    ("classes: the last row first", "decoded with strides of 2 to the power of level + 2"),
)
