"""What a watch must leave as it is: weights, checkpoints, the trainer, its recovery, and everything after the end."""

import gc
from copy import deepcopy

import pytest
import torch

import diagnosis

from .trainings import break_a_layer, fresh, train

DATED = {"date", "train_results", "train_args"}  # when it was, how long it took, and the paths


class Spy:
    """What a trainer and its model were before the watch came in, and whether they are so again."""

    def __init__(self, model):
        self.model = model
        self.callbacks = deepcopy({event: list(calls) for event, calls in model.callbacks.items()})
        self.names = set(vars(model))

    def check(self):
        assert {event: list(calls) for event, calls in self.model.callbacks.items()} == self.callbacks
        trainer = self.model.trainer
        mine = [call for calls in trainer.callbacks.values() for call in calls if "anatomy" in (call.__module__ or "")]
        assert mine == []
        assert not {"preprocess_batch", "optimizer_step"} & set(vars(trainer))
        assert "train" not in vars(self.model)
        for module in trainer.model.modules():
            assert not module._forward_pre_hooks
            assert not module._forward_hooks
        assert "_workbench" not in vars(trainer.model)
        whole = trainer.model.criterion
        for criterion in (getattr(whole, "one2many", whole), getattr(whole, "one2one", whole)):
            assert not {"loss"} & set(vars(criterion))
            assert not criterion.bce._forward_hooks


@pytest.fixture(scope="module")
def pair(data, tmp_path_factory):
    """The same training twice in one folder, without and with a watch: checkpoints, random state, and the watch."""
    project, held = tmp_path_factory.mktemp("pair"), []
    watch = spy = None
    for watched in (False, True):
        torch.manual_seed(0)
        model = fresh()
        if watched:
            spy = Spy(model)
            watch = diagnosis.watch(model, every=2, out=project / "rows")
        trainer = train(model, data, project, epochs=2, val=True)
        files = [torch.load(trainer.wdir / name, weights_only=False) for name in ("last.pt", "best.pt")]
        held.append((files, torch.get_rng_state(), trainer.csv.read_text()))
    return held, watch, spy


def test_weights_and_checkpoints_are_bit_equal_with_and_without_a_watch(pair):
    (plain, random, _), (watched, random_watched, _) = pair[0]
    for before, after in zip(plain, watched, strict=True):
        assert before.keys() == after.keys()
        for name in before.keys() - DATED - {"model", "ema"}:
            assert before[name] == after[name], name
        nets = [entry["ema"] or entry["model"] for entry in (before, after)]
        states = [net.state_dict() for net in nets]
        assert states[0].keys() == states[1].keys()
        assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
        assert vars(nets[0]).keys() == vars(nets[1]).keys()
    assert torch.equal(random, random_watched)


def test_the_results_are_equal_but_for_the_time(pair):
    plain, watched = ([line.split(",") for line in text.splitlines()] for _, _, text in pair[0])
    time = plain[0].index("time")
    assert len(plain) == 3
    for before, after in zip(plain, watched, strict=True):
        assert before[:time] + before[time + 1 :] == after[:time] + after[time + 1 :]


def test_nothing_is_left_after_the_end(pair):
    pair[2].check()


def test_every_second_batch_has_a_row_and_the_gradient_of_its_step(pair):
    watch = pair[1]
    assert watch.error is None
    assert watch.batches["step"].to_list() == [0, 2]
    assert watch.batches["epoch"].to_list() == [0, 1]
    assert watch.batches["batch"].to_list() == [0, 0]
    assert watch.batches["accumulated"].to_list() == [1, 1]
    assert watch.batches["objects"].to_list() == [12, 12]
    assert (watch.batches["grad"] > 0).all()


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, ValueError])
def test_nothing_is_left_after_an_exception_or_an_interruption(error, data, tmp_path):
    model = fresh()
    spy = Spy(model)
    watch = diagnosis.watch(model, every=1, out=tmp_path / "rows")

    def fail(trainer):
        head = trainer.model.model[-1]
        head.register_forward_hook(lambda *_: (_ for _ in ()).throw(error("from within the second forward pass")))

    calls = iter([lambda _: None, fail])
    model.add_callback("on_train_batch_start", lambda trainer: next(calls)(trainer))
    spy.callbacks["on_train_batch_start"] = list(model.callbacks["on_train_batch_start"])
    with pytest.raises(error, match="second forward"):
        train(model, data, tmp_path, epochs=1)
    for module in model.trainer.model.model[-1:].modules():
        module._forward_hooks.clear()
    spy.check()
    assert watch.error is None
    assert watch.batches["step"].to_list() == [0]
    assert diagnosis.read_watch(tmp_path / "rows").batches.equals(watch.batches)


