"""The steps of `make weights` that need no training."""

import pytest
import torch

from detectors import CLASS_NAMES, demo_weights
from detectors.demo import train as train_demo

TABLE = """\x1b[K                 Class     Images  Instances      Box(P          R      mAP50  mAP50-95): 100% 25/25
                   all        400       2870      0.604      0.542      0.597      0.453
                  disc        163        210      0.448      0.852       0.78      0.663
Speed: 0.6ms preprocess, 5.7ms inference, 0.0ms loss, 0.7ms postprocess per image
"""


def test_score_is_read_from_the_table_that_yolo_prints():
    score = train_demo.parse_table(TABLE)
    assert (score.map50, score.map50_95, score.ap50) == (0.597, 0.453, {"disc": 0.78})
    with pytest.raises(ValueError, match="must print a row named 'all', but printed: 'nothing'"):
        train_demo.parse_table("nothing")


def test_a_work_folder_belongs_to_one_recipe(tmp_path):
    train_demo.claim(tmp_path / "run", {"epochs": 8})
    train_demo.claim(tmp_path / "run", {"epochs": 8})
    with pytest.raises(FileExistsError, match=r"must be new or hold a run of this same recipe.*Delete it or pass"):
        train_demo.claim(tmp_path / "run", {"epochs": 9})


def test_progress_is_read_from_the_last_checkpoint(tmp_path):
    last = tmp_path / "last.pt"
    assert train_demo.finished_epoch(tmp_path, last) is None
    torch.save({"epoch": 3}, last)
    assert train_demo.finished_epoch(tmp_path, last) == 3
    last.write_bytes(last.read_bytes()[:100])  # killed while writing
    assert train_demo.finished_epoch(tmp_path, last) is None
    last.write_bytes(b"")
    assert train_demo.finished_epoch(tmp_path, last) is None


def test_strip_keeps_the_weights_and_names_and_drops_the_rest(tmp_path):
    original = torch.load(demo_weights(), map_location="cpu", weights_only=False)
    original["model"].args = {"data": "/a/local/path", "imgsz": 320}
    original["model"].pt_path = original["model"].yaml["yaml_file"] = "/a/local/path"
    torch.save(original | {"optimizer": [1], "git": {"root": "/a/local/path"}, "date": "today"}, tmp_path / "in.pt")
    train_demo.strip(tmp_path / "in.pt", tmp_path / "out.pt")
    stripped = torch.load(tmp_path / "out.pt", map_location="cpu", weights_only=False)
    assert b"/a/local/path" not in (tmp_path / "out.pt").read_bytes()
    assert not {"optimizer", "git", "date"} & set(stripped) and stripped["epoch"] == -1
    assert stripped["model"].names == dict(enumerate(CLASS_NAMES))
    before, after = original["model"].state_dict(), stripped["model"].state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
