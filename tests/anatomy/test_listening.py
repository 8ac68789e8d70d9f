"""A criterion that is listened to computes the same bits, and the shares of its cells sum up to its loss items."""

import copy
from collections import Counter
from contextlib import nullcontext

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from ultralytics.utils.loss import E2EDetectLoss
from ultralytics.utils.metrics import bbox_iou

import anatomy
from anatomy.families.ultralytics.criteria.listening import listening
from tests.criteria import CLASSES, ITEMS, KINDS, SIDE, STRIDES, TWO, Alone, batch_for, without_objects


@pytest.fixture(scope="module")
def nets():
    return {kind: Alone(kind) for kind in KINDS}


def attributes(criterion):
    """All that stands on a criterion, on its branches and on their parts, hooks included."""
    parts = [criterion, *(getattr(criterion, name, criterion) for name in ("one2many", "one2one"))]
    modules = [part for one in parts for part in vars(one).values() if isinstance(part, torch.nn.Module)]
    return [dict(vars(part)) for part in parts], [dict(module._forward_hooks) for module in modules]


def step(net, batch, heard=True, criterion=None):
    """Loss, items and gradients of one step, and what was heard."""
    criterion = criterion or net.criterion()
    net.zero_grad()
    torch.manual_seed(0)
    before = copy.copy(attributes(criterion))
    batch = {name: value.clone() for name, value in batch.items()}
    if heard:
        with listening(criterion) as told:
            loss, items = criterion(net(net.features()), batch)
            loss.sum().backward()
            assert not told  # reading waits until the block has ended
    else:
        told = []
        loss, items = criterion(net(net.features()), batch)
        loss.sum().backward()
    assert attributes(criterion) == before
    gradients = [parameter.grad for parameter in net.parameters() if parameter.grad is not None]
    return loss.detach(), items, gradients, told


def assert_exact(told, rel=1e-5):
    for one in told:
        sums = {name: float(share.double().sum()) for name, share in one.losses.items()} | dict(one.unplaced)
        assert sums == pytest.approx(dict(one.items), rel=rel, abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_the_bits_stay_and_the_shares_are_exact(nets, kind):
    net, batch = nets[kind], batch_for(kind)
    loss, items, gradients, _ = step(net, batch, heard=False)
    again, _, same, told = step(net, batch)
    assert torch.equal(loss, again)
    assert all(map(torch.equal, gradients, same))
    assert len(gradients) == len(same)
    assert [one.branch for one in told] == (["one2many", "one2one"] if kind in TWO else ["one2many"])
    assert_exact(told)
    reported = [one for one in told if one.reported]
    assert len(reported) == 1
    assert dict(reported[0].items) == {name.removesuffix("_loss"): float(value) for name, value in items.items()}
    for one in told:
        assert tuple(one.items) == ITEMS[kind]
        assert tuple(one.unplaced) == (("sem",) if "seg" in kind else ())
        placed = [name for name in one.losses if name != "cls"]
        assert all((one.losses[name][~one.positives] == 0).all() for name in placed)
        if "yolo26" in kind:
            assert all(value > 0 for value in one.items.values())


@pytest.mark.parametrize("kind", ["yolov8", "yolo26-obb"])
def test_objects_are_numbered_in_their_images(nets, kind):
    batch = batch_for(kind)
    told = step(nets[kind], batch)[3]
    tiny = {(0, 1), (2, 1)} if "obb" in kind else set()
    for one in told:
        assert [len(boxes) for boxes in one.boxes] == [3, 0, 4]
        assert torch.cat(one.labels).tolist() == batch["cls"].view(-1).tolist()
        found = {(image, number) for image in range(3) for number in one.object[image].unique().tolist()} - {
            (image, -1) for image in range(3)
        }
        assert found == {(image, number) for image, count in ((0, 3), (2, 4)) for number in range(count)} - tiny
        assert torch.equal(one.score > 0, one.score * one.positives > 0)
    assert told[-1].pyramid.shapes == ((8, 8), (4, 4), (2, 2))
    assert told[-1].by_level(told[-1].positives.float()).sum() == told[-1].positives.sum()


def test_boxes_are_those_of_the_batch_in_px(nets):
    batch = batch_for("yolov8")
    x, y, w, h = (batch["bboxes"][4] * SIDE).tolist()
    (one,) = step(nets["yolov8"], batch)[3]
    assert one.boxes[2][1].tolist() == pytest.approx([x - w / 2, y - h / 2, x + w / 2, y + h / 2], rel=1e-5)
    rotated = batch_for("yolov8-obb")
    (one,) = step(nets["yolov8-obb"], rotated)[3]
    assert one.boxes[2][1].tolist() == pytest.approx(
        (rotated["bboxes"][4] * torch.tensor([64, 64, 64, 64, 1])).tolist()
    )


def test_what_a_cell_pays_for_box_and_class_by_hand(nets):
    net, batch = nets["yolo26"], batch_for("yolov8")
    criterion = net.criterion()
    with listening(criterion) as told:
        raw = net(net.features())
        criterion(raw, batch)
    one, raw = told[1], raw["one2one"]
    image, anchor = (part[0] for part in one.positives.nonzero(as_tuple=True))
    point = torch.from_numpy(one.pyramid.points([int(anchor)]))[0].float()
    stride = STRIDES[int(one.pyramid.cells([int(anchor)]).level[0])]
    left, top, right, bottom = (raw["boxes"][image, :, anchor] * stride).tolist()
    box = torch.tensor([[point[0] - left, point[1] - top, point[0] + right, point[1] + bottom]])
    wanted = one.boxes[image][one.object[image, anchor]][None]
    mass, score = one.score.sum().clamp(min=1), one.score[image, anchor]
    ciou = float(bbox_iou(box / stride, wanted / stride, xywh=False, CIoU=True))
    expected = (1 - ciou) * score / mass * net.args.box
    assert float(one.losses["box"][image, anchor]) == pytest.approx(float(expected), rel=1e-4)
    target = torch.zeros(CLASSES)
    target[one.labels[image][one.object[image, anchor]]] = score
    logits = raw["scores"][image, :, anchor]
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="sum")
    assert float(one.losses["cls"][image, anchor]) == pytest.approx(
        float(entropy.detach() / mass * net.args.cls), rel=1e-4
    )


