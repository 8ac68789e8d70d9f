"""Faults of decoders, last third."""

from ..planting import fault

FAULTS = (
    fault("half a cell by the division of integers", "decoder_roots", "half_cell_offset", ("1 / 2\n", "1 // 2\n")),
    fault(
        "the grid of the first image",
        "decoder_table",
        "state_leak raises",
        ("mine = grid(h, w)", "mine = GRIDS.setdefault(level, grid(h, w))"),
    ),
    fault(
        "cells of a square as wide as the longer side, cut to their number",
        "decoder_roots",
        "scrambled_layout image_size_swapped axes_swapped",
        ("cells(rows, cols) + OFFSET", "cells(max(rows, cols), max(rows, cols))[: rows * cols] + OFFSET"),
    ),
    fault(
        "rows counted from 1",
        "decoder_peaks",
        "off_by_one_cell",
        ("[row for row in range(h) for _", "[row for row in range(1, h + 1) for _"),
    ),
    fault(
        "sums of ones that begin at 1",
        "decoder_roots",
        "off_by_one_cell",
        ("(ones.cumsum(1) - 1, ones.cumsum(0) - 1)", "(ones.cumsum(1), ones.cumsum(0))"),
    ),
    fault(
        "strides from 2 to the power of level + 3",
        "decoder_roots",
        "wrong_stride wrong_box_unit",
        ("2 ** (level + 4)", "2 ** (level + 3)"),
    ),
    fault(
        "strides repeated in turn, not each for its cells",
        "decoder_table",
        "wrong_stride scrambled_layout",
        (".repeat_interleave(torch.tensor(counts))", ".repeat(sum(counts) // 3)"),
    ),
    fault(
        "priors of levels in the opposite order",
        "decoder_table",
        "levels_reversed wrong_box_unit wrong_box",
        ("PRIORS[level]", "PRIORS[-1 - level]"),
    ),
    fault(
        "each prior repeated for all cells, not the priors for each cell",
        "decoder_table",
        "scrambled_layout wrong_box_unit wrong_box",
        (".repeat(h * w, 1)", ".repeat_interleave(h * w, 0)"),
    ),
    fault(
        "no side longer than its prior",
        "decoder_table",
        "range_ceiling",
        ("ratio = x[..., 2:4].exp()", "ratio = x[..., 2:4].clamp(max=0).exp()"),
    ),
    fault(
        "boxes cut to an image of 416 px",
        "decoder_peaks",
        "range_ceiling wrong_box object_lost",
        ("torch.cat((boxes[cell], top", "torch.cat((boxes[cell].clamp(0, 416), top"),
    ),
    fault(
        "sigmoid twice",
        "decoder_corner",
        "class_leak class_wrong wrong_output",
        ("level[:, :3].sigmoid()", "level[:, :3].sigmoid().sigmoid()"),
    ),
    fault(
        "x1, x2, y1, y2 come out",
        "decoder_corner",
        "wrong_box_format axes_swapped",
        ("(x, y, x + w, y + h)", "(x, x + w, y, y + h)"),
    ),
    fault(
        "centres of whole px",
        "decoder_peaks",
        "wrong_box",
        (
            "    boxes, scores = torch.cat(boxes), torch.cat(scores)\n",
            "    boxes, scores = torch.cat(boxes), torch.cat(scores)\n"
            "    centre, size = (boxes[:, :2] + boxes[:, 2:]) // 2, boxes[:, 2:] - boxes[:, :2]\n"
            "    boxes = torch.cat((centre - size / 2, centre + size / 2), 1)\n",
        ),
    ),
    fault(
        "labels counted from 1",
        "decoder_peaks",
        "class_wrong wrong_output",
        ("index // K, index % K", "index // K, index % K + 1"),
    ),
    fault(
        "objectness multiplied twice",
        "decoder_roots",
        "objectness_wrong wrong_output",
        ("objectness * kinds", "objectness * (objectness * kinds)"),
    ),
    fault(
        "the mean of objectness and class",
        "decoder_roots",
        "objectness_wrong class_leak",
        ("objectness * kinds", "(objectness + kinds) / 2"),
    ),
    fault(
        "quotient and rest exchanged after the selection",
        "decoder_peaks",
        "scrambled_layout class_wrong object_lost wrong_output",
        ("index // K, index % K", "index % K, index // K"),
    ),
    fault(
        "scores of the first image for all",
        "decoder_peaks",
        "mixed_batch",
        (
            "decode_image([level[image] for level in outputs])",
            "decode_image([torch.cat((level[image, :4], level[0, 4:])) for level in outputs])",
        ),
    ),
    fault(
        "the largest scores of the batch",
        "decoder_roots",
        "mixed_batch",
        ("scores = objectness * kinds", "scores = (objectness * kinds).amax(0, keepdim=True).expand(len(x), -1, -1)"),
    ),
    fault(
        "columns before rows in a permutation",
        "decoder_table",
        "axes_swapped scrambled_layout",
        (".permute(0, 3, 4, 1, 2)", ".permute(0, 4, 3, 1, 2)"),
    ),
    fault(
        "boxes come out with their numbers before their cells",
        "decoder_corner",
        "wrong_output",
        ("return boxes.transpose(1, 2), ", "return boxes, "),
    ),
    fault(
        "classes divided by their sum, which may be 0",
        "decoder_roots",
        "non_finite",
        ("objectness * kinds", "objectness * (kinds / kinds.sum(-1, keepdim=True))"),
    ),
    fault(
        "return within the loop over levels",
        "decoder_corner",
        "object_lost level_unused wrong_output",
        (
            "        scores.append(probability.flatten(2))\n",
            "        scores.append(probability.flatten(2))\n"
            "        return boxes[0].transpose(1, 2), scores[0].transpose(1, 2)\n",
        ),
    ),
    fault(
        "the offset along y subtracted",
        "decoder_roots",
        "wrong_box wrong_box_format",
        ("place[:, 1] + x[..., 2]", "place[:, 1] - x[..., 2]"),
    ),
    fault(
        "sides by the stride of the next level",
        "decoder_roots",
        "wrong_stride wrong_box_unit wrong_box_format wrong_box",
        ("x[..., 3:5] ** 2 * stride", "x[..., 3:5] ** 2 * stride * 2"),
    ),
)

PAIRS = (
    ("the mean of objectness and class", "sums of ones that begin at 1"),
    ("no side longer than its prior", "columns before rows in a permutation"),
    ("labels counted from 1", "rows counted from 1"),
    ("sigmoid twice", "x1, x2, y1, y2 come out"),
)
