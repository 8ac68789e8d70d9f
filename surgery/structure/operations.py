"""The operations on whole classes that a caller names; each returns the recorded ``Edit``.

They work on every level and branch at once, in the network and in what ``predict()`` runs of it, and are undone bit
for bit, down to the same parameters; when one raises, nothing has changed. Boxes, masks, key points and angles are not
touched. ``certify`` tells rows that moved whole from rows that changed. Ultralytics' own trainer builds its network
anew from its yaml: rows go along by name where their number and width are the same, see ``merge_classes``.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, SupportsIndex

from ..edit import Edit
from ..operations import carry_out

One = SupportsIndex | str  # a class, by id or by name


def keep_classes(model: object, classes: One | Sequence[One], *, exact: bool = False) -> Edit:
    """Keep these classes, in the order given, and drop all others: class i is then ``classes[i]``.

    Their rows are the same bit for bit, and from twelve classes on their logits too; of fewer rows torch's CPU kernels
    round otherwise in the last bits (2e-5 of logit at most, measured on YOLO26n). ``exact`` keeps those as well: rows
    are repeated until there are enough, and the highest of equals taken, as ``merge_classes`` does. Raises
    SelectionError (a ValueError) for none, for a class given twice, and for one that there is not.

    >>> surgery.keep_classes(model, [2, 0]) and model.names
    {0: '2', 1: '0'}
    """
    return carry_out(model, "keep_classes", "all", None, {"kept": classes, "exact": exact or None})


def rename_classes(model: object, names: Mapping[Any, str]) -> Edit:
    """Give classes other names, {old: new}; no row changes. ValueError where two would have one name.

    >>> surgery.rename_classes(model, {0: "cat"}) and model.names[0]
    'cat'
    """
    return carry_out(model, "rename_classes", "all", None, {"renamed": names})


def merge_classes(model: object, groups: Mapping[str, Iterable[One]], how: str = "highest") -> Edit:
    """Make one class of several, {new name: [classes]}; it stands where the first of its members by id stood.

    ``how`` "highest": its score is the highest of its members', exactly. All their rows stay, and a maximum of torch's
    own layers follows them; a group with fewer rows than the largest repeats one. "mean" and "first": one row speaks
    for all, the mean of theirs or that of the first named; then the logit is the mean of theirs, or its alone.

    A training by Ultralytics begins with one row a class. Where the width of its class towers is that of this model,
    those are the mean of each class's rows here; where it is not, it takes over the maximum as it is.
    Raises ValueError for a class named twice, an empty group, and two classes of one name.

    >>> surgery.merge_classes(model, {"pet": [0, 1]}) and model.names
    {0: 'pet', 1: '2'}
    """
    return carry_out(model, "merge_classes", "all", None, {"groups": groups, "how": how})
