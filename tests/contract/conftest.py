"""The detector of each row of the table, lent to one test after another."""

import pytest

import surgery
from tests.contract import lending
from tests.contract.families import FAMILIES
from tests.contract.portrait import assert_same, portrait


@pytest.fixture(params=FAMILIES, ids=str)
def family(request):
    return request.param


@pytest.fixture
def edited(family):
    """Asked for by tests that edit."""
    if not family.editable:
        pytest.skip("the head has no class rows: edits are refused, which test_refusals.py holds")


@pytest.fixture
def model(family):
    """The detector, lent: what a test did by edits alone is taken back, and nothing else may be left of it."""
    found = lending.network(family)
    before = lending.pristine(family)
    try:
        yield found
        surgery.reset(found)
        assert_same(before, portrait(found))
    except BaseException:
        lending.discard()
        raise


@pytest.fixture
def trace(family, model):
    """What the unedited detector makes of the picture."""
    return lending.traced(family)
