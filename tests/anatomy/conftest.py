"""Networks of the tests of this package: heads as published, on no more of a body than they need."""

from functools import partial

import pytest

from tests.ultralytics_nets import as_published


@pytest.fixture(scope="session")
def build():
    """A factory of YOLO objects with random weights, of heads of size n, whose class rows detect something."""
    return partial(as_published, bodiless=True)


@pytest.fixture(scope="session")
def quantized(tmp_path_factory):
    """A small network as an ONNX file in INT8."""
    from tests.contract.rows import PICTURE
    from tests.exported import export_file, quantized_file

    folder = tmp_path_factory.mktemp("quantized")
    return quantized_file(export_file("yolov8n", PICTURE), [PICTURE, PICTURE[:, ::-1]], folder)
