"""One model used by many threads at once: everyone has the results that a single thread would have."""

import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import torch

import anatomy
import diagnosis
import surgery
from anatomy.tracing.gradient import differentiate
from tests.anatomy.test_gradient import Runnable, RunnableHead
from tests.torchvision_nets import tiny

ARGS = {"imgsz": 192}
THREADS = 8
WAIT = 120  # s: longer than anything here takes; a lock that is not given back shows as a failure


@pytest.fixture(scope="module")
def model(build, picture):
    return build("yolov8n", picture)


@pytest.fixture(scope="module")
def images(picture):
    """Eight pictures, no two alike, in three shapes."""
    turned = [np.roll(picture, 16 * i, axis=1) for i in range(THREADS)]
    shapes = [(128, 192), (128, 160), (96, 192)]
    return [np.ascontiguousarray(image[: shapes[i % 3][0], : shapes[i % 3][1]]) for i, image in enumerate(turned)]


@pytest.fixture
def folder(tmp_path, images):
    """Two of the pictures as files, which are read one by one."""
    for index in range(2):
        cv2.imwrite(str(tmp_path / f"{index}.png"), images[index])
    return tmp_path


def in_threads(work, count: int = THREADS) -> list:
    """What ``work(i)`` returns in each of several threads that start together."""
    start = threading.Barrier(count)

    def begin(i: int):
        torch.set_num_threads(1)
        start.wait(WAIT)
        return work(i)

    with ThreadPoolExecutor(count) as pool:
        return [done.result(WAIT) for done in [pool.submit(begin, i) for i in range(count)]]


