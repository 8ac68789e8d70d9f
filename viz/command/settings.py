"""Settings in Ultralytics' manner, ``imgsz=640``, among the words of a command."""

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Any

import typer

from .words import IMPOSSIBLE

KEYS = ("model", "data", "source", "imgsz", "conf", "iou", "device", "split", "batch")
SETTING = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)


class SettingError(typer.TyperException):
    """A setting that the command does not know, or one that is given twice; ``ctx`` is the command's, once known."""

    exit_code = IMPOSSIBLE
    ctx: Any = None


def take_settings(words: Sequence[str], params: Sequence[Any]) -> tuple[list[str], dict[str, str]]:
    """The words without the settings among them, and the settings: the text of each by the parameter's name.

    ``params`` are those of the command. A value of an option is no setting (``--shift P4=1``), nor is any word after
    ``--``. Raises SettingError.
    """
    options = {written: param for param in params for written in (*param.opts, *param.secondary_opts)}
    names = {param.name for param in params}
    places = (param.name for param in params if param.param_type_name == "argument")
    rest, settings, plain = [], {}, {}
    remaining = iter(words)
    literal = False
    for word in remaining:
        setting = None if literal else SETTING.fullmatch(word)
        if setting:
            key, value = setting.groups()
            _check_known(key, names, options)
            _check_new(key, value, settings)
            settings[key] = value
            continue
        rest.append(word)
        if literal or not word.startswith("-") or word == "-":
            plain.setdefault(next(places, ""), f"the word {word!r} in its place")
        elif word == "--":
            literal = True
        else:
            rest += _value_of(word, options, remaining)
            plain.setdefault(_name_of(word, options), word.partition("=")[0])
    _check_once(settings, plain)
    return rest, settings


def _check_known(key: str, names: set[str], options: dict[str, Any]) -> None:
    known = [name for name in KEYS if name in names]
    if key not in known:
        raise SettingError(f"There is no setting {key}=.{_nearest(key, known, options)}")


def _check_new(key: str, value: str, settings: dict[str, str]) -> None:
    if key in settings:
        raise SettingError(f"{key} is given twice, as {key}={settings[key]} and {key}={value}. Give it once.")


def _nearest(key: str, known: Sequence[str], options: dict[str, Any]) -> str:
    option = f"--{key.replace('_', '-')}"
    if option in options:
        return f" It is the option {option}."
    near = get_close_matches(key.lower(), known, n=1, cutoff=0.5)
    meant = f" Did you mean {near[0]}=?" if near else ""
    listed = ", ".join(f"{name}=" for name in known)
    return f"{meant} Settings of this command are {listed}; a path that looks like one is written ./{key}=..."


def _value_of(word: str, options: dict[str, Any], remaining: Iterator[str]) -> list[str]:
    """The next word where it is the value of this option."""
    option = options.get(word)
    return [] if option is None or option.is_flag else list(islice(remaining, 1))


def _name_of(word: str, options: dict[str, Any]) -> str:
    option = options.get(word.partition("=")[0])
    return "" if option is None else option.name


def _check_once(settings: dict[str, str], plain: dict[str, str]) -> None:
    for key in settings.keys() & plain.keys():
        raise SettingError(f"{key} is given twice, as {key}={settings[key]} and as {plain[key]}. Give it once.")
