"""Which tests can notice a change of a line: measured a test file at a time, kept until something it ran changes."""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .change import Change
from .nursery import ROOT, Nursery, pytest_run
from .watch import FIXTURE, Recorder

MEASURED = ("anatomy", "surgery", "diagnosis", "viz", "detectors")
SLOWEST = 600.0  # seconds that one test may take while it is measured


def state(tests: Iterable[str]) -> str:
    """A name for what the sources and these test files are now."""
    digest = hashlib.sha256()
    for path in sorted({*_shared(ROOT), *_sources(ROOT), *tests}):
        digest.update(path.encode() + (ROOT / path).read_bytes())
    return digest.hexdigest()[:16]


def holds(kept: Path, root: Path = ROOT) -> bool:
    """Whether what was measured of a test file holds still: nothing that it ran, or could share, has changed."""
    if not kept.exists():
        return False
    of = json.loads(kept.read_text()).get("of", {})
    return bool(of) and set(_shared(root)) <= of.keys() and of == _prints(root, of)


def _prints(root: Path, paths: Iterable[str]) -> dict[str, str]:
    """SHA-256 of each of these files; "" of one that is not there."""
    files = {path: root / path for path in paths}
    return {
        path: hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else "" for path, file in files.items()
    }


def _ran(tree: Path, test_file: str, found: dict) -> list[str]:
    """The files on which a measurement rests; every source, where a test starts a Python that nobody watches."""
    sources = _sources(tree) if found["starters"] else [path for path, lines in found["lines"].items() if lines]
    return sorted({test_file, *_shared(tree), *sources})


def _shared(root: Path) -> list[str]:
    """What tests share: the files among them that are none."""
    files = [path for path in (root / "tests").rglob("*.py") if not path.name.startswith("test_")]
    return [path.relative_to(root).as_posix() for path in files]


def _sources(root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for name in MEASURED for path in (root / name).rglob("*.py")]


def test_files(given: Sequence[str]) -> list[str]:
    """The test files below these folders or named themselves; ValueError for a name without any."""
    found = []
    for name in given:
        path = ROOT / name
        below = sorted(path.rglob("test_*.py")) if path.is_dir() else [path] if path.is_file() else []
        if not below:
            raise ValueError(f"There are no test files at {name!r}.")
        found += [one.relative_to(ROOT).as_posix() for one in below]
    return list(dict.fromkeys(found))


def measure(nursery: Nursery, test_file: str, keep: Path) -> str:
    """Run one test file under coverage and write what it found; says how it went."""

    def work(to: int) -> int:
        import coverage

        tree = nursery.tree
        watched = coverage.Coverage(data_file=None, source=[str(tree / name) for name in MEASURED], config_file=False)
        recorder = Recorder(watched, tree)
        watched.start()
        pytest_run([test_file], _Begins(recorder, to), "--maxfail=1000000")
        watched.stop()
        found = recorder.found()
        found["of"] = _prints(tree, _ran(tree, test_file, found))
        keep.with_suffix(".tmp").write_text(json.dumps(found))
        keep.with_suffix(".tmp").rename(keep)
        return 0

    word, what = nursery.run(work, lambda _: SLOWEST)
    return "" if word == "passed" else f"{test_file}: {word} {what}"


class _Begins:
    """Hands every call on to a recorder, and says on a file descriptor when a test begins, so that a hang is seen."""

    def __init__(self, recorder: Recorder, to: int):
        import os

        self._recorder = recorder
        self._say = lambda nodeid: os.write(to, (json.dumps(["begins", nodeid]) + "\n").encode())

    def pytest_configure(self, config):
        config.pluginmanager.register(self._recorder)

    def pytest_runtest_logstart(self, nodeid, location):
        self._say(nodeid)


