"""What the tests cost, in CPU seconds: ``python -m pytest -p tests.cpu_seconds``, also with ``--numprocesses``.

CPU time of the process and of the children that it waited for, so that what else runs on the machine does not count.
A fixture's seconds are its own: those of the fixtures that it asks for are told in their lines.
"""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

PROPERTY = "cpu_seconds"
ROWS = 60  # of each table


def spent() -> float:
    """CPU seconds of this process, and of the children that it waited for, so far."""
    return sum(os.times()[:4])


@dataclass
class Watch:
    """What one test has cost so far: by phase, and by fixture that was set up for it."""

    phases: dict[str, float] = field(default_factory=dict)
    fixtures: list[tuple[str, float]] = field(default_factory=list)
    inner: list[float] = field(default_factory=list)  # of each fixture being set up: what those that it asks for cost


class CpuSeconds:
    """Listens to every phase and fixture; the sums are told at the end."""

    def __init__(self) -> None:
        self.watch = Watch()
        self.tables = {name: Counter() for name in ("phases", "packages", "modules", "fixtures", "tests")}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Iterator[None]:
        self.watch = Watch()
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self) -> Iterator[None]:
        return (yield from self._timed("setup"))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Iterator[None]:
        return (yield from self._timed("call"))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self) -> Iterator[None]:
        return (yield from self._timed("teardown"))

    def _timed(self, phase: str) -> Iterator[None]:
        before = spent()
        try:
            return (yield)
        finally:
            self.watch.phases[phase] = spent() - before

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef) -> Iterator[None]:
        before = spent()
        self.watch.inner.append(0.0)
        try:
            return (yield)
        finally:
            cost, inner = spent() - before, self.watch.inner.pop()
            if self.watch.inner:
                self.watch.inner[-1] += cost
            name = f"{fixturedef.argname} ({fixturedef.scope}) {fixturedef.baseid}"
            self.watch.fixtures.append((name, cost - inner))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Iterator[None]:
        """The seconds ride on the report, which is how they come from a worker to the process that sums them."""
        report = yield
        fixtures, self.watch.fixtures = self.watch.fixtures, []
        report.user_properties.append((PROPERTY, (self.watch.phases.get(report.when, 0.0), fixtures)))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # a test's properties gather over its phases: the last are this phase's
        seconds, fixtures = [value for name, value in report.user_properties if name == PROPERTY][-1]
        module = report.nodeid.partition("::")[0]
        self.tables["phases"][report.when] += seconds
        self.tables["packages"]["/".join(module.split("/")[:3])] += seconds
        self.tables["modules"][module] += seconds
        self.tables["tests"][report.nodeid] += seconds
        for name, cost in fixtures:
            self.tables["fixtures"][name] += cost

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for title, table in self.tables.items():
            terminalreporter.section(f"CPU seconds: {title}, {sum(table.values()):.1f}")
            for name, seconds in table.most_common(ROWS):
                terminalreporter.write_line(f"{seconds:8.2f}  {name}")


def pytest_configure(config: pytest.Config) -> None:
    """Listen from here on."""
    config.pluginmanager.register(CpuSeconds())
