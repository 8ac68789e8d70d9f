"""Faults planted in a training, or in its rows, are named; what is healthy is not."""

import itertools
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import diagnosis
from anatomy.families.ultralytics.loggers import HOME, LOGGERS, active_loggers
from anatomy.head.following import BatchLabels
from diagnosis.training.history import History, Seen
from diagnosis.training.label_faults import LabelCount
from diagnosis.training.measures import BranchMeasures
from diagnosis.training.record import About, WatchLevel
from diagnosis.training.rules import RULES

from .trainings import fresh, train

ABOUT = About(
    subject="Net",
    levels=tuple(WatchLevel(index, f"P{3 + index}", 8.0 * 2**index) for index in range(3)),
    branches=("one2many",),
    names={0: "a", 1: "b"},
    every=10,
)


def seen(step, *, row=None, branches=(), **columns):
    """A watched batch as it is when all is well, with columns of its levels changed: a value for each of the three."""
    usual = {"positives": (60, 30, 10), "target_mass": (30.0, 15.0, 5.0), "box": (3.0, 2.0, 1.0)}
    usual |= {"grad_box": (1.0, 0.5, 0.2), "grad_class": (1.0, 0.5, 0.2)}
    columns = usual | columns
    levels = [
        {"branch": "one2many", "level": index, "level_name": f"P{3 + index}", "weight": 1.0}
        | {name: values[index] for name, values in columns.items()}
        for index in range(3)
    ]
    whole = {"step": step, "epoch": 0, "objects": 20, "grad": 2.0, "accumulated": 1, "grad_backbone": 1.0}
    return Seen(row=whole | (row or {}), levels=levels, branches=branches)


def found(batches):
    """The findings of the rules on these batches, each once, in order."""
    history, told = History(), {}
    for batch in batches:
        history.add(batch)
        for finding in itertools.chain.from_iterable(rule(ABOUT, history) for rule in RULES):
            told.setdefault((finding.code, finding.level), finding)
    return list(told.values())


def test_healthy_rows_give_no_finding():
    assert found(seen(10 * step) for step in range(30)) == []


@pytest.mark.parametrize(
    ("columns", "code", "level"),
    [
        ({"positives": (60, 30, 0)}, "level_starved", 2),
        ({"grad_class": (1.0, 0.0, 0.2)}, "no_gradient", 1),
        ({"grad_box": (0.0, 0.5, 0.2)}, "no_gradient", 0),
        ({"box": (1.0, 99.0, 1.0)}, "loss_dominated", 1),
        ({"row": {"grad": 40.0}}, "exploding_gradient", None),
        ({"row": {"too_small": 15}}, "unreachable_objects", 0),
        ({"row": {"too_large": 15}}, "range_ceiling", 2),
    ],
)
def test_what_begins_after_ten_batches_is_named_with_its_beginning(columns, code, level):
    batches = [seen(10 * step) for step in range(10)] + [seen(10 * step, **columns) for step in range(10, 20)]
    (finding,) = found(batches)
    assert (finding.code, finding.level) == (code, level)
    assert finding.evidence["began"] == 100
    if code in ("level_starved", "no_gradient", "loss_dominated"):  # they stay, whatever comes after
        assert finding.evidence["until"] == 140
        assert f"in steps 100 to {finding.evidence['until']} (epoch 1)" in finding.message
        assert "since" not in finding.message


def test_frozen_stacks_rare_sizes_and_summed_gradients_are_no_faults():
    assert found(seen(step, grad_class=(None, None, None)) for step in range(20)) == []
    assert found(seen(step, positives=(6, 3, 0)) for step in range(20)) == []
    assert found(seen(step, box=(99.0, 1.0, 1.0), target_mass=(99.0, 1.0, 1.0)) for step in range(20)) == []
    calm = [seen(step) for step in range(10)]
    assert found([*calm, *(seen(step, row={"grad": 30.0, "accumulated": 15}) for step in range(10, 20))]) == []
    assert found([*calm, seen(10, row={"grad": 40.0}), seen(11)]) == []  # once, and less than a hundredfold


