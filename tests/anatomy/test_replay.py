"""A replay is a fresh predict, bit for bit: small heads, small and odd grids, every edit in any order, two threads."""

import copy
import random
from functools import cache

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import anatomy
import surgery
from anatomy.head import scores
from anatomy.head.forward import peak
from anatomy.tracing import same_bits
from tests.ultralytics_nets import small

SIZES = [(32, 32), (64, 96), (96, 96), (128, 192), (160, 160), (64, 320), (224, 160)]


@cache
def made(name: str, classes: int):
    """A head of size n with a number of classes, on no more of a body than it needs."""
    rng = np.random.default_rng(7)
    coarse = rng.integers(0, 255, (8, 12, 3), dtype=np.uint8).repeat(16, 0).repeat(16, 1)
    return small(name, coarse, classes, width=1 / 4, bodiless=True)


def with_classes(name: str, classes: int):
    """A copy of a YOLO object with a given number of classes, which is built once."""
    return copy.deepcopy(made(name, classes))


def rows(result):
    return (result.boxes if result.obb is None else result.obb).data


def edits(model, classes: int, rng: random.Random) -> list:
    """One edit of every kind, with arguments of its own."""
    level = lambda: rng.choice(["all", 0, 1])  # noqa: E731
    some = lambda: rng.sample(range(classes), rng.randint(1, classes))  # noqa: E731
    made = [
        lambda: surgery.shift_classes(model, level(), rng.randint(1, 5)),
        lambda: surgery.permute_classes(model, level(), rng.sample(range(classes), classes)),
        lambda: surgery.zero_classes(model, level(), some(), bias="silence"),
        lambda: surgery.zero_classes(model, level(), some(), bias="keep"),
        lambda: surgery.zero_classes(model, level(), some(), bias="zero"),
        lambda: surgery.scale_classes(model, level(), some(), rng.uniform(-2, 2)),
        lambda: surgery.scale_classes(model, "all", "all", rng.uniform(0.5, 2)),
        lambda: surgery.bias_classes(model, level(), rng.randrange(classes), rng.gauss(0, 2)),
        lambda: surgery.bias_classes(model, "all", some(), rng.gauss(0, 2)),
        lambda: surgery.mute_level(model, level()),
        lambda: surgery.undo(model) if surgery.history(model) else None,
        lambda: surgery.reset(model),
    ]
    if classes > 1:
        made.append(lambda: surgery.swap_classes(model, level(), *rng.sample(range(classes), 2)))
    rng.shuffle(made)
    return made


def check(model, image, args, *traces):
    """Replays of these traces equal a fresh predict; the last replay is returned."""
    fresh = model.predict(image, verbose=False, **args)[0]
    for trace in traces:
        replayed = trace.replay()
        assert torch.equal(rows(replayed.result), rows(fresh))
        for part in ("masks", "keypoints"):
            ours, theirs = getattr(replayed.result, part), getattr(fresh, part)
            assert (ours is None) == (theirs is None)
            assert ours is None or torch.equal(ours.data, theirs.data)
        for ours, theirs in zip(replayed.logits, replayed.run.peaks, strict=True):
            assert torch.equal(peak(ours), theirs)
    return replayed


