"""What a watch says of the training itself: where it writes, what was left out, and how it ended before its time."""

import logging
import warnings
from contextlib import suppress

import pytest

import diagnosis
from diagnosis.training.label_faults import LabelCount
from diagnosis.training.places import newer_beside
from diagnosis.training.record import About, Record
from diagnosis.training.telling import Teller

from .trainings import fresh, train, write_set


@pytest.fixture(scope="module")
def twice(tmp_path_factory):
    """Two trainings in one folder, of a set in which one of four images has a label that cannot be; the second is
    interrupted after its first batch. Their watches, what was logged of the second, and the folder of both."""
    folder, lines = tmp_path_factory.mktemp("twice"), []
    data = write_set(folder / "set", images=4)
    (folder / "set/labels/train/0.txt").write_text("0 320 320 100 100")

    def interrupt(trainer):
        raise KeyboardInterrupt

    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logger = logging.getLogger("diagnosis.training")
    watches = []
    for number in range(2):
        model = fresh()
        watches.append(diagnosis.watch(model, every=1))
        if number:
            logger.addHandler(handler)
            model.add_callback("on_train_batch_end", interrupt)
        with suppress(KeyboardInterrupt):
            train(model, data, folder / "runs", epochs=1)
    logger.removeHandler(handler)
    return watches, lines, folder / "runs" / "run"


def test_rows_beside_those_of_another_watch_are_told_where(twice):
    watches, lines, run = twice
    assert [watch.path for watch in watches] == [run / "watch", run / "watch2"]
    assert f"'{run / 'watch'}' holds a watch: the rows of this one are written to '{run / 'watch2'}'." in lines


def test_images_that_the_training_leaves_out_are_told(twice):
    (finding,) = [one for one in twice[0][0].findings if one.code == "images_left_out"]
    assert "1 of 4 images were left out by Ultralytics for their labels" in finding.message
    assert "run diagnosis.check_labels" in finding.message


def test_a_training_that_was_interrupted_is_said_to_be(twice):
    (whole, broken), _, _ = twice
    assert "broken off" not in str(whole)
    assert "(broken off at step 0 by KeyboardInterrupt)" in str(broken)
    never = fresh()
    watch = diagnosis.watch(never)
    with pytest.warns(UserWarning, match="No training began"), pytest.raises(RuntimeError):
        train(never, twice[2] / "nowhere.yaml", twice[2], epochs=1)
    assert "has not begun (broken off by RuntimeError:" in str(watch)


def test_the_folder_of_a_run_says_where_its_watches_are(twice):
    run = twice[2]
    with pytest.raises(FileNotFoundError, match=f"There is one in '{run / 'watch'}' and in '{run / 'watch2'}'"):
        diagnosis.read_watch(run)


def test_an_older_watch_that_is_read_says_that_a_newer_one_lies_beside_it(twice):
    run = twice[2]
    with pytest.warns(UserWarning, match=f"'{run / 'watch'}' is not the newest watch: .*'{run / 'watch2'}'"):
        old = diagnosis.read_watch(run / "watch")
    assert f"(a newer watch lies beside it: '{run / 'watch2'}')" in str(old)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "newer" not in str(diagnosis.read_watch(str(run / "watch2")))


def test_the_newest_of_watches_is_that_of_the_highest_number_in_a_row(tmp_path):
    for name in ("watch", "watch2", "watch3", "watch9", "exp1", "exp2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "watch.json").touch()
    newest = {name: newer_beside(tmp_path / name) for name in ("watch", "watch2", "watch3", "exp1", "exp2")}
    assert newest["watch"] == newest["watch2"] == tmp_path / "watch3"
    assert newest["watch3"] is newest["exp1"] is newest["exp2"] is None


def test_a_name_is_no_model_and_nothing_is_no_folder():
    with pytest.raises(TypeError, match=r"'yolov8n\.pt' is the name of one\. Open it: surgery\.load\('yolov8n\.pt'\)"):
        diagnosis.watch("yolov8n.pt")
    with pytest.raises(TypeError, match=r"read from its folder, a path such as .*, but NoneType was given"):
        diagnosis.read_watch(None)


def after_an_epoch(objects: dict, labelled: dict | None):
    """What is told of an epoch with so many objects of each class, in its batches and in the label files."""
    about = About(subject="Net", levels=(), branches=(), names={0: "a", 1: "b", 2: "c"}, every=1)
    record, count = Record(about), LabelCount(classes=3, rotated=False)
    count.objects.update(objects)
    Teller(record, None).epoch(count, labelled)
    return record.findings


def test_objects_that_vanish_under_augmentation_are_told_in_place_of_the_names():
    (finding,) = after_an_epoch({0: 40, 1: 9}, {0: 60, 1: 30, 2: 10})
    assert (finding.code, finding.severity) == ("objects_vanish", "warning")
    assert "The label files have 100 objects, but the batches of a whole epoch had 49 (49%)" in finding.message
    assert finding.evidence["classes"] == [2]
    assert [one.code for one in after_an_epoch({0: 40, 1: 9}, {0: 60, 1: 40})] == ["objects_vanish", "class_absent"]
    assert [one.severity for one in after_an_epoch({}, {0: 60, 1: 40})] == ["error"]
    assert after_an_epoch({0: 40, 1: 9, 2: 1}, {0: 60, 1: 30, 2: 10}) == []
    assert after_an_epoch({0: 4, 1: 1, 2: 1}, {0: 10, 1: 4, 2: 4}) == []  # too few to tell


@pytest.mark.parametrize("labelled", [None, {0: 33}])
def test_objects_of_one_class_alone_are_said_to_be(labelled):
    (finding,) = after_an_epoch({0: 30}, labelled)
    assert (finding.code, finding.evidence["classes"]) == ("class_absent", [1, 2])
    assert "Every object (30) has class 0 ('a')" in finding.message


def test_the_objects_of_the_label_files_are_counted(tmp_path):
    """Labels of a tenth of the size, of which augmentation leaves little."""
    data = write_set(tmp_path / "set", images=8)
    for number in range(8):
        rows = [f"{label} {0.1 + 0.11 * label} 0.5 0.03 0.03" for label in range(3)]
        (tmp_path / f"set/labels/train/{number}.txt").write_text("\n".join(rows))
    model = fresh()
    watch = diagnosis.watch(model, every=1)
    train(model, data, tmp_path, epochs=1, scale=0.9, translate=0.9)
    assert watch.error is None
    (finding,) = [one for one in watch.findings if one.code == "objects_vanish"]
    assert finding.evidence["labelled"] == 24 and finding.evidence["objects"] == watch.batches["objects"].sum() < 12
