"""Classes of a labelled set as classes of a model: by name where both have names, else by id."""

from collections.abc import Mapping

from ..objects.reading import LabelledSet


def class_map(labels: LabelledSet, names: Mapping[int, str]) -> dict[int, int]:
    """An id of the set -> the id of the model. Raises ValueError for a class that the model does not have."""
    if not labels.names:
        return {index: index for index in names}
    ids = {name: index for index, name in names.items()}
    unknown = [name for name in labels.names.values() if name not in ids]
    if unknown:
        raise ValueError(
            f"The labels have classes that the model does not: {', '.join(map(repr, unknown[:5]))}"
            f"{' …' if len(unknown) > 5 else ''}. It knows {', '.join(list(ids)[:8])}{' …' if len(ids) > 8 else ''}. "
            "Give names= to read_labels, or rename the model's classes with surgery.rename_classes."
        )
    return {index: ids[name] for index, name in labels.names.items()}
