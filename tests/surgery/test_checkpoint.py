"""Files: whole or not at all, opened with the restricted unpickler, refused with a reason."""

import os
import resource
import signal
import zipfile

import pytest
import torch

import surgery
from tests.fresh_process import in_a_fork


@pytest.fixture(scope="module")
def model(build, picture):
    return build("yolov8n", picture)


@pytest.fixture
def saved(model, tmp_path):
    return surgery.save(model, tmp_path / "model.pt")


class Evil:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


def test_text_file(tmp_path):
    path = tmp_path / "notes.pt"
    path.write_text("these are no weights")
    with pytest.raises(ValueError, match=r"notes\.pt' is no torch checkpoint \(it is not a zip archive\)"):
        surgery.load(path)


def test_truncated_zip(saved):
    saved.write_bytes(saved.read_bytes()[: saved.stat().st_size // 2])
    with pytest.raises(ValueError, match=r"is cut short \(\d+ bytes\)"):
        surgery.load(saved)


def test_damaged_inside(saved):
    content = bytearray(saved.read_bytes())
    with zipfile.ZipFile(saved) as archive:
        info = next(entry for entry in archive.infolist() if entry.filename.endswith("data.pkl"))
    content[info.header_offset + 200 : info.header_offset + 900] = bytes(700)
    saved.write_bytes(content)
    with pytest.raises(ValueError, match=r"damaged|asks for more"):
        surgery.load(saved)


def test_torchscript(tmp_path):
    path = tmp_path / "script.pt"
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(path))
    with pytest.raises(ValueError, match=r"TorchScript archive.*Load the \.pt it was made from"):
        surgery.load(path)


def test_other_zip_and_bare_pickle(tmp_path):
    path = tmp_path / "archive.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(ValueError, match="zip archive without a torch checkpoint"):
        surgery.load(path)
    torch.save({"a": 1}, path, _use_new_zipfile_serialization=False)
    with pytest.raises(ValueError, match="bare pickle"):
        surgery.load(path)


def test_missing_and_wrong_ending(tmp_path, model):
    with pytest.raises(FileNotFoundError, match=r"There is no checkpoint .*nowhere\.pt"):
        surgery.load(tmp_path / "nowhere.pt")
    (tmp_path / "model.bin").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"must end in \.pt"):
        surgery.load(tmp_path / "model.bin")
    with pytest.raises(ValueError, match=r"must end in \.pt, not 'model\.onnx'"):
        surgery.save(model, tmp_path / "model.onnx")
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        surgery.save(model, tmp_path / "no" / "model.pt")


def test_code_in_a_pickle_is_named_and_not_run(tmp_path, model):
    mark, path = tmp_path / "ran", tmp_path / "evil.pt"
    torch.save({"model": model.model, "extra": Evil(mark)}, path)
    with pytest.raises(ValueError, match=r"asks for more than model classes: .*(posix|nt)\.system.*trusted=True"):
        surgery.load(path)
    assert not mark.exists()
    surgery.load(path, trusted=True)
    assert mark.exists()


def test_a_checkpoint_without_a_model(tmp_path):
    path = tmp_path / "tensors.pt"
    torch.save({"weights": torch.zeros(3)}, path)
    with pytest.raises(ValueError, match=r"tensors\.pt' holds no Ultralytics model"):
        surgery.load(path)


def fill_the_disk() -> None:
    """From now on this process can write files of 200 kB at most."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))


def kill_at_the_end() -> None:
    """This process is killed when a file has been written and is to be flushed."""
    os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a process that can be killed")
@pytest.mark.parametrize(("accident", "ended"), [(fill_the_disk, 3), (kill_at_the_end, -signal.SIGKILL)])
def test_an_accident_during_save_leaves_the_old_file_whole(saved, accident, ended):
    before, told = saved.read_bytes(), saved.parent.parent / f"{saved.parent.name} told"
    model = surgery.load(saved)
    surgery.shift_classes(model, "all", 1)

    def save() -> int:
        accident()
        try:
            surgery.save(model, saved)
        except OSError as error:
            told.write_text(str(error))
            return 3
        return 0

    assert in_a_fork(save) == ended
    assert saved.read_bytes() == before
    if accident is fill_the_disk:
        assert "was not written" in told.read_text()
        assert "what was there before is whole" in told.read_text()
        assert list(saved.parent.iterdir()) == [saved]
    assert surgery.history(surgery.load(saved)) == ()


def test_interrupted_save_cleans_up(model, saved, monkeypatch):
    before = saved.read_bytes()

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        surgery.save(model, saved)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_float16_rounds_by_half_a_step_at_most_and_the_default_does_not_round(model, tmp_path, picture):
    exact = surgery.load(surgery.save(model, str(tmp_path / "exact.pt")))
    rounded = surgery.load(surgery.save(model, tmp_path / "rounded.pt", half=True))
    assert (tmp_path / "rounded.pt").stat().st_size < 0.6 * (tmp_path / "exact.pt").stat().st_size
    for name, value in model.model.state_dict().items():
        assert torch.equal(exact.model.state_dict()[name], value)
        off = (rounded.model.state_dict()[name] - value).abs()
        assert (off <= value.abs() * 2**-11 + 2**-25).all()  # half a step of float16, subnormals included
    small = surgery.save(rounded, tmp_path / "again.pt")
    assert small.stat().st_size < 0.6 * (tmp_path / "exact.pt").stat().st_size  # float16 already, so nothing is lost


def test_certificate_names_what_changed_elsewhere(model, saved):
    opened = surgery.load(saved)
    assert surgery.certify(opened, against=saved).untouched
    with torch.no_grad():
        opened.model.model[0].conv.weight[0] += 1
    surgery.swap_classes(opened, "P4", 3, 7)
    found = surgery.certify(opened, against=saved)
    assert found.elsewhere == ("model.0.conv.weight",)
    assert [check.changed for check in found.rows] == [(), (3, 7), ()]
    assert [len(check.equal) for check in found.rows] == [80, 78, 80]
    assert "none changed, 2 moved whole (3 from 7 7; 7 from 3 3), 78 equal" in str(found)
    with torch.no_grad():
        opened.model.model[-1].cv3[2][-1].bias[9] += 1  # by hand, behind the ledger's back
    assert [check.changed for check in surgery.certify(opened).rows] == [(), (3, 7), (9,)]


@pytest.mark.parametrize("trusted", ["no", "False", 1, None])
def test_trust_is_said_by_a_bool(saved, trusted):
    with pytest.raises(TypeError, match="trusted must be True or False, but"):
        surgery.load(saved, trusted=trusted)


def test_a_model_in_place_of_a_path(model):
    with pytest.raises(TypeError, match="A checkpoint is given by its path, but YOLO was given"):
        surgery.certify(model, against=model)
