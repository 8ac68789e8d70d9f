"""What model and edges say together: the rule of errors and warnings, on photographs, with a model that is blind too.

``python -m benchmarks.label_evidence --photographs FOLDER --weights NAME=FILE … [--write README.md]``; the folder as
for ``label_faults``, from which faults and subjects come. Each geometric fault is planted in random subsets of the odd
images. "Edges alone": without a model. "Model and edges": with one that sees the photographs as they are. "Blind model
and edges": what the model sees is put into the frame of the faulty labels, as one that was trained on them sees it;
faults that no training survives (px) are left out there. Clean: right labels of random subsets of all images.

A fault counts as named where the codes of all findings are those expected. An error is mended by itself; a warning
where it is asked for; contested: a warning that says that the other kind of evidence disagrees.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.label_planting import DEVELOPED, LAST, Fault, Subject, planted
from benchmarks.label_subjects import scene_of, scenes, seen_photographs
from benchmarks.table import write_table
from diagnosis import read_labels
from diagnosis.findings import Finding
from diagnosis.labels import Reading
from diagnosis.labels.edges import EdgeField
from diagnosis.labels.seen import Seen
from diagnosis.labels.told import findings_of
from diagnosis.labels.verdict import judge
from diagnosis.surveys.looking.pictures import pixels_of

SIZES = (16, 32, 64)
GEOMETRIC = tuple(
    fault
    for fault in (*DEVELOPED, *LAST)
    if fault.files is None and fault.classes is None and fault.reading != Reading()
)
KINDS = ("edges", "both", "blind")
OUTCOMES = ("error", "warning", "contested", "cannot tell", "nothing", "else")
WRONG = 0.5  # px: a box that a blind model would see must be at least so wide and high
Fields = Mapping[int, EdgeField]


def fields_of(pictures: Iterable[np.ndarray]) -> Fields:
    """The edges of all images."""
    return {place: EdgeField(picture) for place, picture in enumerate(pictures)}


def blinded(seen: Seen, reading: Reading) -> Seen:
    """What a model that learned from labels written by a reading sees: the same boxes where it was shown them."""
    taken = Reading().boxes(reading.written(seen.boxes, seen.size), seen.size).clip(0, 1)
    moved = replace(seen, boxes=taken)
    return moved.chosen(np.all((taken[:, 2:] - taken[:, :2]) * np.array(seen.size) > WRONG, axis=1))


def found(
    subject: Subject, fields: Fields, fault: Fault | None, places: np.ndarray, kind: str, seed: int
) -> list[Finding]:
    """The findings about some images with a fault in all of their files, by one kind of evidence."""
    material = planted(subject, fault, places, 1.0, seed)
    seen = material.seen or []
    if kind == "blind" and fault is not None:
        seen = [blinded(one, fault.reading) for one in seen]
    mine = {row: fields[place] for row, place in enumerate(places.tolist())}
    return findings_of(judge(replace(material, seen=None if kind == "edges" else seen, fields=mine)))


def outcome(findings: Sequence[Finding], fault: Fault, subject: Subject) -> str:
    """One of ``OUTCOMES``."""
    codes = {finding.code for finding in findings}
    if not codes:
        return "nothing"
    if codes == {"cannot_tell"}:
        return "cannot tell"
    if codes not in [set(expected) for expected in fault.expected(subject)]:
        return "else"
    if any(finding.evidence.get("contested") for finding in findings):
        return "contested"
    return "error" if all(finding.severity == "error" for finding in findings) else "warning"


def survives(fault: Fault) -> bool:
    """Whether a model can be trained on labels with this fault."""
    return fault.reading.unit in ("share", "wrong_side", "width", "height")


def planted_rows(subject: Subject, fields: Fields, kind: str, tries: int) -> Iterator[tuple[int, Counter]]:
    """For each number of images, how often each outcome was seen over all faults and tries."""
    pool = np.arange(1, len(subject.seen), 2)
    faults = [fault for fault in GEOMETRIC if kind != "blind" or survives(fault)]
    for count in SIZES:
        seen: Counter = Counter()
        for fault in tqdm(faults, desc=f"{subject.title}, {kind}, {count}", leave=False):
            for seed in range(tries):
                rng = np.random.default_rng((seed, count, 11))
                places = np.sort(rng.choice(pool, min(count, len(pool)), replace=False))
                result = outcome(found(subject, fields, fault, places, kind, seed), fault, subject)
                seen[result] += 1
                if result == "else":
                    seen[fault.title] += 1
        yield count, seen


def clean_rows(subject: Subject, fields: Fields, kind: str, subsets: int) -> Iterator[tuple[int, Counter]]:
    """For each number of images, the codes found in right labels; "" where nothing was."""
    for count in SIZES:
        seen: Counter = Counter()
        for seed in tqdm(range(subsets), desc=f"{subject.title}, clean, {count}", leave=False):
            rng = np.random.default_rng((seed, count, 7))
            places = np.sort(rng.choice(len(subject.seen), min(count, len(subject.seen)), replace=False))
            findings = found(subject, fields, None, places, kind, seed)
            seen[" + ".join(sorted(f"{one.code} ({one.severity})" for one in findings))] += 1
        yield count, seen


def table(
    subjects: Sequence[tuple[Subject, Fields]], tries: int, subsets: int, kinds: Sequence[str] = KINDS
) -> Iterator[str]:
    """The lines of the table, as they come."""
    yield "| evidence | images | named, an error | named, a warning | named, contested | cannot tell | nothing | else |"
    yield "|---|---|---|---|---|---|---|---|"
    edged: set[int] = set()
    for subject, fields in subjects:
        for kind in kinds:
            if kind == "edges" and id(fields) in edged:  # photographs are the same, whichever model looks at them
                continue
            edged.add(id(fields))
            title = _title(subject, kind)
            for count, seen in planted_rows(subject, fields, kind, tries):
                total = sum(seen[key] for key in OUTCOMES)
                cells = [f"{seen[key] / total:.0%}" for key in OUTCOMES]
                yield f"| {title} | {count} | {' | '.join(cells)} |"
                print("   else:", {key: n for key, n in seen.items() if key not in OUTCOMES}, file=sys.stderr)
            if kind == "blind":  # of right labels nothing is to be blind to
                continue
            for count, seen in clean_rows(subject, fields, kind, subsets):
                told = ", ".join(f"{n} {codes or 'nothing'}" for codes, n in seen.most_common())
                yield f"clean: {title}, {count} images, {subsets} subsets: {told}"


def _title(subject: Subject, kind: str) -> str:
    if kind == "edges":
        return "edges alone, scenes" if subject.title == "scenes" else "edges alone"
    return f"{'blind ' if kind == 'blind' else ''}{subject.title} and edges"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--weights", nargs="*", default=[], metavar="NAME=FILE[@IMGSZ]")
    parser.add_argument("--scenes", type=int, default=128)
    parser.add_argument("--tries", type=int, default=2)
    parser.add_argument("--subsets", type=int, default=60)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=KINDS)
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="of these subjects, scenes among them")
    parser.add_argument("--write", type=Path, help="put the table between the label_evidence marks of this file")
    return parser.parse_args()


def main() -> None:
    """Print the table, and write it where it is wanted."""
    options = _options()
    photographs = fields_of(pixels_of(path) for path in read_labels(options.photographs / "data.yaml").images)
    subjects = [(subject, photographs) for subject in seen_photographs(options.photographs, options.weights)]
    if not options.only or "scenes" in options.only:
        subjects.append((scenes(options.scenes), fields_of(scene_of(i).image for i in range(options.scenes))))
    subjects = [entry for entry in subjects if not options.only or entry[0].title in options.only]
    lines = []
    for line in table(subjects, options.tries, options.subsets, options.kinds):
        print(line, flush=True)
        lines.append(line)
    if options.write:
        rows = [line.rstrip() for line in lines if line.startswith("|")]
        clean = [line.removeprefix("clean: ") for line in lines if line.startswith("clean")]
        write_table(options.write, "label_evidence", [*rows, "", "Right labels:", "", *(f"- {line}" for line in clean)])


if __name__ == "__main__":
    main()
