"""The whole way: files and pictures on disk, the bundled detector, findings with their mends."""

import numpy as np
import pytest

from detectors import demo_weights
from diagnosis import Reading, check_labels
from tests.diagnosis.surveys.sets import scene_set

SIZE = (224, 160)  # width, height


@pytest.fixture(scope="module")
def model():
    from ultralytics import YOLO

    return YOLO(demo_weights())


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return scene_set(tmp_path_factory.mktemp("scenes") / "set", 12)


def rewrite(data, reading: Reading, by: int) -> None:
    """Write all labels by a reading, and ids off by a constant."""
    for path in sorted((data.parent / "labels" / "val").glob("*.txt")):
        given = np.loadtxt(path, ndmin=2)
        quads = reading.written(Reading().boxes(given[:, 1:], SIZE), SIZE)
        lines = [
            f"{int(i) + by} " + " ".join(f"{v:.5f}" for v in quad) for i, quad in zip(given[:, 0], quads, strict=True)
        ]
        path.write_text("\n".join(lines) + "\n")


def test_right_labels_and_then_px_and_ids_off_by_one(data, model):
    right = check_labels(data, model, imgsz=224, progress=False)
    assert right.findings == ()
    assert right.mends == ()
    assert right.images == right.looked["val"] == 12
    rewrite(data, Reading(unit="px", format="xyxy"), 1)
    wrong = check_labels(data, model, imgsz=224, progress=False)
    assert [finding.code for finding in wrong.errors] == ["pixels_xyxy", "ids_shifted"]
    assert "off_image" in wrong.errors[0].consequences
    (mend,) = wrong.mends
    assert mend.reading == Reading(unit="px", format="xyxy")
    assert set(mend.classes.items()) <= {(i + 1, i) for i in range(12)}
    best = wrong.readings.sort("model_fit", descending=True, nulls_last=True).row(0, named=True)
    assert best["codes"] == "pixels_xyxy"
    assert '"pixels_xyxy"' in wrong.to_json()
    by_edges = check_labels(data, progress=False, images=8)
    assert by_edges.looked == {"val": 8}
    assert "pixels_xyxy" in by_edges.codes


def test_a_test_split_that_was_not_fetched_is_left_out(data):
    told = data.with_name("with_test.yaml")
    told.write_text(data.read_text() + "test: images/gone\n")
    with pytest.warns(UserWarning, match="'test' .* is not there.* It is left out"):
        assert check_labels(told, progress=False, images=1).looked == {"val": 1}
    told.unlink()


def test_what_is_no_labelled_set_is_refused(data, tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        check_labels(tmp_path / "nowhere.yaml")
    (tmp_path / "data.yaml").write_text("train: images/none\nnames: [a]\n")
    with pytest.raises(FileNotFoundError, match="is not there"):
        check_labels(tmp_path / "data.yaml")
    picture = min((data.parent / "images" / "val").glob("*"))
    (tmp_path / picture.name).write_bytes(picture.read_bytes())
    with pytest.raises(ValueError, match="images without any"):
        check_labels(tmp_path)
    with pytest.raises(ValueError, match="at least 1"):
        check_labels(data, images=0)
    with pytest.raises(ValueError, match="conf must be from 0 to 1"):
        check_labels(data, conf=2)
