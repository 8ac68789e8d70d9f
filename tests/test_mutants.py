"""Where the benchmark of the tests plants its faults, and what it leaves alone."""

import ast
import hashlib
import json
from collections import Counter
from dataclasses import replace

import pytest

from benchmarks.mutants import nursery
from benchmarks.mutants.__main__ import drawn, sources
from benchmarks.mutants.change import Change
from benchmarks.mutants.places import places
from benchmarks.mutants.reach import Reach, holds
from benchmarks.mutants.trial import Verdict
from benchmarks.mutants.verdicts import EQUIVALENT, table, unnoticed


def made(source: str, kind: str | None = None) -> list[tuple[str, str]]:
    """(before, after) of every change of a source, of one kind or of all."""
    found = places("a.py", source)
    assert all(change.sound(source) for change in found)
    return [change.diff(source) for change in found if kind in (None, change.kind)]


@pytest.mark.parametrize(
    ("source", "kind", "after"),
    [
        ("x = a < b", "comparison", ["x = (a <= b)", "x = (a > b)"]),
        ("x = a is b", "comparison", ["x = (a is not b)"]),
        ("x = a - b", "operator", ["x = (a + b)"]),
        ("x = -a", "operator", ["x = (a)"]),
        ("x = y(2, 0.5)", "constant", ["x = y(1, 0.5)", "x = y(3, 0.5)", "x = y(2, 0.25)", "x = y(2, 1.0)"]),
        ("x = True", "constant", ["x = False"]),
        (
            "x = [a for a in b if c(a)]",
            "condition",
            ["x = [a for a in b if (not (c(a)))]", "x = [a for a in b if True]"],
        ),
        ("x = f(a, b)", "arguments", ["x = f(b, a)"]),
        ("x = max(a, b)", "arguments", []),
        ("x = a[1:]", "off by one", ["x = a[0:]", "x = a[2:]", "x = a[1:-1]"]),
        ("x = a[-1]", "off by one", ["x = a[-2]", "x = a[0]"]),
        ("x = range(n)", "off by one", ["x = range((n + 1))", "x = range((n - 1))"]),
        ("x = a and b", "and/or", ["x = (a or b)", "x = (a)", "x = (b)"]),
        ("def f(a=3):\n    g(a)\n", "default", ["def f(a=2):", "def f(a=4):"]),
        ("def f(a):\n    if a:\n        return 1\n    return 2\n", "early return", ["pass"]),
        ("def f(a):\n    a.go()\n", "statement", ["pass"]),
        ("def f(a):\n    b = a\n    return b\n", "statement", []),  # without it a name would have no value
        ("def f(a):\n    a = g(a)\n    return a\n", "statement", ["pass"]),
        ("def f(a):\n    if a:\n        raise E('no')\n", "statement", ["pass"]),
    ],
)
def test_each_kind_of_fault(source, kind, after):
    assert sorted(new for _, new in made(source, kind)) == sorted(after)


@pytest.mark.parametrize(
    "source",
    [
        '"""1 + 2"""',
        "import a",
        "__all__ = ['a', 'b']",
        "def f(a: dict[int, 3] = None) -> tuple[1, 2]:\n    '''a < b'''\n    return a\n",
        "Rows = tuple[int, ...]",
        "x: int | None = None",
        "class A:\n    def __repr__(self):\n        return f'{1 + 2}'\n",
        "x = f'{a + 1:.2f}'",
        "class A(Protocol):\n    def f(self, a):\n        ...\n",
        "@overload\ndef f(a: int = 1) -> int: ...",
        "x = zip(a, strict=True)",
    ],
)
def test_wording_and_types_are_left_alone(source):
    assert made(source) == []


def test_of_an_error_the_rule_is_changed_and_not_the_message():
    source = "def f(a):\n    if a < 0:\n        raise ValueError(f'{a + 1} ' + str(a - 1))\n"
    assert Counter(change.kind for change in places("a.py", source)) == {
        "comparison": 2,
        "condition": 2,
        "constant": 1,
        "statement": 1,
    }


def test_every_change_of_the_project_is_one_change_that_can_be_read():
    texts = sources(["surgery", "anatomy/head/letterbox.py"])
    changes = drawn(texts, 40, seed=3)
    assert changes == drawn(texts, 40, seed=3) != drawn(texts, 40, seed=4)
    assert len({(change.path, change.line, change.col, change.kind) for change in changes}) == 40
    for change in changes:
        source = texts[change.path]
        ast.parse(change.applied(source))
        assert change.applied(source) != source
        assert change.kind == "default" or change.reach[0] <= change.line <= change.reach[1]


def test_a_change_keeps_what_stands_around_it_in_any_script():
    source = "x = 'é'; y = a[0]  # ×\nz = 1\n"
    [less, more] = [change for change in places("a.py", source) if change.kind == "off by one"]
    assert more.applied(source) == "x = 'é'; y = a[1]  # ×\nz = 1\n"
    assert less.key(source) != more.key(source)
    moved = "# above\n" + source
    again = [change.key(moved) for change in places("a.py", moved) if change.kind == "off by one"]
    assert again == [less.key(source), more.key(source)]


def change_at(line: int) -> Change:
    return Change("anatomy/a.py", "f", "constant", line, 0, line, 1, "2", (line, line))