@pytest.mark.parametrize(
    ("classes", "threads"), [*((count, 1) for count in (*range(1, 13), 80)), (1, 2), (3, 2), (10, 2)]
)
def test_replay_equals_predict_for_any_number_of_classes(picture, classes, threads):
    rng = random.Random(classes * 10 + threads)
    model = with_classes("yolov8n", classes)
    torch.set_num_threads(threads)
    for height, width in rng.sample(SIZES, 2 // threads):
        image = np.ascontiguousarray(np.tile(picture, (2, 2, 1))[:height, :width])
        args = {"imgsz": max(height, width), "conf": rng.choice([1e-9, 0.001, 0.25, 0.9])}
        trace = last = anatomy.trace(model, image, **args)
        for edit in edits(model, classes, rng):
            edit()
            last = check(model, image, args, trace, last)  # a trace replayed, and a replay replayed
        with surgery.scratch(model):
            surgery.scale_classes(model, "all", "all", 1.3)
            last = check(model, image, args, last)
        check(model, image, args, last)
        surgery.reset(model)


@pytest.mark.parametrize(
    ("name", "nms"),
    [
        ("yolov8n-seg", None),
        ("yolov8n-pose", None),
        ("yolov8n-obb", None),
        ("yolov10n", False),
        ("yolo26n", None),
        ("yolo26n", False),
    ],
)
@pytest.mark.parametrize("classes", [1, 3, 10])
def test_replay_equals_predict_on_other_heads(picture, name, nms, classes):
    rng = random.Random(classes)
    model = with_classes(name, classes)
    if nms is False:
        model.model.end2end = True
    args = {"imgsz": 192, "conf": rng.choice([0.001, 0.25]), **({} if nms is None else {"nms": nms})}
    trace = anatomy.trace(model, picture, **args)
    for edit in edits(model, classes, rng):
        edit()
        check(model, picture, args, trace)


def test_what_zeros_cannot_tell_is_not_learned_from_them(picture):
    """Rows of zeros, and rows that are all alike, give one sum in any order."""
    for classes in (2, 10):
        model = with_classes("yolov8n", classes)
        for side in (64, 192):
            image, args = picture[:64, :64].copy(), {"imgsz": side}
            trace = anatomy.trace(model, image, **args)
            for teach in (lambda: surgery.mute_level(model, "all"), lambda: surgery.zero_classes(model, "all", "all")):  # noqa: B023
                teach()
                check(model, image, args, trace)
                surgery.reset(model)
                surgery.scale_classes(model, "all", "all", 1.3)
                check(model, image, args, trace)
                surgery.reset(model)
                if classes > 2:
                    surgery.swap_classes(model, "all", 0, 1)
                    check(model, image, args, trace)
                surgery.shift_classes(model, "all", 1)
                check(model, image, args, trace)
                surgery.reset(model)


@pytest.mark.parametrize("name", ["yolov8n", "yolov8n-seg", "yolov8n-obb"])
def test_a_replay_with_exactly_six_candidates_left(name):
    """Six columns look like finished end-to-end rows to Ultralytics' NMS; five and seven do not."""
    model = with_classes(name, 3)
    for seed in range(50):
        coarse = np.random.default_rng(seed).integers(0, 255, (8, 12, 3), dtype=np.uint8)
        image = coarse.repeat(16, 0).repeat(16, 1)
        best = anatomy.trace(model, image, imgsz=192, conf=1e-9).scores().max(0).values.sort(descending=True).values
        if (best[4:7] - best[5:8]).min() > 1e-5:  # so that rounding does not decide who is a candidate
            break
    else:
        pytest.fail("no image whose best cells are clearly apart")
    for count in (5, 6, 7):
        args = {"imgsz": 192, "conf": float(best[count - 1] + best[count]) / 2, "iou": 0.99}
        trace = anatomy.trace(model, image, **args)
        surgery.shift_classes(model, "all", 1)
        replayed = check(model, image, args, trace)
        assert len(replayed.run.private.columns) == count
        assert 1 <= len(replayed.run.private.survivors) <= count
        assert replayed.detections.anchor.tolist() == trace.detections.anchor.tolist()
        surgery.undo(model)


def test_a_one_class_head_replays(picture):
    model = with_classes("yolov8n", 1)
    args = {"imgsz": 192}
    trace = anatomy.trace(model, picture, **args)
    assert len(trace.detections) > 5
    surgery.bias_classes(model, 0, 0, 2.0)
    more = check(model, picture, args, trace)
    assert len(more.run.private.columns) > len(trace.head.candidates(trace.run).anchor)
    assert (more.detections.class_id == 0).all()
    surgery.mute_level(model, "all")
    assert len(check(model, picture, args, trace).detections) == 0
    surgery.reset(model)
    assert check(model, picture, args, more).to_df().equals(trace.to_df())


def test_the_replay_of_a_silenced_trace_is_what_the_model_makes_of_the_image(picture):
    model = with_classes("yolov8n", 4)
    args = {"imgsz": 192}
    trace = anatomy.trace(model, picture, **args)
    silent = trace.silenced(["P3", "P4"], [1, 2])
    assert not torch.equal(rows(silent.result), rows(trace.result))
    check(model, picture, args, silent)
    surgery.shift_classes(model, "all", 1)
    check(model, picture, args, silent)


def test_channels_last_networks_replay(picture):
    model = with_classes("yolov8n", 10)
    model.model.to(memory_format=torch.channels_last)
    args = {"imgsz": 192, "conf": 0.001}
    trace = anatomy.trace(model, picture, **args)
    rng = random.Random(0)
    for edit in edits(model, 10, rng):
        edit()
        check(model, picture, args, trace)


def kind(classes, channels, height, width, threads=1, biased=True, size=1):
    torch.set_num_threads(threads)
    conv = torch.nn.Conv2d(channels, classes, size, padding=size // 2, bias=biased)
    feature = torch.randn(1, channels, height, width)
    return conv, feature, same_bits.kind_of(conv, feature, conv.weight, conv.bias)


@torch.inference_mode()
@pytest.mark.parametrize("grid", [(20, 20), (5, 5), (3, 5), (1, 1), (7, 3)])
@pytest.mark.parametrize(
    ("classes", "threads"), [*((count, 1) for count in (1, 2, 3, 5, 8, 10, 12, 33, 80)), (3, 2), (80, 2)]
)
def test_what_is_decided_of_a_kind_holds_for_other_values_of_it(classes, grid, threads):
    """Values of several scales, subnormal and huge ones among them; some rows zero, some alike."""
    generator = torch.Generator().manual_seed(3)
    for channels in (64, 80, 33):
        conv, feature, same = kind(classes, channels, *grid, threads)
        moves, product = same_bits.rows_can_move(same), same_bits.product_is_equal(same)
        sizes = {rows: same_bits.part_size(same, rows) for rows in range(1, classes // 2 + 1)}
        for scale in (1.0, 1e-30, 1e18, "mixed"):
            feature.normal_(generator=generator)
            weight = torch.randn(conv.weight.shape, generator=generator)
            weight *= 10 ** (6 * torch.randn(weight.shape, generator=generator)) if scale == "mixed" else scale
            weight[0] = 0
            bias = torch.randn(classes, generator=generator)
            full = F.conv2d(feature, weight, bias)[0]
            order = torch.randperm(classes, generator=generator)
            if moves:
                assert torch.equal(F.conv2d(feature, weight[order], bias[order])[0], full[order])
            if product:
                assert torch.equal(same_bits.multiply(same, feature, weight, bias), full)
            for rows_, size in sizes.items():
                if size is not None:
                    chosen = torch.randperm(classes, generator=generator)[:size]
                    part = same_bits.multiply(same, feature, weight[chosen], bias[chosen])[:rows_]
                    assert torch.equal(part, full[chosen[:rows_]])


def test_where_nothing_is_sure_the_convolution_itself_is_run():
    conv, feature, same = kind(8, 64, 4, 4, size=3)
    assert not same.plain
    assert not same_bits.product_is_equal(same)
    assert same_bits.part_size(same, 1) is None
    conv, feature, same = kind(8, 64, 4, 4, biased=False)
    assert not same.plain
    grouped = torch.nn.Conv2d(64, 8, 1, groups=2)
    assert same_bits.kind_of(grouped, feature, grouped.weight, grouped.bias) is None
    conv, feature, same = kind(8, 64, 4, 4)
    beside = torch.empty(feature.numel() + 1)[1:].view_as(feature)
    assert same_bits.kind_of(conv, beside, conv.weight, conv.bias) is None
    last = feature.to(memory_format=torch.channels_last)
    assert same_bits.kind_of(conv, last, conv.weight, conv.bias) != same


@torch.inference_mode()
@pytest.mark.parametrize(
    ("classes", "threads"), [*((count, 1) for count in (*range(1, 13), 80)), (1, 2), (7, 2), (80, 2), (80, 3), (11, 4)]
)
def test_scores_of_chosen_anchors_are_those_of_all(classes, threads):
    torch.set_num_threads(threads)
    generator = torch.Generator().manual_seed(classes)
    for grids in ([(4, 4), (2, 2), (1, 1)], [(7, 5), (4, 3), (2, 2)], [(80, 80), (40, 40), (20, 20)], [(61, 47)]):
        logits = tuple(3 * torch.randn(classes, *grid, generator=generator) for grid in grids)
        anchors = sum(h * w for h, w in grids)
        plain = torch.cat([level.flatten(1) for level in logits], 1)[None].sigmoid()[0]
        for share in (0.001, 0.1, 0.9):
            chosen = (torch.rand(anchors, generator=generator) < share).nonzero().view(-1)
            assert torch.equal(scores.column_scores(logits, chosen), plain[:, chosen])


@torch.inference_mode()
def test_scores_of_many_chosen_anchors_among_four_threads():
    """Three of four threads get a share: it must be made of whole blocks as well."""
    torch.set_num_threads(4)
    logits = (3 * torch.randn(80, 80, 105, generator=torch.Generator().manual_seed(0)),)
    chosen = torch.arange(0, 8 * 963, 8)
    assert torch.equal(scores.column_scores(logits, chosen), logits[0].flatten(1)[None].sigmoid()[0][:, chosen])
    for threads in range(1, 9):
        for count in (1, 64, 32_769, 77_040, 500_003):
            total = scores._whole_blocks(count, threads)
            assert total >= count
            assert total % (scores.BLOCK * scores._shares(total, threads)) == 0