def test_what_a_cell_pays_for_its_key_points_by_hand(nets):
    net, batch = nets["yolov8-pose"], batch_for("yolov8-pose")
    criterion = net.criterion()
    with listening(criterion) as told:
        raw = net(net.features())
        criterion(raw, {name: value.clone() for name, value in batch.items()})
    (one,) = told
    images, anchors = one.positives.nonzero(as_tuple=True)
    for image, anchor in list(zip(images.tolist(), anchors.tolist(), strict=True))[:12:4]:
        stride = STRIDES[int(one.pyramid.cells([anchor]).level[0])]
        point = torch.from_numpy(one.pyramid.points([anchor]))[0] / stride
        number = int(one.object[image, anchor]) + (0, 3, 3)[image]
        found = raw["kpts"][image, :, anchor].view(4, 3)
        given = batch["keypoints"][number]
        seen = given[:, 2] != 0
        away = (found[:, :2] * 2 + point - 0.5 - given[:, :2] * SIDE / stride).square().sum(1)
        area = (batch["bboxes"][number, 2:] * SIDE / stride).prod()
        lost = (1 - torch.exp(-away / ((2 * criterion.keypoint_loss.sigmas) ** 2 * area * 2))) * seen
        expected = lost.detach().mean() * 4 / seen.sum().clamp(min=1e-9) / len(images) * net.args.pose
        assert float(one.losses["pose"][image, anchor]) == pytest.approx(float(expected), rel=1e-4)


def test_the_mask_of_a_cell_moves_its_own_share_alone(nets):
    net, batch = nets["yolov8-seg"], batch_for("yolov8-seg")
    criterion = net.criterion()
    with torch.no_grad(), listening(criterion) as told:
        raw = net(net.features())
        criterion(raw, batch)
        image, anchor = 2, int(criterion_positive(raw, batch, criterion)[1])
        raw["mask_coefficient"][image, :, anchor] += 1
        criterion(raw, batch)
    before, after = (one.losses["seg"] for one in told)
    changed = (before != after).nonzero().tolist()
    assert changed == [[image, anchor]]


