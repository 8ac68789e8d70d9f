"""Faults of losses, last third."""

from ..planting import fault

FAULTS = (
    fault(
        "the logarithm of the overlap without its minus",
        "loss_bins",
        "not_minimal",
        ("overlap = -log_overlap(", "overlap = log_overlap("),
    ),
    fault(
        "the mask of the first image for all",
        "loss_peaks",
        "mixed_batch gradient_leak no_gradient",
        ("mask = true[:, 0] > 0", "mask = (true[:1, 0] > 0).expand(len(true), -1, -1)"),
    ),
    fault(
        "how many kinds are wrong",
        "loss_kinds",
        "no_gradient",
        ("return -likelihood.sum()", "return (p[:, 5:].argmax(1) != label).float().sum()"),
    ),
    fault(
        "bins around the prediction, not the target",
        "loss_bins",
        "not_minimal no_gradient",
        ("left = side.long().clamp(0, R - 2)", "left = mean.detach().long().clamp(0, R - 2)"),
    ),
    fault(
        "the lower of the two bins alone",
        "loss_bins",
        "not_minimal",
        ("(near * (left + 1 - side) + far * (side - left)).sum()", "near.sum()"),
    ),
    fault(
        "distances in px taken for bins",
        "loss_bins",
        "not_minimal wrong_box_unit",
        (
            "sides = in_bins(true[:, :4].permute(0, 2, 3, 1)[mine], stride)",
            "sides = in_bins(true[:, :4].permute(0, 2, 3, 1)[mine], 1)",
        ),
    ),
    fault(
        "the logarithm of 1 - p where p is 1",
        "loss_kinds",
        "non_finite",
        ("logsigmoid(logits), logsigmoid(-logits)", "logits.sigmoid().log(), (1 - logits.sigmoid()).log()"),
    ),
    fault(
        "kinds of targets begin at objectness",
        "loss_kinds",
        "not_minimal class_wrong",
        ("label = t[:, 5:].argmax(1)", "label = t[:, 4:-1].argmax(1)"),
    ),
    fault(
        "the first kind left out, as if it were background",
        "loss_kinds",
        "no_gradient",
        (
            "    return -likelihood.sum()",
            "    kept = label > 0\n"
            "    likelihood = p[kept, 6:].log_softmax(1).gather(1, label[kept, None] - 1)\n"
            "    return -likelihood.sum()",
        ),
    ),
    fault(
        "cells weigh less the farther they are from the middle of the image",
        "loss_peaks",
        "not_permutation_invariant",
        (
            'true[:, 0], reduction="none")\n',
            'true[:, 0], reduction="none")\n'
            "    high, wide = (torch.linspace(-2, 2, side) for side in logits.shape[1:])\n"
            "    obj = obj * torch.exp(-(high[:, None] ** 2) - wide**2)\n",
        ),
    ),
    fault(
        "objectness smoothed over neighbours",
        "loss_peaks",
        "not_permutation_invariant not_minimal",
        ("logits = pred[:, 0]\n", "logits = F.avg_pool2d(pred[:, :1], 3, 1, 1)[:, 0]\n"),
    ),
    fault(
        "logarithms of predicted sides, which may be negative",
        "loss_peaks",
        "non_finite",
        (
            "wide = (found[:, 2] - wanted[:, 2]).abs()",
            "wide = (found[:, 2].log() - wanted[:, 2].clamp(min=1).log()).abs()",
        ),
        (
            "high = (found[:, 3] - wanted[:, 3]).abs()",
            "high = (found[:, 3].log() - wanted[:, 3].clamp(min=1).log()).abs()",
        ),
    ),
    fault(
        "a weight that grows from call to call",
        "loss_kinds",
        "state_leak",
        (
            "total, count = 0.0, 0\n",
            "total, count = 0.0, 0\n    STEP[0] += 1\n    warm = 1 + 0.01 * STEP[0]\n",
        ),
        ("3 * box +", "3 * warm * box +"),
    ),
    fault(
        "width twice and height never",
        "loss_peaks",
        "no_gradient",
        ("high = (found[:, 3] - wanted[:, 3]).abs()", "high = (found[:, 2] - wanted[:, 2]).abs()"),
    ),
    fault(
        "errors below a margin cost nothing",
        "loss_peaks",
        "no_gradient not_minimal",
        ("wide = (found[:, 2] - wanted[:, 2]).abs()", "wide = ((found[:, 2] - wanted[:, 2]).abs() - 4).relu()"),
        ("high = (found[:, 3] - wanted[:, 3]).abs()", "high = ((found[:, 3] - wanted[:, 3]).abs() - 4).relu()"),
    ),
    fault(
        "a sigmoid on offsets that have none",
        "loss_kinds",
        "not_minimal",
        ("p_xy, p_prior = p[:, :2], prior", "p_xy, p_prior = p[:, :2].sigmoid(), prior"),
    ),
    fault(
        "priors as (height, width) for predictions",
        "loss_kinds",
        "not_minimal axes_swapped",
        ("p_xy, p_prior = p[:, :2], prior", "p_xy, p_prior = p[:, :2], prior.flip(1)"),
    ),
    fault(
        "strides from coarse to fine for predictions",
        "loss_bins",
        "not_minimal levels_reversed wrong_stride",
        ("decoded = mean * stride", "decoded = mean * STRIDES[-1 - level]"),
    ),
    fault(
        "a penalty on the boxes of all cells",
        "loss_peaks",
        "gradient_leak not_minimal",
        ("(obj.sum() + cls + box)", "(obj.sum() + cls + box + 0.05 * pred[:, 1:5].square().sum())"),
    ),
    fault(
        "neighbours of cells with an object pay for boxes",
        "loss_peaks",
        "gradient_leak",
        ("mask = true[:, 0] > 0", "mask = F.max_pool2d(true[:, :1], 3, 1, 1)[:, 0] > 0"),
    ),
    fault(
        "images and priors of predictions flattened in the other order",
        "loss_kinds",
        "mixed_batch not_minimal scrambled_layout",
        (
            "p, t = rows(pred), rows(true)",
            "p, t = rows(pred), rows(true)\n        p = p.view(b, A, -1, 5 + K).transpose(0, 1).reshape(-1, 5 + K)",
        ),
    ),
    fault(
        "the likelihood without its minus",
        "loss_kinds",
        "not_minimal",
        ("return -likelihood.sum()", "return likelihood.sum()"),
    ),
)

PAIRS = (
    ("priors as (height, width) for predictions", "how many kinds are wrong"),
    ("width twice and height never", "cells weigh less the farther they are from the middle of the image"),
    ("neighbours of cells with an object pay for boxes", "objectness smoothed over neighbours"),
    ("a weight that grows from call to call", "kinds of targets begin at objectness"),
)
