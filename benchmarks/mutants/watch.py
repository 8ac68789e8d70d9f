"""Plugins for pytest: which test runs which lines and for how long, and which test is the first to fail."""

import json
import os
import sys
from collections.abc import Collection
from pathlib import Path

import pytest

FIXTURE = "fixture "  # how the context of a fixture that several tests share begins


class Recorder:
    """Lines by test. What a fixture of a wider scope than one test runs counts for all tests that use it.

    Of a Python that a test starts no line is seen, so it is noted who starts one.
    """

    def __init__(self, coverage, tree: Path):
        self._coverage, self._tree, self._context = coverage, tree, ""
        self.tests: dict[str, dict] = {}
        self._starters: set[str] = set()
        sys.addaudithook(self._hear)

    def _hear(self, event: str, args: tuple) -> None:
        if event == "subprocess.Popen" and sys.executable in (args[0], *map(str, args[1])):
            self._starters.add(self._context)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        self.tests[item.nodeid] = {"seconds": 0.0, "passed": True, "fixtures": _shared(item)}
        self._switch(item.nodeid)
        try:
            return (yield)
        finally:
            self._switch("")

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef, request):
        if fixturedef.scope == "function":
            return (yield)
        before = self._context
        self._switch(FIXTURE + _name(fixturedef))
        try:
            return (yield)
        finally:
            self._switch(before)

    def pytest_runtest_logreport(self, report):
        test = self.tests[report.nodeid]
        test["seconds"] += report.duration
        test["passed"] &= report.passed

    def _switch(self, context: str) -> None:
        self._context = context
        self._coverage.switch_context(context)

    def found(self) -> dict:
        """Tests with seconds, outcome and fixtures; the contexts of each line of each source; who starts a Python."""
        data = self._coverage.get_data()
        lines = {}
        for path in data.measured_files():
            contexts = {line: [name for name in names if name] for line, names in data.contexts_by_lineno(path).items()}
            lines[Path(path).relative_to(self._tree).as_posix()] = contexts
        return {"tests": self.tests, "lines": lines, "starters": sorted(self._starters - {""})}


def _name(fixturedef) -> str:
    return f"{fixturedef.baseid}::{fixturedef.argname}"


def _shared(item) -> list[str]:
    """The fixtures of a wider scope than one test that a test uses, directly or not."""
    defined = item._fixtureinfo.name2fixturedefs
    used = [defined[name][-1] for name in item.fixturenames if name in defined]
    return [_name(fixturedef) for fixturedef in used if fixturedef.scope != "function"]


class Witness:
    """Runs chosen tests in a given order, and says on a file descriptor which one begins, and which one fails."""

    def __init__(self, chosen: Collection[str], to: int):
        self._place = {nodeid: index for index, nodeid in enumerate(chosen)}
        self._to = to

    def _say(self, word: str, what: str) -> None:
        os.write(self._to, (json.dumps([word, what]) + "\n").encode())

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items):
        items[:] = sorted((item for item in items if item.nodeid in self._place), key=lambda i: self._place[i.nodeid])

    def pytest_collectreport(self, report):
        if report.failed:
            self._say("failed", f"collection of {report.nodeid}")

    def pytest_runtest_logstart(self, nodeid, location):
        self._say("begins", nodeid)

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self._say("failed", report.nodeid)
