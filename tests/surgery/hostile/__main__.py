"""The table of hostile files as Markdown: what each tries, and what came of it."""

import tempfile
from pathlib import Path

from . import CASES
from .run import run


def table() -> str:
    with tempfile.TemporaryDirectory() as folder:
        rows = run(Path(folder))
    lines = ["| file | it tries | the answer |", "|---|---|---|"]
    for case in CASES:
        row = rows[f"{case.kind}/{case.name}"]
        kind, message = row["answers"]["surgery.load"]
        told = f"{kind}: {_short(message, folder)}" if kind else "opened; nothing of it ran"
        happened = [*row["events"], *(["IT RAN"] if row["ran"] else [])]
        lines.append(
            f"| {case.kind}/{case.name} | {case.tries} | {told}{' **' + happened[0] + '**' if happened else ''} |"
        )
    return "\n".join(line.replace("\n", " ") for line in lines)


def _short(message: str, folder: str) -> str:
    message = message.replace(folder, "…").replace("|", "\\|")
    return message if len(message) < 160 else message[:159] + "…"


if __name__ == "__main__":
    print(table())
