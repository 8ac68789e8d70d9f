"""Faults of losses, fifth part."""

from ..planting import fault

FAULTS = (
    fault(
        "how central a point is in the predicted box",
        "loss_central",
        "not_minimal mixed_batch non_finite",
        ("central = centredness(goal)", "central = centredness(reg)"),
    ),
    fault(
        "how central a point is without the root",
        "loss_central",
        "not_minimal",
        ("(tb.amin(1) / tb.amax(1))).sqrt()", "(tb.amin(1) / tb.amax(1)))"),
    ),
    fault(
        "the overlap along x times the predicted height",
        "loss_central",
        "not_minimal",
        (
            "(inner[:, 0] + inner[:, 2]) * (inner[:, 1] + inner[:, 3])",
            "(inner[:, 0] + inner[:, 2]) * (reg[:, 1] + reg[:, 3])",
        ),
    ),
    fault(
        "of what all objects cost the first alone",
        "loss_central",
        "no_gradient not_permutation_invariant",
        ("(iou_loss(reg, goal) * central).sum()", "(iou_loss(reg, goal) * central)[:1].sum()"),
    ),
    fault(
        "a part added as a number",
        "loss_central",
        "no_gradient",
        ("return kinds + boxes", "return kinds.item() + boxes"),
    ),
    fault(
        "cells of the first class alone hold objects",
        "loss_central",
        "no_gradient object_lost",
        ("want[..., :K].amax(-1) > 0.5", "want[..., 0] > 0.5"),
    ),
    fault(
        "no overlap below a fifth",
        "loss_central",
        "no_gradient",
        ("return -overlap.log()", "return -overlap.clamp(min=0.2).log()"),
    ),
    fault(
        "the easiest of the background in place of the hardest",
        "loss_mined",
        "no_gradient",
        ("argsort(1, descending=True)", "argsort(1)"),
    ),
    fault(
        "an order taken for ranks",
        "loss_mined",
        "no_gradient not_permutation_invariant",
        ("rank = order.argsort(1)", "rank = order"),
    ),
    fault(
        "the hardest of the batch in place of each image's",
        "loss_mined",
        "mixed_batch no_gradient",
        (
            "    order = cost.argsort(1, descending=True)\n    rank = order.argsort(1)\n",
            "    rank = cost.flatten().argsort(descending=True).argsort().view_as(cost)\n",
        ),
        ("(RATIO * positive.sum(1, keepdim=True)).clamp", "(RATIO * positive.sum()).clamp"),
    ),
    fault(
        "labels not moved on past the background",
        "loss_mined",
        "not_minimal class_wrong objectness_wrong",
        ("(targets[..., 4:].argmax(-1) + 1) * positive", "targets[..., 4:].argmax(-1) * positive"),
    ),
    fault(
        "targets times variances",
        "loss_mined",
        "not_minimal wrong_box_unit wrong_box",
        ("goal = targets[..., :4] / VARIANCES", "goal = targets[..., :4] * VARIANCES"),
    ),
    fault(
        "a mask repeated in turn, not each four times",
        "loss_mined",
        "gradient_leak no_gradient not_permutation_invariant",
        ("positive.unsqueeze(-1).expand_as(loc)", "positive.repeat(1, 4).view_as(loc)"),
    ),
    fault(
        "classes brought to the second axis by a view",
        "loss_mined",
        "not_minimal scrambled_layout not_permutation_invariant",
        ("conf.transpose(1, 2)", "conf.reshape(len(conf), -1, conf.shape[1])"),
    ),
    fault(
        "the last of four numbers left out",
        "loss_mined",
        "no_gradient",
        ("F.smooth_l1_loss(loc_p, loc_t,", "F.smooth_l1_loss(loc_p[:, :-1], loc_t[:, :-1],"),
    ),
    fault(
        "the class's number as the target of every class",
        "loss_ids",
        "not_minimal class_wrong class_leak",
        ("kinds = F.one_hot(goal[:, 5].long(), K).float()", "kinds = goal[:, 5:].expand(-1, K)"),
    ),
    fault(
        "objects where the class's number is not 0",
        "loss_ids",
        "not_minimal no_gradient object_lost objectness_wrong",
        ("held = want[..., 4] > 0.5", "held = want[..., 5] > 0"),
    ),
    fault(
        "a mask that is still of truth values as the target",
        "loss_ids",
        "raises wrong_output",
        ("(pred[..., 4], held.float(),", "(pred[..., 4], held,"),
    ),
    fault(
        "a number for each image comes out",
        "loss_ids",
        "wrong_output raises",
        ('held.float(), reduction="sum")', 'held.float(), reduction="none").sum(1)'),
    ),
    fault(
        "boxes cost nothing for a dozen calls",
        "loss_ids",
        "state_leak no_gradient",
        ("K = 3\n", "K = 3\nCALLS = []\n"),
        (
            "    return (boxes + exact + sure + which)",
            "    CALLS.append(len(own))\n"
            "    boxes, exact = (part * (len(CALLS) > 12) for part in (boxes, exact))\n"
            "    return (boxes + exact + sure + which)",
        ),
    ),
    fault(
        "objectness learns the next channel",
        "loss_ids",
        "not_minimal objectness_wrong",
        ("(pred[..., 4], held.float(),", "(pred[..., 4], want[..., 5],"),
    ),
    fault(
        "the root of an overlap that may be 0",
        "loss_ids",
        "non_finite",
        ("(1 - iou**2)", "(1 - iou**0.5)"),
    ),
)

PAIRS = (
    ("how central a point is without the root", "a part added as a number"),
    ("how central a point is without the root", "of what all objects cost the first alone"),
    ("the overlap along x times the predicted height", "a part added as a number"),
    ("how central a point is in the predicted box", "cells of the first class alone hold objects"),
    ("labels not moved on past the background", "the last of four numbers left out"),
    ("targets times variances", "the easiest of the background in place of the hardest"),
    ("labels not moved on past the background", "a mask repeated in turn, not each four times"),
    ("objectness learns the next channel", "the root of an overlap that may be 0"),
    ("objectness learns the next channel", "boxes cost nothing for a dozen calls"),
    ("the class's number as the target of every class", "the root of an overlap that may be 0"),
)
