"""Snapshots are pictures of one Textual version; others may check them but not write them."""

from __future__ import annotations

import sys

import pytest
import textual
from pytest_textual_snapshot import SVGImageExtension

from tests.console.opening import Open, open_console

BASELINE = {"python": "3.11", "textual": "8.2.8"}

# syrupy renamed the attribute that names the file's ending; without it a picture ends in `.raw`.
SVGImageExtension.file_extension = "svg"


def pytest_configure(config: pytest.Config) -> None:
    here = {"python": f"{sys.version_info.major}.{sys.version_info.minor}", "textual": textual.__version__}
    if config.getoption("update_snapshots", default=False) and here != BASELINE:
        raise pytest.UsageError(f"snapshots are written with {BASELINE}, this is {here}")


@pytest.fixture
def console() -> Open:
    """Opens the console on a story: `async with console("speaking", size=(120, 40)) as it`."""
    return open_console