def elsewhere(work):
    """What ``work`` returns in another thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result(WAIT)


def boxes(trace_or_result) -> torch.Tensor:
    return getattr(trace_or_result, "result", trace_or_result).boxes.data


def same(found: anatomy.Trace, wanted: anatomy.Trace) -> bool:
    """Whether two traces hold the same bits: of the photograph, of the pass and of its detections."""
    parts = [(boxes(found), boxes(wanted)), *zip(found.logits, wanted.logits, strict=True)]
    parts += [*zip(found.features, wanted.features, strict=True), (found.frame, wanted.frame)]
    table = found.to_df().equals(wanted.to_df())
    return table and np.array_equal(found.image, wanted.image) and all(torch.equal(*pair) for pair in parts)


def test_eight_threads_each_have_their_own_photograph_and_threshold(model, images):
    confs = [0.25, 0.3, 0.35, 0.4, 0.25, 0.3, 0.35, 0.4]
    wanted = [anatomy.trace(model, image, conf=conf, **ARGS) for image, conf in zip(images, confs, strict=True)]
    assert len({len(trace.detections) for trace in wanted}) > 3
    quarter = [anatomy.trace(model, image, conf=0.25, **ARGS) for image in images]

    def work(i: int) -> list[bool]:
        found = []
        for turn in range(5):
            plain = model.predict(images[i], conf=0.25, verbose=False, **ARGS)[0] if turn % 2 else None
            trace = anatomy.trace(model, images[i], conf=confs[i], **ARGS)
            found += [same(trace, wanted[i]), same(trace.replay(), wanted[i])]
            found += [plain is None or torch.equal(boxes(plain), boxes(quarter[i]))]
            pair = [images[i], images[(i + 1) % THREADS]]
            streamed = [seen for image in pair for seen in anatomy.stream(model, image, conf=confs[i], **ARGS)]
            found += [same(streamed[0], wanted[i]), len(streamed) == 2]
        return found

    assert all(all(found) for found in in_threads(work))


def test_edits_of_other_models_do_not_disturb(build, model, images):
    wanted = [anatomy.trace(model, image, **ARGS) for image in images]
    others = [build("yolov8n", images[0], seed=i) for i in range(2)]
    before = [anatomy.trace(other, images[0], **ARGS) for other in others]

    def work(i: int) -> list[bool]:
        found = []
        for _ in range(4):
            if i < len(others):
                with surgery.scratch(others[i]):
                    surgery.mute_level(others[i], "all")
                    found += [len(before[i].replay().detections) == 0]
                    found += [len(boxes(others[i].predict(images[0], verbose=False, **ARGS)[0])) == 0]
                found += [same(anatomy.trace(others[i], images[0], **ARGS), before[i])]
            else:
                found += [same(anatomy.trace(model, images[i], **ARGS), wanted[i])]
        return found

    assert all(all(found) for found in in_threads(work))


def test_a_pass_sees_an_edit_whole_or_not_at_all(build, picture, images):
    model = build("yolov8n", picture)
    before, head = anatomy.trace(model, images[0], **ARGS), anatomy.describe(model)
    with surgery.scratch(model):
        surgery.shift_classes(model, "all", 1)
        after = before.replay()
    assert not torch.equal(boxes(after), boxes(before))

    def work(i: int) -> list[bool]:
        found = []
        for _ in range(6):
            if i == 0:
                with surgery.scratch(model):
                    surgery.shift_classes(model, "all", 1)
                found.append(True)
            else:
                seen = [anatomy.trace(model, images[0], **ARGS), before.replay()]
                results = [*map(boxes, seen), boxes(model.predict(images[0], verbose=False, **ARGS)[0])]
                found += [any(torch.equal(result, boxes(one)) for one in (before, after)) for result in results]
        return found

    assert all(all(found) for found in in_threads(work, 4))
    assert surgery.history(model) == ()
    assert same(anatomy.trace(model, images[0], **ARGS), before)
    assert len(list(head.twins(0, "one2many"))) == 1


def test_an_error_that_is_kept_disturbs_nothing(build, picture):
    model = build("yolov8n", picture)
    kept = []
    for args in ({"iou": 7}, {"conf": 0.3}, {"iou": 7}):
        try:
            anatomy.trace(model, picture, **args, **ARGS)
        except ValueError as error:
            kept.append(error)
    assert len(kept) == 2
    surgery.mute_level(model, "all")
    assert len(boxes(model.predict(picture, verbose=False, **ARGS)[0])) == 0


def test_end_to_end_heads_keep_their_own_limits(build, images):
    model = build("yolov10n", images[0])
    model.predict(images[0], nms=False, verbose=False, **ARGS)
    wanted = [anatomy.trace(model, images[i], max_det=300 + i, agnostic_nms=bool(i % 2), **ARGS) for i in range(4)]
    assert {trace.branch for trace in wanted} == {"one2one"}

    def work(i: int) -> list[bool]:
        found = []
        for _ in range(4):
            trace = anatomy.trace(model, images[i], max_det=300 + i, agnostic_nms=bool(i % 2), **ARGS)
            found += [same(trace, wanted[i]), same(trace.replay(), wanted[i])]
        return found

    assert all(all(found) for found in in_threads(work, 4))


def test_the_first_pass_may_be_that_of_many_threads(build, picture, images):
    wanted = [anatomy.trace(build("yolov8n", picture), image, **ARGS) for image in images]
    model = build("yolov8n", picture)
    found = in_threads(lambda i: anatomy.trace(model, images[i], **ARGS))
    assert all(same(*pair) for pair in zip(found, wanted, strict=True))
    predictor = model.predictor
    assert torch.equal(boxes(model.predict(images[0], verbose=False, **ARGS)[0]), boxes(wanted[0]))
    assert model.predictor is predictor


def test_the_shared_predictor_is_left_as_it_was(model, images):
    model.predict(images[0], conf=0.4, verbose=False, **ARGS)
    predictor, held = model.predictor, dict(vars(model.predictor))
    stream = anatomy.stream(model, images[:2], conf=0.3, iou=0.5, **ARGS)
    next(stream)
    assert {name: value for name, value in vars(predictor).items() if value is not held.get(name)} == {}
    stream.close()
    assert model.predictor is predictor
    assert predictor.args.conf == 0.4


def test_a_stream_of_predict_that_is_still_open_is_refused_and_waited_for_elsewhere(model, images):
    wanted = anatomy.trace(model, images[0], **ARGS)
    results = model.predict(images[:2], stream=True, verbose=False, **ARGS)
    next(results)
    for work in (lambda: anatomy.trace(model, images[0], **ARGS), lambda: model.predict(images[0], **ARGS)):
        with pytest.raises(RuntimeError, match=r"predict\(stream=True\) over this model is still open.*close\(\)"):
            work()
    with surgery.scratch(model):  # edits do not wait for a stream of their own thread
        surgery.mute_level(model, "all")
        assert len(wanted.replay().detections) == 0
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(anatomy.trace, model, images[0], **ARGS)
        assert not waiting.done()
        results.close()
        assert same(waiting.result(WAIT), wanted)


def test_a_stream_that_was_open_before_the_first_trace_is_refused_too(build, picture):
    model = build("yolov8n", picture)
    results = model.predict(picture, stream=True, verbose=False, **ARGS)
    first = next(results)
    with pytest.raises(RuntimeError, match=r"predict\(stream=True\) over this model is still open"):
        anatomy.trace(model, picture, **ARGS)
    results.close()
    assert torch.equal(boxes(anatomy.trace(model, picture, **ARGS)), boxes(first))


@pytest.mark.parametrize("ours", [True, False])
@pytest.mark.parametrize("other_thread", [True, False])
def test_an_abandoned_stream_frees_the_model(model, images, ours, other_thread):
    anatomy.trace(model, images[0], **ARGS)  # the lock of the predictor is joined
    begin = anatomy.stream if ours else lambda *given, **args: model.predict(*given, stream=True, verbose=False, **args)
    held = [begin(model, images[:2], **ARGS) if ours else begin(images[:2], **ARGS)]
    next(held[0])
    held.append(held)  # a circle, which the collector alone can find
    (elsewhere if other_thread else lambda work: work())(lambda: (held.clear(), gc.collect()))
    assert len(elsewhere(lambda: boxes(model.predict(images[0], verbose=False, **ARGS)[0]))) > 0
    assert len(anatomy.trace(model, images[0], **ARGS).detections) > 0


def test_a_stream_may_be_read_by_one_thread_after_another(model, folder):
    wanted = [anatomy.trace(model, folder / f"{index}.png", **ARGS) for index in range(2)]
    stream = anatomy.stream(model, folder, **ARGS)
    assert all(same(elsewhere(lambda: next(stream)), one) for one in wanted)
    assert elsewhere(lambda: next(stream, None)) is None


def test_a_device_that_is_not_there_leaves_the_model_as_it_was(build, picture):
    if torch.cuda.is_available():
        pytest.skip("CUDA is there")
    fresh, used = build("yolov8n", picture), build("yolov8n", picture)
    wanted = anatomy.trace(used, picture, **ARGS)
    for model, predictor in ((fresh, None), (used, used.predictor)):
        with pytest.raises(ValueError, match="CUDA"):
            anatomy.trace(model, picture, device="cuda", **ARGS)
        assert model.predictor is predictor
        assert same(anatomy.trace(model, picture, **ARGS), wanted)
    with pytest.raises(ValueError, match="CUDA"):
        used.predict(picture, device="cuda", verbose=False, **ARGS)
    assert same(anatomy.trace(used, picture, **ARGS), wanted)  # and predict works again
    assert torch.equal(boxes(used.predict(picture, verbose=False, **ARGS)[0]), boxes(wanted))


def test_a_stream_follows_its_predictor_when_that_is_set_up_anew(model, folder):
    stream = anatomy.stream(model, folder, **ARGS)
    assert len(next(stream).detections) > 0
    model.predictor.setup_model(model.model, verbose=False)
    with surgery.scratch(model):
        surgery.mute_level(model, "all")
        assert [len(seen.detections) for seen in stream] == [0]


def test_within_undisturbed_no_other_thread_runs_edits_or_replays(model, images):
    trace, head, order = anatomy.trace(model, images[0], **ARGS), anatomy.describe(model), []
    works = {
        "trace": lambda: anatomy.trace(model, images[0], **ARGS),
        "predict": lambda: model.predict(images[0], verbose=False, **ARGS),
        "replay": trace.replay,
        "recomputed": trace.recomputed,
    }
    with ThreadPoolExecutor(len(works)) as pool:
        with head.undisturbed(), head.undisturbed():
            waiting = [pool.submit(lambda name=name: (works[name](), order.append(name))) for name in works]
            for do in works.values():
                do()  # the thread that holds the model does as it likes
            order.append("released")
            assert not any(one.done() for one in waiting)
        for one in waiting:
            one.result(WAIT)
    assert order[0] == "released"
    assert set(order[1:]) == set(works)


def test_a_replay_does_not_wait_for_a_stream_of_another_thread(model, images):
    trace = anatomy.trace(model, images[0], **ARGS)
    results = model.predict(images[:2], stream=True, verbose=False, **ARGS)
    next(results)
    assert same(elsewhere(trace.replay), trace)
    results.close()


def test_torchvision_models_of_one_size_each_a_thread(images):
    net = tiny("fcos")
    sizes = [224, 256, 288, 320]
    wanted = [anatomy.trace(net, images[0], conf=0.05, imgsz=size) for size in sizes]
    assert len({trace.input_shape for trace in wanted}) == len(sizes)
    net.train()
    found = in_threads(lambda i: anatomy.trace(net, images[0], conf=0.05, imgsz=sizes[i]), len(sizes))
    assert all(same_pass(*pair) for pair in zip(found, wanted, strict=True))
    assert all(module.training for module in net.modules())


def test_our_own_detectors_keep_every_mode(images):
    from detectors.pafpn import PafpnDetector

    torch.manual_seed(0)
    net = PafpnDetector(4, (16, 32, 64, 128), (1, 1, 1, 1))
    net.eval()
    wanted = [anatomy.trace(net, image, conf=9e-5, imgsz=128) for image in images[:4]]
    assert all(len(trace.detections) for trace in wanted)
    net.train()
    net.heads[0].eval()
    modes = [module.training for module in net.modules()]

    def work(i: int) -> bool:
        trace = anatomy.trace(net, images[i], conf=9e-5, imgsz=128)
        (plain,) = net.predict(images[i], conf=9e-5, imgsz=128)
        return same_pass(trace, wanted[i]) and torch.equal(plain.boxes, trace.result.boxes)

    assert all(in_threads(work, 4))
    assert [module.training for module in net.modules()] == modes


def same_pass(found: anatomy.Trace, wanted: anatomy.Trace) -> bool:
    pairs = [*zip(found.logits, wanted.logits, strict=True), (found.frame, wanted.frame)]
    return found.to_df().equals(wanted.to_df()) and all(torch.equal(*pair) for pair in pairs)


class Several(RunnableHead):
    """Gives its passes in another form than a generator."""

    def passes(self, source, **predict_args):
        return self.net.form(list(super().passes(source, **predict_args)))


class Mine(Runnable):
    def __init__(self, form):
        super().__init__()
        self.form = form

    def describe_head(self):
        return Several(self)


@pytest.mark.parametrize("form", [list, tuple, iter, reversed])
def test_passes_may_be_any_iterable(picture, form):
    args = {"conf": 0.5, "iou": 0.7, "imgsz": 192}
    net = Mine(form)
    wanted = next(iter(RunnableHead(net).passes(picture, **args))).logits
    found = [anatomy.trace(net, picture, **args).logits, differentiate(net, picture, **args).run.logits]
    found += [next(anatomy.stream(net, picture, **args)).logits]
    assert all(torch.equal(*pair) for logits in found for pair in zip(logits, wanted, strict=True))
    report = diagnosis.check_grid(net, step=64)
    assert len(report.levels) == 2
