"""What a recipe would change on a model, told before it is applied; the model is as it was afterwards."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from anatomy import describe

from ..certificate import Certificate, certify
from ..edit import Edit, as_edits, check, tell
from ..ledger import scratch
from ..operations import again
from .others import Others
from .told import listed


@dataclass(frozen=True)
class DryRun:
    """What the edits of a recipe would do to one model.

    ``steps`` in words, one an edit that can be done here; ``refused`` why the next one cannot, or None; ``before`` and
    ``after`` the names of the classes; ``certificate`` the rows that would differ from the original of the record.
    """

    steps: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]
    certificate: Certificate
    refused: str | None = None

    def __str__(self) -> str:
        lines = [f"{number}. {step}" for number, step in enumerate(self.steps)]
        if self.refused is not None:
            lines.append(f"{len(lines)}. REFUSED, so that nothing would be changed: {self.refused}")
        classes = f"classes: {len(self.before)} as they are"
        if self.before != self.after:
            was, will_be = (f"{len(names)} ({listed(names)})" for names in (self.before, self.after))
            classes = f"classes: {was} become {will_be}"
        return "\n".join([*lines, classes, str(self.certificate)])


def dry_run(model: object, edits: Edit | Iterable[Edit] | str | Path, *, others: Others = ()) -> DryRun:
    """What ``apply(model, edits)`` would change here: each edit is made and taken back. Arguments as in ``apply``.

    What this model does not allow is no error here, but said in ``refused``; what is no recipe is one.

    >>> surgery.dry_run(model, surgery.Edit("mute_level", (0,))).steps
    ('P3: muted',)
    """
    wanted = as_edits(edits)
    for edit in wanted:
        check(edit)
    head = describe(model)
    steps, refused = [], None
    with head.undisturbed(), scratch(model):
        for edit in wanted:
            try:
                done = again(model, edit, others)
            except (ValueError, TypeError, RuntimeError) as error:
                refused = f"{edit.operation}: {error}"
                break
            steps.append(tell(done, head.levels, describe(model).names))
        after, certificate = tuple(describe(model).names.values()), certify(model)
    return DryRun(
        steps=tuple(steps),
        before=tuple(head.names.values()),
        after=after,
        certificate=certificate,
        refused=refused,
    )
