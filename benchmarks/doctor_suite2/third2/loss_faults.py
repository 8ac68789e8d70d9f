"""Faults of losses, second third."""

from ..planting import fault

FAULTS = (
    fault(
        "centres and sizes of predictions taken for corners",
        "loss_images",
        "not_minimal wrong_box_format",
        ("found, wanted = to_corners(pred[:, :4])", "found, wanted = pred[:, :4]"),
    ),
    fault(
        "distances of predictions taken for corners",
        "loss_dfl",
        "not_minimal wrong_box_format",
        ("ciou(boxes(mean)[solid]", "ciou(boxes(mean)[solid].abs()"),
    ),
    fault(
        "labels smoothed twice",
        "loss_images",
        "not_minimal",
        ("labels = smoothed(true[mine, 5:])", "labels = smoothed(smoothed(true[mine, 5:]))"),
    ),
    fault(
        "boxes of the cells without an object",
        "loss_flat",
        "gradient_leak no_gradient",
        ("predictions[..., :4][fg] - wanted[fg]", "predictions[..., :4][~fg] - wanted[~fg]"),
    ),
    fault(
        "logits and targets exchanged in the cross-entropy",
        "loss_dfl",
        "not_minimal no_gradient",
        ("(pred[..., 4 * R :], wanted_scores, reduction", "(wanted_scores, pred[..., 4 * R :].sigmoid(), reduction"),
    ),
    fault(
        "predictions decoded without gradient",
        "loss_images",
        "no_gradient",
        ("def to_corners(b):\n", "@torch.no_grad()\ndef to_corners(b):\n"),
    ),
    fault(
        "weights of the bins to both sides exchanged",
        "loss_dfl",
        "not_minimal",
        ("(near * weight_left + far * weight_right)", "(near * weight_right + far * weight_left)"),
    ),
    fault(
        "bins before sides",
        "loss_dfl",
        "not_minimal scrambled_layout",
        (".view(-1, 4, R)", ".view(-1, R, 4).transpose(1, 2)"),
    ),
    fault(
        "the modulating factor of what is right",
        "loss_flat",
        "not_minimal no_gradient",
        ("torch.where(wanted > 0.5, p, 1 - p)", "torch.where(wanted > 0.5, 1 - p, p)"),
    ),
    fault(
        "the modulating factor of logits",
        "loss_flat",
        "not_minimal",
        ("p = logits.sigmoid()", "p = logits"),
    ),
    fault(
        "the root of squares that are 0",
        "loss_images",
        "non_finite",
        (
            "apart = (a[:, :2] + a[:, 2:] - b[:, :2] - b[:, 2:]).square().sum(1) / 4",
            "apart = (a[:, :2] + a[:, 2:] - b[:, :2] - b[:, 2:]).square().sum(1).sqrt()",
        ),
    ),
    fault(
        "logarithms of sides that are 0, times 0",
        "loss_images",
        "non_finite",
        (
            "wide_a, wide_b = (a[:, 2:] - a[:, :2])[mine], (b[:, 2:] - b[:, :2])[mine]",
            "wide_a, wide_b = a[:, 2:] - a[:, :2], b[:, 2:] - b[:, :2]",
        ),
        (
            "(wide_a.clamp(min=1).log() - wide_b.clamp(min=1).log()).abs().sum()",
            "((wide_a.clamp(min=0).log() - wide_b.log()).abs() * mine[:, None]).sum()",
        ),
    ),
    fault(
        "targets of levels joined in the opposite order",
        "loss_dfl",
        "not_minimal levels_reversed not_permutation_invariant",
        ("flatten(predictions), flatten(targets)", "flatten(predictions), flatten(targets[::-1])"),
    ),
    fault(
        "two negative sides make an intersection",
        "loss_images",
        "not_minimal non_finite",
        ("inter_wh.clamp(min=0).prod(1)", "inter_wh.prod(1)"),
    ),
    fault(
        "the mask of the first call",
        "loss_flat",
        "state_leak raises",
        ("fg = targets[..., 4:].sum(-1) > 0.5", 'fg = CACHE.setdefault("fg", targets[..., 4:].sum(-1) > 0.5)'),
    ),
    fault(
        "predictions that are too small cost nothing",
        "loss_flat",
        "no_gradient not_minimal",
        ("n = difference.abs()", "n = difference.relu()"),
    ),
    fault(
        "cells that hold an object in any image",
        "loss_flat",
        "gradient_leak mixed_batch",
        ("predictions[..., :4][fg] - wanted[fg]", "predictions[:, fg.any(0), :4] - wanted[:, fg.any(0)]"),
    ),
    fault(
        "boxes of the first image for all",
        "loss_flat",
        "mixed_batch not_minimal",
        ("wanted = targets[..., :4]", "wanted = targets[:1, :, :4].expand(len(targets), -1, -1)"),
    ),
    fault(
        "each image overwrites the sum",
        "loss_images",
        "no_gradient mixed_batch",
        ("total = total + image_loss(pred, true)", "total = image_loss(pred, true)"),
    ),
    fault(
        "the last positive is noted, where there may be none",
        "loss_flat",
        "raises",
        (
            "count = fg.sum().clamp(min=1)\n",
            'count = fg.sum().clamp(min=1)\n    CACHE["last"] = fg.nonzero()[-1].tolist()\n',
        ),
    ),
    fault(
        "targets cut to whole bins",
        "loss_dfl",
        "not_minimal",
        (
            "sides = true[foreground][:, :4].clamp(0, R - 1.01)",
            "sides = true[foreground][:, :4].clamp(0, R - 1.01).floor()",
        ),
    ),
    fault(
        "the number of cells of an image of 640 px",
        "loss_flat",
        "raises",
        (
            "focal(predictions[..., 4:], targets[..., 4:])",
            "focal(predictions.view(-1, 8400, 9)[..., 4:], targets[..., 4:])",
        ),
    ),
    fault(
        "softmax over the batch",
        "loss_flat",
        "mixed_batch not_minimal",
        ("p = logits.sigmoid()", "p = logits.softmax(0)"),
    ),
)

PAIRS = (
    ("each image overwrites the sum", "labels smoothed twice"),
    ("predictions that are too small cost nothing", "cells that hold an object in any image"),
    ("the modulating factor of logits", "the last positive is noted, where there may be none"),
    ("softmax over the batch", "boxes of the cells without an object"),
)
