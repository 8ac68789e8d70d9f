"""One prediction in, one box out: decoders that are right, and decoders with one fault each."""

import pytest
import torch
from torchvision.ops import nms

from diagnosis import TargetLayout, check_decoder

CLASSES = 4
STRIDES = (8, 16, 32)
ABSOLUTE = TargetLayout(format="cxcywh", unit="stride", relative=True, classes=slice(5, 5 + CLASSES), grid_offset=0.5)
SIDES = TargetLayout(format="ltrb", unit="stride", objectness=None, classes=slice(4, 4 + CLASSES))


def decoder(layout, fault=None):
    """Boxes (B, N, 4) and scores (B, N, classes) of tensors in ``layout``, with one fault."""

    def decode(outputs):
        batch, boxes, scores = len(outputs[0]), [], []
        for level, stride in zip(outputs, STRIDES, strict=True):
            stride = 2 * stride if fault == "stride" and stride == 16 else stride
            height, width = level.shape[2:]
            y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
            if fault == "grid axes":
                x, y = y, x
            offset = 0.0 if fault == "offset" else 0.5
            grid = (torch.stack((x, y)) + offset)[None] * stride
            raw = level[:, :4] * stride
            if layout.format == "ltrb":
                box = torch.cat((grid - raw[:, :2], grid + raw[:, 2:]), 1)
            else:
                size = raw[:, 2:].clamp(max=stride) if fault == "ceiling" else raw[:, 2:]
                centre = grid + raw[:, :2]
                if fault == "corner":
                    centre = centre + size / 2
                box = torch.cat((centre - size / 2, centre + size / 2), 1)
            boxes.append(box.flatten(2))
            score = level[:, list(layout.class_channels)]
            scores.append((score if layout.objectness is None else score * level[:, 4:5]).flatten(2))
        boxes, scores = torch.cat(boxes, 2), torch.cat(scores, 2)
        if fault == "reshape":
            return boxes.reshape(batch, -1, 4), scores.permute(0, 2, 1)
        if fault == "reshape over the batch":
            return boxes.reshape(-1, 4).reshape(batch, -1, 4), scores.permute(0, 2, 1)
        boxes, scores = boxes.permute(0, 2, 1), scores.permute(0, 2, 1)
        if fault == "batch":
            boxes = boxes[:1].expand_as(boxes)
        if fault == "every image gets all":
            return boxes, scores.amax(0, keepdim=True).expand_as(scores)
        if fault == "class":
            scores = scores.roll(1, -1)
        if fault == "nan":
            boxes = boxes / 0 * 0
        if fault == "shape":
            boxes = boxes[..., :2]
        if fault == "raises":
            raise RuntimeError("no")
        return boxes, scores

    return decode


@pytest.mark.parametrize("layout", [ABSOLUTE, SIDES], ids=["centres", "sides"])
@pytest.mark.parametrize("batch", [1, 3])
def test_right_decoders_have_no_finding(layout, batch):
    report = check_decoder(decoder(layout), layout, batch=batch, image_size=(128, 192))
    assert not report.findings, str(report)


def test_detections_after_selection_are_read_too():
    def decode(outputs):
        boxes, scores = decoder(SIDES)(outputs)
        found = []
        for box, score in zip(boxes, scores, strict=True):
            best, label = score.max(1)
            keep = best > 0.25
            found.append(torch.cat((box[keep], best[keep, None], label[keep, None]), 1))
        return found

    assert not check_decoder(decode, SIDES, image_size=(128, 192)).findings


def test_raw_outputs_are_made_by_prepare():
    def decode(outputs):
        return decoder(SIDES)([torch.cat((level[:, :4].exp(), level[:, 4:].sigmoid()), 1) for level in outputs])

    def prepare(outputs):
        return [torch.cat((level[:, :4].log(), level[:, 4:].logit()), 1) for level in outputs]

    assert not check_decoder(decode, SIDES, image_size=(128, 192), prepare=prepare).findings


@pytest.mark.parametrize(
    ("fault", "code", "level"),
    [
        ("stride", "wrong_stride", 1),
        ("grid axes", "axes_swapped", None),
        ("offset", "half_cell_offset", None),
        ("corner", "wrong_box_format", None),
        ("reshape", "scrambled_layout", None),
        ("reshape over the batch", "scrambled_layout", None),
        ("batch", "mixed_batch", None),
        ("every image gets all", "mixed_batch", None),
        ("ceiling", "range_ceiling", None),
        ("class", "class_wrong", None),
        ("nan", "non_finite", None),
        ("shape", "wrong_output", None),
        ("raises", "raises", None),
    ],
)
def test_each_fault_has_its_name(fault, code, level):
    report = check_decoder(decoder(ABSOLUTE, fault), ABSOLUTE, image_size=(128, 192))
    assert [(finding.code, finding.level) for finding in report.errors] == [(code, level)], str(report)


def test_a_wide_ceiling_is_a_warning():
    def decode(outputs):
        return decoder(SIDES)([torch.cat((level[:, :4].clamp(max=5), level[:, 4:]), 1) for level in outputs])

    report = check_decoder(decode, SIDES, image_size=(256, 384))
    assert report.ok
    assert report.codes == ("range_ceiling",)


def test_bad_arguments_are_refused_at_the_door():
    with pytest.raises(ValueError, match="multiples of"):
        check_decoder(decoder(SIDES), SIDES, image_size=(100, 100))


@pytest.mark.parametrize(("groups", "codes"), [([[0], [1]], ()), ([[0, 1]], ("mixed_batch",))])
def test_suppression_across_images_is_found(groups, codes):
    def decode(outputs):
        boxes, scores = decoder(SIDES)(outputs)
        best, label = scores.max(2)
        kept = torch.zeros_like(best)
        for group in groups if len(boxes) > 1 else [[0]]:
            flat = torch.zeros(kept[group].numel())
            flat[nms(boxes[group].flatten(0, 1), best[group].flatten(), 0.5)] = 1
            kept[group] = flat.view(len(group), -1)
        sure = (kept > 0) & (best > 0.25)
        return [torch.cat((boxes[i], best[i, :, None], label[i, :, None]), 1)[sure[i]] for i in range(len(boxes))]

    assert check_decoder(decode, SIDES, image_size=(128, 192)).codes == codes
