"""Faults of losses, first third."""

from ..planting import fault

FAULTS = (
    fault(
        "distance from a centre to a corner",
        "loss_distance",
        "not_minimal wrong_box_format",
        ("(a[:, :2] + a[:, 2:]) / 2, (b[:, :2] + b[:, 2:]) / 2", "(a[:, :2] + a[:, 2:]) / 2, b[:, :2]"),
    ),
    fault(
        "x and y of cells exchanged for predictions",
        "loss_distance",
        "not_minimal axes_swapped not_permutation_invariant",
        ("corners(found, points)", "corners(found, points.flip(1))"),
    ),
    fault(
        "a level weighs nothing",
        "loss_distance",
        "no_gradient",
        ("[2.0, 1.0, 0.5]", "[2.0, 1.0, 0.0]"),
    ),
    fault(
        "a level weighs less than nothing",
        "loss_distance",
        "not_minimal",
        ("[2.0, 1.0, 0.5]", "[2.0, 1.0, -0.5]"),
    ),
    fault(
        "return within the loop over levels",
        "loss_distance",
        "no_gradient",
        ("total = total + weight * part", "return (total + weight * part) / positives.clamp(min=1)"),
    ),
    fault(
        "each level overwrites the sum",
        "loss_distance",
        "no_gradient",
        ("total = total + weight * part", "total = weight * part"),
    ),
    fault(
        "the hull taken for the intersection",
        "loss_distance",
        "not_minimal non_finite",
        ("lt = torch.max(a[:, :2], b[:, :2])", "lt = torch.min(a[:, :2], b[:, :2])"),
        ("rb = torch.min(a[:, 2:], b[:, 2:])", "rb = torch.max(a[:, 2:], b[:, 2:])"),
    ),
    fault(
        "area by the width twice",
        "loss_distance",
        "not_minimal",
        ("(a[:, 2] - a[:, 0]) * (a[:, 3] - a[:, 1])", "(a[:, 2] - a[:, 0]) * (a[:, 2] - a[:, 0])"),
    ),
    fault(
        "only cells with an object pay for objectness",
        "loss_distance",
        "no_gradient",
        ("pred[:, OBJECTNESS], obj, reduction", "pred[:, OBJECTNESS], obj, weight=obj, reduction"),
    ),
    fault(
        "objectness learns its opposite",
        "loss_distance",
        "not_minimal objectness_wrong",
        ("pred[:, OBJECTNESS], obj, reduction", "pred[:, OBJECTNESS], 1 - obj, reduction"),
    ),
    fault(
        "a tuple of loss and parts comes out",
        "loss_distance",
        "wrong_output raises",
        ("return total / positives.clamp(min=1)", 'return total / positives.clamp(min=1), {"positives": positives}'),
    ),
    fault(
        "a new tensor of the number comes out",
        "loss_distance",
        "no_gradient wrong_output",
        (
            "return total / positives.clamp(min=1)",
            "return torch.tensor((total / positives.clamp(min=1)).item(), requires_grad=True)",
        ),
    ),
    fault(
        "predictions brought to px in place",
        "loss_distance",
        "state_leak raises",
        (
            "    found, wanted = pred[b, BOX, i, j], true[b, BOX, i, j]\n",
            "    pred.data[:, BOX] *= stride\n"
            "    found, wanted = pred[b, BOX, i, j], true[b, BOX, i, j] * stride\n"
            "    points = points * stride\n",
        ),
    ),
    fault(
        "channels of predictions viewed before anchors",
        "loss_priors",
        "not_minimal scrambled_layout",
        (
            "def rows_of_predictions(level):\n    b, _, h, w = level.shape\n"
            "    return level.view(b, A, 5 + K, h, w).permute(0, 1, 3, 4, 2)",
            "def rows_of_predictions(level):\n    b, _, h, w = level.shape\n"
            "    return level.view(b, 5 + K, A, h, w).permute(0, 2, 3, 4, 1)",
        ),
    ),
    fault(
        "softmax over cells in place of classes",
        "loss_priors",
        "mixed_batch no_gradient not_minimal",
        (
            'F.cross_entropy(p[:, 5:], label, reduction="sum")',
            "-p[:, 5:].log_softmax(0).gather(1, label[:, None]).sum()",
        ),
    ),
    fault(
        "the mean of each class, of which some are absent",
        "loss_priors",
        "non_finite",
        (
            'F.cross_entropy(p[:, 5:], label, reduction="sum")',
            "sum(F.cross_entropy(p[label == k, 5:], label[label == k]) for k in range(K))",
        ),
    ),
    fault(
        "(n, 1) less (n,)",
        "loss_priors",
        "not_minimal mixed_batch",
        ("conf = p[:, 4].sigmoid()", "conf = p[:, 4:5].sigmoid()"),
    ),
    fault(
        "only the sum of width and height counts",
        "loss_priors",
        "no_gradient not_minimal",
        ("(p[:, 2:4] - t[:, 2:4]).square().sum()", "(p[:, 2:4] - t[:, 2:4]).sum(1).square().sum()"),
    ),
    fault(
        "divided by the objects of the first level",
        "loss_priors",
        "non_finite",
        ("torch.stack(counts).sum().clamp(min=1)", "counts[0]"),
    ),
    fault(
        "the worse the box, the higher the score",
        "loss_quality",
        "not_minimal",
        (
            "overlaps(pred[mine, :4], true[mine, :4])[0].detach()",
            "1 - overlaps(pred[mine, :4], true[mine, :4])[0].detach()",
        ),
    ),
    fault(
        "logits clamped where a sigmoid belongs",
        "loss_quality",
        "no_gradient not_minimal",
        ("score.sigmoid().clamp(1e-6, 1 - 1e-6)", "score.clamp(1e-6, 1 - 1e-6)"),
    ),
    fault(
        "overlap of all cells, and what is not a number times 0",
        "loss_quality",
        "non_finite",
        ("shared / whole.clamp(min=EPS)", "shared / whole"),
        ("    p, t = pred[mine, :4], true[mine, :4]\n", "    p, t = pred[:, :4], true[:, :4]\n"),
        ("(1 - overlaps(p, t)[1]).sum()", "((1 - overlaps(p, t)[1]) * mine).sum()"),
    ),
    fault(
        "the mean overlap of every box with every other",
        "loss_quality",
        "not_minimal mixed_batch",
        (
            "(1 - overlaps(p, t)[1]).sum()",
            "(1 - overlaps(p.repeat_interleave(len(t), 0), t.repeat(len(p), 1))[1]).sum() / max(len(t), 1)",
        ),
    ),
)

PAIRS = (
    ("objectness learns its opposite", "a level weighs nothing"),
    ("distance from a centre to a corner", "predictions brought to px in place"),
    ("channels of predictions viewed before anchors", "the mean of each class, of which some are absent"),
    ("only the sum of width and height counts", "divided by the objects of the first level"),
)
