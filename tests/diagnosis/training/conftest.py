"""One small set of pictures for all trainings of these tests."""

import pytest

from .trainings import write_set


@pytest.fixture(scope="package")
def data(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("set") / "detect")
