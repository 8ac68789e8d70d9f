"""Sources that cannot be read are refused at the door, with what is wrong with them."""

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

import anatomy
from anatomy.head.images import open_images


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
    refuse(model, np.zeros((0, 4, 3), np.uint8), r"needs pixels, but an array of shape \(0, 4, 3\)")
    refuse(model, tmp_path, "could not be read as an image")


GREY = np.arange(64 * 96, dtype=np.uint8).reshape(64, 96)
COLOUR = np.stack((GREY, GREY[::-1], GREY[:, ::-1]), -1)
READ = {
    "grey": GREY,
    "one channel": GREY[..., None],
    "grey and alpha": np.stack((GREY, GREY[::-1]), -1),
    "colour": COLOUR,
    "with alpha": np.concatenate((COLOUR, GREY[..., None]), -1),
    "16 bits": COLOUR.astype(np.uint16) << 8,
    "16 bits of the other byte order": (COLOUR.astype(np.uint16) << 8).astype(">u2"),
    "a view": np.flip(COLOUR, 2),
    "read alone": np.frombuffer(COLOUR.tobytes(), np.uint8).reshape(COLOUR.shape),
}


@pytest.mark.parametrize("image", READ.values(), ids=READ)
def test_arrays_are_read_as_ultralytics_reads_them_and_the_image_is_always_colour(model, image):
    trace = anatomy.trace(model, image, imgsz=96, conf=0.01)
    known = image.astype(np.uint16) if image.dtype.byteorder == ">" else image
    (expected,) = model.predict(known, imgsz=96, conf=0.01, verbose=False)
    assert torch.equal(trace.result.boxes.data, expected.boxes.data) and len(trace.detections)
    assert trace.image.dtype == np.uint8 and trace.image.shape == (64, 96, 3)
    assert np.array_equal(trace.image, expected.orig_img[..., ::-1])


NO_IMAGES = [
    (COLOUR.astype(np.int16), r"An image array is uint8.*of int16 was given\. Scale it to 0\.\.255"),
    (COLOUR.astype(np.int32), r"of int32 was given"),
    (COLOUR.astype(np.uint32), r"of uint32 was given"),
    (COLOUR.astype(np.float32), r"of float32 was given\. Scale it"),
    (COLOUR / 255, r"of float64 was given\. From \[0, 1\] make it \(image \* 255\)\.round\(\)\.astype\(np\.uint8\)"),
    (np.full((64, 64, 3), np.nan), r"of float64 was given\. Scale it"),
    (COLOUR > 9, r"of bool was given\. Make it image\.astype\(np\.uint8\) \* 255"),
    (COLOUR.astype(complex), r"of complex128 was given"),
    (COLOUR.astype(object), r"of object was given\. Make it an array of numbers"),
    (COLOUR.astype(str), r"of <U\d+ was given"),
    (np.zeros((64,), np.uint8), r"but an array of shape \(64,\) was given"),
    (np.array(3, np.uint8), r"but an array of shape \(\) was given"),
    (np.zeros((2, 64, 64, 3), np.uint8), r"shape \(2, 64, 64, 3\) was given\. Give several images as a list"),
    (np.zeros((3, 64, 64), np.uint8), r"shape \(3, 64, 64\) was given\. Channels come last"),
    (np.zeros((64, 64, 5), np.uint8), r"shape \(64, 64, 5\) was given"),
    (np.zeros((0, 64, 3), np.uint8), r"An image needs pixels"),
    (np.zeros((64, 64, 0), np.uint8), r"An image needs pixels"),
    (torch.rand(64, 64), r"An image tensor is \(3, H, W\).*shape \(64, 64\) was given"),
    (torch.rand(64, 64, 3), r"An image tensor is \(3, H, W\).*shape \(64, 64, 3\)"),
    (torch.rand(1, 1, 3, 64, 64), r"An image tensor is"),
    (torch.rand(1, 4, 64, 64), r"An image tensor is"),
    (torch.rand(0, 3, 64, 64), r"An image needs pixels, but a tensor"),
    (torch.rand(3, 60, 64), r"sides must be multiples of 32 px, but they are 60 × 64.*letterboxed"),
    (torch.rand(3, 64, 64) * 255, r"but this one holds .* to 25\d.*Divide by 255\?"),
    (torch.rand(3, 64, 64) - 1, r"but this one holds -"),
    (torch.full((3, 64, 64), float("nan")), r"but this one holds NaN"),
    (torch.ones(3, 64, 64, dtype=torch.bool), r"but one of torch\.bool was given"),
    (torch.ones(3, 64, 64, dtype=torch.int32), r"but one of torch\.int32 was given"),
    (torch.ones(3, 64, 64, dtype=torch.complex64), r"but one of torch\.complex64"),
    (Image.new("RGB", (0, 5)), r"a PIL image of \(0, 5\) was given"),
    (Image.new("F", (64, 64)), r"its mode is 'F'\. Scale it"),
    (Image.new("I", (64, 64)), r"its mode is 'I'"),
    (None, r"An image is needed, but None was given\. Give an image file"),
    (b"\xff\xd8", r"Bytes of a file were given\. Open them first: PIL\.Image\.open\(io\.BytesIO"),
    ({"image": 1}, r"\{'image': 1\} \(dict\) was given, which is no image"),
    ({1, 2}, r"\(set\) was given"),
    (3.5, r"3\.5 \(float\) was given"),
    (True, r"True \(bool\) was given"),
    (-1, r"names a camera"),
    (0, r"trace takes one image, but 0 was given, which names a camera"),
    ("", r"The name of a file is empty"),
    ((image for image in [COLOUR]), r"A generator was given\. Make it a list"),
    ([None], r"An image is needed, but None was given"),
    ([[COLOUR]], r"A list holds files, arrays and PIL images, but has the list in it"),
    ([0], r"but has the int in it"),
    ([COLOUR, torch.rand(3, 64, 64)], r"but has the Tensor in it"),
    ([COLOUR / 255], r"of float64 was given"),
    ([torch.rand(3, 64, 64), torch.rand(3, 64, 32)], r"must have one shape"),
    (object(), r"\(object\) was given"),
]


