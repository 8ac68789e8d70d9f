"""The questions about grids: small detectors with and without faults, and the bundled one with labelled scenes."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

import diagnosis

from .cases import Case
from .faults.fault import named
from .grid_faults import BOTH, BOXES, CLASSES, moved
from .grid_points import DECODED, PAIRS
from .grids import WATCHERS

PARTS = {"boxes": BOXES, "classes": CLASSES, "both": BOTH}
STEP = 64  # px that a patch is moved by


def grids() -> list[Case]:
    found = [Case("grid", "correct", name, (), (), _ask(kind)) for name, kind in WATCHERS.items()]
    for scheme, faults, made in planted_grids():
        group = "single" if len(faults) == 1 else "pair"
        found.append(Case("grid", group, scheme, faults, made.expected, _ask(made)))
    return [*found, *labelled()]


def planted_grids() -> Iterator[tuple[str, tuple[str, ...], type]]:
    """(scheme, faults in words, class with them)."""
    for part, rows in PARTS.items():
        for words, change, codes, level, scheme in rows:
            yield _planted(scheme, {_where(part, words, level): (moved(part, level, change), codes)})
    for words, fault, codes, scheme in DECODED:
        yield _planted(scheme, {words: (fault, codes)})
    for scheme, decoded, part, words, level in PAIRS:
        fault, codes = next(row[1:3] for row in DECODED if row[0] == decoded)
        change, others = next(row[1:3] for row in PARTS[part] if row[0] == words)
        both = {decoded: (fault, codes), _where(part, words, level): (moved(part, level, change), others)}
        yield _planted(scheme, both)


def _where(part: str, words: str, level: int | None) -> str:
    return f"{part} {words}" if level is None else f"{part} {words}, level {level}"


def _planted(scheme: str, faults: Mapping[str, tuple[type, frozenset[str]]]) -> tuple[str, tuple[str, ...], type]:
    expected = tuple((codes, "error") for _, codes in faults.values())
    kinds = [kind for kind, _ in faults.values()]
    return scheme, tuple(faults), type("Planted", (*kinds, WATCHERS[scheme]), {"expected": expected})


def labelled() -> list[Case]:
    """The bundled detector on labelled scenes: as it is, with a decoder beside its place, with labels beside theirs."""
    half, whole = named("half_cell_offset"), named("off_by_one_cell")
    rolled, scrambled = named("off_by_one_cell", "scrambled_layout"), named("scrambled_layout")
    return [
        Case("grid", "correct", "bundled, labelled", (), (), _ask_bundled()),
        Case("grid", "correct", "bundled, labels aside", (), (), _ask_bundled(labels=5.0), named("shifted")),
        Case("grid", "correct", "bundled, labels far aside", (), (), _ask_bundled(labels=-9.0), named("shifted")),
        *(
            Case("grid", "single", "bundled, labelled", (words,), ((codes, "error"),), ask)
            for words, codes, ask in (
                ("points half a cell further", half, _ask_bundled(nudge=0.5)),
                ("points half a cell back, P4", half, _ask_bundled(nudge=-0.5, level=1)),
                ("points a cell further, P3", whole, _ask_bundled(nudge=1.0, level=0)),
                ("boxes rolled, P3", rolled, _ask_bundled(roll=3)),
                ("boxes mirrored, P3", scrambled, _ask_bundled(roll=0)),
            )
        ),
    ]


def _ask(make: type) -> Any:
    return lambda: diagnosis.check_grid(make().eval(), step=STEP)


def _ask_bundled(nudge: float = 0.0, level: int | None = None, *, labels: float = 0.0, roll: int | None = None) -> Any:
    """``nudge`` in cells of boxes, ``labels`` in px; ``roll`` in columns of P3's box outputs, 0 for a mirror."""

    def ask():
        from ultralytics import YOLO

        from detectors import demo_weights, draw_scene

        scenes = [draw_scene(seed) for seed in range(3)]
        data = [(scene.image[..., ::-1].copy(), scene.boxes + labels, scene.labels) for scene in scenes]
        return diagnosis.check_grid(Bundled(YOLO(demo_weights()), nudge, level, roll), data, sight=False)

    return ask


class Bundled:
    """A YOLO object whose head places its boxes elsewhere."""

    def __init__(self, yolo: Any, nudge: float, level: int | None, roll: int | None):
        self.yolo, self.nudge, self.level, self.roll = yolo, nudge, level, roll

    def describe_head(self):
        from anatomy.families.ultralytics.head import UltralyticsHead

        head = UltralyticsHead(self.yolo)
        truth, passes = head.xyxy, head.passes

        def xyxy(run, anchors):
            level = head.pyramid(run).cells(anchors).level
            stride = np.array([entry.stride for entry in head.levels])[level]
            away = self.nudge * stride * (True if self.level is None else level == self.level)
            return truth(run, anchors) + torch.as_tensor(away[:, None], dtype=torch.float32)

        def rolled(source, **args):
            for run in passes(source, **args):
                yield run.evolve(**self._rolled(head, run))

        head.xyxy = xyxy
        if self.roll is not None:
            head.passes = rolled
        return head

    def _rolled(self, head, run):
        """Raw and decoded boxes of P3, as if its box branch had been rolled or mirrored before the decoder."""
        rows, cols = run.shapes[0]
        source = torch.arange(rows * cols).view(rows, cols)
        source = (source.roll(self.roll, 1) if self.roll else source.flip(1)).flatten()
        points = torch.from_numpy(head.pyramid(run).points(np.arange(rows * cols))).float()
        raw, boxes = run.box_logits.clone(), run.boxes.clone()
        raw[:, : rows * cols] = raw[:, source]
        moved = (points - points[source]).T.to(boxes.dtype)
        xywh = boxes[:, source].clone()
        xywh[:2] += moved  # Ultralytics keeps centre and size
        boxes[:, : rows * cols] = xywh
        return {"box_logits": raw, "boxes": boxes}
