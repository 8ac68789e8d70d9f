"""A survey of scenes by the bundled detector, held against trace, missed and Ultralytics' own validation."""

import shutil

import numpy as np
import polars
import pytest

import anatomy
import diagnosis
import surgery
from detectors import demo_weights
from tests.diagnosis.surveys.sets import files_of, overwrite, same_tables, scene_set

SIZE = {"imgsz": 160, "progress": False}


@pytest.fixture(scope="module")
def demo():
    return surgery.load(demo_weights())


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return scene_set(tmp_path_factory.mktemp("scenes"))


@pytest.fixture(scope="module")
def seen(demo, data, tmp_path_factory):
    """The set as validation takes it."""
    return diagnosis.survey(demo, data, tmp_path_factory.mktemp("seen") / "out", shard=4, batch=2, **SIZE)


@pytest.fixture(scope="module")
def as_predicted(demo, data, tmp_path_factory):
    return diagnosis.survey(demo, data, tmp_path_factory.mktemp("predicted") / "out", frames="predict", **SIZE)


def test_in_predicts_frames_detections_are_those_of_a_trace(demo, as_predicted):
    rows = as_predicted.detections.collect()
    for number, image in as_predicted.images.select("number", "image").collect().iter_rows():
        trace = anatomy.trace(demo, image, imgsz=160)
        mine = rows.filter(polars.col("number") == number)
        theirs = trace.to_df()
        same = ("class_id", "level", "row", "col", "anchor", "branch", "suppressed", "class_name", "level_name")
        for name in same:
            assert mine[name].to_list() == theirs[name].to_list(), name
        for name in ("confidence", "x1", "y1", "x2", "y2", "center_x", "center_y", "stride"):
            np.testing.assert_array_equal(mine[name].to_numpy(), theirs[name].cast(polars.Float64).to_numpy())
    assert len(rows) > 20


def test_in_predicts_frames_objects_are_those_of_missed(demo, data, as_predicted):
    labels = diagnosis.read_labels(data)
    rows, missing = as_predicted.objects.collect(), 0
    for number, image in as_predicted.images.select("number", "image").collect().iter_rows():
        trace = anatomy.trace(demo, image, imgsz=160)
        result = diagnosis.missed(trace, labels[number])
        mine = rows.filter(polars.col("number") == number)
        assert mine["found"].to_list() == (result.found >= 0).tolist()
        assert mine["stage"].to_list() == [result.stage(i) for i in range(len(result))]
        assert mine["detection"].to_list() == [None if found < 0 else found for found in result.found.tolist()]
        for i in result.objects.tolist():
            best, row = result.candidates[i][result.best[i]], mine.row(i, named=True)
            assert (row["level"], row["row"], row["col"], row["anchor"]) == (
                best.level,
                best.row,
                best.col,
                best.anchor,
            )
            assert (row["iou"], row["confidence"], row["reach"]) == (best.iou, best.score, best.reach)
            assert [entry["stage"] for entry in row["candidates"]] == [each.stage for each in result.candidates[i]]
            missing += 1
    assert missing > 3


