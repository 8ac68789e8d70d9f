"""Faults of losses, fourth part."""

from ..planting import fault

FAULTS = (
    fault(
        "differences neither squared nor absolute",
        "loss_squares",
        "not_minimal",
        ("(box_pred - box_target).square().sum()", "(box_pred - box_target).sum()"),
    ),
    fault(
        "boxes where the prediction is sure of an object, not where one is",
        "loss_squares",
        "gradient_leak no_gradient",
        (
            "        coo_pred, coo_target = pred[coo_mask], target[coo_mask]\n"
            "        box = self.coordinates(coo_pred[:, :4], coo_target[:, :4])\n",
            "        coo_pred, coo_target = pred[coo_mask], target[coo_mask]\n"
            "        sure = pred[:, 4] > 0.5\n"
            "        box = self.coordinates(pred[sure, :4], target[sure, :4])\n",
        ),
    ),
    fault(
        "divided by the objects of each image, of which one may have none",
        "loss_squares",
        "non_finite",
        (
            "        value = self.l_coord * box",
            "        each = (targets[0][:, 4] > 0).sum((1, 2))\n"
            "        image = torch.arange(len(each)).repeat_interleave(len(target) // len(each))\n"
            "        no_object = pred[:, 4].square() * noo_mask / each[image]\n"
            "        not_contain = no_object.sum() * len(each)\n"
            "        value = self.l_coord * box",
        ),
    ),
    fault(
        "sides of targets as (height, width)",
        "loss_squares",
        "not_minimal axes_swapped",
        ("coo_pred[:, :4], coo_target[:, :4])", "coo_pred[:, :4], coo_target[:, [0, 1, 3, 2]])"),
    ),
    fault(
        "targets sorted by area, predictions as they come",
        "loss_squares",
        "not_minimal mixed_batch mixed_objects scrambled_layout not_permutation_invariant",
        (
            "        box = self.coordinates(",
            "        largest = coo_target[:, 2:4].prod(1).argsort(descending=True)\n"
            "        coo_target = coo_target[largest]\n"
            "        box = self.coordinates(",
        ),
    ),
    fault(
        "objectness of objects left out",
        "loss_squares",
        "no_gradient",
        ("* box + contain + self", "* box + self"),
    ),
    fault(
        "predictions cut to shares before the squares",
        "loss_squares",
        "no_gradient",
        ("pred, target = self.rows(predictions[0]), ", "pred, target = self.rows(predictions[0]).clamp(0, 1), "),
    ),
    fault(
        "the sum of all calls so far, with their graphs",
        "loss_squares",
        "state_leak raises",
        (
            "        return value / len(predictions[0])",
            '        RUNNING["total"] = RUNNING["total"] + value / len(predictions[0])\n'
            '        return RUNNING["total"]',
        ),
    ),
    fault(
        "no object means the first class",
        "loss_matched",
        "not_minimal class_wrong class_leak",
        ("torch.full(targets.shape[:2], K)", "torch.full(targets.shape[:2], 0)"),
    ),
    fault(
        "a softmax before the cross-entropy that has one",
        "loss_matched",
        "no_gradient",
        ("F.cross_entropy(logits.transpose(1, 2), ", "F.cross_entropy(logits.softmax(-1).transpose(1, 2), "),
    ),
    fault(
        "classes not brought to the second axis",
        "loss_matched",
        "raises wrong_output",
        ("logits.transpose(1, 2)", "logits"),
    ),
    fault(
        "objects of all images looked up in the first",
        "loss_matched",
        "mixed_batch not_minimal gradient_leak no_gradient",
        ("flat[batch * boxes.shape[1] + query]", "flat[query]"),
    ),
    fault(
        "predictions in px, targets in shares",
        "loss_matched",
        "not_minimal wrong_box_unit",
        ("flat = boxes.flatten(0, 1)", "flat = boxes.flatten(0, 1) * torch.tensor([320, 192, 320, 192])"),
    ),
    fault(
        "a name that the table of weights does not have",
        "loss_matched",
        "no_gradient",
        ('return {"loss_ce": ce}', 'return {"loss_class": ce}'),
    ),
    fault(
        "no object is the index that is ignored",
        "loss_matched",
        "no_gradient",
        ('self.empty_weight, reduction="sum")', 'self.empty_weight, ignore_index=K, reduction="sum")'),
    ),
    fault(
        "targets brought to corners in place",
        "loss_matched",
        "state_leak",
        (
            '        corners = [box_convert(side[solid], "cxcywh", "xyxy") for side in (found, wanted)]\n',
            "        targets[..., :2] -= targets[..., 2:4] / 2\n"
            "        targets[..., 2:4] += targets[..., :2]\n"
            '        corners = [box_convert(found[solid], "cxcywh", "xyxy"), targets[batch, query, :4][solid]]\n',
        ),
    ),
    fault(
        "rows cut to the number of columns, columns to that of rows",
        "loss_built",
        "not_minimal axes_swapped image_size_swapped gradient_leak no_gradient not_permutation_invariant",
        ("gj.clamp(0, h - 1), gi.clamp(0, w - 1)", "gj.clamp(0, w - 1), gi.clamp(0, h - 1)"),
    ),
    fault(
        "centres of targets from the corner of the image, of predictions from that of the cell",
        "loss_built",
        "not_minimal wrong_box wrong_box_format not_permutation_invariant",
        ("xy = rows[:, :2]\n", "xy = rows[:, :2] + torch.stack((gi, gj), 1)\n"),
    ),
    fault(
        "priors of the first level for predictions of all",
        "loss_built",
        "not_minimal wrong_box_unit",
        ("** 2 * own[a]", "** 2 * (torch.tensor(PRIORS[0]) / STRIDES[i])[a]"),
    ),
    fault(
        "the guard of a level without an object forgotten",
        "loss_built",
        "non_finite",
        ("        if n:\n", "        if n >= 0:\n"),
    ),
    fault(
        "the first prior of a cell, whichever is responsible",
        "loss_built",
        "not_minimal gradient_leak no_gradient scrambled_layout mixed_objects",
        ("ps = pi[b, a, gj, gi]", "ps = pi[b, 0 * a, gj, gi]"),
    ),
    fault(
        "objectness only on levels that have an object",
        "loss_built",
        "no_gradient",
        ("        obji = F", "        if not n:\n            continue\n        obji = F"),
    ),
    fault(
        "the overlap of predictions with themselves",
        "loss_built",
        "no_gradient",
        ("complete_box_iou_loss(corners(pbox), corners(tbox))", "complete_box_iou_loss(corners(pbox), corners(pbox))"),
    ),
    fault(
        "nothing to pay without objects",
        "loss_corners",
        "no_gradient",
        (
            "        total = sum(",
            "        if not count:\n"
            "            return sum(pred.sum() for pred in predictions) * 0\n"
            "        total = sum(",
        ),
    ),
    fault(
        "x1, x2, y1, y2 of targets",
        "loss_corners",
        "not_minimal wrong_box_format axes_swapped",
        ("target[b, BOX, y, x]\n", "target[b, BOX, y, x].view(-1, 2, 2).transpose(1, 2).reshape(-1, 4)\n"),
    ),
    fault(
        "the distance taken for the similarity",
        "loss_corners",
        "not_minimal",
        (
            "similarity = torch.exp(-self.wasserstein(found, wanted) / self.constant)",
            "similarity = self.wasserstein(found, wanted) * self.constant",
        ),
    ),
    fault(
        "boxes divided by what they cost",
        "loss_corners",
        "non_finite mixed_batch",
        ("box = self.boxes(found, wanted)", "box = self.charbonnier(found, wanted)\n        box = box / box.detach()"),
    ),
    fault(
        "predictions flipped with the image, targets not",
        "loss_corners",
        "not_minimal not_permutation_invariant scrambled_layout gradient_leak no_gradient",
        ("    def level(self, pred, target):\n", "    def level(self, pred, target):\n        pred = pred.flip(-1)\n"),
    ),
    fault(
        "divided by a mean over calls",
        "loss_corners",
        "state_leak",
        (
            "        return total / count.clamp(min=1)",
            "        self.normalizer = 0.9 * self.normalizer + 0.1 * count.clamp(min=1)\n"
            "        return total / self.normalizer",
        ),
    ),
    fault(
        "no corner left of the point or above it",
        "loss_corners",
        "no_gradient",
        ("found, wanted = pred[b, BOX, y, x], ", "found, wanted = pred[b, BOX, y, x].relu(), "),
    ),
)

PAIRS = (
    ("sides of targets as (height, width)", "objectness of objects left out"),
    (
        "divided by the objects of each image, of which one may have none",
        "boxes where the prediction is sure of an object, not where one is",
    ),
    ("differences neither squared nor absolute", "predictions cut to shares before the squares"),
    ("predictions in px, targets in shares", "a softmax before the cross-entropy that has one"),
    ("no object means the first class", "targets brought to corners in place"),
    ("priors of the first level for predictions of all", "the guard of a level without an object forgotten"),
    ("the overlap of predictions with themselves", "the guard of a level without an object forgotten"),
    (
        "centres of targets from the corner of the image, of predictions from that of the cell",
        "objectness only on levels that have an object",
    ),
    ("x1, x2, y1, y2 of targets", "nothing to pay without objects"),
    ("the distance taken for the similarity", "divided by a mean over calls"),
)
