"""What is asked of a head or a trace once in a while: batches of validation, odd images, copies of copies, refusals."""

import contextlib
import copy
import pickle
import threading
from dataclasses import fields, replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from ultralytics.utils import IterableSimpleNamespace

import anatomy
import surgery
from anatomy.families.torchvision.selection import class_shift
from anatomy.families.ultralytics import tap
from anatomy.families.ultralytics.layout import detect_module
from anatomy.families.ultralytics.lock import joined_lock
from anatomy.families.ultralytics.validation import framed
from anatomy.head.batches import Batch
from anatomy.head.forward import Candidates
from anatomy.head.turns import Turn
from anatomy.tracing.compare import Comparison
from anatomy.tracing.detections import Rivals
from anatomy.tracing.gradient import differentiate
from anatomy.tracing.recorded import RecordedHead
from anatomy.tracing.suppression import losers
from tests.corner_net import CornerHead, CornerNet
from tests.ultralytics_nets import small

IMAGE = np.random.default_rng(3).integers(0, 256, (64, 96, 3), np.uint8)


@pytest.fixture(scope="module")
def model(picture):
    return small("yolov8n", picture, 5, bodiless=True)


@pytest.fixture
def corner():
    return anatomy.trace(CornerNet(), IMAGE)


def test_batches_of_a_head_that_does_not_say_are_in_their_order():
    head = anatomy.describe(CornerNet())
    assert head.batches([(1, 1)] * 5, 640, 2) == [Batch((0, 1), None), Batch((2, 3), None), Batch((4,), None)]
    found = list(head.batch_passes([IMAGE, IMAGE[:32]], Batch((0, 1), None), imgsz=64))
    assert [run.original.shape for run in found] == [(64, 96, 3), (32, 96, 3)]
    assert head.evaluated(found[0]) is None and head.settle() == 0 and head.owner is None and head.beside == {}
    assert head.replaced is False and head.limits(found[0]) == anatomy.Limits(conf=0.25)


def test_a_batch_of_validation_runs_together_and_is_seated_in_its_originals(model):
    head, images = anatomy.describe(model), [IMAGE, np.ascontiguousarray(IMAGE[:, ::-1])]
    assert head.tensor_multiple == 32 and head.channels == 3
    (batch,) = head.batches([image.shape[:2] for image in images], 96, 2)
    assert batch == Batch((0, 1), (96, 128))  # (64 / 32 + 0.5 rounded up, 96 / 32 + 0.5 rounded up) strides
    found = list(head.batch_passes(images, batch, imgsz=96, conf=0.001))
    frames = framed(images, (96, 128), 96)
    for run, image, frame, letterbox in zip(found, images, frames.frames, frames.letterboxes, strict=True):
        assert run.original is image and run.letterbox == letterbox and torch.equal(run.frame[0], frame)
        assert run.input_shape == (96, 128) and run.result.orig_shape == (64, 96)
        boxes, confidence, class_id = head.found(run)
        assert len(boxes) > 3
        made = letterbox.to_original(head.xyxy(run, run.anchors).numpy()).clip(0, (96, 64, 96, 64))
        np.testing.assert_allclose(boxes.numpy(), made, atol=1e-3)
        whole, scores = head.evaluated(run)
        assert whole.shape == (12 * 16 + 6 * 8 + 3 * 4, 4) and scores.shape == (5, len(whole))
        assert scores.dtype == whole.dtype == torch.float32
        assert torch.equal(scores[class_id, run.anchors], confidence)
    alone = list(head.batch_passes(images[:1], Batch((0,), None), imgsz=96, conf=0.001))
    assert alone[0].input_shape == (64, 96) and alone[0].letterbox is None