def test_scores_are_those_of_val(demo, data, seen, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(data.parent, folder)
    model = surgery.load(demo_weights())
    metrics = model.val(
        data=folder / "data.yaml", imgsz=160, batch=2, plots=False, verbose=False, project=tmp_path / "runs"
    )
    scores = seen.scores()
    assert scores["mAP50_95"] == pytest.approx(metrics.box.map, abs=1e-9)
    assert scores["mAP50"] == pytest.approx(metrics.box.map50, abs=1e-9)
    assert 0.2 < scores["mAP50"] < 1


def test_with_fewer_boxes_scores_are_those_of_val(demo, data, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(data.parent, folder)
    survey = diagnosis.survey(demo, folder / "data.yaml", tmp_path / "out", batch=2, max_det=3, **SIZE)
    given = {"imgsz": 160, "batch": 2, "max_det": 3, "plots": False, "verbose": False, "project": tmp_path / "runs"}
    metrics = surgery.load(demo_weights()).val(data=folder / "data.yaml", **given)
    assert survey.scores()["mAP50_95"] == pytest.approx(metrics.box.map, abs=1e-9)
    assert survey.detections.collect().group_by("number").len()["len"].max() == 3


def test_rows_agree_with_one_another(seen):
    objects, detections = seen.objects.collect(), seen.detections.collect()
    images = seen.images.collect()
    assert images["number"].to_list() == list(range(10)), "in the order of the set"
    assert images["objects"].sum() == len(objects)
    assert images["detections"].sum() == len(detections)
    assert images["found"].sum() == objects["found"].sum() == detections["correct"].sum() > 10
    right = detections.filter("correct").select("number", "object", "detection", "level_name", "anchor", "iou")
    finders = objects.filter("found").select("number", "object", "detection", "level_name", "anchor", "iou")
    assert right.sort("number", "object").equals(finders.with_columns(polars.col("object").cast(polars.Int32)))
    assert detections.filter(polars.col("correct").not_())["error"].null_count() == 0
    assert (objects.filter("found")["iou"] >= 0.5).all()


def test_cells_lie_where_their_centres_say(seen):
    rows = seen.detections.collect().join(seen.images.collect(), on="number")
    for axis, place in (("x", "col"), ("y", "row")):
        centre = rows[f"center_{axis}"] * rows[f"gain_{axis}"] + rows[f"pad_{axis}"]
        np.testing.assert_allclose(centre, (rows[place] + 0.5) * rows["stride"], atol=1e-9)


def test_size_is_cocos_and_strides_are_of_the_level(seen):
    rows = seen.objects.collect().join(seen.images.collect(), on="number")
    area = (rows["x2"] - rows["x1"]) * (rows["y2"] - rows["y1"])
    expected = ["small" if value < 1024 else "medium" if value < 9216 else "large" for value in area]
    assert rows["size"].to_list() == expected
    stride = rows["level"].replace_strict({level.index: level.stride for level in seen.levels})
    side = (area * rows["gain_x"] * rows["gain_y"]).sqrt()
    np.testing.assert_allclose(rows["size_strides"], side / stride)


def test_the_same_call_reads_what_is_finished(demo, data, seen, monkeypatch):
    before = files_of(seen)
    monkeypatch.setattr(
        "diagnosis.surveys.running.engines.write_shard", lambda *_: pytest.fail("nothing is left to do")
    )
    again = diagnosis.survey(demo, data, seen.path, shard=4, batch=2, **SIZE)
    assert files_of(again) == before
    assert same_tables(diagnosis.Survey(seen.path), again)


def test_broken_off_it_goes_on_and_ends_the_same(demo, data, seen, tmp_path, monkeypatch):
    from diagnosis.surveys.running import engines

    written = []

    def interrupted(head, task, shard, out, tick):
        if written:
            raise KeyboardInterrupt
        engines_write(head, task, shard, out, tick)
        written.append(shard.number)

    engines_write = engines.write_shard
    monkeypatch.setattr(engines, "write_shard", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        diagnosis.survey(demo, data, tmp_path / "out", shard=4, batch=2, **SIZE)
    monkeypatch.undo()
    assert "1 of 3 shards are finished" in caught.value.__notes__[0]
    with pytest.raises(FileNotFoundError, match="2 of 3 shards of the survey"):
        diagnosis.Survey(tmp_path / "out")
    whole = diagnosis.survey(demo, data, tmp_path / "out", shard=4, batch=2, **SIZE)
    assert files_of(whole) == files_of(seen)


def test_an_interruption_inside_a_shard_leaves_no_table(demo, data, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("polars.DataFrame.write_parquet", stop)
    with pytest.raises(KeyboardInterrupt):
        diagnosis.survey(demo, data, tmp_path / "out", **SIZE)
    assert list((tmp_path / "out" / "shards").iterdir()) == []


def test_a_full_disk_leaves_what_is_finished(demo, data, seen, tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    (tmp_path / "out").mkdir()
    shutil.copy(seen.path / "survey.json", tmp_path / "out")
    with pytest.raises(OSError, match=r"were not written .*No space left") as caught:
        diagnosis.survey(demo, data, tmp_path / "out", shard=4, batch=2, **SIZE)
    monkeypatch.undo()
    assert "0 of 3 shards are finished" in caught.value.__notes__[0]
    assert list((tmp_path / "out" / "shards").iterdir()) == []
    assert files_of(diagnosis.survey(demo, data, tmp_path / "out", shard=4, batch=2, **SIZE)) == files_of(seen)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"conf": 0.3}, "conf is 0.25 there and 0.3 now"),
        ({"iou": 0.5}, "iou is 0.7 there and 0.5 now"),
        ({"batch": 4}, "batch is 2 there and 4 now"),
        ({"ablation": True}, "ablation is False there and True now"),
        ({"max_det": 5}, "max_det is 300 there and 5 now"),
        ({"classes": [0]}, "predict_args differ"),
    ],
)
def test_other_settings_are_refused_by_name(demo, data, seen, change, told):
    with pytest.raises(FileExistsError, match=told):
        diagnosis.survey(demo, data, seen.path, **{"shard": 4, "batch": 2, **SIZE, **change})


def test_other_weights_are_refused(data, seen):
    edited = surgery.load(demo_weights())
    surgery.mute_level(edited, 0)
    with pytest.raises(FileExistsError, match="weights or classes of the model differ"):
        diagnosis.survey(edited, data, seen.path, shard=4, batch=2, **SIZE)


def test_other_labels_are_refused(demo, data, seen, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(data.parent, folder)
    again = diagnosis.survey(demo, folder / "data.yaml", seen.path, shard=4, batch=2, **SIZE)
    assert len(again) == 10, "the same set at another place is the same set"
    first = min((folder / "labels" / "val").iterdir())
    overwrite(first, first.read_bytes() + b"0 0.5 0.5 0.25 0.25\n")
    with pytest.raises(FileExistsError, match="images or labels of the set differ"):
        diagnosis.survey(demo, folder / "data.yaml", seen.path, shard=4, batch=2, **SIZE)


def test_a_set_without_labels_has_detections_alone(demo, data, tmp_path):
    bare = tmp_path / "photos"
    shutil.copytree(data.parent / "images" / "val", bare)
    survey = diagnosis.survey(demo, bare, tmp_path / "out", **SIZE)
    assert not survey.truth
    assert survey.settings["frames"] == "predict"
    assert survey.objects.collect().is_empty()
    rows = survey.detections.collect()
    assert rows["correct"].null_count() == rows["error"].null_count() == len(rows) > 20
    with pytest.raises(ValueError, match="labels"):
        survey.scores()
    with pytest.raises(ValueError, match="labels"):
        survey.recall()


def test_unreadable_images_are_rows_with_their_error(demo, data, seen, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(data.parent, folder)
    pictures = sorted((folder / "images" / "val").iterdir())
    overwrite(pictures[1], b"")
    overwrite(pictures[2], b"no image at all")
    overwrite(pictures[3], pictures[3].read_bytes()[:400])
    survey = diagnosis.survey(demo, folder / "data.yaml", tmp_path / "out", shard=4, batch=2, **SIZE)
    images = survey.images.collect()
    assert images["number"].to_list() == list(range(10))
    assert [error is not None for error in images["error"]] == [False, True, True, True] + [False] * 6
    assert "0 bytes" in images["error"][1]
    assert set(survey.objects.collect()["number"]) <= {0, *range(4, 10)}
    assert "3 unreadable" in repr(survey)


def test_tiny_and_large_images_pass(demo, tmp_path):
    import cv2

    folder = tmp_path / "odd"
    folder.mkdir()
    for name, shape in {"a": (1, 1), "b": (1, 300), "c": (700, 5), "d": (33, 31)}.items():
        cv2.imwrite(str(folder / f"{name}.png"), np.full((*shape, 3), 90, np.uint8))
        (folder / f"{name}.txt").write_text("0 0.5 0.5 1 1\n")
    survey = diagnosis.survey(demo, folder, tmp_path / "out", **SIZE)
    assert survey.images.collect()["error"].null_count() == 4
    assert len(survey.objects.collect()) == 4


def test_boxes_that_leave_the_image_are_objects_that_are_told(demo, data, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(data.parent, folder)
    first = min((folder / "labels" / "val").iterdir())
    overwrite(first, b"0 0.95 0.5 0.3 0.2\n1 1.4 0.5 0.1 0.1\n")
    survey = diagnosis.survey(demo, folder / "data.yaml", tmp_path / "out", **SIZE)
    image = survey.images.collect().row(0, named=True)
    assert image["label_problems"] >= 1
    assert image["objects"] >= 1


def test_many_objects_in_one_image(demo, data, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(data.parent, folder)
    first = min((folder / "labels" / "val").iterdir())
    rng = np.random.default_rng(3)
    lines = [f"{k % 12} {x:.5f} {y:.5f} 0.02 0.03" for k, (x, y) in enumerate(rng.uniform(0.1, 0.9, (400, 2)))]
    overwrite(first, "\n".join(lines).encode())
    survey = diagnosis.survey(demo, folder / "data.yaml", tmp_path / "out", **SIZE)
    assert survey.images.collect()["objects"][0] == 400
    assert survey.settings["max_det"] == 400, "raised to the most objects of an image, as Ultralytics raises its own"


@pytest.mark.parametrize(
    ("wrong", "error", "told"),
    [
        ({"conf": 1.5}, ValueError, "conf must be from 0 to 1"),
        ({"conf": 0.0001}, ValueError, "conf must be at least 0.001"),
        ({"match_iou": 0}, ValueError, "match_iou must be above 0"),
        ({"batch": 0}, ValueError, "batch must be a whole number from 1"),
        ({"frames": "train"}, ValueError, "frames must be one of val, predict"),
        ({"agnostic_nms": True}, ValueError, "agnostic_nms cannot be surveyed"),
        ({"workers": -1}, ValueError, "workers must be 0"),
        ({"engine": "spark"}, ValueError, 'engine must be None or "ray"'),
        ({"confidence": 0.5}, TypeError, "confidence"),
    ],
)
def test_wrong_calls_are_answered_before_anything_is_written(demo, data, tmp_path, wrong, error, told):
    with pytest.raises(error, match=told):
        diagnosis.survey(demo, data, tmp_path / "out", **{**SIZE, **wrong})
    assert not (tmp_path / "out").exists()


def test_classes_that_the_model_lacks_are_named(demo, data, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(data.parent, folder)
    path = folder / "data.yaml"
    path.write_text(path.read_text().replace("0: ", "0: forklift or "))
    with pytest.raises(ValueError, match="forklift"):
        diagnosis.survey(demo, path, tmp_path / "out", **SIZE)


def test_a_folder_of_something_else_is_left_alone(demo, data, tmp_path):
    place = tmp_path / "out"
    place.mkdir()
    (place / "thesis.tex").write_text("years of work")
    with pytest.raises(FileExistsError, match="holds no survey"):
        diagnosis.survey(demo, data, place, **SIZE)
    assert [path.name for path in place.iterdir()] == ["thesis.tex"]


def test_rotated_boxes_are_refused(build, picture, data, tmp_path):
    with pytest.raises(anatomy.UnsupportedModelError, match="upright boxes"):
        diagnosis.survey(build("yolov8n-obb", picture), data, tmp_path / "out", **SIZE)
