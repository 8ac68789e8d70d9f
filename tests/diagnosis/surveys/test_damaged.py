"""A survey whose folder is damaged says so and never answers from what is left; its path may be relative."""

import pickle
import shutil

import pytest

import diagnosis
import surgery
from detectors import demo_weights
from tests.diagnosis.surveys.sets import overwrite, same_tables, scene_set

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
    (copy / "shards" / "000001" / f"{table}.parquet").unlink()
    with pytest.raises(FileNotFoundError, match=rf"lacks .*000001/{table}\.parquet.*Delete the folder .*000001'"):
        getattr(diagnosis.Survey(copy), ASK[table])()


@TABLES
@pytest.mark.parametrize("left", [0, 3, 200])
def test_a_table_that_is_cut_short_is_named(copy, table, left):
    file = copy / "shards" / "000000" / f"{table}.parquet"
    overwrite(file, file.read_bytes()[:left])
    with pytest.raises(ValueError, match=rf"{table}\.parquet' is damaged.*Delete the folder .*000000'"):
        getattr(diagnosis.Survey(copy), ASK[table])()


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