@pytest.mark.parametrize(("source", "message"), NO_IMAGES)
def test_what_is_no_image_is_refused_with_rule_and_remedy(model, source, message):
    with pytest.raises(anatomy.SourceError, match=message):
        anatomy.trace(model, source, imgsz=64)
    if not isinstance(source, int):
        with pytest.raises(anatomy.SourceError, match=message):
            anatomy.stream(model, source, imgsz=64)  # at once, not at the first image


def test_what_comes_out_does_not_go_in(model, picture):
    trace = anatomy.trace(model, picture, imgsz=64)
    with pytest.raises(anatomy.SourceError, match=r"A Trace was given.*trace\.image\[\.\.\., ::-1\]"):
        anatomy.trace(model, trace)
    with pytest.raises(anatomy.SourceError, match=r"A Results object was given.*result\.orig_img"):
        anatomy.trace(model, trace.result)


@pytest.mark.parametrize("kind", [torch.float16, torch.float32, torch.float64, torch.uint8])
def test_tensors_enter_as_they_are(model, picture, kind, capsys):
    pixels = torch.from_numpy(picture[..., ::-1].copy()).permute(2, 0, 1)
    given = pixels if kind == torch.uint8 else (pixels.double() / 255).to(kind)
    (expected,) = model.predict((pixels[None] / 255), conf=0.01, verbose=False)
    for image in (
        given,
        given[None],
        [given],
        given.clone().float().div(255 if kind == torch.uint8 else 1).requires_grad_(),
    ):
        trace = anatomy.trace(model, image, conf=0.01)
        assert trace.image.dtype == np.uint8 and trace.image.shape == picture.shape
        assert np.abs(trace.image[..., ::-1].astype(int) - picture).max() <= 1
        assert len(trace.detections) and trace.input_shape == tuple(given.shape[-2:])
        if kind == torch.float32:
            assert torch.equal(trace.result.boxes.data, expected.boxes.data)
    assert [len(one.names) for one in anatomy.stream(model, torch.stack([given, given]))] == [80, 80]
    assert capsys.readouterr() == ("", "")


def test_a_file_of_floats_is_refused_and_16_bits_are_read(model, picture, tmp_path):
    cv2.imwrite(str(tmp_path / "float.tiff"), picture.astype(np.float32))
    refuse(model, tmp_path / "float.tiff", r"holds pixels of float32, but an image has 8 or 16 bits a channel")
    for ending in ("png", "tiff"):
        cv2.imwrite(str(tmp_path / f"deep.{ending}"), picture.astype(np.uint16) << 8)
        trace = anatomy.trace(model, tmp_path / f"deep.{ending}", imgsz=64)
        assert np.array_equal(trace.image[..., ::-1], picture)


def test_a_picture_is_turned_as_its_exif_says(model, picture, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(picture).save(tmp_path / "turned.png", exif=exif)
    with Image.open(tmp_path / "turned.png") as opened:
        assert anatomy.trace(model, opened, imgsz=64).image.shape == (192, 128, 3)
        ((_, image),) = open_images(opened)
        assert image.shape == (192, 128, 3)
