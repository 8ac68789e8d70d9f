"""A training on a GPU ends in the same bits with and without a watch, whose sums are those of the trainer."""

import pytest
import torch

import diagnosis
from detectors.pafpn import draw_batches, half_width
from tests.cuda import DEVICE, needs_cuda

from .test_laws import Spy
from .trainings import break_a_layer, fresh, train, write_set

pytestmark = needs_cuda
AMP = [False, True, "bf16"]


def trained(model, data, project, **settings):
    """The trainer after two epochs on the GPU; ``deterministic`` as Ultralytics has it by default."""
    return train(model, data, project, **({"device": 0, "epochs": 2, "save": False} | settings))


def state_of(trainer):
    """Weights, and the random states of both devices, at the end."""
    state = trainer.model.state_dict() | {"random": torch.get_rng_state(), "random there": torch.cuda.get_rng_state()}
    return {name: value.cpu().clone() for name, value in state.items()}


@pytest.fixture(autouse=True)
def _without_the_check_of_amp(monkeypatch):
    """Which would fetch a network."""
    monkeypatch.setattr("ultralytics.engine.trainer.check_amp", lambda model: True)


@pytest.mark.parametrize("amp", AMP)
@pytest.mark.parametrize("name", ["yolov8n", "yolo26n"])
def test_weights_are_bit_equal_and_sums_those_of_the_trainer(data, tmp_path, name, amp):
    states, told = [], []

    def note(trainer):
        told.append({item.removesuffix("_loss"): float(value) for item, value in trainer.loss_items.items()})

    for watched in (False, False, True):
        torch.manual_seed(0)
        model = fresh(name)
        if watched:
            spy = Spy(model)
            watch = diagnosis.watch(model, every=1, out=tmp_path / "rows")
            model.add_callback("on_train_batch_end", note)
            spy.callbacks["on_train_batch_end"].append(note)
        states.append(state_of(trained(model, data, tmp_path, amp=amp)))
    first, second, third = states
    assert all(torch.equal(first[key], second[key]) for key in first), "two trainings without a watch differ"
    assert all(torch.equal(first[key], third[key]) for key in first)
    assert watch.error is None and watch.findings == ()
    assert len(watch) == len(told) == 4
    reported = watch.levels["branch"].to_list()[-1]
    rows = watch.levels.filter(branch=reported).select("step", *told[0])
    sums = rows.group_by("step", maintain_order=True).sum()
    for item in told[0]:
        assert sums[item].to_list() == pytest.approx([one[item] for one in told], rel=1e-3)
    assert (watch.batches["grad"] > 0).all()
    assert watch.batches["scale"].null_count() == (0 if amp is True else 4)
    assert watch.levels["activation"].null_count() == 0
    spy.check()


@pytest.mark.parametrize("task", ["segment", "obb", "pose"])
@pytest.mark.parametrize("family", ["yolov8n", "yolo26n"])
def test_other_tasks_are_watched(tmp_path, family, task):
    suffix = {"segment": "seg"}.get(task, task)
    data = write_set(tmp_path / "set", task)
    model = fresh(f"{family}-{suffix}")
    watch = diagnosis.watch(model, every=1, out=tmp_path / "rows")
    trained(model, data, tmp_path, epochs=1, amp=True)
    assert watch.error is None
    assert len(watch) == 2 and watch.levels["positives"].sum() > 0


def test_a_batch_that_breaks_is_named_and_replayed_on_the_cpu(data, tmp_path):
    states = []
    for watched in (False, True):
        torch.manual_seed(0)
        model = fresh()
        watch = diagnosis.watch(model, every=3, out=tmp_path / "rows") if watched else None
        break_a_layer(model)
        trainer = trained(model, data, tmp_path, amp=False, save=True)
        states.append(torch.load(trainer.last, weights_only=False)["model"].state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    (finding,) = watch.findings
    assert (finding.code, finding.evidence["began"]) == ("non_finite", 2)
    assert finding.evidence["layer"] == "'model.6.cv2.1.2' (Conv2d)"
    (kept,) = watch.broken
    assert kept.load()["inputs"]["img"].device.type == "cpu"
    assert kept.replay(model).first_non_finite.name == finding.evidence["layer"]


@pytest.mark.parametrize("amp", [True, False])
def test_a_batch_that_breaks_under_a_scaler_is_kept_with_the_weights_that_broke(data, tmp_path, amp):
    """The scaler leaves such a step out; the weights that are kept are those that the batch met."""
    model = fresh()
    watch = diagnosis.watch(model, every=3, out=tmp_path / "rows")
    met = break_a_layer(model)
    trained(model, data, tmp_path, amp=amp, save=True)
    (kept,) = watch.broken
    state = kept.load()["state"]
    assert kept.step == 2
    assert all(torch.equal(state[name], value.cpu()) for name, value in met.items())
    assert watch.batches.filter(step=2)["non_finite"].null_count() == 0
    assert watch.batches["step"].to_list() == [0, 2, 3]


@pytest.mark.parametrize("amp", [None, torch.float16, torch.bfloat16])
def test_a_loop_of_ones_own_learns_the_same(amp):
    drawn = draw_batches(half_width(), 3, images=2, side=64)
    batches = [(images.to(DEVICE), [level.to(DEVICE) for level in wanted]) for images, wanted in drawn]
    ends, rows = [], []
    for watched in (False, True):
        torch.manual_seed(0)
        net = half_width().to(DEVICE)
        scaler = torch.amp.GradScaler("cuda", enabled=amp is torch.float16)
        optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
        watch = diagnosis.watch(net, every=1)
        for images, wanted in batches:
            optimizer.zero_grad()
            if watched:
                with watch.step(images, wanted, scaler=scaler) as step:
                    step.tell(_backward(net, images, wanted, scaler, amp))
            else:
                _backward(net, images, wanted, scaler, amp)
            scaler.step(optimizer)
            scaler.update()
        watch.close()
        assert watch.error is None
        ends.append({name: value.clone() for name, value in net.state_dict().items()})
        rows.append(watch.batches if watched else None)
    assert len(rows[1]) == 3
    assert (rows[1]["grad"] > 0).all() and rows[1]["loss"].is_finite().all()
    for name, value in ends[0].items():
        torch.testing.assert_close(value, ends[1][name], rtol=2e-2, atol=1e-4)  # backward passes sum in any order


def _backward(net, images, wanted, scaler, amp):
    with torch.autocast("cuda", amp or torch.float16, enabled=amp is not None):
        loss = net.loss(net(images), wanted).total
    scaler.scale(loss).backward()
    return loss
