"""A data YAML of Ultralytics: where its images lie, names, keypoints. Read as values; nothing runs or is fetched."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anatomy.arguments import shown

from .label_file import Keypoints
from .label_paths import Place

OTHER_NAMES = {"val": "validation"}  # a key that Ultralytics takes in place of another


@dataclass(frozen=True)
class DataYaml:
    """``places`` of the images of one split; ``names`` {id: name}, empty where unknown; ``keypoints`` of a pose set."""

    places: tuple[Place, ...]
    names: dict[int, str]
    keypoints: Keypoints


def read_data_yaml(path: Path, split: str) -> DataYaml:
    """One split of a data YAML.

    ``path`` in it may be absolute or missing, or relative: to the YAML, else to the working folder, else to
    Ultralytics' folder of data sets, the first where the images are. Raises ValueError for a file that is no data
    YAML or has no such split, FileNotFoundError for images that are not there.
    """
    data = load_mapping(path)
    return DataYaml(_places(path, data, split), as_names(_names(data), str(path)), _keypoints(path, data))


def splits_of(path: Path) -> list[str]:
    """The splits that a data YAML names, those that are judged by first."""
    data = load_mapping(path)
    return [key for key in ("val", "train", "test") if data.get(key) or data.get(OTHER_NAMES.get(key, key))]


def load_mapping(path: Path) -> dict[str, Any]:
    """What a YAML file holds; raises ValueError for what is none."""
    import yaml

    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"A data YAML holds keys and values, but {str(path)!r} cannot be read: {error}") from error
    if not isinstance(data, dict):
        raise ValueError(
            f"A data YAML holds keys such as path, train, val and names, but {str(path)!r} holds {shown(data)}."
        )
    return data


def as_names(names: Any, where: str = "names") -> dict[int, str]:
    """Names given as a list or as {id: name}, as the latter; raises ValueError for anything else."""
    if names is None:
        return {}
    if isinstance(names, list | tuple):
        names = dict(enumerate(names))
    try:
        made = {int(key): str(name) for key, name in names.items()}
    except (AttributeError, TypeError, ValueError):
        made = {-1: ""}
    if min(made, default=0) < 0:
        raise ValueError(f"Names must be a list, or {{id: name}} with ids from 0, but {where} has {shown(names)}.")
    return made


def _names(data: dict[str, Any]) -> Any:
    """The names of a data YAML; where it only counts its classes, those that Ultralytics makes up."""
    if data.get("names") is None and isinstance(data.get("nc"), int):
        return [f"class_{i}" for i in range(data["nc"])]
    return data.get("names")


def _keypoints(path: Path, data: dict[str, Any]) -> Keypoints:
    shape = data.get("kpt_shape")
    if shape is None:
        return None
    if not isinstance(shape, list) or len(shape) != 2 or not isinstance(shape[0], int) or shape[1] not in (2, 3):
        raise ValueError(f"kpt_shape must be [how many, 2 or 3], but {str(path)!r} has {shown(shape)}.")
    return shape[0], shape[1]


def _places(path: Path, data: dict[str, Any], split: str) -> tuple[Place, ...]:
    """Where the images of a split lie."""
    named = data.get(split) or data.get(OTHER_NAMES.get(split, split))
    entries: list[Any] = named if isinstance(named, list) else [named]
    there = ", ".join(key for key in ("train", "val", "test") if data.get(key)) or "none at all"
    if named is None:
        raise ValueError(
            f"The split {split!r} must name a folder, but {str(path)!r} has no such split. Its splits: {there}."
        )
    if not named or not all(isinstance(entry, str) for entry in entries):
        raise ValueError(
            f"The split {split!r} must name a folder or a list of them, but {str(path)!r} has {shown(named)} there. "
            f"Its splits: {there}."
        )
    tried = []
    for root in _roots(path, data.get("path")):
        found = [_beneath(root, entry) for entry in entries]
        if all(place.exists() for place in found):
            return tuple(map(Place.of, found))
        tried += [str(place) for place in found if not place.exists()]
    raise FileNotFoundError(
        f"The split {split!r} of {str(path)!r} is not there; looked for {', '.join(tried)}. Nothing is downloaded: "
        "fetch the images, or mend `path` in the file."
    )


def _roots(path: Path, given: Any) -> Iterator[Path]:
    """The folders that ``path`` of the YAML may mean, likeliest first."""
    if given is not None and not isinstance(given, str):
        raise ValueError(f"path must be text, but {str(path)!r} has {shown(given)}.")
    home = path.absolute().parent
    yield home / (given or "")
    if given and not Path(given).is_absolute():
        from anatomy.families.ultralytics.datasets import DATASETS_FOLDER

        yield Path.cwd() / given
        yield DATASETS_FOLDER / given


def _beneath(root: Path, entry: str) -> Path:
    """A folder of a split; Roboflow writes one ``../`` too many, which Ultralytics forgives."""
    place = root / entry
    forgiven = root / entry[3:] if entry.startswith("../") else place
    return forgiven if not place.exists() and forgiven.exists() else place
