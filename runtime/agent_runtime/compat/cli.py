"""`cli.run_app`, as agents' files end with it."""

from __future__ import annotations

import logging
import sys

from agent_runtime.compat.worker import AgentServer, WorkerOptions

logger = logging.getLogger(__name__)


def run_app(server: AgentServer | WorkerOptions) -> None:
    """Do nothing in a file that is loaded: whoever loads it runs it. Ends the program where the file is the program."""
    caller = sys._getframe(1).f_globals
    if caller.get("__name__") == "__main__":
        raise SystemExit(f"start it with `agent-console {caller.get('__file__', 'your_agent.py')}`")
    logger.info("cli.run_app does nothing here: the file is run by who loads it")
