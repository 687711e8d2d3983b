"""What a person can do in a console that is attached to a worker, and what they can't."""

from __future__ import annotations

from typing import Final

from agent_console.keys import Action

JOBS: Final = Action("attach.jobs", "J", "jobs", "Pick another of the worker's jobs.", "Worker", 90)
ATTACHED: Final = (JOBS,)

NOT_FROM_AFAR: Final = frozenset(
    ("push_to_talk", "reload", "traceback", "devices", "room", "record", "mark_turn", "fork", "switch_branch")
)
"""Actions of the console's that only count where the agent runs."""
WRITING: Final = frozenset(("mute", "type", "interrupt"))
"""Those that the worker has to allow."""
