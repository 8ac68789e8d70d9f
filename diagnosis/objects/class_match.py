"""Which class of a model each class of a labelled set is: by id where the names agree, else by name."""

from collections.abc import Iterable, Mapping

from anatomy import SelectionError, select_class


def match_classes(labelled: Mapping[int, str], model: Mapping[int, str], ids: Iterable[int]) -> dict[int, int]:
    """The model's class id of each class id in ``ids``; ``labelled`` and ``model`` are names, {id: name}.

    Ids stand as they are where each name of the set is the model's of that id, regardless of case, and where the names
    of either are unknown or made up ("class_3", "3"); otherwise names decide. Raises SelectionError for a class that
    the model lacks.
    """
    chosen = sorted(set(ids))
    by_id = _made_up(labelled) or _made_up(model) or all(_same(name, model.get(i)) for i, name in labelled.items())
    matched = {}
    for class_id in chosen:
        which = class_id if by_id else labelled.get(class_id, class_id)
        try:
            matched[class_id] = select_class(model, which)
        except SelectionError as error:
            told = "" if class_id not in labelled else f" {labelled[class_id]!r}"
            raise SelectionError(f"The labels hold class {class_id}{told}, which the model lacks. {error}") from error
    return matched


def _made_up(names: Mapping[int, str]) -> bool:
    """Whether names say no more than ids do; none at all are unknown."""
    return all(name in (str(i), f"class{i}", f"class_{i}") for i, name in names.items())


def _same(name: str, other: str | None) -> bool:
    return other is not None and name.strip().casefold() == other.strip().casefold()
