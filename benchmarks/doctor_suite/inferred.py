"""Layouts that the doctor proposes for correct encoders with none declared, read by the suite's own reader."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

import diagnosis

from .base import Encoder
from .cases import Case
from .readback import Declared, read
from .scenes import scenes
from .schemes import SCHEMES
from .verify import answers

SIZES = ((256, 256), (128, 256))
FEW = 0.02  # of the places that a proposed layout fills: so many may read as no object


@dataclass(frozen=True)
class Told:
    """What is wrong with a proposed layout, in the form of a finding."""

    message: str
    code: str = "layout_wrong"
    severity: str = "error"
    level: int | None = None


@dataclass(frozen=True)
class Proposal:
    """What was proposed, in words, and what is wrong with it."""

    words: str
    wrong: tuple[Told, ...]

    def __iter__(self) -> Iterator[Told]:
        return iter(self.wrong)

    def __str__(self) -> str:
        return "\n".join([self.words, *(one.message for one in self.wrong)])


def layouts() -> list[Case]:
    """One case a scheme: number of classes and strides are given, nothing else."""
    return [Case("layout", "correct", name, (), (), _ask(kind)) for name, kind in SCHEMES.items()]


def _ask(kind: type[Encoder]) -> Callable[[], Proposal]:
    def ask():
        encoder = kind()
        found = diagnosis.infer_layout(encoder, num_classes=encoder.classes, strides=encoder.strides)
        layout = as_declared(found.layout, encoder.classes)
        wrong = [Told(words) for words in complaints(encoder, layout)]
        return Proposal(f"{found.code}\nexplains {found.explained}", tuple(wrong))

    return ask


def as_declared(layout, classes: int) -> Declared:
    """A TargetLayout as the suite's reader takes it."""
    given = {field.name: getattr(layout, field.name) for field in fields(Declared)}
    shown = given["classes"]
    if isinstance(shown, slice):
        shown = range(shown.start or 0, shown.stop, shown.step or 1)
    return Declared(**{**given, "classes": tuple(shown), "num_classes": classes})


def complaints(encoder: Encoder, layout: Declared) -> Iterator[str]:
    """Where targets, read by this layout, are of no object, or objects are missing that are there by the true one."""
    true = encoder.layout(Declared)
    for size in SIZES:
        places = strays = 0
        missing: list[str] = []
        for number, scene in enumerate(scenes(size, encoder.classes)[:9]):
            outputs = encoder(scene.boxes, scene.labels, size)
            owners = answers(read(outputs, layout, size), scene)
            there = answers(read(outputs, true, size), scene)
            places, strays = places + len(owners), strays + int((owners < 0).sum())
            if set(there) - set(owners):
                missing.append(str(number))
        if strays > FEW * places:
            yield f"at {size}, {strays} of {places} places read as no object"
        if missing:
            yield f"at {size}, objects are missing in scenes {', '.join(missing)}"
