"""What a question to a loss has shown."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field


@dataclass(frozen=True)
class Said:
    """A code and words; ``part`` of the loss: "boxes", "objectness" or "classes", empty for all of it.

    ``level`` where it is one's alone; ``mild``: a warning, not an error; ``numbers``: what was measured. ``whole``: of
    all of the part; ``weak``: what anything else that is wrong with the part explains.
    """

    code: str
    words: str
    part: str = ""
    _: KW_ONLY
    level: int | None = None
    mild: bool = False
    whole: bool = False
    weak: bool = False
    numbers: Mapping[str, object] = field(default_factory=dict)