@pytest.fixture
def reach(tmp_path):
    tests = {
        "t.py::slow": {"seconds": 9.0, "passed": True, "fixtures": ["t.py::made"]},
        "t.py::quick": {"seconds": 1.0, "passed": True, "fixtures": []},
        "t.py::shares": {"seconds": 2.0, "passed": True, "fixtures": ["t.py::made"]},
        "t.py::fails": {"seconds": 0.1, "passed": False, "fixtures": ["t.py::made"]},
        "u.py::other": {"seconds": 3.0, "passed": True, "fixtures": []},
        "v.py::child": {"seconds": 0.5, "passed": True, "fixtures": ["v.py::run"]},
    }
    lines = {
        "anatomy/a.py": {
            "1": ["t.py::slow", "t.py::quick", "u.py::other", "t.py::fails"],
            "2": ["t.py::quick"],
            "3": ["fixture t.py::made"],
            "4": [],
        }
    }
    (tmp_path / "t.json").write_text(json.dumps({"tests": tests, "lines": lines, "starters": ["fixture v.py::run"]}))
    return Reach.read([tmp_path / "t.json"])


def test_those_that_run_the_line_are_asked_quick_files_first_and_those_that_may_run_it_after_them(reach):
    source = "a = 1\n" * 4
    assert reach.failing == ("t.py::fails",)
    assert reach.tests(change_at(1), source) == [
        "u.py::other",
        "t.py::quick",
        "t.py::slow",
        "t.py::shares",
        "v.py::child",
    ]
    assert reach.tests(change_at(2), source) == ["t.py::quick", "v.py::child"]
    assert reach.tests(change_at(3), source) == ["t.py::shares", "t.py::slow", "v.py::child"]


def test_a_constant_is_put_to_those_that_use_it_and_not_to_those_alone_that_import_it(tmp_path):
    path = "anatomy/head/level_colors.py"
    source = sources([path])[path]
    (change, *_) = [one for one in places(path, "OTHER = 1\n\n\ndef f(a):\n    return a + OTHER\n") if not one.where]
    at = next(number for number, line in enumerate(source.splitlines(), 1) if line.startswith("OTHER_LEVELS"))
    uses = next(number for number, line in enumerate(source.splitlines(), 1) if "len(OTHER_LEVELS)" in line)
    tests = {name: {"seconds": 1.0, "passed": True, "fixtures": []} for name in ("t.py::imports", "t.py::uses")}
    lines = {path: {str(at): ["t.py::imports"], str(uses): ["t.py::uses"]}}
    (tmp_path / "t.json").write_text(json.dumps({"tests": tests, "lines": lines, "starters": []}))
    reach = Reach.read([tmp_path / "t.json"])
    assert reach.tests(replace(change, reach=(at, at)), source) == ["t.py::imports", "t.py::uses"]
    assert reach.tests(replace(change, reach=(at, at), where="f"), source) == ["t.py::imports"]


def test_what_was_measured_holds_until_something_that_ran_changes(tmp_path):
    run, shared, other = (tmp_path / name for name in ("anatomy/a.py", "tests/nets.py", "anatomy/b.py"))
    for file in (run, shared, other):
        file.parent.mkdir(exist_ok=True)
        file.write_text("x = 1\n")
    kept = tmp_path / "t.json"
    assert not holds(kept, tmp_path)
    sha = hashlib.sha256(b"x = 1\n").hexdigest()
    kept.write_text(json.dumps({"of": {"anatomy/a.py": sha, "tests/nets.py": sha}}))
    other.write_text("x = 2\n")  # no test of the file ran it
    assert holds(kept, tmp_path)
    more = tmp_path / "tests" / "conftest.py"
    more.write_text("")
    assert not holds(kept, tmp_path)
    more.unlink()
    run.write_text("x = 2\n")
    assert not holds(kept, tmp_path)
    run.unlink()
    assert not holds(kept, tmp_path)


def test_tests_that_cannot_be_read_any_more_have_noticed():
    assert [nursery._ended(code) for code in (0, int(pytest.ExitCode.USAGE_ERROR), 3)] == [
        ("passed", ""),
        ("failed", "reading of the tests"),
        ("broke", "exit status 3"),
    ]


def test_the_table_counts_equivalent_mutants_apart():
    def verdict(outcome, new, by=""):
        return Verdict("k", "anatomy/a.py", 7, "f", "constant", "a = 1", new, outcome, by, 1.0, 3, 0)

    given = [verdict("noticed", "a = 2", "t"), verdict("late", "a = 3", "t"), verdict("unnoticed", "a = 4")]
    given += [verdict("unnoticed", "a = 5"), verdict("unreached", "a = 6"), verdict("broke", "a = 7", "exit status 3")]
    same = {("anatomy/a.py", "f", "a = 1", "a = 5"): "5 is 1 here"}
    assert table(given, same)[2:] == ["| anatomy | 5 | 1 | 2 | 1 | 2 | 50% |"]
    told = "\n".join(unnoticed(given, same))
    assert "anatomy/a.py:7 f [constant] 3 test(s) passed\n  - a = 1\n  + a = 4" in told
    assert "no test runs this line" in told and "the trial broke: exit status 3" in told
    assert "a = 5" not in told and "a = 3" not in told


def test_every_equivalent_mutant_has_its_reason_and_its_place():
    for entry in json.loads(EQUIVALENT.read_text()):
        assert set(entry) == {"path", "where", "old", "new", "reason"}
        assert len(entry["reason"].split()) > 3
