"""Faults of decoders, first third."""

from ..planting import fault

SIZE = "wrong_box_unit wrong_box_format wrong_box"  # a size by another function has no name of its own

FAULTS = (
    fault(
        "flat index divided by the number of rows",
        "decoder_bins",
        "scrambled_layout axes_swapped image_size_swapped",
        ("np.divmod(np.arange(h * w), w)", "np.divmod(np.arange(h * w), h)"),
    ),
    fault(
        "no half cell on the coarsest level",
        "decoder_bins",
        "half_cell_offset",
        ("shift = 0.5", "shift = 0.5 if stride < 64 else 0.0"),
    ),
    fault(
        "stride from a constant image width",
        "decoder_topk",
        "wrong_stride",
        ("points = locations(h, w, stride)", "points = locations(h, w, 640 // w)"),
    ),
    fault(
        "strides joined from coarse to fine, cells from fine to coarse",
        "decoder_bins",
        "levels_reversed wrong_stride wrong_box_unit scrambled_layout",
        ("np.concatenate(steps)[:, None]", "np.concatenate(steps[::-1])[:, None]"),
    ),
    fault(
        "priors kept as (height, width)",
        "decoder_anchors",
        "axes_swapped wrong_box_unit",
        ("prior_w, prior_h = ", "prior_h, prior_w = "),
    ),
    fault(
        "exponential of offsets too",
        "decoder_anchors",
        SIZE,
        ("(pred[..., 0] + grid_x)", "(torch.exp(pred[..., 0]) + grid_x)"),
        ("(pred[..., 1] + grid_y)", "(torch.exp(pred[..., 1]) + grid_y)"),
    ),
    fault(
        "1 + t in place of exp(t)",
        "decoder_anchors",
        SIZE,
        ("torch.exp(pred[..., 2])", "(1 + pred[..., 2])"),
        ("torch.exp(pred[..., 3])", "(1 + pred[..., 3])"),
    ),
    fault(
        "the square of sides forgotten",
        "decoder_logits",
        SIZE,
        ("(wh * 2) ** 2 * anchor_grid", "(wh * 2) * anchor_grid"),
    ),
    fault(
        "sides end at 128 px",
        "decoder_anchors",
        "range_ceiling",
        ("torch.exp(pred[..., 2]) * prior_w", "(torch.exp(pred[..., 2]) * prior_w).clamp(max=128)"),
        ("torch.exp(pred[..., 3]) * prior_h", "(torch.exp(pred[..., 3]) * prior_h).clamp(max=128)"),
    ),
    fault(
        "no sigmoid on objectness and classes",
        "decoder_logits",
        "wrong_output class_leak class_wrong objectness_wrong",
        ("torch.cat((xy, wh, conf), 4)", "torch.cat((xy, wh, feature[..., 4:]), 4)"),
    ),
    fault(
        "no softmax over bins",
        "decoder_bins",
        SIZE,
        ("softmax(bins, axis=-1) @", "bins @"),
    ),
    fault(
        "left and top added",
        "decoder_topk",
        "wrong_box_format wrong_box",
        ("points[keep] - regression[keep, :2]", "points[keep] + regression[keep, :2]"),
    ),
    fault(
        "whole sides to the right and down, half to the left and up",
        "decoder_anchors",
        SIZE,
        ("cx + w / 2, cy + h / 2", "cx + w, cy + h"),
    ),
    fault(
        "classes begin at objectness",
        "decoder_anchors",
        "class_wrong class_leak",
        ("conf * pred[..., 5:]", "conf * pred[..., 4:-1]"),
    ),
    fault(
        "objectness for every class",
        "decoder_anchors",
        "class_leak class_wrong",
        ("conf * pred[..., 5:]", "conf.repeat(1, 1, 1, 1, CLASSES)"),
    ),
    fault(
        "objectness of another prior of the cell",
        "decoder_anchors",
        "objectness_wrong object_lost scrambled_layout",
        ("conf = pred[..., 4:5]", "conf = pred.roll(1, 1)[..., 4:5]"),
    ),
    fault(
        "labels not taken along by the threshold",
        "decoder_topk",
        "class_wrong",
        ("score, label = score[keep], label[keep]", "score = score[keep]"),
    ),
    fault(
        "one detection a level",
        "decoder_topk",
        "object_lost",
        ("THRESHOLD, TOPK = 0.05, 1000", "THRESHOLD, TOPK = 0.05, 1"),
    ),
    fault(
        "channels viewed before anchors",
        "decoder_anchors",
        "scrambled_layout",
        (
            "x.view(batch, len(priors), 5 + CLASSES, rows, cols).permute(0, 1, 3, 4, 2)",
            "x.view(batch, 5 + CLASSES, len(priors), rows, cols).permute(0, 2, 3, 4, 1)",
        ),
    ),
    fault(
        "exponential in place of the network's output",
        "decoder_anchors",
        "state_leak",
        ("torch.exp(pred[..., 2])", "pred[..., 2].exp_()"),
        ("torch.exp(pred[..., 3])", "pred[..., 3].exp_()"),
    ),
    fault(
        "the best score of a level that has none",
        "decoder_topk",
        "raises",
        ("torch.where(score > THRESHOLD)[0]", "torch.where(score > 0.1 * score[score > THRESHOLD].max())[0]"),
    ),
    fault(
        "s in place of 2 s - 0.5",
        "decoder_logits",
        SIZE,
        ("(xy * 2 - 0.5 + grid)", "(xy + grid)"),
    ),
    fault(
        "column and row exchanged on the coarsest level",
        "decoder_anchors",
        "axes_swapped",
        (
            "grid_x, grid_y = cell_offsets(rows, cols)\n",
            "grid_x, grid_y = cell_offsets(rows, cols)\n"
            "    if stride == 32:\n"
            "        grid_x, grid_y = grid_y, grid_x\n",
        ),
    ),
    fault(
        "points in px multiplied by strides together with sides",
        "decoder_bins",
        "wrong_box_unit wrong_stride",
        ("dist = dist * steps\n", "dist = dist * 1.0\n"),
        (
            "points + dist[..., 2:]], axis=-1)",
            "points + dist[..., 2:]], axis=-1) * steps",
        ),
    ),
    fault(
        "the unlikeliest class",
        "decoder_topk",
        "class_wrong",
        ("score, label = probability.max(dim=1)", "score, label = probability.amax(dim=1), probability.argmin(dim=1)"),
    ),
    fault(
        "cells at the border silenced",
        "decoder_topk",
        "object_lost edge_crash",
        (
            "score, label = probability.max(dim=1)\n",
            "score, label = probability.max(dim=1)\n"
            "    inner = torch.zeros(h, w)\n"
            "    inner[1:-1, 1:-1] = 1\n"
            "    score = score * inner.flatten()\n",
        ),
    ),
)

PAIRS = (
    ("priors kept as (height, width)", "objectness of another prior of the cell"),
    ("1 + t in place of exp(t)", "column and row exchanged on the coarsest level"),
    ("left and top added", "the unlikeliest class"),
    ("stride from a constant image width", "labels not taken along by the threshold"),
)
