"""`benchmarks/learning.py`: two short trainings become a table and figures, and what is committed is what it writes."""

import importlib.util
from pathlib import Path

import polars as pl
import pytest

from detectors.fastvit.training import train
from detectors.scenes import kinds as scenes

pytestmark = pytest.mark.long

ROOT = Path(__file__).parent.parent
spec = importlib.util.spec_from_file_location("learning", ROOT / "benchmarks" / "learning.py")
learning = importlib.util.module_from_spec(spec)
spec.loader.exec_module(learning)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder with a data set and both trainings, of two epochs on four scenes."""
    folder = tmp_path_factory.mktemp("work")
    data = scenes.write_kinds(folder / "kinds", 4, 2, 64)
    few = ["--backbone", "fastvit_t8", "--branches", "1", "--imgsz", "64", "--epochs", "2", "--batch", "2"]
    for name, more in (("faulty", ["--naive"]), ("repaired", [])):
        assert train.main(["--data", str(data), "--work", str(folder / name), *few, *more]) == 0
    return folder


def arguments(work, out, **changed):
    paths = {"faulty": work / "faulty", "repaired": work / "repaired", "data": work / "kinds" / "data.yaml"} | changed
    return [word for name, path in paths.items() for word in (f"--{name}", str(path))] + ["--out", str(out)]


def test_two_trainings_become_a_table_and_figures(work, tmp_path, capsys):
    assert learning.main(arguments(work, tmp_path / "out")) == 0
    names = {f"{name}.{ending}" for name in learning.FIGURES for ending in ("png", "pdf")}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names | {learning.SCORES}
    scores = pl.read_csv(tmp_path / "out" / learning.SCORES)
    assert scores.select("version", "epoch").rows() == [(v, e) for v in ("faulty", "repaired") for e in (1, 2)]
    written = pl.read_csv(work / "repaired" / "scores.csv")
    assert scores.filter(version="repaired").select(written.columns).equals(written)
    per_class = scores.select(pl.col("^AP50 .*$"))
    assert per_class.columns == [f"AP50 {kind}" for kind in scenes.KINDS]
    assert per_class.filter(scores["epoch"] == 1).null_count().row(0) == (2, 2, 2)
    means = per_class.filter(scores["epoch"] == 2).mean_horizontal()
    assert means.to_list() == pytest.approx(scores.filter(epoch=2)["map50"].to_list(), abs=1e-4)
    assert "repaired" in capsys.readouterr().out


def test_what_cannot_be_shown_is_refused(work, tmp_path, capsys):
    assert learning.main(arguments(work, tmp_path, faulty=tmp_path / "none")) == 2
    assert "There is no checkpoint" in capsys.readouterr().err
    assert learning.main([*arguments(work, tmp_path), "--images", "7"]) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_training_that_has_not_ended_is_refused(work, tmp_path, capsys):
    run = tmp_path / "run"
    run.mkdir()
    checkpoint = learning.torch.load(work / "faulty" / "last.pt", weights_only=True)
    checkpoint["training"]["epoch"] = 1
    learning.torch.save(checkpoint, run / "last.pt")
    (run / "scores.csv").write_text("epoch\n1\n")
    assert learning.main(arguments(work, tmp_path / "out", faulty=run)) == 2
    assert "has finished 1 of 2 epochs. Train on with --resume" in capsys.readouterr().err


def test_what_is_committed_is_what_the_command_writes():
    folder = ROOT / "notebooks" / "figures"
    assert {path.name for path in folder.iterdir()} == {learning.SCORES, *(f"{name}.png" for name in learning.FIGURES)}
    assert all(path.stat().st_size < 300_000 for path in folder.iterdir())
    scores = pl.read_csv(folder / learning.SCORES)
    last = scores.filter(pl.col("epoch") == pl.col("epoch").max())
    assert last["version"].to_list() == ["faulty", "repaired"]
    assert last.select(pl.col("^AP50 .*$")).mean_horizontal().to_list() == pytest.approx(
        last["map50"].to_list(), abs=1e-4
    )
