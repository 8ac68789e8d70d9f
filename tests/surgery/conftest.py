"""Networks of the tests of this package: heads as published, on no more of a body than they need."""

from functools import partial

import pytest

from tests.ultralytics_nets import as_published


@pytest.fixture(scope="session")
def build():
    """A factory of YOLO objects with random weights, of heads of size n, whose class rows detect something."""
    return partial(as_published, bodiless=True)
