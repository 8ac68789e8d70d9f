"""Faults of decoders, fourth part."""

from ..planting import fault

SIZE = "wrong_box_unit wrong_box_format wrong_box"  # a size by another function has no name of its own

FAULTS = (
    fault(
        "variances left out",
        "decoder_variances",
        SIZE,
        ("loc[..., :2] * VARIANCES[0] * priors", "loc[..., :2] * priors"),
        ("torch.exp(loc[..., 2:] * VARIANCES[1])", "torch.exp(loc[..., 2:])"),
    ),
    fault(
        "variances of centres and sizes exchanged",
        "decoder_variances",
        SIZE,
        ("loc[..., :2] * VARIANCES[0]", "loc[..., :2] * VARIANCES[1]"),
        ("loc[..., 2:] * VARIANCES[1]", "loc[..., 2:] * VARIANCES[0]"),
    ),
    fault(
        "the background kept as a class",
        "decoder_variances",
        "wrong_output class_wrong class_leak",
        ("scores[..., 1:]", "scores"),
    ),
    fault(
        "priors cut to the image",
        "decoder_variances",
        "wrong_box wrong_box_unit edge_crash",
        (
            "    return torch.tensor(mean)\n",
            "    mean = torch.tensor(mean)\n"
            "    image = torch.tensor(maps[0]).flip(0) * STRIDES[0]\n"
            "    low = (mean[:, :2] - mean[:, 2:] / 2).clamp(min=0)\n"
            "    high = torch.minimum(mean[:, :2] + mean[:, 2:] / 2, image)\n"
            "    return torch.cat(((low + high) / 2, high - low), 1)\n",
        ),
    ),
    fault(
        "boxes flattened without the permutation that classes have",
        "decoder_variances",
        "scrambled_layout",
        ("[x.permute(0, 2, 3, 1).reshape(b, -1) for x in loc]", "[x.reshape(b, -1) for x in loc]"),
    ),
    fault(
        "the corner just written is read as the centre",
        "decoder_variances",
        SIZE,
        ("boxes[..., 2:] += boxes[..., :2]", "boxes[..., 2:] = boxes[..., :2] + boxes[..., 2:] / 2"),
    ),
    fault(
        "boxes in sixteen bits, eight of them for the digits",
        "decoder_variances",
        "wrong_box",
        ("    return boxes\n", "    return boxes.bfloat16().float()\n"),
        severity="any",
    ),
    fault(
        "logarithms of probabilities come out",
        "decoder_variances",
        "wrong_output class_wrong class_leak object_lost",
        ("conf.softmax(-1)", "conf.log_softmax(-1)"),
    ),
    fault(
        "the scale of a level forgotten",
        "decoder_centred",
        SIZE,
        ("torch.exp(self.scales[level] * flat", "torch.exp(flat"),
    ),
    fault(
        "multiplied by the stride before the exponential",
        "decoder_centred",
        "wrong_box_unit wrong_box_format wrong_box non_finite object_lost",
        ("flat[:, K : K + 4]) * stride", "flat[:, K : K + 4] * stride)"),
    ),
    fault(
        "classes without their objectness",
        "decoder_centred",
        "objectness_wrong class_leak",
        ("flat[:, :K].sigmoid() * centrality", "flat[:, :K].sigmoid()"),
    ),
    fault(
        "boxes cut to an image whose height and width are exchanged",
        "decoder_centred",
        "image_size_swapped range_ceiling wrong_box object_lost",
        (
            "        place, label = (scores",
            "        high, wide = h * stride, w * stride\n"
            "        boxes = torch.minimum(boxes.clamp(min=0), torch.tensor([high, wide, high, wide]))\n"
            "        place, label = (scores",
        ),
    ),
    fault(
        "places among the candidates used as places among the cells",
        "decoder_centred",
        "wrong_box wrong_cell scrambled_layout mixed_objects object_lost",
        ("boxes[place[order]]", "boxes[order]"),
    ),
    fault(
        "half of the finest stride on all levels",
        "decoder_centred",
        "half_cell_offset wrong_box",
        ("half = stride // 2", "half = STRIDES[0] // 2"),
    ),
    fault(
        "an image without detections left out",
        "decoder_centred",
        "wrong_output mixed_batch object_lost",
        (
            "            results.append({",
            "            if not len(keep):\n                continue\n            results.append({",
        ),
    ),
    fault(
        "cached points moved in place",
        "decoder_centred",
        "state_leak",
        ("locations = locations + half", "locations += half"),
    ),
    fault(
        "y comes out first",
        "decoder_yx",
        "axes_swapped wrong_box_format",
        ("boxes[..., [1, 0, 3, 2]]", "boxes"),
    ),
    fault(
        "shares of the height along x, of the width along y",
        "decoder_yx",
        "image_size_swapped wrong_box_unit axes_swapped",
        ("size = torch.tensor([HEIGHT, WIDTH, HEIGHT, WIDTH])", "size = torch.tensor([WIDTH, HEIGHT, WIDTH, HEIGHT])"),
    ),
    fault(
        "shares of the longer side",
        "decoder_yx",
        "wrong_box_unit image_size_swapped wrong_box",
        ("boxes = boxes * size\n", "boxes = boxes * size.max()\n"),
    ),
    fault(
        "shares of the last px's number",
        "decoder_yx",
        "wrong_box_unit wrong_box",
        ("boxes = boxes * size\n", "boxes = boxes * (size - 1)\n"),
    ),
    fault(
        "the first class skipped, as if it were background",
        "decoder_yx",
        "object_lost",
        ("in range(NUM_CLASSES)", "in range(1, NUM_CLASSES)"),
    ),
    fault(
        "a limit from the best score of the batch",
        "decoder_yx",
        "mixed_batch object_lost",
        ("limit = 0.25", "limit = 0.9 * scores.max()"),
    ),
    fault(
        "class before score",
        "decoder_yx",
        "class_wrong wrong_output object_lost",
        (
            "columns = (score[chosen], torch.full((len(chosen),), float(label)))",
            "columns = (torch.full((len(chosen),), float(label)), score[chosen])",
        ),
    ),
    fault(
        "the root of the height not squared",
        "decoder_first",
        SIZE,
        ("h = root_h**2 * H", "h = root_h * H"),
    ),
    fault(
        "as many columns as rows",
        "decoder_first",
        "wrong_stride image_size_swapped wrong_box_unit wrong_box axes_swapped",
        ("/ cols * W", "/ rows * W"),
    ),
    fault(
        "half a cell where centres count from its corner",
        "decoder_first",
        "half_cell_offset",
        ("(col + x)", "(col + 0.5 + x)"),
        ("(row + y)", "(row + 0.5 + y)"),
    ),
    fault(
        "the first empty cell of a row ends the row",
        "decoder_first",
        "object_lost",
        ("                    continue\n", "                    break\n"),
    ),
    fault(
        "the list of detections not emptied between images",
        "decoder_first",
        "mixed_batch",
        ("    results = []\n", "    results = []\n    detections = []\n"),
        ("        detections = []\n        rows, cols", "        rows, cols"),
    ),
    fault(
        "one detection of each class, the last",
        "decoder_first",
        "object_lost",
        ("detections = []\n", "detections = {}\n"),
        ("detections.append([", "detections[label] = (["),
        ("torch.tensor(detections)", "torch.tensor(list(detections.values()))"),
    ),
    fault(
        "the cell not added to the centre in it",
        "decoder_first",
        "wrong_box wrong_cell wrong_box_format wrong_box_unit",
        ("(col + x)", "x"),
        ("(row + y)", "y"),
    ),
)

PAIRS = (
    ("variances of centres and sizes exchanged", "the background kept as a class"),
    ("boxes flattened without the permutation that classes have", "logarithms of probabilities come out"),
    ("the corner just written is read as the centre", "the background kept as a class"),
    ("the scale of a level forgotten", "classes without their objectness"),
    ("half of the finest stride on all levels", "an image without detections left out"),
    ("cached points moved in place", "boxes cut to an image whose height and width are exchanged"),
    ("y comes out first", "the first class skipped, as if it were background"),
    ("shares of the last px's number", "class before score"),
    ("half a cell where centres count from its corner", "one detection of each class, the last"),
    ("the root of the height not squared", "the list of detections not emptied between images"),
)