SINGLE = (0.22, 0.10, 0.08, 0.13, 0.13, 0.06, 0.15, 0.10, 0.10, 0.14, 0.07, 0.09, 0.22, 0.14, 2.12, 1.82, 0.68, 0.18)
"""Norms of the gradients of single images, of a training that is well."""


def test_gradients_of_single_images_and_of_backgrounds_swing_and_are_no_fault():
    single = [seen(step, row={"grad": norm, "images": 1}) for step, norm in enumerate(SINGLE)]
    assert found(single) == []
    empty = [seen(step, row={"grad": 0.1, "objects": 0, "images": 8}) for step in range(12)]
    assert [finding.code for finding in found(empty)] == ["no_objects"]
    empty[0] = seen(0, row={"grad": 0.1, "images": 8})
    assert found([*empty, *(seen(step, row={"grad": 1.5, "images": 8}) for step in range(12, 16))]) == []
    (finding,) = found([*single, *(seen(step, row={"grad": 90.0, "images": 1}) for step in range(18, 26))])
    assert (finding.code, finding.evidence["began"]) == ("exploding_gradient", 18)


def test_a_class_whose_objects_get_no_positive_is_named():
    branch = BranchMeasures(
        branch="one2many",
        reported=True,
        levels=[],
        labels=np.array([0, 0, 0, 1, 1]),
        sides=np.full((5, 2), 20.0),
        positives=np.array([9, 9, 9, 0, 0]),
        unplaced={},
    )
    assert found(seen(step, branches=(branch,)) for step in range(9)) == []
    (finding,) = found(seen(step, branches=(branch,)) for step in range(10))
    assert (finding.code, finding.evidence["class"], finding.evidence["objects"]) == ("class_starved", 1, 20)
    assert [row["without"] for row in branch.sizes] == [2, 0, 0]


@pytest.mark.parametrize(
    ("boxes", "labels", "rotated", "outside", "strange"),
    [
        ([], [], False, 0, 0),
        ([[0, 0, 1, 1], [0.2, 0.2, 1.0005, 0.9]], [0, 1], False, 0, 0),
        ([[0.2, 0.2, 1.1, 0.9], [0.2, 0.2, 0.2, 0.9], [0.1, np.nan, 0.5, 0.5]], [0, 0, 0], False, 3, 0),
        ([[0.2, 0.2, 1.1, 0.9], [0.9, 0.2, 1.3, 0.9]], [0, 0], True, 1, 0),
        ([[0, 0, 1, 1]] * 4, [-1, 2, 0.5, 1], False, 0, 3),
    ],
)
def test_labels_that_contradict_image_or_classes_are_counted(boxes, labels, rotated, outside, strange):
    count = LabelCount(classes=2, rotated=rotated)
    files = tuple(f"{number}.png" for number in range(len(labels)))
    boxes = np.array(boxes, float).reshape(-1, 4)
    count.add(BatchLabels(np.arange(len(labels)), np.array(labels, float), boxes, files))
    assert (count.outside, count.strange) == (outside, strange)
    assert len(count.files) == min(outside + strange, 3)


def test_planted_labels_and_a_frozen_out_level_are_told_while_the_training_runs(data, tmp_path):
    model, told = fresh(), []
    watch = diagnosis.watch(model, every=1, out=tmp_path / "rows", on_finding=lambda one: told.append(one.code))

    def spoil(trainer):
        prepare = trainer.train_loader.collate_fn if hasattr(trainer.train_loader, "collate_fn") else None
        dataset = trainer.train_loader.dataset
        get = dataset.get_image_and_label

        def shifted(index):
            sample = get(index)
            sample["cls"] = np.zeros_like(sample["cls"])
            return sample

        dataset.get_image_and_label = shifted
        assert prepare is not None
        conv = trainer.model.model[-1].cv3[1][-1]
        conv.register_forward_hook(lambda module, args, output: output.detach())

    model.add_callback("on_train_start", spoil)
    train(model, data, tmp_path, batch=2, epochs=2, nbs=2)
    assert watch.error is None
    assert told == [finding.code for finding in watch.findings]
    absent, idle = (next(one for one in watch.findings if one.code == code) for code in ("class_absent", "no_gradient"))
    assert absent.evidence["classes"] == [1, 2]
    assert (idle.level, idle.evidence["stack"], idle.evidence["began"]) == (1, "class", 0)
    assert [one.code for one in diagnosis.read_watch(tmp_path / "rows").findings] == told


