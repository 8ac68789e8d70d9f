"""A certificate says what was compared with what, and never calls untouched what nobody has compared."""

import copy
import pickle

import pytest
import torch
from ultralytics import YOLO

import surgery
from anatomy import UnsupportedModelError
from detectors.fastvit import FastViTDetector
from detectors.fastvit import save as save_fastvit
from surgery.bits import identical, unlike
from tests.fastvit_nets import SMALL
from tests.torchvision_nets import tiny
from tests.ultralytics_nets import narrow


@pytest.fixture(scope="module")
def file(build, picture, tmp_path_factory):
    """A checkpoint as Ultralytics writes it, in float32 and without a record."""
    model = build("yolov8n", picture)
    path = tmp_path_factory.mktemp("files") / "plain.pt"
    torch.save({"model": model.model, "ema": None, "train_args": {}}, path)
    return path


@pytest.fixture
def model(file):
    return YOLO(str(file))


def conv(model, level: int = 1):
    return getattr(model, "model", model).model[-1].cv3[level][-1]


def change_by_hand(model, level: int = 1, row: int = 9) -> None:
    with torch.no_grad():
        conv(model, level).bias[row] += 1


def changed(certificate) -> list[tuple[int, ...]]:
    return [check.changed for check in certificate.rows]


def test_without_a_record_nothing_is_compared_and_that_is_said(model, file):
    found = surgery.certify(model)
    assert (found.original, found.untouched, found.elsewhere) == (None, None, None)
    assert {(check.changed, check.equal) for check in found.rows} == {((), ())}
    assert "NOT COMPARED: there is no record of an original (give against=path)" in str(found)
    assert "not compared" in str(found)
    with surgery.scratch(model):
        surgery.mute_level(model, 0)
        assert surgery.certify(model).original == "record"
    assert surgery.certify(model).original is None
    assert surgery.certify(model, against=file).untouched is True
    assert surgery.certify(surgery.load(file)).untouched is True


def test_a_row_changed_by_hand_before_any_edit(model, file):
    change_by_hand(model)
    found = surgery.certify(model, against=file)
    assert (found.original, found.untouched) == ("file", False)
    assert changed(found) == [(), (9,), ()]
    surgery.swap_classes(model, "P3", 1, 2)
    assert changed(surgery.certify(model, against=file)) == [(1, 2), (9,), ()]
    assert changed(surgery.certify(model)) == [(1, 2), (), ()]  # the record begins with the first edit
    assert surgery.certify(model).original == "record"


def test_a_deep_copy_of_an_edited_model(model, file):
    surgery.swap_classes(model, "P3", 1, 2)
    twin = copy.deepcopy(model)
    assert changed(surgery.certify(twin, against=file)) == [(1, 2), (), ()]
    assert changed(surgery.certify(twin)) == [(1, 2), (), ()]
    surgery.undo(twin)
    assert surgery.certify(twin, against=file).untouched
    assert changed(surgery.certify(model)) == [(1, 2), (), ()]


def test_saved_by_ultralytics_and_opened_again(model, file, tmp_path):
    surgery.zero_classes(model, "P3", [1, 2])
    path = tmp_path / "saved.pt"
    model.save(str(path))
    again = YOLO(str(path))
    assert {1, 2} <= set(surgery.certify(again, against=file).rows[0].changed)
    assert not surgery.certify(again, against=file).untouched
    found = surgery.certify(again)
    assert changed(found) == [(1, 2), (), ()]
    assert not any(check.drifted for check in found.rows)
    assert "the network has passed torch.float16; compared with the original rounded to it" in str(found)
    surgery.undo(again)
    assert torch.equal(conv(again, 0).weight, conv(YOLO(str(file)), 0).weight.half().float())


def test_what_drifted_from_the_record_is_named(model, file):
    surgery.swap_classes(model, "P3", 1, 2)
    change_by_hand(model, 0, 2)
    change_by_hand(model, 2, 5)
    found = surgery.certify(model)
    assert [check.drifted for check in found.rows] == [(2,), (), (5,)]
    assert changed(found) == [(1, 2), (), (5,)]
    assert "1 changed (2), 1 moved whole (1 from 2 2), 78 equal, 1 not as the edits left them" in str(found)
    assert "the record of 1 edit(s) does not explain the rows" in str(found)


