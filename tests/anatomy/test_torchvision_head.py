"""torchvision's FCOS and RetinaNet: their answers bit for bit, and what is theirs; the laws are in tests/contract."""

import copy
from functools import cache

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision.models.detection import FCOS, fcos_resnet50_fpn
from torchvision.ops import batched_nms, box_iou

import anatomy
import surgery
from tests.torchvision_nets import CHANNELS, LEVELS, tiny

OWN = {"conf": None, "iou": None, "imgsz": None}
SIZES = [(128, 192), (60, 400), (400, 60), (16, 16), (1, 1), (333, 217), (192, 256)]
CONV = "head.classification_head.cls_logits"


def image(shape=(128, 192), seed: int = 0) -> np.ndarray:
    """An image (H, W, 3) uint8 BGR of blocks of 16 px and noise."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 180, (-(-shape[0] // 16), -(-shape[1] // 16), 3)).repeat(16, 0).repeat(16, 1)
    return (blocks[: shape[0], : shape[1]] + rng.integers(0, 76, (*shape, 3))).astype(np.uint8)


def answer(net, picture) -> dict:
    """What the model itself makes of an image, in evaluation mode."""
    pixels = torch.from_numpy(picture[..., ::-1].copy()).permute(2, 0, 1).contiguous() / 255
    with torch.no_grad():
        return net([pixels])[0]


def same(trace, expected: dict) -> bool:
    return all(torch.equal(getattr(trace.result, name), value) for name, value in expected.items())


def state(net) -> tuple:
    modes = [module.training for module in net.modules()]
    wanted = [value.requires_grad for value in net.parameters()]
    transform = {name: value for name, value in vars(net.transform).items() if not name.startswith("_")}
    limits = (net.score_thresh, net.nms_thresh, net.detections_per_img, net.topk_candidates)
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in net.modules()]
    return modes, wanted, transform, limits, hooks, [id(value) for value in net.parameters()]


@cache
def built(family: str):
    return tiny(family)


@pytest.fixture(params=["fcos", "retinanet"])
def net(request):
    """A copy of a network that is built once."""
    return copy.deepcopy(built(request.param))


def test_the_maps_of_the_backbone_are_those_that_the_levels_declare(net):
    levels = anatomy.levels(net)
    assert [level.path for level in levels] == [CONV] * 5
    maps = list(net.backbone(torch.zeros(1, 3, 256, 384)).values())
    for level, made in zip(levels, maps, strict=True):
        assert made.shape == (1, level.in_channels, 256 / level.stride, 384 / level.stride)


def test_a_published_architecture_is_described_and_traced():
    net = fcos_resnet50_fpn(weights=None, weights_backbone=None).train()
    head = anatomy.describe(net)
    assert [(level.name, level.stride, level.in_channels) for level in head.levels] == [
        (name, 8.0 * 2**index, 256) for index, name in enumerate(LEVELS)
    ]
    assert (head.names[1], head.names[90], len(head.names)) == ("person", "toothbrush", 91)
    trace = anatomy.trace(net, image(), conf=0.05, imgsz=128)
    assert all(module.training for module in net.modules() if isinstance(module, nn.GroupNorm))
    net.transform.min_size, net.transform.max_size, net.score_thresh, net.nms_thresh = (128,), 128, 0.05, 0.7
    assert same(trace, answer(net.eval(), image()))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("family", ["fcos", "retinanet"])
def test_the_answer_is_the_models_own_bit_for_bit(family, seed):
    limits = [{}, {"topk_candidates": 30, "detections_per_img": 12}, {"nms_thresh": 0.2}, {"score_thresh": 0.01}][seed]
    net, many, few = tiny(family, 3 + seed, seed, **limits), 0, 0
    for turn, shape in enumerate(SIZES):
        picture = image(shape, 10 * seed + turn)
        trace, expected = anatomy.trace(net, picture, **OWN), answer(net, picture)
        assert same(trace, expected)
        assert same(trace.replay(), expected)
        many += anatomy.describe(net).candidates(trace._run).shift is None
        few += len(trace.detections) > 0
    assert few >= 5
    assert seed != 3 or many  # so many candidates that torchvision takes class by class


def test_conf_iou_and_imgsz_stand_in_for_the_models_own(net):
    trace = anatomy.trace(net, image(), conf=0.6, iou=0.3, imgsz=160)
    other = copy.deepcopy(net)
    other.score_thresh, other.nms_thresh, other.transform.min_size, other.transform.max_size = 0.6, 0.3, (160,), 160
    assert same(trace, answer(other, image()))
    assert trace.input_shape == (128, 160)
    assert trace.limits == anatomy.Limits(0.6, None, net.detections_per_img, True)
    assert not same(trace, answer(net, image()))
    for wrong, error, words in (
        ({"conf": 1.5}, ValueError, "conf must be from 0 to 1, but 1.5"),
        ({"iou": -1}, ValueError, "iou must be from 0 to 1"),
        ({"imgsz": 0}, ValueError, "imgsz must be a positive number of px, or None"),
        ({"imgsz": 0.5}, TypeError, "imgsz, the longer side in px, must be a whole number"),
        ({"augment": True}, TypeError, "augment"),
    ):
        with pytest.raises(error, match=words):
            anatomy.trace(net, image(), **wrong)


@pytest.mark.parametrize("shape", SIZES)
def test_the_recorded_anchor_gives_back_the_box(net, shape):
    trace = anatomy.trace(net, image(shape), **OWN)
    found, (high, wide) = trace.detections, trace._run.private.heard.resized
    decoded = trace.decode(found.anchor).clip(0, (wide, high, wide, high))
    assert np.abs(decoded - trace.letterbox.to_input(found.xyxy)).max(initial=0) < 1e-4
    priors = trace._run.private.heard.priors.numpy()
    middle = (priors[:, :2] + priors[:, 2:]) / 2
    assert np.array_equal(middle, trace.points())
    assert np.allclose(trace.letterbox.to_input(found.center), middle[found.anchor])
    scores = trace.scores().numpy()
    assert np.allclose(scores[found.class_id, found.anchor], found.confidence, atol=1e-6)
    best = np.maximum.reduceat(scores.max(0), np.arange(0, len(priors), trace.anchors_per_cell))
    objectness = np.concatenate([level.flatten().numpy() for level in trace.objectness()])
    assert np.allclose(best, objectness, atol=1e-6)
    with pytest.raises(ValueError, match=f"Anchors run from 0 to {len(priors) - 1}"):
        trace.decode([len(priors)])


def test_without_the_logit_of_its_anchor_a_detection_is_gone(net):
    trace = anatomy.trace(net, image(), **OWN)
    head, run, found = trace._head, trace._run, trace.detections
    several = len(set(found.anchor.tolist())) < len(found)  # anchors that are detected as more than one class
    for i in range(0, len(found), 7):
        level, row, col, class_id, anchor = (
            int(column[i]) for column in (found.level, found.row, found.col, found.class_id, found.anchor)
        )
        channel = anchor % head.anchors_per_cell * len(head.names) + class_id
        assert run.logits[level][channel, row, col] == found.logits[i, class_id]
        logits = list(run.logits)
        logits[level] = logits[level].clone()
        logits[level][channel, row, col] = -1e4
        after = head.finish(run.evolve(logits=tuple(logits)))
        pairs = set(zip(after.anchors.tolist(), after.result.labels.tolist(), strict=True))
        assert (anchor, class_id) not in pairs
    assert several


@pytest.mark.parametrize("score", [0.3, 0.01])  # few candidates, then so many that NMS takes class by class
def test_suppressed_names_exactly_what_nms_removed(net, score):
    net.score_thresh, net.nms_thresh = score, 0.4
    trace = anatomy.trace(net, image((192, 256)), **OWN)
    found, stood = trace.detections, trace._head.candidates(trace._run)
    kept = batched_nms(stood.boxes, stood.confidence, stood.class_id, 0.4).tolist()
    assert (stood.shift is None) == (stood.boxes.numel() > 4000)
    pairs = list(zip(stood.anchor.tolist(), stood.class_id.tolist(), strict=True))
    most = net.detections_per_img
    shown = list(zip(found.anchor.tolist(), found.class_id.tolist(), strict=True))
    assert shown == [pairs[row] for row in kept[:most]]
    shown_rows, class_id, expected = np.array(kept[:most]), stood.class_id.numpy(), {}
    overlap = box_iou(stood.boxes[shown_rows], stood.boxes).numpy()
    for row in set(range(len(pairs))) - set(kept):
        over = shown_rows[(class_id[shown_rows] == class_id[row]) & (overlap[:, row] > 0.4 + 1e-3)]
        if len(over):  # else what removed it was cut off by the limit itself, or the shift's rounding decided
            expected[pairs[row]] = pairs[over[0]]
    lost = {
        (int(anchor), int(class_id)): shown[i]
        for i, rivals in enumerate(found.suppressed)
        for anchor, class_id in zip(rivals.anchor, rivals.class_id, strict=True)
    }
    assert len(expected) > 5
    assert expected.items() <= lost.items()
    assert not set(lost) & {pairs[row] for row in kept}
    if len(kept) <= most:
        assert len(lost) + len(kept) == len(pairs)


def test_an_edit_of_all_levels_writes_the_shared_rows_once(net):
    before = {name: value.clone() for name, value in net.state_dict().items()}
    surgery.shift_classes(net, "all", 1)
    after = net.state_dict()
    assert {name for name in before if not torch.equal(before[name], after[name])} <= {f"{CONV}.weight", f"{CONV}.bias"}
    checks = surgery.certify(net).rows
    assert checks[0].changed
    assert {(check.changed, check.equal) for check in checks} == {(checks[0].changed, checks[0].equal)}
    assert set(checks[0].changed) | set(checks[0].equal) == set(range(5))


def test_every_anchor_of_a_cell_has_its_rows_edited(net):
    conv, turns = net.head.classification_head.cls_logits, anatomy.describe(net).anchors_per_cell
    weight = conv.weight.detach().clone().view(turns, 5, CHANNELS, 3, 3)
    with surgery.scratch(net):
        surgery.shift_classes(net, "all", 2)
        assert torch.equal(conv.weight.view(turns, 5, CHANNELS, 3, 3), weight.roll(2, 1))
        surgery.bias_classes(net, "all", 1, 0.5)
    assert torch.equal(conv.weight.view_as(weight), weight)
    trace = anatomy.trace(net, image(), **OWN)
    with surgery.scratch(net):
        surgery.shift_classes(net, "all", 2)
        shifted = trace.replay()
    joined = anatomy.compare(trace, shifted)
    both = (joined.before >= 0) & (joined.after >= 0)
    assert (joined.anchor[both] == trace.detections.anchor[joined.before[both]]).all()
    assert sorted(joined.before[joined.before >= 0]) == list(range(len(trace.detections)))
    assert sorted(joined.after[joined.after >= 0]) == list(range(len(shifted.detections)))


def test_the_model_is_left_as_it_was(net):
    net.train()
    net.backbone.steps[1].eval()
    net.backbone.steps[0].requires_grad_(False)
    before, buffers = state(net), {name: value.clone() for name, value in net.named_buffers()}
    anatomy.trace(net, image(), imgsz=160).replay()
    assert state(net) == before
    traces = anatomy.stream(net, [image(), image()], imgsz=160)
    next(traces)
    assert state(net) == before
    traces.close()
    hook = net.backbone.register_forward_hook(lambda *_: (_ for _ in ()).throw(RuntimeError("broken")))
    hooked = state(net)
    for run in (lambda: anatomy.trace(net, image(), imgsz=160), lambda: anatomy.trace(tiny_like(net), image())):
        with pytest.raises(RuntimeError, match="broken"):
            run()
        assert state(net) == hooked
    hook.remove()
    assert state(net) == before
    assert all(torch.equal(value, buffers[name]) for name, value in net.named_buffers())


def tiny_like(net):
    """A copy whose strides are not known yet, so that they are measured first."""
    return copy.deepcopy(net)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_model_trains_after_a_trace(net, dtype):
    net.to(dtype).train()
    anatomy.trace(net, image(), **OWN).replay()
    target = {"boxes": torch.tensor([[20.0, 20, 90, 100]], dtype=dtype), "labels": torch.tensor([1])}
    sum(net([torch.rand(3, 128, 192, dtype=dtype)], [target]).values()).backward()
    assert all(value.grad is not None for value in net.head.parameters())


def test_sources(net, tmp_path):
    for index in range(2):
        Image.fromarray(image(seed=index)[..., ::-1]).save(tmp_path / f"{index}.png")
    (tmp_path / "notes.txt").write_text("no image")
    expected = answer(net, image())
    pixels = torch.from_numpy(image()[..., ::-1].copy()).permute(2, 0, 1)
    file = tmp_path / "0.png"
    for source in (file, str(file), image(), [image()], Image.open(file), pixels, pixels / 255, pixels[None] / 255):
        trace = anatomy.trace(net, source, **OWN)
        assert same(trace, expected)
        assert np.array_equal(trace.image, image()[..., ::-1])
    for source in (tmp_path, str(tmp_path / "*.png"), [file, tmp_path / "1.png"]):
        assert [trace.path for trace in anatomy.stream(net, source, imgsz=192)] == [str(file), str(tmp_path / "1.png")]
    broken = tmp_path / "2.bmp"
    broken.write_text("no image")
    for source, words in (
        (tmp_path, "anatomy.stream"),
        (broken, "could not be read as an image"),
        (tmp_path / "none.png", "There is no file"),
        (image()[..., :2].astype(float), r"An image array is uint8.*of float64 was given"),
        (image().astype(np.float32), "of float32 was given"),
        (pixels.float(), r"in \[0, 1\], or uint8, but this one holds 0 to \d+\. Divide by 255"),
        (pixels[0] / 255, r"An image tensor is \(3, H, W\) or.*of shape"),
        (7, r"7 was given, which names a camera"),
        (1.5, r"1\.5 \(float\) was given, which is no image"),
    ):
        with pytest.raises(anatomy.SourceError, match=words):
            anatomy.trace(net, source)


def test_names_are_those_of_the_model(net):
    assert anatomy.describe(net).names == {i: str(i) for i in range(5)}
    net.names = ["background", "bird", "cat", "dog", "fox"]
    assert anatomy.trace(net, image()).names[3] == "dog"
    net.names = dict(enumerate("abcde"))
    assert surgery.swap_classes(net, "all", "b", "d").classes == (1, 3)
    surgery.undo(net)
    net.names = ["bird", "cat"]
    with pytest.raises(ValueError, match=r"must name the classes 0 to 4 .*Set model\.names to a list of 5"):
        anatomy.describe(net)


def test_other_detectors_are_refused_with_the_reason(net):
    class Own(FCOS):
        def postprocess_detections(self, *arguments):
            return []

    other = type("Other", (nn.Module,), {"__module__": "torchvision.models.detection.other"})()
    with pytest.raises(anatomy.UnsupportedModelError, match=r"Other is not .*FCOS, RetinaNet, SSD, FasterRCNN"):
        anatomy.describe(other)
    with pytest.raises(anatomy.UnsupportedModelError, match="Own has a postprocess_detections of its own"):
        anatomy.describe(Own(tiny("fcos").backbone, 5))
    net.head.classification_head.cls_logits = nn.Conv2d(CHANNELS, 7, 3, padding=1)
    with pytest.raises(anatomy.UnsupportedModelError, match=r"× 5 channels .*Set num_classes"):
        anatomy.describe(net)
    trace = anatomy.trace(tiny("fcos"), image())
    with pytest.raises(anatomy.UnsupportedModelError, match="does not say how it is trained"):
        trace.targets([[0, 0, 9, 9]], [1])
