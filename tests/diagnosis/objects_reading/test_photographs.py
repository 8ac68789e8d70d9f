"""128 photographs with their labels, as people have them: all is read, what is amiss is told, nothing is written."""

import diagnosis
from tests.diagnosis.objects_reading.written import codes


def test_128_photographs(real):
    root = real / "coco128"
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    lines = sum(len(path.read_text().splitlines()) for path in (root / "labels").iterdir())
    found = diagnosis.read_labels(root / "data.yaml")
    problems = list(found.problems())
    orphans = [problem.path for problem in problems if problem.code == "orphan"]
    assert (len(found), len(found.names), found.truth) == (128, 80, True)
    assert sum(map(len, found)) == 929
    assert sum(map(len, found)) + sum(len(path.read_text().splitlines()) for path in orphans) == lines == 941
    assert codes(problems) == [("missing_file", None, True)] * 2 + [("orphan", None, False)] * 2
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