def test_an_image_without_colours_is_shown_in_grey(corner):
    for channels in (1, 2):
        grey = anatomy.Trace(corner.head, corner.run.evolve(original=IMAGE[..., :channels]))
        assert np.array_equal(grey.image, np.repeat(IMAGE[..., :1], 3, 2))
    many = anatomy.Trace(corner.head, corner.run.evolve(original=np.concatenate([IMAGE, IMAGE[..., :1] // 2], 2)))
    assert np.array_equal(many.image, IMAGE[..., ::-1]) and many.image.flags.c_contiguous


def test_a_trace_that_has_travelled_travels_on(corner):
    once = pickle.loads(pickle.dumps(corner))
    twice = pickle.loads(pickle.dumps(once))
    assert isinstance(once.head, RecordedHead) and isinstance(twice.head, RecordedHead)
    for far in (once, twice, copy.deepcopy(twice)):
        assert far.to_df().equals(corner.to_df()) and far.limits == corner.limits and far.steps == corner.steps
        assert torch.equal(far.scores(), corner.scores()) and far.letterbox == corner.letterbox
        assert all(torch.equal(*pair) for pair in zip(far.objectness(), corner.objectness(), strict=True))
        assert np.array_equal(far.corners, corner.corners) and far.run.private is None
        assert np.array_equal(far.decode([3, 5]), corner.decode([3, 5])) and far.anchors_per_cell == 2
        assert (far.grid_offset, far.reg_max, far.names, far.rotated) == (0.0, 6, corner.names, False)
        with pytest.raises(
            RuntimeError, match=r"travelled without its model \(it was pickled\), which replay\(\) needs"
        ):
            far.replay()
        with pytest.raises(RuntimeError, match="which its network needs"):
            far.head.running  # noqa: B018


def test_a_trace_that_was_not_asked_for_detections_has_them_in_its_copy(corner):
    copied = copy.deepcopy(corner)
    assert copied.head is corner.head and copied.run.logits[0] is not corner.run.logits[0]
    assert copied.detections.anchor.tolist() == corner.detections.anchor.tolist()


def test_every_field_of_detections_holds_one_entry_each(corner):
    found = corner.detections
    with pytest.raises(
        ValueError, match=r"Every field must hold one entry a detection, but the lengths are \{'xyxy': 1,"
    ):
        replace(found, xyxy=found.xyxy[:1])
    rivals = found.suppressed[0] if found.suppressed else None
    assert len(fields(found)) == 15 and (rivals is None or len(rivals) == 0)


def test_a_comparison_made_by_hand_needs_no_more_than_it_says():
    none = np.empty(0, np.int64)
    made = Comparison(none, none, none, none, none, (), {}, np.empty((0, 2), np.int64), ())
    assert made.anchors.shape == made.confidence.shape == (0, 2) and made.iou.shape == (0,)
    assert made.anchors.dtype == np.int64 and repr(made) == "Comparison(0 detections matched by anchor)"
    assert made.threshold is None and made.to_df().height == 0


def test_nothing_to_differentiate_is_told():
    class Empty(CornerHead):
        def passes(self, source, conf=0.25, iou=0.7, imgsz=640):
            return []

    with pytest.raises(anatomy.SourceError, match="could not be read as an image"):
        differentiate(Empty(CornerNet()), IMAGE)


def test_a_cell_lies_on_one_level():
    for level, count in (("all", 2), ([0, 1], 2)):
        with pytest.raises(ValueError, match=rf"A cell lies on one level, but .* names {count}\."):
            anatomy.receptive_field(CornerNet(), level, images=IMAGE)


def test_several_images_and_none_are_told(corner):
    class Several(CornerHead):
        def passes(self, source, conf=0.25, iou=0.7, imgsz=640):
            return list(super().passes(source)) * int(source[0, 0, 0])

    class Net(CornerNet):
        def describe_head(self):
            return Several(self)

    for count, told in ((2, "holds several"), (0, "could not be read")):
        image = IMAGE.copy()
        image[0, 0, 0] = count
        with pytest.raises(anatomy.SourceError, match=told):
            anatomy.trace(Net(), image)


def test_an_exported_file_has_no_weights_to_read():
    with pytest.raises(
        anatomy.UnsupportedModelError, match=r"runs an exported file \(x\.onnx\), whose weights cannot be"
    ):
        detect_module("x.onnx")
    with pytest.raises(
        anatomy.UnsupportedModelError, match=r"^The last module is Linear, which is no detection head\."
    ):
        detect_module(nn.Linear(1, 1))


def test_the_lock_of_a_predictor_is_taken_by_a_with_statement_alone():
    predictor = SimpleNamespace(_lock=threading.Lock())
    lock = joined_lock(predictor, Turn())
    assert joined_lock(predictor, Turn()) is lock is predictor._lock
    with pytest.raises(TypeError, match="is taken by a with statement alone"):
        lock.__enter__()
    with lock, pytest.raises(RuntimeError, match=r"A predict\(stream=True\) over this model is still open"), lock:
        pass
    with lock.held(), lock.held(), lock:
        pass


def test_beyond_how_many_coordinates_torchvision_takes_class_by_class():
    def boxes(count, kind):
        made = torch.full((count, 4), 7.0)
        return SimpleNamespace(numel=made.numel, max=made.max, device=SimpleNamespace(type=kind), __len__=made.__len__)

    class Boxes(SimpleNamespace):
        def __len__(self):
            return self.count

    for kind, most in (("cpu", 1000), ("cuda", 25_000)):
        for count, shift in ((most, 8.0), (most + 1, None), (0, 0.0)):
            made = boxes(count, kind)
            assert class_shift(Boxes(count=count, **vars(made))) == shift


def candidates(**changes) -> Candidates:
    """Three boxes: the second overlaps the first by a half, the third the second by a half; of classes 0, 0, 1."""
    from torchvision.ops import box_iou

    made = Candidates(
        anchor=torch.tensor([10, 20, 30]),
        class_id=torch.tensor([0, 0, 1]),
        confidence=torch.tensor([0.9, 0.8, 0.7]),
        boxes=torch.tensor([[0.0, 0, 3, 1], [1, 0, 4, 1], [2, 0, 5, 1]]),
        iou_threshold=0.4,
        shift=0.0,
        pairwise_iou=box_iou,
    )
    return replace(made, **changes)


@pytest.mark.parametrize(
    ("changes", "kept", "lost"),
    [
        ({}, [0, 2], {1: 0}),
        ({"iou_threshold": 0.1}, [0], {1: 0, 2: 0}),
        ({"iou_threshold": 0.1, "shift": 100.0}, [0, 2], {1: 0}),
        ({"iou_threshold": 0.1, "shift": None}, [0, 2], {1: 0}),
        ({"chained": True}, [0], {1: 0, 2: 0}),  # the second, itself removed, still removes the third
        ({"chained": True, "shift": 100.0}, [0, 2], {1: 0}),
        ({"iou_threshold": 0.5}, [0, 1, 2], {}),
        ({"survivors": torch.tensor([0, 2])}, [2], {}),  # the first is no detection, and what lost to it lost to none
    ],
)
def test_who_lost_to_whom_by_hand(changes, kept, lost):
    made = candidates(**changes)
    rows, winners, overlap = losers(made, made.anchor[kept], made.class_id[kept])
    assert dict(zip(rows.tolist(), [kept[winner] for winner in winners.tolist()], strict=True)) == lost
    assert rows.tolist() == sorted(lost)
    half, little = 0.5, 0.2
    told = {(1, 0): half, (2, 0): little}
    assert overlap.tolist() == pytest.approx([told[row, lost[row]] for row in rows.tolist()])


def test_nobody_loses_to_nobody():
    made = candidates()
    assert [len(part) for part in losers(made, made.anchor[:0], made.class_id[:0])] == [0, 0, 0]


def test_scratch_tells_of_a_network_that_is_no_detector_any_more(model):
    net = model.model
    with pytest.warns(surgery.RecordWarning, match="given another network inside scratch"), surgery.scratch(model):
        model.model = nn.Identity()
    model.model = net
    assert surgery.history(model) == ()


def test_lists_of_an_edit_become_tuples():
    edit = surgery.Edit("zero_classes", [0, 1], [2], {"bias": "keep"}, ["one2many"])
    assert (edit.levels, edit.classes, edit.branches) == ((0, 1), (2,), ("one2many",)) and hash(edit)
    assert str(surgery.Edit("shift_classes", (0,), (), {"k": 1})) == "shift_classes(levels=[0], k=1)"
    assert str(edit) == "zero_classes(levels=[0, 1], classes=[2], bias=keep)"


@pytest.mark.parametrize("fails", [False, True])
def test_attributes_stand_for_others_within_a_block_alone(fails):
    target = SimpleNamespace(kept=1, other=2)
    with contextlib.suppress(KeyError), tap.overridden(target, kept=5, new=6):
        assert vars(target) == {"kept": 5, "other": 2, "new": 6}
        target.other = 3
        if fails:
            raise KeyError
    assert vars(target) == {"kept": 1, "other": 3}


def test_what_nobody_had_suppressed_was_freed_by_nobody():
    net = CornerNet()
    before = anatomy.trace(net, IMAGE, conf=0.6)
    surgery.bias_classes(net, "all", "all", 1.0)
    joined = anatomy.compare(before, before.replay())
    new = joined.before < 0
    assert new.sum() > 3 and (joined.freed_from == -1).all()
    assert joined.to_df()["freed_from"].null_count() == len(joined)


def test_who_was_freed_is_told_of_anchors_alone(corner):
    found = corner.detections
    rival = Rivals(**{field.name: np.zeros(1, np.int64) for field in fields(Rivals)} | {"anchor": found.anchor[1:2]})
    first = {field.name: getattr(found, field.name)[:1] for field in fields(found)}
    alone = copy.copy(corner)
    alone.__dict__["detections"] = replace(found, **first | {"suppressed": (rival,)})
    joined = anatomy.compare(alone, corner, by="anchor")
    assert joined.before.tolist() == [0] + [-1] * (len(found) - 1) and len(found) > 2
    assert joined.freed_from.tolist() == [-1, 0] + [-1] * (len(found) - 2)
    assert joined.to_df()["freed_from"].to_list()[:3] == [None, 0, None]
    assert set(anatomy.compare(alone, corner, by="iou").freed_from.tolist()) == {-1}


def test_an_interruption_before_a_pass_begins_leaves_no_hook(model, monkeypatch):
    def interrupted(self):
        raise KeyboardInterrupt

    before = anatomy.trace(model, IMAGE, imgsz=96, conf=0.001)
    monkeypatch.setattr(tap.TopK, "__enter__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        anatomy.trace(model, IMAGE, imgsz=96, conf=0.001)
    monkeypatch.undo()
    assert not any(module._forward_pre_hooks for module in anatomy.describe(model).running.modules())
    assert anatomy.trace(model, IMAGE, imgsz=96, conf=0.001).to_df().equals(before.to_df())


def test_classes_that_weigh_more_cost_more_and_nothing_else(model, monkeypatch):
    trace = anatomy.trace(model, IMAGE, imgsz=96, conf=0.001)
    plain = trace.targets([[10, 10, 60, 50]], [1])
    kind, make = type(model.model), type(model.model).init_criterion

    def weighing(net):
        criterion = make(net)
        criterion.class_weights = torch.tensor([[1.0, 3, 1, 1, 1]])[None]
        return criterion

    monkeypatch.setattr(kind, "init_criterion", weighing)
    found = trace.targets([[10, 10, 60, 50]], [1])
    assert torch.equal(found.losses["box"], plain.losses["box"]) and torch.equal(found.object, plain.object)
    flat = torch.cat([level.flatten(1) for level in trace.logits], 1).double()
    wanted = torch.zeros_like(flat)
    wanted[1] = plain.score
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(flat, wanted, reduction="none")
    share = plain.losses["cls"].double() / entropy.sum(0)
    torch.testing.assert_close(
        found.losses["cls"].double(), (entropy.sum(0) + 2 * entropy[1]) * share, rtol=1e-4, atol=1e-6
    )
    none = trace.targets([], [])
    assert (
        none.inside.shape == none.alignment.shape == (0, flat.shape[1])
        and none.picked.dtype == none.inside.dtype == torch.bool
    )
    assert (none.object == -1).all() and not none.score.any()


def test_gains_are_those_of_the_training_however_its_settings_are_kept(model):
    trace, found = anatomy.trace(model, IMAGE, imgsz=96, conf=0.001), []
    net = anatomy.describe(model).running
    own = net.args
    try:
        for args in ({"box": 3.0}, IterableSimpleNamespace(box=3.0), {}, None):
            net.args = args
            found.append(trace.targets([[10, 10, 60, 50]], [1]).losses["box"])
            assert net.args is args
    finally:
        net.args = own
    assert torch.equal(found[0], found[1]) and torch.equal(found[2], found[3])
    torch.testing.assert_close(found[0] * 2.5, found[2])  # 7.5 where nothing is said


def test_detectors_without_a_common_branch_cannot_be_compared(picture):
    first, second = (small("yolov10n", picture, 5, bodiless=True) for _ in range(2))
    first.model.model[-1].cv2 = first.model.model[-1].cv3 = None
    second.model.model[-1].one2one_cv2 = second.model.model[-1].one2one_cv3 = None
    with pytest.raises(ValueError, match=r"have no branch in common: \('one2one',\) against \('one2many',\)"):
        anatomy.equivalent(first, second, inputs=64)
