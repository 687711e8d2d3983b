"""The console in a browser: each visitor gets a process of their own on this machine."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from typing import Final

from agent_runtime.errors import AgentConsoleError, MissingDependencyError

INSTALL: Final = "pip install 'agent-console[serve]'"
_OWN: Final = ("--host", "--port")
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


def serve(arguments: Sequence[str], host: str, port: int) -> int:
    """Serve the console until it is stopped, run with these arguments but those of serving.

    Raises MissingDependencyError without textual-serve, AgentConsoleError for a port that can't be.
    """
    if not 1 <= port <= 65535:
        raise AgentConsoleError(f"--port {port}: it has to be from 1 to 65535")
    try:
        from textual_serve.server import Server
    except ImportError as exc:
        raise MissingDependencyError("textual-serve", INSTALL) from exc
    print(notice(host, port), file=sys.stderr)
    try:
        Server(console_command(arguments), host=host, port=port, title="agent-console").serve()
    except OSError as exc:
        reason = (exc.strerror or str(exc)).rpartition(": ")[2]
        raise AgentConsoleError(f"{host}:{port} can't be listened at: {reason}: give another --port or --host") from exc
    return 0


def notice(host: str, port: int) -> str:
    """What whoever serves it should know."""
    lines = [
        f"agent-console: http://{host}:{port}. Microphone and speaker are this machine's, not the browser's; "
        "each visitor has a session of their own."
    ]
    if host not in _LOOPBACK:
        lines.append(
            f"agent-console: {host} can be reached by others, and nobody is asked for a password: "
            "who opens it hears this machine's microphone and runs your agent."
        )
    return "\n".join(lines)


def console_command(arguments: Sequence[str]) -> str:
    """The command line of a visitor's console."""
    kept: list[str] = []
    words = iter(arguments)
    for word in words:
        if word in _OWN:
            next(words, None)
        elif word != "--serve" and not word.startswith(tuple(f"{flag}=" for flag in _OWN)):
            kept.append(word)
    return shlex.join([sys.executable, "-m", "agent_console", *kept])
