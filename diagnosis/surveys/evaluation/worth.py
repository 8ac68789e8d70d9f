"""What a level, and each class row of it, is worth: the scores of the set without it."""

from typing import TYPE_CHECKING, Any

import numpy as np

from .pairs import Surveyed
from .scoreboard import SCORES, Scoreboard, over_classes

if TYPE_CHECKING:
    from polars import DataFrame


def worth(survey: Surveyed, *, engine: str = "hotcoco") -> "DataFrame":
    """The scores without each level, and without each class row of each level.

    One row a level (``class_id`` and ``class_name`` null), then one a level and class: ``level``, ``level_name``,
    ``class_id``, ``class_name``, the scores as they are with the level muted, or the row (level, class) silenced, and
    ``delta_…`` of each (without minus with: negative where it is worth something). Every variant is exact, as if it had
    been validated: silent scores free boxes that they suppressed, and the limit of boxes an image is applied anew.
    Raises ValueError for a survey made without ``ablation=True`` or without labels.
    """
    import polars

    if not survey.settings.get("ablation"):
        raise ValueError("worth needs a survey made with ablation=True, but this one was made without. Survey again.")
    board = Scoreboard(survey, engine)
    plain = over_classes(board.plain)
    rows = []
    for level in survey.levels:
        without = board.of(board.selections.without_level(level.index))
        rows.append(_row(survey, level, None, over_classes(without), plain))
        rows.extend(
            _row(survey, level, class_id, _without_row(board, level.index, class_id, plain), plain)
            for class_id in board.classes.tolist()
        )
    return polars.DataFrame(rows, schema=_schema())


def _without_row(board: Scoreboard, level: int, class_id: int, plain: np.ndarray) -> np.ndarray:
    """(8,) the scores without a row; those of the model as it is where nothing of that row is kept or can be."""
    kept = ((board.pairs.level == level) & (board.pairs.class_id == class_id)).any()
    if not kept and (level, class_id) not in board.pairs.changed:
        return plain
    return over_classes(board.of(board.selections.without_row(level, class_id)))


def _row(survey: Surveyed, level: Any, class_id: int | None, without: np.ndarray, plain: np.ndarray) -> dict[str, Any]:
    return {
        "level": level.index,
        "level_name": level.name,
        "class_id": class_id,
        "class_name": None if class_id is None else survey.names[class_id],
        **dict(zip(SCORES, without.tolist(), strict=True)),
        **{f"delta_{name}": delta for name, delta in zip(SCORES, (without - plain).tolist(), strict=True)},
    }


def _schema() -> dict[str, Any]:
    from polars import Float64, Int32, String

    place = {"level": Int32, "level_name": String, "class_id": Int32, "class_name": String}
    return place | dict.fromkeys((*SCORES, *(f"delta_{name}" for name in SCORES)), Float64)
