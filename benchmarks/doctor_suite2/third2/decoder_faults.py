"""Faults of decoders, second third."""

from ..planting import fault

SIZE = "wrong_box_unit wrong_box_format wrong_box"  # a size by another function has no name of its own
PROJECTION = "torch.arange(R).float()"

FAULTS = (
    fault(
        "points counted down the columns",
        "decoder_dfl",
        "axes_swapped scrambled_layout",
        ('sy, sx = torch.meshgrid(sy, sx, indexing="ij")', 'sx, sy = torch.meshgrid(sx, sy, indexing="ij")'),
    ),
    fault(
        "corners of cells spread evenly from border to border",
        "decoder_suppressed",
        "wrong_stride half_cell_offset off_by_one_cell wrong_box",
        ("xs = torch.arange(w) * stride", "xs = torch.linspace(0, w * stride, w)"),
        ("ys = torch.arange(h) * stride", "ys = torch.linspace(0, h * stride, h)"),
    ),
    fault(
        "rows counted from the bottom",
        "decoder_deltas",
        "scrambled_layout wrong_cell wrong_box",
        ("ys, xs = np.mgrid[:h, :w]", "ys, xs = np.mgrid[:h, :w][:, ::-1]"),
    ),
    fault(
        "no half cell along x",
        "decoder_deltas",
        "half_cell_offset",
        ("(xs[..., None] + 0.5)", "xs[..., None]"),
    ),
    fault(
        "boxes of levels joined from coarse to fine, scores from fine to coarse",
        "decoder_dfl",
        "levels_reversed scrambled_layout",
        ("[level[:, : 4 * R] for level in outputs]", "[level[:, : 4 * R] for level in outputs[::-1]]"),
    ),
    fault(
        "priors divided by the stride",
        "decoder_deltas",
        "wrong_box_unit wrong_box",
        ("np.array(priors, dtype=np.float32)", "np.array(priors, dtype=np.float32) / stride"),
    ),
    fault(
        "powers of 2 in place of e",
        "decoder_deltas",
        SIZE,
        ("np.exp(deltas[..., 2])", "np.exp2(deltas[..., 2])"),
        ("np.exp(deltas[..., 3])", "np.exp2(deltas[..., 3])"),
    ),
    fault("softmax over the four sides", "decoder_dfl", SIZE, (".softmax(3)", ".softmax(2)")),
    fault("bins counted backwards", "decoder_dfl", SIZE, (PROJECTION, "torch.arange(R - 1, -1, -1).float()")),
    fault("bins from 0 to their number", "decoder_dfl", SIZE, (PROJECTION, "torch.linspace(0, R, R)")),
    fault("bins as shares of the largest", "decoder_dfl", SIZE, (PROJECTION, "torch.linspace(0, 1, R)")),
    fault(
        "sides read as top, left, bottom, right",
        "decoder_dfl",
        "axes_swapped wrong_box_format",
        ("lt, rb = distance.chunk(2, -1)", "lt, rb = distance[..., [1, 0, 3, 2]].chunk(2, -1)"),
    ),
    fault(
        "right and bottom exchanged",
        "decoder_dfl",
        "axes_swapped wrong_box_format wrong_box",
        ("points + rb)", "points + rb.flip(-1))"),
    ),
    fault(
        "boxes left as shares",
        "decoder_shares",
        "wrong_box_unit",
        ("boxes = boxes * scale", "boxes = boxes * 1.0"),
    ),
    fault(
        "the offset in the cell left out",
        "decoder_deltas",
        "wrong_box saturated_offset",
        ("cx = centre_x + deltas[..., 0] * sizes[:, 0]", "cx = centre_x + 0 * deltas[..., 0]"),
        ("cy = centre_y + deltas[..., 1] * sizes[:, 1]", "cy = centre_y + 0 * deltas[..., 1]"),
    ),
    fault(
        "the last px of a box is its corner less 1",
        "decoder_shares",
        "wrong_box wrong_box_format",
        ("boxes = boxes * scale", "boxes = boxes * scale - torch.tensor([0, 0, 1, 1])"),
    ),
    fault(
        "levels joined under one another before images are split off",
        "decoder_suppressed",
        "mixed_batch scrambled_layout",
        (
            "torch.cat([level.flatten(2).transpose(1, 2) for level in outputs], 1)",
            "torch.cat([level.flatten(2).transpose(1, 2).reshape(-1, NO) for level in outputs])"
            ".view(len(outputs[0]), -1, NO)",
        ),
    ),
    fault(
        "an array that shares its memory with the network's output",
        "decoder_deltas",
        "state_leak",
        ("np.exp(deltas[..., 2])", "np.exp(deltas[..., 2], out=deltas[..., 2])"),
        ("np.exp(deltas[..., 3])", "np.exp(deltas[..., 3], out=deltas[..., 3])"),
    ),
    fault(
        "lists as defaults of arguments",
        "decoder_deltas",
        "state_leak",
        (
            "def decode(outputs):\n    all_boxes, all_scores = [], []\n",
            "def decode(outputs, all_boxes=[], all_scores=[]):\n",
        ),
    ),
    fault(
        "the first image alone comes out",
        "decoder_shares",
        "wrong_output mixed_batch object_lost",
        ("return boxes, outputs[..., :5]", "return boxes[:1], outputs[:1, :, :5]"),
    ),
    fault(
        "shares of a constant 640 px",
        "decoder_shares",
        "wrong_box_unit image_size_swapped",
        ("torch.tensor([WIDTH, HEIGHT, WIDTH, HEIGHT])", "640"),
    ),
    fault("2 s in place of 2 s - 0.5", "decoder_suppressed", "half_cell_offset", ("* 2 - 0.5)", "* 2)")),
    fault(
        "px of cells in eight bits",
        "decoder_suppressed",
        "wrong_box wrong_cell scrambled_layout",
        ("xs = torch.arange(w) * stride", "xs = torch.arange(w, dtype=torch.uint8) * stride"),
        ("ys = torch.arange(h) * stride", "ys = torch.arange(h, dtype=torch.uint8) * stride"),
    ),
    fault(
        "sides multiplied by the stride twice",
        "decoder_suppressed",
        SIZE,
        ("x[..., 2:4].exp() * steps", "x[..., 2:4].exp() * steps * steps"),
    ),
    fault(
        "half a cell counted in px",
        "decoder_dfl",
        "off_by_one_cell half_cell_offset wrong_cell wrong_box",
        ("sx = torch.arange(w) + offset", "sx = torch.arange(w) + offset * stride"),
        ("sy = torch.arange(h) + offset", "sy = torch.arange(h) + offset * stride"),
    ),
    fault(
        "everything in px of an image half as large",
        "decoder_shares",
        "wrong_box_unit wrong_stride wrong_box",
        ("boxes = boxes * scale", "boxes = boxes * scale / 2"),
    ),
)

PAIRS = (
    ("priors divided by the stride", "no half cell along x"),
    ("2 s in place of 2 s - 0.5", "levels joined under one another before images are split off"),
    (
        "sides read as top, left, bottom, right",
        "boxes of levels joined from coarse to fine, scores from fine to coarse",
    ),
    ("shares of a constant 640 px", "the first image alone comes out"),
)
