"""Faults of decoders, fifth part."""

from ..planting import fault

SIZE = "wrong_box_unit wrong_box_format wrong_box"  # a size by another function has no name of its own

FAULTS = (
    fault(
        "what is no peak in place of what is one",
        "decoder_heat",
        "object_lost",
        ("(highest == heat)", "(highest != heat)"),
    ),
    fault(
        "rows from the number that counts classes as well",
        "decoder_heat",
        "wrong_cell wrong_box scrambled_layout object_lost",
        ("place // w, place % w", "index // w, index % w"),
    ),
    fault(
        "channels of offsets and of sizes exchanged",
        "decoder_heat",
        "wrong_box_format wrong_box",
        ("    wh = gather(out[:, K : K + 2]", "    wh = gather(out[:, K + 2 : K + 4]"),
        ("    reg = gather(out[:, K + 2 : K + 4]", "    reg = gather(out[:, K : K + 2]"),
    ),
    fault(
        "the offset along x for both axes",
        "decoder_heat",
        "wrong_box_format wrong_box",
        ("row + reg[..., 1]", "row + reg[..., 0]"),
    ),
    fault(
        "no side shorter than three cells",
        "decoder_heat",
        "wrong_box",
        ("gather(out[:, K : K + 2], place)", "gather(out[:, K : K + 2], place).clamp(min=3)"),
    ),
    fault(
        "centres brought to px, sizes left in cells",
        "decoder_heat",
        SIZE,
        ("xs = col + reg[..., 0]", "xs = (col + reg[..., 0]) * STRIDE"),
        ("ys = row + reg[..., 1]", "ys = (row + reg[..., 1]) * STRIDE"),
        ("ys + half_h), 2) * STRIDE", "ys + half_h), 2)"),
    ),
    fault(
        "ids of a table with a gap",
        "decoder_heat",
        "class_wrong wrong_output",
        ("kind.unsqueeze(2).float()", "torch.tensor((0, 2, 3))[kind].unsqueeze(2).float()"),
    ),
    fault(
        "points kept for so many cells, whatever their shape",
        "decoder_points",
        "state_leak scrambled_layout axes_swapped image_size_swapped",
        ("key = (h, w, stride)", "key = (h * w, stride)"),
    ),
    fault(
        "boxes come out where their class was moved to",
        "decoder_points",
        "wrong_box wrong_cell object_lost box_outside",
        ('{"boxes": boxes[keep]', '{"boxes": apart[keep]'),
    ),
    fault(
        "strides sorted as words",
        "decoder_points",
        "wrong_stride wrong_box_unit",
        ("sorted(HEADS, key=int)", "sorted(HEADS)"),
    ),
    fault(
        "corners written over the distances",
        "decoder_points",
        "state_leak",
        (
            "    return torch.cat((at - lt * stride, at + rb * stride), -1)\n",
            "    distances[..., :2], distances[..., 2:] = at - lt * stride, at + rb * stride\n    return distances\n",
        ),
    ),
    fault(
        "a range that ends before the last level",
        "decoder_points",
        "level_unused object_lost",
        ("range(len(outputs))", "range(len(outputs) - 1)"),
    ),
    fault(
        "every second number in place of the first two",
        "decoder_points",
        "wrong_box_format wrong_box axes_swapped",
        ("lt, rb = distances.chunk(2, -1)", "lt, rb = distances[..., ::2], distances[..., 1::2]"),
    ),
    fault(
        "a sigmoid stretched and not moved back",
        "decoder_scaled",
        SIZE,
        ("* ALPHA - SHIFT + grid(h, w)", "* ALPHA + grid(h, w)"),
    ),
    fault(
        "the cell stretched with the offset in it",
        "decoder_scaled",
        "wrong_stride wrong_box_unit wrong_box wrong_cell",
        (
            "feats[..., :2].sigmoid() * ALPHA - SHIFT + grid(h, w)",
            "(feats[..., :2].sigmoid() + grid(h, w)) * ALPHA - SHIFT",
        ),
    ),
    fault(
        "every third prior in place of the level's own",
        "decoder_scaled",
        "wrong_box_unit wrong_box",
        ("own = [left.pop(0) for _ in range(A)]", "own = PRIORS[k :: len(STRIDES)]"),
    ),
    fault(
        "a cell counts where all of its priors are sure",
        "decoder_scaled",
        "object_lost objectness_wrong",
        ("sure = confidence > 0.005", "sure = (confidence > 0.005).all(3, keepdim=True)"),
    ),
    fault(
        "a sigmoid before the exponential of sides",
        "decoder_scaled",
        f"{SIZE} range_ceiling",
        ("feats[..., 2:4].exp()", "feats[..., 2:4].sigmoid().exp()"),
    ),
    fault(
        "the last class lost to the end of a slice",
        "decoder_scaled",
        "wrong_output class_wrong object_lost",
        ("feats[..., 5:].sigmoid()", "feats[..., 5:-1].sigmoid()"),
    ),
    fault(
        "cut to 0 and 1 in px",
        "decoder_scaled",
        "wrong_box_unit wrong_box object_lost range_ceiling box_outside",
        ("return torch.cat(boxes, 1), torch", "return torch.cat(boxes, 1).clamp(0, 1), torch"),
    ),
    fault(
        "priors taken out of their list, which is no copy",
        "decoder_scaled",
        "state_leak raises",
        ("left, boxes, scores = list(PRIORS), [], []", "left, boxes, scores = PRIORS, [], []"),
    ),
    fault(
        "functions made in a loop, which all see its last stride",
        "decoder_scaled",
        "wrong_stride wrong_box_unit",
        ("lambda cells, stride=stride: cells", "lambda cells: cells"),
    ),
)

PAIRS = (
    ("channels of offsets and of sizes exchanged", "ids of a table with a gap"),
    ("no side shorter than three cells", "ids of a table with a gap"),
    ("centres brought to px, sizes left in cells", "ids of a table with a gap"),
    ("corners written over the distances", "every second number in place of the first two"),
    ("corners written over the distances", "strides sorted as words"),
    ("a range that ends before the last level", "strides sorted as words"),
    ("a range that ends before the last level", "every second number in place of the first two"),
    ("a sigmoid stretched and not moved back", "priors taken out of their list, which is no copy"),
    ("functions made in a loop, which all see its last stride", "the last class lost to the end of a slice"),
    ("every third prior in place of the level's own", "the last class lost to the end of a slice"),
)
