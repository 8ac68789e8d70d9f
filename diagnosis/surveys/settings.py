"""What a survey was asked for: thresholds, sizes, and how the set is cut into shards."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from anatomy.arguments import share, whole_number

FLOOR = 0.001  # the confidence above which validation keeps boxes: Ultralytics' default of ``val()``
MAX_DET = 300  # boxes an image: Ultralytics' default
FRAMES = ("val", "predict")


@dataclass(frozen=True)
class Settings:
    """``conf`` and ``iou`` of the working point, that of ``predict()``; ``imgsz`` px; an object is found from
    ``match_iou`` on. ``split`` of a data YAML. ``batch`` images enter the network together, ``shard`` at least are
    written together. ``frames``: images lie in the input as "val" or as "predict" puts them. ``max_det`` boxes an image
    at most are evaluated; ``ablation``: levels and class rows are weighed too.
    """

    conf: float = 0.25
    iou: float = 0.7
    imgsz: int = 640
    match_iou: float = 0.5
    split: str = "val"
    batch: int = 16
    shard: int = 64
    frames: str = "val"
    max_det: int = MAX_DET
    ablation: bool = False

    def checked(self) -> "Settings":
        """The same in plain types; raises TypeError and ValueError with the rule and what was given."""
        shares = {name: share(getattr(self, name), name) for name in ("conf", "iou", "match_iou")}
        if shares["match_iou"] == 0:
            raise ValueError("match_iou must be above 0, but 0 was given: every box would find every object.")
        if shares["conf"] < FLOOR:
            raise ValueError(f"conf must be at least {FLOOR}, where evaluation begins, but {self.conf!r} was given.")
        counts = {name: whole_number(getattr(self, name), name) for name in ("imgsz", "batch", "shard", "max_det")}
        for name, count in counts.items():
            if count < 1:
                raise ValueError(f"{name} must be a whole number from 1, but {count} was given.")
        if self.frames not in FRAMES:
            raise ValueError(f"frames must be one of {', '.join(FRAMES)}, but {self.frames!r} was given.")
        return replace(self, **shares, **counts, ablation=bool(self.ablation), split=str(self.split))

    def told(self) -> dict[str, Any]:
        """By name, for JSON."""
        return asdict(self)
