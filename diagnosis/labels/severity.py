"""Which findings are errors: what both kinds of evidence say, or files alone, or nearly all matched pairs."""

from .class_maps import ClassChoice
from .class_pairs import ClassPair
from .class_rolls import ClassRoll
from .file_votes import FileVotes
from .pairing import Pairing
from .search import FEWEST
from .verdict import Geometry

NEARLY_ALL = 0.8  # part of the pairs from which on a class map is an error
ERROR, WARNING = "error", "warning"


def of_geometry(geometry: Geometry) -> str:
    """An error where model and edges agree, or where the files prove it: px and other units than shares."""
    proven_by_files = any(code.startswith("pixels") or code == "other_unit" for code in geometry.reading.codes)
    return _error_if(geometry.by == "both" or (proven_by_files and not geometry.contested))


def of_pairing(pairing: Pairing) -> str:
    """An error where enough images say so."""
    return _error_if(pairing.gain.images >= 2 * FEWEST)


def of_classes(choice: ClassChoice) -> str:
    """An error where the map explains nearly all pairs."""
    return _error_if(choice.explained >= NEARLY_ALL)


def of_roll(roll: ClassRoll) -> str:
    """An error where it explains nearly all pairs."""
    return _error_if(roll.explained >= NEARLY_ALL)


def of_class_pair(pair: ClassPair) -> str:
    """An error where nearly all pairs of two classes are labelled one for the other."""
    return _error_if(pair.code == "classes_swapped" and pair.for_each_other >= NEARLY_ALL * pair.pairs)


def of_votes(entry: FileVotes) -> str:
    """A warning: the model alone speaks of single files."""
    return WARNING


def _error_if(proven: bool) -> str:
    return ERROR if proven else WARNING
