"""Starts an installed console outside of the checkout, has one typed turn, and quits: does the wheel hold everything?

python -m tests.support.installed_console VENV/bin/agent-console
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from tests.support.console_process import ConsoleProcess


def main(command: str) -> None:
    """Raises AssertionError, with the screen, if something doesn't work."""
    with tempfile.TemporaryDirectory() as folder:
        outside = Path(folder)
        console = ConsoleProcess(["--text"], command=[command], cwd=outside, env={"HOME": folder})
        with console:
            console.wait_for("agent listening", 30)
            console.wait_for("enter send")  # a conversation in text begins in the input line
            console.type("hello there")
            console.press("enter")
            console.wait_for("hello there", 10)
            console.wait_for(answered, 30)
            console.press("escape")
            console.wait_for("q quit")
            console.press("q")
            assert console.wait_for_exit(10) == 0
            console.assert_terminal_restored()
    print(f"{command} answered and quit")


def answered(screen: str) -> bool:
    """Whether the agent has answered what was typed."""
    return re.search(r"you +hello there.*agent +\w", screen, re.DOTALL) is not None


if __name__ == "__main__":
    main(str(Path(sys.argv[1]).absolute()))
