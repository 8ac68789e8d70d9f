"""Findings of a training, told once each as they come: into the record, to the log, and to whoever asked."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from ..findings import Finding
from ..scales import Origin
from .broken import BrokenBatch
from .label_faults import LabelCount
from .loop_faults import Fault
from .record import Record

LOG = logging.getLogger("diagnosis.training")
# what is explained by boxes of another form
OF_BOXES = ("range_ceiling", "class_starved", "level_starved", "unreachable_objects", "loss_dominated", "no_gradient")
CUT = (
    "Nothing is learned: look for a detach(), an item(), a no_grad() or a torch.tensor(…) between the network's "
    "outputs and the loss whose backward() is called, and that backward() is called at all."
)
VANISH, FEW_OBJECTS = 0.5, 20  # share of the labelled objects below which they are lost, of so many at least
SHOWN = 5  # names of classes in a message


class Teller:
    """Tells each finding of a record once for every level and branch, and again where a warning becomes an error."""

    def __init__(self, record: Record, on_finding: Callable[[Finding], Any] | None):
        self.record, self._on_finding = record, on_finding
        self._told = {_key(finding): finding.severity for finding in record.findings}  # the last of each

    def tell(self, finding: Finding) -> None:
        """Into record and log, unless the like was told before, or a cause that explains it."""
        explained = any(finding.code in known.consequences for known in self.record.findings)
        if explained or self._told.get(_key(finding)) in ("error", finding.severity):
            return
        self._told[_key(finding)] = finding.severity
        self.record.find(finding)
        LOG.warning("%s", finding)
        if self._on_finding is not None:
            self._on_finding(finding)

    def labels(self, count: LabelCount, objects: int, step: int) -> None:
        """Boxes that leave the image, and classes that are none, of a batch of so many objects that is to come."""
        examples = f" (in {', '.join(count.files)})" if count.files else ""
        about = {"began": step, "objects": objects, "files": list(count.files)}
        begin = f"At step {step}, after augmentation,"
        if count.outside:
            known = about | {"count": count.outside, "reach": count.reach, "corners": count.corners}
            message = f"{begin} {count.outside} of {objects} boxes leave the image or have no area{examples}. "
            explained = OF_BOXES if count.reach is not None or count.corners else ()
            message += _mend_of_boxes(count)
            self.tell(Finding("box_outside", "error", None, message, known, consequences=explained))
        if count.strange:
            message = (
                f"{begin} {count.strange} of {objects} objects have a class other than 0 to {count.classes - 1}"
                f"{examples}. Check the class ids of the labels and `names` of the data YAML."
            )
            self.tell(Finding("class_outside", "error", None, message, about | {"count": count.strange}))

    def left_out(self, images: int, used: int) -> None:
        """Images of the data set that the training does not use."""
        if used >= images:
            return
        message = (
            f"{images - used} of {images} images were left out by Ultralytics for their labels, or because they cannot "
            "be read; run diagnosis.check_labels on the data YAML."
        )
        evidence = {"began": 0, "images": images, "left_out": images - used}
        self.tell(Finding("images_left_out", "warning", None, message, evidence))

    def no_backward(self, step: int, *, cut_off: bool) -> None:
        """A step of a loop of one's own that left no gradient; ``cut_off``: its loss does not hang on the network."""
        if cut_off:
            message = f"At step {step} the loss was cut off from the network: its backward reaches no weight. {CUT}"
            self.tell(Finding("no_backward", "error", None, message, {"began": step}))
            return
        message = (
            f"At step {step} no gradient came to any weight inside `with watch.step`. Put loss and backward in it, and "
            "see that the loss hangs on the network (no detach(), no item()); without that no gradient is measured, "
            "and a loss only where step.tell(loss) tells it."
        )
        self.tell(Finding("no_backward", "warning", None, message, {"began": step}))

    def loop(self, fault: Fault, step: int) -> None:
        """What a loop of one's own leaves out between its blocks, known when step ``step`` began or ended."""
        blocks, severity = fault.blocks, "error" if fault.sure else "warning"
        evidence = {"began": max(step - blocks, 0), "blocks": blocks}
        if fault.kind == "dead":
            message = f"{blocks} blocks in a row before step {step} left gradients and weights as they were. {CUT}"
            self.tell(Finding("no_backward", severity, None, message, evidence))
        elif fault.kind == "unstepped":
            message = (
                f"{blocks} blocks in a row before step {step} left gradients, and no weight has changed: nothing is "
                "learned. Call optimizer.step() after each block, or after some where gradients shall add up, of an "
                "optimizer that was given the weights of this network."
            )
            self.tell(Finding("no_step", severity, None, message, evidence))
        else:
            message = (
                f"Gradients of all earlier batches add up: {blocks} blocks without zero_grad, though the optimizer "
                "steps in between. Call optimizer.zero_grad() after each of its steps."
            )
            self.tell(Finding("gradients_kept", severity, None, message, evidence))

    def epoch(self, count: LabelCount, labelled: Mapping[int, int] | None) -> None:
        """After a whole epoch: objects that augmentation has lost, and classes of which no batch had an object.

        ``labelled``: objects of each class in the label files; None where it is not known.
        """
        lost = self._vanished(count, labelled) if labelled else set()
        self._absent_classes(count, lost)

    def _vanished(self, count: LabelCount, labelled: Mapping[int, int]) -> set[int]:
        """The classes that the label files have, and the batches have not, where most objects are lost on the way."""
        objects, came = sum(labelled.values()), sum(count.objects.values())
        if objects < FEW_OBJECTS or came >= VANISH * objects:
            return set()
        lost = [label for label in labelled if not count.objects[label]]
        message = (
            f"The label files have {objects} objects, but the batches of a whole epoch had {came} "
            f"({came / objects:.0%}): the others vanished on the way. Augmentation drops boxes that it moves off the "
            "image, or that become smaller than 2 px. Look at the sizes of the labels (diagnosis.check_labels), at "
            "imgsz, and at scale, translate, degrees, shear and perspective."
        )
        evidence = {"began": 0, "labelled": objects, "objects": came, "classes": lost}
        self.tell(Finding("objects_vanish", "warning" if came else "error", None, message, evidence))
        return set(lost)

    def _absent_classes(self, count: LabelCount, lost: set[int]) -> None:
        """But for those that are ``lost`` with most objects, which is told by then."""
        names = self.record.about.names
        absent = [index for index in names if not count.objects[index] and index not in lost]
        if not absent or not count.objects:
            return
        shown = ", ".join(repr(names[index]) for index in absent[:SHOWN]) + (" …" if len(absent) > SHOWN else "")
        message = f"{len(absent)} of {len(names)} classes had no object in a whole epoch: {shown}. "
        there = [index for index in names if count.objects[index]]
        if len(there) == 1 and not lost:
            message += f"Every object ({count.objects[there[0]]}) has class {there[0]} ({names[there[0]]!r}). "
        message += "Their rows learn to be silent. Check the class ids of the labels and `names` of the data YAML, or "
        message += "leave these classes out."
        self.tell(Finding("class_absent", "warning", None, message, {"began": 0, "classes": absent}))

    def broken(self, origin: Origin | None, place: str, kept: BrokenBatch | None, step: int, epoch: int) -> None:
        """What was not finite first, and where the batch is."""
        where = ""
        if kept is not None:
            where = f" The batch is kept: read_watch({str(self.record.folder)!r}).broken[-1].replay(model)."
        evidence: dict[str, Any] = {"began": step, "epoch": epoch, "layer": None, "direction": None, "how": None}
        if origin is not None:
            evidence |= {"layer": origin.name, "direction": origin.direction, "how": origin.how}
        message = f"At step {step} (epoch {epoch + 1}): {place}.{where}"
        self.tell(Finding("non_finite", "error", None, message, evidence))


def _mend_of_boxes(count: LabelCount) -> str:
    """What boxes that leave the image seem to be, and what to do."""
    unit = "shares of the image" if count.reach is None else "px"
    if count.corners:
        divide = "" if count.reach is None else ", and divide x by the width of the image, y by its height"
        return (
            f"They seem to be two corners in {unit} (in all the third and fourth number are above the first two), "
            "while centre, width and height, from 0 to 1, are wanted. Convert them: "
            f"(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1{divide}."
        )
    if count.reach is not None:
        return (
            f"Boxes reach {count.reach:.4g}, shares of the image are wanted (centre, width and height from 0 to 1): "
            "they seem to be in px. Divide x by the width of the image, y by its height."
        )
    return "Check the labels, and any augmentation of your own: boxes must be cut at the edges after it."


def _key(finding: Finding) -> tuple:
    about = finding.evidence
    return finding.code, finding.level, about.get("branch"), about.get("stack"), about.get("class"), about.get("item")
