"""`agent-console`: what is wrong is said in one line before the screen is touched."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from typing import Final, NoReturn

from agent_runtime.errors import AgentConsoleError, AgentLoadError

BAD_INPUT: Final = 2
"""Exit code for what the user can put right: a flag, a setting, an agent's file, a theme, a WAV."""
COMMANDS: Final = frozenset({"attach", "bench", "config", "devices", "doctor", "new", "replay", "schema", "test"})


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0, 2 for bad input, 1 for a crash, 128 + n for signal n."""
    # Nothing that an import makes is garbage; looking for some costs a fifth of the time to the first frame.
    gc.disable()
    try:
        code = _run(sys.argv[1:] if arguments is None else arguments)
    except AgentLoadError as exc:
        if exc.details:
            print(exc.details, file=sys.stderr)
        code = _refuse(str(exc))
    except AgentConsoleError as exc:
        code = _refuse(str(exc))
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


def _run(arguments: Sequence[str]) -> int:
    if len(arguments) > 1 or any(word.startswith("-") or word in COMMANDS for word in arguments):
        from agent_console.arguments import run_arguments

        return run_arguments(arguments)
    # The commonest call needs no parser, and no time to load one.
    from agent_console.start import start

    start(arguments[0] if arguments else None, {}, None)


def _refuse(message: str) -> int:
    print(f"agent-console: {message}", file=sys.stderr)
    return BAD_INPUT
