"""Small labelled sets of scenes, and surveys of the bundled detector over them."""

from pathlib import Path

from anatomy.archive.whole import write_whole
from detectors.scenes.dataset import write_dataset
from diagnosis import Survey

TABLES = ("images", "objects", "detections", "evaluation")


def scene_set(folder: Path, images: int = 10, size: tuple[int, int] = (160, 224)) -> Path:
    """The data YAML of so many labelled scenes, written to ``folder``."""
    return write_dataset(folder, 0, images, size)


def same_tables(one: Survey, other: Survey) -> bool:
    """Whether every table of two surveys is the same, row by row and bit by bit."""
    return all(getattr(one, name).collect().equals(getattr(other, name).collect()) for name in TABLES)


def files_of(survey: Survey) -> dict[str, bytes]:
    """The bytes of every Parquet file of a survey, by its path within."""
    found = sorted(survey.path.rglob("*.parquet"))
    return {path.relative_to(survey.path).as_posix(): path.read_bytes() for path in found}


def overwrite(path: Path, content: bytes) -> None:
    """Give a file other bytes."""
    write_whole(path, lambda file: file.write(content))