def criterion_positive(raw, batch, criterion):
    """Image and anchor of a positive cell of the third image."""
    positive = criterion.get_assigned_targets_and_loss(raw, batch)[0][0]
    return 2, positive[2].nonzero()[0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_without_any_object_pays_for_its_background(nets, kind):
    told = step(nets[kind], without_objects(batch_for(kind)))[3]
    assert_exact(told)
    for one in told:
        assert (one.object == -1).all()
        assert one.items["cls"] > 0
        assert one.items["box"] == 0
        assert [len(boxes) for boxes in one.boxes] == [0, 0, 0]


@pytest.mark.parametrize("kind", ["yolov8", "yolo26-obb"])
def test_classes_that_are_weighted(nets, kind):
    net = nets[kind]
    plain = step(net, batch_for(kind))[3][-1]
    net.class_weights = torch.tensor([1.0, 5.0, 0.5])
    try:
        told = step(net, batch_for(kind))[3]
    finally:
        del net.class_weights
    assert_exact(told)
    assert told[-1].items["cls"] != pytest.approx(plain.items["cls"], rel=1e-2)


@pytest.mark.parametrize("kind", ["yolov8-seg", "yolo26-pose", "yolo26-obb"])
def test_under_automatic_casts(nets, kind):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        told = step(nets[kind], batch_for(kind))[3]
    assert_exact(told)


def test_half_precision_is_exact_to_its_own_rounding(nets):
    net = copy.deepcopy(nets["yolov8"]).half()
    criterion = net.criterion()
    with listening(criterion) as told:
        criterion(net([feature.half() for feature in net.features()]), batch_for("yolov8"))
    assert_exact(told, rel=2e-3)


def test_validation_runs_in_inference_mode(nets):
    net = nets["yolo26-seg"]
    criterion = net.criterion()
    with torch.inference_mode(), listening(criterion) as told:
        criterion(net(net.features()), batch_for("yolo26-seg"))
    assert_exact(told)


def test_several_batches_in_one_block_and_the_weights_of_branches(nets):
    net = nets["yolo26"]
    criterion = net.criterion()
    criterion.o2m, criterion.o2o = 0.7, 0.3
    with listening(criterion) as told:
        criterion(net(net.features()), batch_for("yolo26"))
        criterion.o2m, criterion.o2o = 0.6, 0.4
        criterion(net(net.features()), without_objects(batch_for("yolo26")))
    assert [one.weight for one in told] == [0.7, 0.3, 0.6, 0.4]
    assert [int(one.positives.sum() > 0) for one in told] == [1, 1, 0, 0]


def test_the_older_criterion_of_two_branches_reports_both(nets):
    net = nets["yolov10"]
    _, items, _, told = step(net, batch_for("yolov10"), criterion=E2EDetectLoss(net))
    assert all(one.reported and one.weight == 1 for one in told)
    assert told[0].items["box"] + told[1].items["box"] == pytest.approx(float(items["box_loss"]), rel=1e-5)


@pytest.mark.parametrize("kind", ["yolov8-obb", "yolo26-pose"])
def test_nothing_stays_after_an_exception(nets, kind):
    net = nets[kind]
    criterion = net.criterion()
    before = attributes(criterion)
    heard = listening(criterion)
    told = heard.__enter__()
    criterion(net(net.features()), batch_for(kind))
    with pytest.raises(KeyError):
        criterion(net(net.features()), {})
    assert not heard.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert told == []
    assert attributes(criterion) == before


def test_what_is_heard_carries_no_gradient_and_travels(nets):
    told = step(nets["yolo26-seg"], batch_for("yolo26-seg"))[3]
    again = copy.deepcopy(told[0])
    for one in (told[0], again):
        assert not any(share.requires_grad for share in one.losses.values())
    assert torch.equal(again.losses["seg"], told[0].losses["seg"])


def test_what_is_no_detection_loss_is_refused():
    with pytest.raises(anatomy.UnsupportedModelError, match="CrossEntropyLoss cannot be listened to"):
        listening(torch.nn.CrossEntropyLoss()).__enter__()


class Operations(TorchDispatchMode):
    """Counts what is computed within the block, by name."""

    def __init__(self):
        super().__init__()
        self.count = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count[function.overloadpacket.__name__] += 1
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("kind", KINDS)
def test_listening_itself_computes_one_sum_a_branch_and_never_waits_for_a_device(nets, kind):
    net, counts = nets[kind], []
    for heard in (False, True):
        criterion, batch = net.criterion(), batch_for(kind)
        block = listening(criterion) if heard else nullcontext()
        with block, Operations() as seen:
            criterion(net(net.features()), batch)
        counts.append(seen.count)
    more = counts[1] - counts[0]
    assert set(more) <= {"detach", "sum"}
    assert more["sum"] == (2 if kind in TWO else 1)