@dataclass(frozen=True)
class Reach:
    """``seconds`` of each test that passes, and who runs a line; made of what ``measure`` kept."""

    seconds: dict[str, float]
    failing: tuple[str, ...]
    users: dict[str, set[str]]  # shared fixture -> tests
    sharing: dict[str, set[str]]  # test -> shared fixtures of one file
    lines: dict[str, dict[int, set[str]]]  # path -> line -> tests
    starters: frozenset[str] = frozenset()  # tests that start a Python of their own, whose lines are not known

    @classmethod
    def read(cls, kept: Iterable[Path]) -> "Reach":
        parts = [json.loads(path.read_text()) for path in kept]
        tests = {nodeid: test for part in parts for nodeid, test in part["tests"].items()}
        seconds = {nodeid: test["seconds"] for nodeid, test in tests.items() if test["passed"]}
        users, sharing = defaultdict(set), defaultdict(set)
        for nodeid in seconds:
            for name in tests[nodeid]["fixtures"]:
                users[name].add(nodeid)
                if ".py::" in name:  # defined in a test file: what its tests share was most likely made by one of them
                    sharing[nodeid].add(name)
        lines: dict = defaultdict(lambda: defaultdict(set))
        starters: set[str] = set()
        for part in parts:
            local = part["tests"].keys() & seconds.keys()
            starters |= _tests_of(part["starters"], users) & local
            for path, contexts in part["lines"].items():
                for line, names in contexts.items():
                    lines[path][int(line)] |= _tests_of(names, users) & local
        failing = tuple(nodeid for nodeid, test in tests.items() if not test["passed"])
        return cls(
            seconds=seconds,
            failing=failing,
            users=dict(users),
            sharing=dict(sharing),
            lines={path: dict(at) for path, at in lines.items()},
            starters=frozenset(starters),
        )

    def tests(self, change: Change, source: str) -> list[str]:
        """The tests to ask, in order: those that run the line, then those that share a fixture with one of them, and
        those that start a Python of their own, which may run it.

        Of a line that runs at import, which may be late and within a test, those too that run a line with one of its
        names; of one that nothing is known of, those that run any line of the file.
        """
        at = self.lines.get(change.path, {})
        direct = self._of(at, range(change.reach[0], change.reach[1] + 1))
        if not (direct and change.where):
            direct |= self._by_name(change, source)
        direct = direct or self._of(at, at)
        fixtures = {name for nodeid in direct for name in self.sharing.get(nodeid, ())}
        indirect = {nodeid for name in fixtures for nodeid in self.users[name]} - direct
        unseen = self.starters - direct - indirect
        return [*self._in_order(direct), *self._in_order(indirect), *self._in_order(unseen)]

    @staticmethod
    def _of(at: dict[int, set[str]], lines: Iterable[int]) -> set[str]:
        return {nodeid for line in lines for nodeid in at.get(line, ())}

    def _by_name(self, change: Change, source: str) -> set[str]:
        changed = source.splitlines()[change.reach[0] - 1 : change.reach[1]]
        names = re.findall(r"^\s*([A-Za-z_]\w*)\s*(?::[^=]*)?=", "\n".join(changed), re.MULTILINE)
        found: set[str] = set()
        for path, at in self.lines.items() if names else ():
            text = (ROOT / path).read_text()
            for number, line in enumerate(text.splitlines(), 1):
                if any(re.search(rf"\b{name}\b", line) for name in names):
                    found |= at.get(number, set())
        return found

    def _in_order(self, chosen: Iterable[str]) -> list[str]:
        """Files of quick tests first, as a file's tests share what is made once; within a file the quick ones first."""
        files: dict[str, list[str]] = defaultdict(list)
        for nodeid in chosen:
            files[nodeid.partition("::")[0]].append(nodeid)
        cost = {name: sum(self.seconds[nodeid] for nodeid in tests) for name, tests in files.items()}
        quick = sorted(files, key=lambda name: (cost[name], name))
        return [nodeid for name in quick for nodeid in sorted(files[name], key=lambda n: (self.seconds[n], n))]


def _tests_of(contexts: Iterable[str], users: dict[str, set[str]]) -> set[str]:
    """The tests of these contexts: each a test, or a fixture that several share."""
    found: set[str] = set()
    for name in contexts:
        found |= users[name.removeprefix(FIXTURE)] if name.startswith(FIXTURE) else {name}
    return found
