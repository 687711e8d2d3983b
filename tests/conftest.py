"""What holds for every test."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator

import pytest
from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("developer", deadline=None)
# A change is judged by what it changes: CI tries the same examples each time, machines of developers look further.
settings.load_profile("ci" if os.environ.get("CI") == "true" else "developer")

PLATFORM = "platform: "
"""How the reason of a skip begins that even a machine with everything installed can't avoid."""


@pytest.fixture(autouse=True)
def _no_stand_ins() -> Generator[None, None, None]:
    """What a console allows holds for its process; the next test begins without it."""
    yield
    if (stand_ins := sys.modules.get("agent_runtime.stand_ins")) is not None:
        stand_ins.allow(False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI everything is installed: a test that is skipped there tests nothing anywhere."""
    report = yield
    reason = _reason(report)
    if reason is not None and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped though CI installs everything: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a whole module that skips itself."""
    report = yield
    reason = _reason(report)
    if reason is not None:
        report.outcome = "failed"
        report.longrepr = f"skipped though CI installs everything: {reason}"
    return report


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str | None:
    """Why it was skipped, if that isn't allowed here."""
    if os.environ.get("CI") != "true" or not report.skipped:
        return None
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    reason = reason.removeprefix("Skipped: ")
    return None if reason.startswith(PLATFORM) else reason
