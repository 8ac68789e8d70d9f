"""The data YAML of a mended set, or what stands in its place for a set that has none."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...objects.reading.data_yaml import OTHER_NAMES, load_mapping
from ...objects.reading.label_paths import Place
from .layout import Layout
from .parts import Part, Parts

GONE = ("path", "download")  # the folder is the YAML's own, and what could be fetched are the unmended labels


def write_entry(parts: Parts, kept: Mapping[str, Sequence[str]], layout: Layout, stage: Path) -> str:
    """Write what the mended set is given by, and return where it stands in its folder.

    ``kept``: the images of each split. A data YAML keeps its name and its other keys; a folder of images stays one;
    whatever else there was is a list of images.
    """
    if parts.yaml is None:
        (part,) = parts.splits
        return _images(part, kept[part.split], layout, stage, "images.txt")
    data = load_mapping(parts.yaml)
    made: dict[str, Any] = {key: value for key, value in data.items() if key not in GONE}
    for part in parts.splits:
        made[_key(made, part.split)] = _images(part, kept[part.split], layout, stage, f"{part.split}.txt")
    for split in parts.absent:
        made[_key(made, split)] = _where_it_was(parts.yaml, data, split)
    _write_yaml(stage / parts.yaml.name, made)
    return parts.yaml.name


def _key(data: Mapping[str, Any], split: str) -> str:
    return split if data.get(split) else OTHER_NAMES.get(split, split)


def _images(part: Part, kept: Sequence[str], layout: Layout, stage: Path, name: str) -> Any:
    """The images of a split: its folders, or a list of them written to ``name``."""
    if part.places and all(os.path.isdir(place.given) for place in part.places):
        return _folders(part.places, layout, stage)
    lines = [f"./{Path(layout.place(image)).as_posix()}\n" for image in kept]
    (stage / name).write_text("".join(lines), encoding="utf-8")
    return name


def _folders(places: Sequence[Place], layout: Layout, stage: Path) -> Any:
    folders = [Path(layout.place(place.given)).as_posix() for place in places]
    for folder in folders:
        (stage / folder).mkdir(parents=True, exist_ok=True)
    return folders if len(folders) > 1 else folders[0]


def _where_it_was(path: Path, data: Mapping[str, Any], split: str) -> Any:
    """The places of a split that is not there, absolute: the new YAML lies elsewhere."""
    home = path.absolute().parent / str(data.get("path") or "")
    given = data[_key(data, split)]
    return [str(home / str(entry)) for entry in given] if isinstance(given, list) else str(home / str(given))


def _write_yaml(path: Path, data: Mapping[str, Any]) -> None:
    import yaml

    text = yaml.safe_dump(dict(data), sort_keys=False, allow_unicode=True)
    path.write_text(text, encoding="utf-8")