def test_channels_last_and_not_a_number(model, file):
    plain = surgery.certify(model, against=file).digest
    model.model.to(memory_format=torch.channels_last)
    found = surgery.certify(model, against=file)
    assert found.untouched
    assert found.digest == plain
    with torch.no_grad():
        conv(model).weight[3, 5] = float("nan")
        model.model.model[0].bn.running_mean[0] = float("nan")
    found = surgery.certify(model, against=file)
    assert changed(found) == [(), (3,), ()]
    assert found.elsewhere == ("model.0.bn.running_mean",)
    other = YOLO(str(file))
    other.model.load_state_dict(model.model.state_dict())
    torch.save({"model": other.model, "train_args": {}}, file.parent / "nan.pt")
    assert surgery.certify(model, against=file.parent / "nan.pt").untouched
    with torch.no_grad():
        conv(model).bias[4] = -0.0 * conv(model).bias[4].sign()
        conv(other).bias[4] = 0.0
    surgery.shift_classes(model, "P3", 1)
    surgery.undo(model)
    assert surgery.certify(model).in_step


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_networks_of_half_precision(model, file, picture, dtype):
    surgery.swap_classes(model, "P3", 1, 2)
    model.predict(picture, imgsz=192, verbose=False)
    model.model.to(dtype)
    found = surgery.certify(model)
    assert changed(found) == [(1, 2), (), ()]
    assert not any(check.drifted for check in found.rows)
    assert found.in_step
    assert f"the network holds {dtype}, the record torch.float32; compared in {dtype}" in str(found)
    found = surgery.certify(model, against=file)
    assert found.untouched is False
    assert f"the network holds {dtype}, the file torch.float32" in str(found)
    surgery.shift_classes(model, "P4", 1)
    surgery.reset(model)
    assert surgery.certify(model).untouched
    assert torch.equal(conv(model, 0).weight, conv(YOLO(str(file)), 0).weight.to(dtype))
    assert "its class weights are the file's rounded to it" in str(surgery.certify(model, against=file))
    torch.save({"model": model.model, "train_args": {}}, file.parent / "coarse.pt")
    exact = surgery.certify(model, against=file.parent / "coarse.pt")
    assert changed(exact) == [(), (), ()]
    assert exact.elsewhere == ()


def test_a_file_of_its_own_family(tmp_path):
    torch.manual_seed(0)
    net = FastViTDetector(["box", "disc", "star"], SMALL, branches=1).eval()
    path = save_fastvit(net, tmp_path / "own.pt")
    assert surgery.certify(net, against=path).untouched
    surgery.swap_classes(net, "P4", 0, 1)
    with torch.no_grad():
        net.heads[2].classify.bias[2] += 1
    found = surgery.certify(net, against=path)
    assert changed(found) == [(), (0, 1), (2,)]
    assert found.elsewhere == ()
    twin = pickle.loads(pickle.dumps(net))
    assert surgery.history(twin) == surgery.history(net)
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match="no checkpoint of this detector"):
        surgery.certify(net, against=tmp_path / "other.pt")
    with pytest.raises(FileNotFoundError, match=r"There is no checkpoint .*nowhere\.pt"):
        surgery.certify(net, against=tmp_path / "nowhere.pt")


def test_a_family_without_files_is_refused(tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(UnsupportedModelError, match=r"FCOS has no checkpoint format of its own.*state_dict"):
        surgery.certify(tiny("fcos"), against=tmp_path / "other.pt")


def test_levels_that_share_a_convolution_are_told_alike():
    net = tiny("retinanet")
    surgery.shift_classes(net, "all", 1)
    surgery.scale_classes(net, "all", 2, 1.5)
    found = surgery.certify(net)
    assert len({(check.changed, check.equal, check.drifted) for check in found.rows}) == 1
    assert found.rows[0].drifted == ()
    surgery.reset(net)
    assert surgery.certify(net).untouched


def test_a_file_with_other_levels_or_classes_has_no_equal_row(file):
    other = narrow("yolov8n-p2", 80, bodiless=True)
    found = surgery.certify(other, against=file)
    assert not found.untouched
    assert not any(check.equal for check in found.rows)
    small = narrow("yolov8n", 6, bodiless=True)
    assert not any(check.equal for check in surgery.certify(small, against=file).rows)


def test_bits():
    a = torch.tensor([0.0, float("nan"), 1.0])
    assert unlike(a, torch.tensor([-0.0, float("nan"), 1.0])).tolist() == [True, False, False]
    assert identical(torch.ones(2, dtype=torch.float16), torch.ones(2, dtype=torch.bfloat16))
    assert not identical(torch.ones(2), torch.ones(3))
    assert not identical(torch.tensor(True), torch.tensor(False))
    assert identical(torch.tensor(3), torch.tensor(3))


def test_the_digest_does_not_depend_on_the_branch_that_predict_uses(build, picture):
    model = build("yolov10n", picture)
    plain = surgery.certify(model).digest
    model.predict(picture, nms=False, imgsz=192, verbose=False)
    assert surgery.certify(model).digest == plain
