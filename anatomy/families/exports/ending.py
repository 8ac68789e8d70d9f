"""The end of a pass of an exported detector: scores from logits, and what is chosen, by the file or as it chooses."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...head.forward import Candidates, Pass
from .reading import Chosen, Read, sigmoid

CLASS_SHIFT = 7680.0  # px a class: `max_wh` of ultralytics.utils.nms.non_max_suppression
MOST_SEEN = 30_000  # `max_nms` of the same: of more candidates it sees the best alone


@dataclass(frozen=True)
class ExportResult:
    """What was found: ``boxes`` (n, 4) xyxy px of the original, ``confidence`` and ``class_id`` (n,).

    ``extras`` (n, e): what the file puts out beside, such as mask coefficients; as it is.
    """

    boxes: Tensor
    confidence: Tensor
    class_id: Tensor
    extras: Tensor


@dataclass(frozen=True)
class Asked:
    """What a pass was asked for; ``classes`` None: all."""

    conf: float
    iou: float
    most: int
    classes: tuple[int, ...] | None
    agnostic: bool


@dataclass(frozen=True)
class Made:
    """What a pass keeps for its end: what the file made, what was asked, and which anchors NMS kept."""

    read: Read
    asked: Asked
    survivors: Tensor


@dataclass(frozen=True)
class Picked:
    """Detections as chosen: ``anchors``, ``class_id`` and ``confidence`` (n,); ``survivors`` as in ``Made``."""

    anchors: Tensor
    class_id: Tensor
    confidence: Tensor
    survivors: Tensor


def scores(run: Pass) -> Tensor:
    """The scores (nc, A) of a pass: those of the file for logits that are the file's, else onnxruntime's sigmoid."""
    read: Read = run.private.read
    parts, start = [], 0
    for mine, theirs in zip(run.logits, read.logits, strict=True):
        cells = mine[0].numel()
        given = read.scores[:, start : start + cells]
        parts.append(given if mine is theirs else _scores_of_level(mine.flatten(1), theirs.flatten(1), given))
        start += cells
    return torch.cat(parts, 1)


def _scores_of_level(mine: Tensor, theirs: Tensor, given: Tensor) -> Tensor:
    found = sigmoid(mine)
    for row in range(len(mine)):
        if torch.equal(mine[row], theirs[row]):
            found[row] = given[row]
            continue
        for other in (theirs[:, 0] == mine[row, 0]).nonzero().view(-1).tolist():
            if torch.equal(mine[row], theirs[other]):
                found[row] = given[other]
                break
    return found


def unchanged(run: Pass) -> bool:
    """Whether all logits of a pass are those of the file."""
    pairs = zip(run.logits, run.private.read.logits, strict=True)
    return all(mine is theirs or torch.equal(mine, theirs) for mine, theirs in pairs)


def pick(run: Pass) -> Picked:
    """The detections of a pass: those of the file where it chooses itself, else by NMS, or the best k, as it would."""
    made: Made = run.private
    chosen = made.read.chosen
    if chosen is None:
        return _suppressed(run, seen(run))
    if unchanged(run):
        return _of_file(chosen, made.asked)
    if chosen.kind == "nms":
        return _limited(_suppressed(run, seen(run)), made.asked)
    return _limited(_best(scores(run), chosen), made.asked)


def seen(run: Pass) -> Candidates:
    """What stood for NMS: each anchor as its likeliest class, above the confidence, in the order of anchors."""
    made: Made = run.private
    asked, chosen = made.asked, made.read.chosen
    confidence, class_id = scores(run).max(0)
    standing = confidence > (asked.conf if chosen is None else chosen.conf)
    if chosen is None and asked.classes is not None:
        standing &= torch.isin(class_id, torch.tensor(asked.classes))
    anchors = standing.nonzero().view(-1)
    if len(anchors) > MOST_SEEN:
        anchors = anchors[confidence[anchors].argsort(descending=True)[:MOST_SEEN]]
    apart = CLASS_SHIFT if chosen is None else float(max(run.input_shape))
    agnostic = asked.agnostic if chosen is None else chosen.agnostic
    row_of = {anchor: row for row, anchor in enumerate(anchors.tolist())}
    survivors = [row_of[anchor] for anchor in made.survivors.tolist() if anchor in row_of]
    return Candidates(
        anchor=anchors,
        class_id=class_id[anchors],
        confidence=confidence[anchors],
        boxes=run.boxes[:, anchors].T,
        iou_threshold=asked.iou if chosen is None else chosen.iou,
        shift=0.0 if agnostic else apart,
        pairwise_iou=_pairwise_iou,
        survivors=torch.tensor(survivors, dtype=torch.int64),
    )


def remembered(run: Pass, picked: Picked) -> Made:
    """What the pass keeps, with the anchors that NMS kept."""
    return replace(run.private, survivors=picked.survivors)


def _suppressed(run: Pass, found: Candidates) -> Picked:
    from torchvision.ops import nms

    chosen = run.private.read.chosen
    most = run.private.asked.most if chosen is None else chosen.most
    boxes = found.boxes + found.class_id[:, None] * (found.shift or 0.0)
    kept = nms(boxes, found.confidence, found.iou_threshold)[:most]
    anchors = found.anchor[kept]
    return Picked(anchors=anchors, class_id=found.class_id[kept], confidence=found.confidence[kept], survivors=anchors)


def _best(found: Tensor, chosen: Chosen) -> Picked:
    """The best pairs of anchor and class among the anchors with the best scores, as ``Detect.get_topk_index`` finds
    them; of equals the first, as ONNX' TopK has it."""
    best, likeliest = found.max(0)
    most = min(chosen.most, len(best))
    anchors = _first(best, most)
    if chosen.agnostic:
        confidence, class_id = best[anchors], likeliest[anchors]
    else:
        pairs = found[:, anchors].T.flatten()
        flat = _first(pairs, most)
        confidence, class_id, anchors = pairs[flat], flat % len(found), anchors[flat // len(found)]
    return Picked(anchors=anchors, class_id=class_id, confidence=confidence, survivors=anchors)


def _first(values: Tensor, count: int) -> Tensor:
    return values.argsort(descending=True, stable=True)[:count]


def _of_file(chosen: Chosen, asked: Asked) -> Picked:
    rows = chosen.rows
    picked = Picked(anchors=chosen.anchors, class_id=rows[:, 5].long(), confidence=rows[:, 4], survivors=chosen.anchors)
    return _limited(picked, asked)


def _limited(picked: Picked, asked: Asked) -> Picked:
    """Those that were asked for; who was suppressed by whom stays what it was."""
    wanted = picked.confidence > asked.conf
    if asked.classes is not None:
        wanted &= torch.isin(picked.class_id, torch.tensor(asked.classes))
    index = wanted.nonzero().view(-1)[: asked.most]
    return replace(
        picked, anchors=picked.anchors[index], class_id=picked.class_id[index], confidence=picked.confidence[index]
    )


def _pairwise_iou(first: Tensor, second: Tensor) -> Tensor:
    from torchvision.ops import box_iou

    return box_iou(first, second).double()