def test_a_class_that_is_none_is_told_before_the_network_meets_it(data, tmp_path):
    model = fresh()
    watch = diagnosis.watch(model, every=1, out=tmp_path / "rows")

    def spoil(trainer):
        prepare = trainer.preprocess_batch

        def spoiled(batch):
            batch["cls"][0] = 7
            batch["bboxes"][1, 0] = 1.2
            return prepare(batch)

        trainer.preprocess_batch = spoiled

    model.add_callback("on_train_start", spoil)
    with pytest.raises((IndexError, RuntimeError)):
        train(model, data, tmp_path, epochs=1)
    assert watch.error is None
    assert [one.code for one in diagnosis.read_watch(tmp_path / "rows").findings] == ["box_outside", "class_outside"]
    assert watch.findings[1].evidence["count"] == 1
    assert ".png" in watch.findings[0].message


def test_a_training_on_several_devices_is_told_to_be_out_of_reach(data, tmp_path):
    model = fresh()
    diagnosis.watch(model)
    with pytest.warns(UserWarning, match=r"'0,1'.*nothing will be watched"), pytest.raises(ValueError, match="CUDA"):
        train(model, data, tmp_path, device="0,1")
    assert "train" not in vars(model)


class Sink:
    """Stands for any logger's object."""

    def __init__(self):
        self.taken = []

    def add_scalar(self, name, value, step):
        self.taken.append((step, {name: value}))

    def define_metric(self, name, step_metric):
        assert name == "watch/*"

    def log(self, scalars):
        scalars = dict(scalars)
        self.taken.append((scalars.pop("watch/step"), scalars))

    def log_metrics(self, metrics, step):
        self.taken.append((step, metrics))


@pytest.mark.parametrize("name", LOGGERS)
def test_every_active_logger_takes_scalars_and_an_idle_one_is_left_out(name, monkeypatch):
    sink = Sink()
    held = {"tensorboard": ("WRITER", sink), "wb": ("wb", SimpleNamespace(run=sink)), "mlflow": ("mlflow", sink)}
    held["comet"] = ("comet_ml", SimpleNamespace(get_running_experiment=lambda: sink))
    attribute, value = held[name]
    module = SimpleNamespace(**{attribute: value})
    monkeypatch.setitem(sys.modules, HOME + name, module)

    def call(trainer):
        """One of that logger's callbacks."""

    call.__module__ = HOME + name
    trainer = SimpleNamespace(callbacks={"on_train_start": [call]}, _mlflow_active=True)
    active_loggers(trainer)[name]({"watch/grad": 2.0}, 30)
    assert sink.taken == [(30, {"watch/grad": 2.0})]
    setattr(module, attribute, None)
    assert active_loggers(trainer) == {}
    assert active_loggers(SimpleNamespace(callbacks={})) == {}


def test_tensorboard_gets_every_watched_batch_and_a_writer_that_fails_is_left_out(data, tmp_path, monkeypatch):
    sink, model = Sink(), fresh()
    monkeypatch.setitem(sys.modules, HOME + "tensorboard", SimpleNamespace(WRITER=sink))

    def call(trainer):
        """As the callbacks of that file."""

    call.__module__ = HOME + "tensorboard"
    model.add_callback("on_train_start", call)
    watch = diagnosis.watch(model, every=1)

    def fail(trainer):
        sink.add_scalar = lambda *_: torch.zeros(1)[3]

    model.add_callback("on_train_epoch_end", fail)
    with pytest.warns(UserWarning, match="tensorboard took no scalars"):
        train(model, data, tmp_path, epochs=2)
    assert watch.error is None
    assert {step for step, _ in sink.taken} == {0, 1}
    names = {name for _, scalars in sink.taken for name in scalars}
    assert {"watch/grad", "watch/P3/positives", "watch/P5/box", "watch/without/small"} <= names
