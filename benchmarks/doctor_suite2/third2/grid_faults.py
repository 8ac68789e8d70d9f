"""Faults of grids, second third."""

from ..planting import Edit, fault

CLASSES = "def classes_out(self, level, made):\n"
BOXES = "def boxes_out(self, level, made):\n"


def moved(head: str, function: str, level: int) -> Edit:
    """One output of a level goes through a function of ``rearranging``."""
    lines = f"from .rearranging import {function}\n\n        made = {function}(made) if level == {level} else made\n"
    return head, f"{head}        {lines}"


FAULTS = (
    fault(
        "boxes: even columns first",
        "grid_fine",
        "scrambled_layout",
        moved(BOXES, "even_columns_first", 1),
    ),
    fault(
        "classes: mirrored at the other diagonal",
        "grid_pairs",
        "scrambled_layout axes_swapped",
        moved(CLASSES, "antitransposed", 0),
    ),
    fault(
        "quadrants exchanged",
        "grid_single",
        "scrambled_layout off_by_one_cell",
        moved(CLASSES, "quadrants", 0),
        moved(BOXES, "quadrants", 0),
    ),
    fault(
        "classes: padded on the left alone",
        "grid_single",
        "off_by_one_cell scrambled_layout",
        moved(CLASSES, "padded_left", 0),
    ),
    fault(
        "features of a level averaged with their right and lower neighbours",
        "grid_fine",
        "half_cell_offset",
        (
            "            maps.append(x)\n        return maps",
            "            maps.append(x)\n"
            "        from .rearranging import averaged_with_the_next\n\n"
            "        maps[2] = averaged_with_the_next(maps[2])\n"
            "        return maps",
        ),
    ),
    fault(
        "boxes: viewed as (w, h) and transposed",
        "grid_pairs",
        "scrambled_layout axes_swapped image_size_swapped",
        moved(BOXES, "as_width_by_height", 1),
    ),
    fault(
        "classes: pooled and tiled",
        "grid_fine",
        "wrong_stride scrambled_layout",
        moved(CLASSES, "pooled_and_tiled", 0),
    ),
    fault(
        "points of the coarsest level a column further",
        "grid_fine",
        "off_by_one_cell",
        ("x = torch.arange(cols).repeat(rows)", "x = (torch.arange(cols) + (level == 3)).repeat(rows)"),
    ),
    fault(
        "the coarser level decoded with the finer stride",
        "grid_pairs",
        "wrong_stride",
        ("stride = STRIDES[level]", "stride = STRIDES[0]"),
    ),
    fault(
        "stride declared twice as large",
        "grid_single",
        "wrong_stride",
        ("return (8,)", "return (16,)"),
    ),
    fault(
        "boxes: anchors outermost",
        "grid_pairs",
        "scrambled_layout",
        ("points = points.repeat_interleave(2, 1)", "points = points.repeat(1, 2)"),
    ),
    fault(
        "the image transposed before the network",
        "grid_fine",
        "axes_swapped image_size_swapped scrambled_layout",
        ("        maps = []\n", "        maps, x = [], x.transpose(2, 3)\n"),
    ),
    fault(
        "the image halved before the network",
        "grid_single",
        "wrong_stride",
        ("seen = self.body(images).relu()", "seen = self.body(nn.functional.avg_pool2d(images, 2)).relu()"),
    ),
    fault(
        "the image padded on the left, and the pad forgotten",
        "grid_pairs",
        "off_by_one_cell",
        ("p3 = self.one(images).relu()", "p3 = self.one(F.pad(images, (16, 0, 0, 0), value=0.45)[..., :-16]).relu()"),
    ),
    fault(
        "points counted from the bottom",
        "grid_single",
        "scrambled_layout",
        ("torch.stack((xs.flatten(), ys.flatten())) + 0.5", "torch.stack((xs.flatten(), ys.flip(0).flatten())) + 0.5"),
    ),
    fault(
        "classes: columns drawn",
        "grid_pairs",
        "scrambled_layout",
        moved(CLASSES, "columns_drawn", 0),
    ),
    fault(
        "boxes: every third row dropped",
        "grid_fine",
        "wrong_stride scrambled_layout",
        moved(BOXES, "third_rows_dropped", 1),
    ),
    fault(
        "boxes: outer thirds exchanged",
        "grid_single",
        "scrambled_layout",
        moved(BOXES, "outer_thirds_exchanged", 0),
    ),
)

PAIRS = (
    ("the coarser level decoded with the finer stride", "classes: columns drawn"),
    ("points of the coarsest level a column further", "boxes: even columns first"),
    ("stride declared twice as large", "classes: padded on the left alone"),
)
