"""Sources that cannot be read are refused at the door, with what is wrong with them."""

import cv2
import numpy as np
import pytest

import anatomy


@pytest.fixture(scope="module")
def model(build, picture):
    return build("yolov8n", picture)


def refuse(model, source, message):
    with pytest.raises(ValueError, match=message):
        anatomy.trace(model, source, imgsz=64)


def test_missing(model, tmp_path):
    refuse(model, tmp_path / "none.jpg", r"There is no file '.*none\.jpg' \(working folder: ")


def test_empty(model, tmp_path):
    (tmp_path / "empty.jpg").touch()
    refuse(model, str(tmp_path / "empty.jpg"), r"empty\.jpg' is empty \(0 bytes\)")


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_truncated(model, tmp_path, picture, ending):
    path = tmp_path / f"image.{ending}"
    cv2.imwrite(str(path), picture)
    path.write_bytes(path.read_bytes()[:-2000])
    refuse(model, path, rf"is cut short: \d+ bytes without the mark that ends a {ending.upper()} image")
    refuse(model, [path], "is cut short")


def test_trailing_notes_are_no_truncation(model, tmp_path, picture):
    path = tmp_path / "image.jpg"
    cv2.imwrite(str(path), picture)
    path.write_bytes(path.read_bytes() + b"\0" * 3000)
    assert anatomy.trace(model, path, imgsz=64).image.shape == picture.shape


def test_not_an_image(model, tmp_path):
    (tmp_path / "fake.jpg").write_text("no pixels here")
    refuse(model, tmp_path / "fake.jpg", r"fake\.jpg' could not be read as an image")
    (tmp_path / "table.xlsx").write_text("no pixels here")
    refuse(model, tmp_path / "table.xlsx", "could not be read as an image")


def test_several_and_none(model, tmp_path, picture):
    refuse(model, [picture, picture], r"trace takes one image, but the list holds several\. Use anatomy\.stream")
    refuse(model, [], "an empty list was given")
    refuse(model, np.zeros((0, 4, 3), np.uint8), r"array of shape \(0, 4, 3\)")
    refuse(model, tmp_path, "could not be read as an image")
