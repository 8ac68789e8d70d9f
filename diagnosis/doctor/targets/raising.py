"""Which objects make an encoder raise."""

from .asking import Answer
from .examination import Examination
from .faults import Fault


def raised(exam: Examination, placing: bool) -> tuple[list[Fault], list[str]]:
    """Which objects make the encoder raise; and which symptoms a wrong placement explains."""
    failed, folded = [a for a in exam.answers if a.error], []
    oblong = [a for a in exam.answers if a.probe.image_size[0] != a.probe.image_size[1]]
    faults: list[Fault] = []
    if oblong and all(a.error for a in oblong) and len(oblong) < len(exam.answers):
        if placing:
            folded.append("raises")
        else:
            what = f"every image that is not square raises {oblong[0].error}"
            faults.append(Fault("image_size_swapped", what))
        failed = [a for a in failed if a not in oblong]
    rest = [a for a in failed if not exam.explained(a)]
    if _outside_alone(exam, failed):
        rest = failed
    if len(rest) < len(failed):
        folded.append("edge_crash")
    if rest:
        faults += _raising(exam, rest)
    return faults, folded


def _outside_alone(exam: Examination, failed: list[Answer]) -> bool:
    """Whether boxes partly outside alone raise, while others that a wrong placement sends out of the grid do not."""
    sent = [a for a in exam.answers if not a.error and a.probe.kind != "beyond" and exam.explained(a)]
    return all(a.probe.kind == "beyond" for a in failed) and len(sent) >= 12


def _raising(exam: Examination, rest: list[Answer]) -> list[Fault]:
    kinds = {a.probe.kind for a in rest}
    error, evidence = rest[0].error, {"objects": len(rest), "box": rest[0].probe.boxes[0].round(1).tolist()}
    placed = [a for a in exam.answers if a.probe.kind == "place"]
    if all(far(a) for a in rest) and "place" in kinds:
        return [Fault("image_size_swapped", f"objects beyond the shorter side raise {error}", evidence=evidence)]
    if kinds & {"edge", "beyond"} and not any(a.error and _inner(exam, a) for a in placed):
        names = "; ".join(sorted({a.probe.note for a in rest if a.probe.note})[:4])
        return [Fault("edge_crash", f"objects at the edges ({names}) raise {error}", evidence=evidence)]
    if kinds == {"class"}:
        labels = sorted({a.probe.labels[0] for a in rest})
        return [Fault("raises", f"labels {labels} raise {error}", evidence=evidence)]
    sides = sorted({round(float(a.probe.side), 1) for a in rest})
    return [Fault("raises", f"objects of sides {sides} px raise {error}", evidence=evidence)]


def far(answer: Answer) -> bool:
    """Whether the box reaches beyond the shorter side of its image."""
    (height, width), box = answer.probe.image_size, answer.probe.boxes[0]
    return bool((width > height and box[2] > height) or (height > width and box[3] > width))


def _inner(exam: Examination, answer: Answer) -> bool:
    """Whether the box keeps clear of the borders by two cells of the coarsest level."""
    (height, width), box = answer.probe.image_size, answer.probe.boxes[0]
    margin = 2 * max(exam.layout.strides)
    return bool(min(box[0], box[1], width - box[2], height - box[3]) > margin)
