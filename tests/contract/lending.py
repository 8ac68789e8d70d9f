"""Each network is built and traced once a session, whoever asks for it."""

from functools import cache

import anatomy
from tests.contract.families import FAMILIES
from tests.contract.portrait import portrait
from tests.contract.rows import PICTURE, Family


def called(name: str) -> Family:
    (found,) = (family for family in FAMILIES if family.name == name)
    return found


@cache
def network(family: Family):
    """The detector of a row: to be looked at, or edited and put back."""
    return family.build()


@cache
def traced(family: Family) -> anatomy.Trace:
    """What the unedited detector makes of the picture."""
    return anatomy.trace(network(family), PICTURE, **family.args)


@cache
def pristine(family: Family) -> dict:
    """The portrait of the unedited detector."""
    return portrait(network(family))


def discard() -> None:
    """Build all networks anew: one of them did not come back as it was."""
    for made in (network, traced, pristine):
        made.cache_clear()
