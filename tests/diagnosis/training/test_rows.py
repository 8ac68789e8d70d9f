"""What stands in the rows: sums by level that are the trainer's own items, in every task and branch; and files."""

import pickle
import shutil
from pathlib import Path

import polars as pl
import pytest

import diagnosis
from anatomy.archive.drafts import draft_prefix
from diagnosis.training.tables import BATCHES, LEVELS

from .trainings import fresh, train, write_set

TASKS = {
    "yolov8n": ("detect", {"box", "cls", "dfl"}),
    "yolov8n-seg": ("segment", {"box", "seg", "cls", "dfl"}),
    "yolov8n-pose": ("pose", {"box", "pose", "kobj", "cls", "dfl"}),
    "yolov8n-obb": ("obb", {"box", "cls", "dfl", "angle"}),
    "yolov10n": ("detect", {"box", "cls", "dfl"}),
    "yolo26n": ("detect", {"box", "cls", "l1"}),
    "yolo26n-pose": ("pose", {"box", "pose", "kobj", "cls", "l1", "rle"}),
}


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A training of one epoch of every network of ``TASKS``, made when it is asked for."""
    made = {}

    def make(name):
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            items, model = [], fresh(name)
            model.add_callback("on_train_batch_end", lambda trainer: items.append(dict(trainer.loss_items)))
            watch = diagnosis.watch(model, every=1)
            train(model, write_set(folder / "set", TASKS[name][0]), folder, epochs=1)
            made[name] = watch, items
        return made[name]

    return make


@pytest.mark.parametrize("name", TASKS)
def test_the_sums_over_levels_are_the_trainers_loss_items(watched, name):
    watch, items = watched(name)
    assert watch.error is None
    names = set(watch.levels.columns) - set(LEVELS)
    assert names == TASKS[name][1]
    dual = name.startswith(("yolov10", "yolo26"))
    assert watch.levels["branch"].unique().sort().to_list() == (["one2many", "one2one"] if dual else ["one2many"])
    reported = watch.levels.filter(branch="one2one" if dual else "one2many")
    sums = reported.group_by("step", maintain_order=True).agg(pl.col(*names).sum())
    assert len(items) == len(sums) == 2
    for row, total, item in zip(sums.to_dicts(), watch.batches.to_dicts(), items, strict=True):
        for column in names:
            assert row[column] == pytest.approx(float(item[f"{column}_loss"]), rel=2e-6, abs=2e-6)
            assert total[column] == float(item[f"{column}_loss"])


@pytest.mark.parametrize("name", ["yolov8n", "yolo26n"])
def test_gradients_by_part_are_those_of_the_whole(watched, name):
    watch, _ = watched(name)
    for batch in watch.batches.to_dicts():
        whole = batch["grad_backbone"] ** 2 + batch["grad_head"] ** 2
        assert batch["grad"] == pytest.approx(whole**0.5, rel=1e-9)
        stacks = watch.levels.filter(step=batch["step"])
        head = (stacks["grad_box"] ** 2 + stacks["grad_class"] ** 2).sum() ** 0.5
        assert head == pytest.approx(batch["grad_head"], rel=1e-9)


def test_the_objects_and_their_positives_are_those_of_the_labels(watched):
    watch, _ = watched("yolov8n")
    assert watch.batches["objects"].to_list() == [12, 12]
    assert watch.batches.select("images", "height", "width").unique().rows() == [(4, 64, 64)]
    assert watch.sizes.group_by("step").agg(pl.col("objects").sum())["objects"].to_list() == [12, 12]
    assert watch.sizes.filter(size="large")["objects"].sum() == 0
    weights = watched("yolo26n")[0].levels.group_by("branch").agg(pl.col("weight").unique()).sort("branch")
    assert weights["weight"].to_list() == [[0.8], [pytest.approx(0.2)]]


def test_rows_are_read_again_as_they_were(watched):
    watch, _ = watched("yolov8n")
    again = diagnosis.read_watch(watch.path)
    for name in ("batches", "levels", "sizes"):
        assert getattr(again, name).equals(getattr(watch, name))
    assert again.about == watch.about
    assert [level.name for level in again.about.levels] == ["P3", "P4", "P5"]
    assert pickle.loads(pickle.dumps(watch)).batches.equals(watch.batches)
    assert list(watch.batches.columns)[: len(BATCHES)] == list(BATCHES)
    joined = watch.to_df()
    assert len(joined) == len(watch.levels) == 6
    assert joined["box_batch"].to_list() == [value for value in watch.batches["box"] for _ in range(3)]


def test_a_watch_by_itself_names_what_it_lacks(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no watch.*watch\.json"):
        diagnosis.read_watch(tmp_path)
    (tmp_path / "watch.json").write_text("{}")
    with pytest.raises(ValueError, match="damaged or of another version"):
        diagnosis.read_watch(tmp_path)
    with pytest.raises(ValueError, match="every must be 1 or more"):
        diagnosis.watch(fresh(), every=0)
    (tmp_path / "watch.json").rename(tmp_path / "other.json")
    with pytest.raises(FileExistsError, match="not empty"):
        diagnosis.watch(fresh(), out=tmp_path)
    watch = diagnosis.watch(fresh())
    with pytest.raises(ValueError, match="No batch has been seen"):
        _ = watch.batches
    assert len(watch) == 0 and watch.path is None
    assert "has not begun" in str(watch)


def test_a_training_killed_between_two_batches_leaves_readable_rows(data, tmp_path):
    model, left = fresh(), tmp_path / "left"
    watch = diagnosis.watch(model, every=1, out=tmp_path / "rows", save_every=0)

    def look(trainer):
        if len(watch) == 3 and not left.exists():  # what lies on the disk now is what a kill would leave
            shutil.copytree(tmp_path / "rows", left)

    model.add_callback("on_train_batch_end", look)
    train(model, data, tmp_path, batch=2, epochs=1, nbs=2)
    draft = left / "parts" / f"{draft_prefix(Path('000003'))}x.tmp"
    draft.mkdir()
    read = diagnosis.read_watch(left)
    assert read.batches["step"].to_list() == [0, 1, 2]
    assert len(read.levels) == 9
    assert watch.batches["step"].to_list() == [0, 1, 2, 3]
    assert "0 error(s), 0 warning(s) in 3 probes" in str(read)


def test_one_watch_follows_one_training_and_a_resumed_one_goes_on_in_its_folder(data, tmp_path):
    from ultralytics import YOLO

    model = fresh()
    watch = diagnosis.watch(model, every=1)

    def stop(trainer):
        if trainer.epoch == 1:
            raise InterruptedError("after the first epoch")

    model.add_callback("on_train_epoch_end", stop)
    with pytest.raises(InterruptedError):
        train(model, data, tmp_path, epochs=3)
    assert watch.batches["step"].to_list() == [0, 1, 2, 3]
    model.clear_callback("on_train_epoch_end")
    train(model, data, tmp_path / "second", epochs=1)
    assert len(watch) == 4  # the second training has no watch
    again = YOLO(tmp_path / "run" / "weights" / "last.pt")
    following = diagnosis.watch(again, every=1)
    train(again, data, tmp_path, epochs=3, resume=True)
    assert following.path == watch.path == tmp_path / "run" / "watch"
    assert following.batches["step"].to_list() == list(range(8))
    assert following.batches["epoch"].to_list() == [0, 0, 1, 1, 1, 1, 2, 2]
    assert following.batches[:4].equals(watch.batches)


def test_a_folder_that_holds_a_watch_is_refused_before_the_training(data, tmp_path):
    rows = tmp_path / "rows"
    rows.mkdir()
    (rows / "watch.json").write_text("{}")
    with pytest.raises(FileExistsError, match=r"holds a watch.*resume=True"):
        diagnosis.watch(fresh(), out=rows)
    model = fresh()
    watch = diagnosis.watch(model, every=1, out=rows, resume=True)
    with pytest.warns(UserWarning, match=r"begins anew, and .*rows' holds a watch: this one is written to .*rows2"):
        train(model, data, tmp_path, epochs=1)
    assert watch.error is None and watch.path == tmp_path / "rows2" and len(watch) == 2


def test_a_step_of_the_optimizer_over_several_batches_is_one_gradient(data, tmp_path):
    model = fresh()
    watch = diagnosis.watch(model, every=3, out=tmp_path / "rows")
    train(model, data, tmp_path, batch=2, nbs=8, warmup_epochs=0.0)
    assert watch.batches["step"].to_list() == [0, 3, 6]
    assert watch.batches["accumulated"].to_list() == [4, 4, 4]
    assert [norm is None for norm in watch.batches["grad"]] == [True, False, False]  # of 0 and 3 it is the same step
    silent = watch.levels.filter(step=0)
    assert silent["grad_box"].null_count() == silent["grad_class"].null_count() == len(silent) == 3
    assert watch.levels.filter(step=3)["grad_class"].null_count() == 0