def test_what_the_watch_fails_at_is_warned_of_and_the_training_goes_on(data, tmp_path):
    model = fresh()
    spy = Spy(model)
    watch = diagnosis.watch(model, every=1, out=tmp_path / "rows")
    model.add_callback("on_train_start", lambda trainer: (tmp_path / "rows" / "parts").rmdir())
    spy.callbacks["on_train_start"] = list(model.callbacks["on_train_start"])
    with pytest.warns(UserWarning, match=r"watch has ended.*were not written.*training goes on"):
        trainer = train(model, data, tmp_path, epochs=1)
    assert trainer.last.exists()
    assert isinstance(watch.error, OSError)
    spy.check()


def test_labels_that_it_cannot_read_end_the_watch_and_not_the_training(data, tmp_path, monkeypatch):
    def unreadable(batch):
        raise KeyError("cls")

    monkeypatch.setattr("anatomy.head.following.BatchLabels.of_flat", unreadable)
    model = fresh()
    watch = diagnosis.watch(model, every=1, out=tmp_path / "rows")
    with pytest.warns(UserWarning, match=r"watch has ended.*training goes on"):
        assert train(model, data, tmp_path, epochs=1).last.exists()
    assert isinstance(watch.error, KeyError)


def test_a_training_that_never_begins_ends_the_watch_and_says_so(tmp_path):
    model = fresh()
    diagnosis.watch(model, out=tmp_path / "rows")
    with (
        pytest.warns(UserWarning, match=r"No training began.*make another"),
        pytest.raises(RuntimeError, match="does not exist"),
    ):
        train(model, tmp_path / "nowhere.yaml", tmp_path, epochs=1)
    assert "train" not in vars(model)


def test_the_trainers_own_recovery_from_nan_works_and_ends_in_the_same_weights(data, tmp_path):
    states = []
    for watched in (False, True):
        torch.manual_seed(0)
        model = fresh()
        watch = diagnosis.watch(model, every=3, out=tmp_path / "rows") if watched else None
        broken = break_a_layer(model)
        trainer = train(model, data, tmp_path, epochs=2)
        assert trainer.nan_recovery_attempts in (0, 1)
        assert broken
        states.append(torch.load(trainer.last, weights_only=False)["model"].state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert watch.error is None
    assert [finding.code for finding in watch.findings] == ["non_finite"]
    assert watch.findings[0].evidence["layer"] == "'model.6.cv2.1.2' (Conv2d)"
    assert watch.findings[0].evidence["began"] == 2
    told = watch.batches.select("step", "epoch", "batch", "non_finite")
    assert told["step"].to_list() == [0, 2, 3]
    assert told["epoch"].to_list() == [0, 1, 1]
    assert told["non_finite"].is_null().to_list() == [True, False, True]
    (kept,) = diagnosis.read_watch(tmp_path / "rows").broken
    assert (kept.step, kept.epoch, kept.place) == (2, 1, told["non_finite"][1])
    again = kept.replay(model)
    assert again.first_non_finite.name == watch.findings[0].evidence["layer"]
    assert str(again.first_non_finite) == kept.place
    with pytest.raises(ValueError, match=r"do not fit this DetectionModel.*as many classes"):
        kept.replay(fresh("yolov10n"))


def test_running_out_of_memory_in_the_first_epoch_begins_it_again_and_the_rows_go_on(data, tmp_path):
    model = fresh()
    spy = Spy(model)
    watch = diagnosis.watch(model, every=1, out=tmp_path / "rows")
    raised = []

    def exhaust(trainer):
        def hook(*_):
            handle.remove()
            raise RuntimeError("CPU out of memory")

        if trainer.batch_size == 4 and len(raised) == 1:
            handle = trainer.model.model[-1].register_forward_hook(hook)
        raised.append(trainer.batch_size)

    model.add_callback("on_train_batch_start", exhaust)
    spy.callbacks["on_train_batch_start"] = list(model.callbacks["on_train_batch_start"])
    train(model, data, tmp_path, epochs=1)
    assert raised == [4, 4, 2, 2, 2, 2]
    assert watch.error is None
    rows = watch.batches
    assert rows["step"].to_list() == [0, 2, 3, 4, 5]
    assert rows["batch"].to_list() == [0, 0, 1, 2, 3]
    assert rows["images"].to_list() == [4, 2, 2, 2, 2]
    spy.check()


def test_a_watch_keeps_nothing_of_the_training_alive(data, tmp_path):
    import weakref

    model = fresh()
    watch = diagnosis.watch(model, every=1)
    trainer = weakref.ref(train(model, data, tmp_path, epochs=1))
    model.trainer = None
    gc.collect()
    assert trainer() is None
    assert len(watch) == 2
    assert watch.path == tmp_path / "run" / "watch"
