"""A survey whose folder is damaged says so and never answers from what is left; its path may be relative."""

import pickle
import shutil
from pathlib import Path

import pytest

import diagnosis
import surgery
from detectors import demo_weights
from tests.diagnosis.surveys.sets import files_of, overwrite, same_tables, scene_set

ASK = {"objects": "recall", "detections": "precision", "images": "__repr__", "evaluation": "scores"}
TABLES = pytest.mark.parametrize("table", ASK)


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    folder = tmp_path_factory.mktemp("set")
    out = folder / "out"
    model = surgery.load(demo_weights())
    return diagnosis.survey(model, scene_set(folder / "scenes", 4), out, imgsz=160, shard=2, batch=1, progress=False)


@pytest.fixture
def copy(seen, tmp_path):
    return shutil.copytree(seen.path, tmp_path / "copy")


@TABLES
def test_a_table_that_is_gone_is_named(copy, table):
    opened = diagnosis.Survey(copy)
    (copy / "shards" / "000001" / f"{table}.parquet").unlink()
    with pytest.raises(FileNotFoundError, match=rf"lacks .*000001/{table}\.parquet.*The same call of survey\(\)"):
        getattr(opened, ASK[table])()
    with pytest.raises(FileNotFoundError, match="1 of 2 shards of the survey"):
        diagnosis.Survey(copy)


@TABLES
@pytest.mark.parametrize("left", [0, 3, 200])
def test_a_table_that_is_cut_short_is_named(copy, table, left):
    opened, file = diagnosis.Survey(copy), copy / "shards" / "000000" / f"{table}.parquet"
    overwrite(file, file.read_bytes()[:left])
    with pytest.raises(ValueError, match=rf"{table}\.parquet' is damaged.*The same call of survey\(\)"):
        getattr(opened, ASK[table])()


def test_the_same_call_makes_a_damaged_shard_anew(seen, copy):
    overwrite(copy / "shards" / "000000" / "objects.parquet", b"PAR1")
    (copy / "shards" / "000001" / "images.parquet").unlink()
    labels = diagnosis.read_labels([Path(path) for path in seen.images.collect()["image"]])
    model = surgery.load(demo_weights())
    again = diagnosis.survey(model, labels, copy, imgsz=160, shard=2, batch=1, progress=False, frames="val")
    assert files_of(again) == files_of(seen)


def test_a_survey_json_that_lacks_something_is_named(copy):
    overwrite(copy / "survey.json", b'{"format": 1}')
    with pytest.raises(ValueError, match=r"survey\.json' is damaged \('shards' is wanting\)"):
        diagnosis.Survey(copy)


def test_a_survey_opened_by_a_relative_path_stays_open_elsewhere(seen, copy, tmp_path, monkeypatch):
    monkeypatch.chdir(copy.parent)
    opened = diagnosis.Survey("copy")
    monkeypatch.chdir(tmp_path.parent)
    assert same_tables(opened, seen)
    assert same_tables(pickle.loads(pickle.dumps(opened)), seen)
