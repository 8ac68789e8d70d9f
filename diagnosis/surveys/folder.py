"""The folder of a survey: what was asked stands in one file, the tables of each finished shard in a folder."""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from anatomy.archive.whole import write_whole

from ..parts import clear_drafts, is_whole

ASKED, SHARDS, FORMAT = "survey.json", "shards", 1
HOLDS = {"shards": int, "images": int, "truth": bool, "settings": dict, "names": dict, "levels": list}
TABLES = ("images", "objects", "detections", "evaluation")
NAMED = {
    "weights": "the weights or classes of the model",
    "data": "images or labels of the set",
    "settings": "the settings",
}


def shard_folder(out: Path, number: int) -> Path:
    """Where the tables of a shard stand when it is finished."""
    return out / SHARDS / f"{number:06d}"


def open_folder(out: Path, asked: Mapping[str, Any]) -> None:
    """Make the folder of a survey, or go on in one for which the same was asked.

    Raises FileExistsError where other things were asked, saying what differs, or where something else stands; OSError
    where it cannot be written.
    """
    if (out / ASKED).exists():
        _same(out, read_asked(out), asked)
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(f"{str(out)!r} exists and holds no survey. Give another folder, or an empty one.")
    else:
        try:
            out.mkdir(parents=True, exist_ok=True)
            write_whole(out / ASKED, lambda file: file.write(json.dumps(asked, indent=1).encode()))
        except OSError as error:
            raise OSError(f"No survey can be written to {str(out)!r} ({error}). Give another folder.") from error
    (out / SHARDS).mkdir(exist_ok=True)
    clear_drafts(out / SHARDS)


def read_asked(out: Path) -> dict[str, Any]:
    """What the survey in a folder was asked for; raises FileNotFoundError and ValueError."""
    try:
        asked = json.loads((out / ASKED).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no survey in {str(out)!r}: it has no {ASKED}.") from None
    except ValueError as error:
        raise ValueError(f"{str(out / ASKED)!r} is damaged ({error}). Survey anew, in another folder.") from error
    if not isinstance(asked, dict) or asked.get("format") != FORMAT:
        raise ValueError(f"{str(out / ASKED)!r} is of another version of the workbench. Run the survey anew.")
    for name, kind in HOLDS.items():
        if not isinstance(asked.get(name), kind):
            raise ValueError(f"{str(out / ASKED)!r} is damaged ({name!r} is wanting). Survey anew, in another folder.")
    return asked


def table_files(out: Path, name: str, shards: int) -> list[Path]:
    """The files of one table, shard by shard.

    Raises FileNotFoundError where one is gone, ValueError where one is no Parquet file: an answer without it would be
    one about another set.
    """
    files = [shard_folder(out, number) / f"{name}.parquet" for number in range(shards)]
    for file in files:
        again = "The same call of survey() makes it anew."
        if not file.exists():
            raise FileNotFoundError(f"The survey in {str(out)!r} lacks {str(file)!r}. {again}")
        if not is_whole(file):
            raise ValueError(f"{str(file)!r} is damaged: it does not end as a Parquet file does. {again}")
    return files


def missing(out: Path, shards: int) -> list[int]:
    """The numbers of the shards that are not finished; one that lacks a table, or the end of one, is not."""
    return [number for number in range(shards) if not all(map(is_whole, _tables(shard_folder(out, number))))]


def clear_damaged(out: Path, numbers: Iterable[int]) -> None:
    """Remove those shards that lost something after they were finished, so that they are made anew."""
    for number in numbers:
        shard = shard_folder(out, number)
        if shard.is_dir() and not all(map(is_whole, _tables(shard))):  # another process may just have finished it
            shutil.rmtree(shard, ignore_errors=True)


def _tables(shard: Path) -> list[Path]:
    return [shard / f"{name}.parquet" for name in TABLES]


def _same(out: Path, there: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    differs = list(_differences(there, json.loads(json.dumps(asked))))
    if differs:
        raise FileExistsError(
            f"{str(out)!r} holds a survey of something else: {'; '.join(differs)}. Give another folder, or ask for "
            "the same to go on with that one."
        )


def _differences(there: Mapping[str, Any], asked: Mapping[str, Any]) -> Iterator[str]:
    for name, value in asked.items():
        before = there.get(name)
        if before == value:
            continue
        if isinstance(value, dict) and isinstance(before, dict) and name == "settings":
            yield from _changed(before, value)
        else:
            yield f"{NAMED.get(name, name)} differ"


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterable[str]:
    for name in now:
        if before.get(name) != now[name]:
            yield f"{name} is {before.get(name)!r} there and {now[name]!r} now"
