"""Questions about one detection that are answered further up: whoever can answer one enters itself here.

Nothing is imported for it from where no arrow points: an installed package names its answers as entry points, and one
that is imported already has entered them.
"""

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

GROUP = "detector_workbench.questions"
_ANSWERS: dict[str, Callable[..., Any]] = {}


def answer(**answers: Callable[..., Any]) -> None:
    """Enter who answers questions, by their names; each is called with a trace and a detection of it."""
    _ANSWERS.update(answers)


def ask(question: str, trace: Any, detection: Any, **options: Any) -> Any:
    """What the answerer of ``question`` says; RuntimeError where nobody has entered."""
    if question not in _ANSWERS:
        for entry in entry_points(group=GROUP, name=question):
            _ANSWERS[question] = entry.load()
    if question not in _ANSWERS:
        raise RuntimeError(
            f"`{question}()` is answered by the package diagnosis, which is not loaded. Run `import diagnosis`, and "
            "ask again."
        )
    return _ANSWERS[question](trace, detection, **options)
