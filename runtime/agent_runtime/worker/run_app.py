"""`cli.run_app`: the command line of an agent's file.

python my_agent.py start            serve in production
python my_agent.py dev              serve while you write it: saved code runs from the next job on
python my_agent.py console          talk to it here
python my_agent.py connect --room R join one room
python my_agent.py download-files   get the models' files
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any

from agent_runtime.errors import WorkerError
from agent_runtime.utils import shortuuid
from agent_runtime.worker.logs import LogStyle
from agent_runtime.worker.options import LOG_LEVELS, ServerEnvOption, ServerOptions
from agent_runtime.worker.server import AgentServer
from agent_runtime.worker.serving import ExitCode, serve

logger = logging.getLogger(__name__)

given_options: ContextVar[dict[str, Any]] = ContextVar("given_options", default={})  # noqa: B039 (nobody changes it)
"""Options that a command line around this one has; they go before those of the file and its own command line."""


def run_app(server: AgentServer | ServerOptions) -> None:
    """Do what the command line says with this worker, and end the program; `ExitCode` lists the codes.

    In a file that is loaded by somebody else, such as the console, it does nothing: whoever loads it runs it.
    """
    caller = sys._getframe(1).f_globals
    if caller.get("__name__") != "__main__":
        logger.info("cli.run_app does nothing here: the file is run by who loads it")
        return
    file = Path(caller.get("__file__") or sys.argv[0])
    if isinstance(server, ServerOptions):
        server = AgentServer.from_server_options(server)
    raise SystemExit(run_command(server, file, sys.argv[1:]))


def run_command(server: AgentServer, file: Path, arguments: Sequence[str]) -> int:
    """Run the command of `python FILE ARGUMENTS`; its exit code."""
    parser = _parser(server, file)
    given = parser.parse_args(arguments)
    if given.command is None:
        parser.print_help()
        return ExitCode.STOPPED
    command = {"start": _start, "dev": _dev, "console": _console, "connect": _connect, "download-files": _download}
    try:
        return command[given.command](server, file, given)
    except WorkerError as exc:
        print(f"{file.name}: {exc}", file=sys.stderr)
        return ExitCode.BAD_INPUT


def _parser(server: AgentServer, file: Path) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python {file.name}", description="Run this agent.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    start = commands.add_parser("start", help="serve in production")
    _server_flags(start, server, devmode=False)
    start.add_argument("--drain-timeout", type=int, metavar="SECONDS", help="how long jobs get to end by themselves")
    start.add_argument("--simulation", action="store_true", help=argparse.SUPPRESS)
    dev = commands.add_parser("dev", help="serve while you write it: saved code runs from the next job on")
    _server_flags(dev, server, devmode=True)
    dev.add_argument("--reload", action=argparse.BooleanOptionalAction, default=True, help="run what is saved")
    console = commands.add_parser("console", help="talk to it here")
    console.add_argument("--input-device", help="microphone, by id or part of its name")
    console.add_argument("--output-device", help="speaker, by id or part of its name")
    console.add_argument("--list-devices", action="store_true", help="list microphones and speakers")
    console.add_argument("--text", action="store_true", help="type instead of talking")
    console.add_argument("--record", action="store_true", help="record the session")
    _log_flag(console, server, devmode=True)
    connect = commands.add_parser("connect", help="join one room, whether it asks for an agent or not")
    _server_flags(connect, server, devmode=True)
    connect.add_argument("--room", required=True, help="its name")
    connect.add_argument("--participant-identity", metavar="IDENTITY", help="as whom the agent joins")
    commands.add_parser("download-files", help="get the models' files")
    return parser


def _server_flags(parser: argparse.ArgumentParser, server: AgentServer, *, devmode: bool) -> None:
    parser.add_argument("--url", help="the LiveKit server (LIVEKIT_URL)")
    parser.add_argument("--api-key", metavar="KEY", help="its key (LIVEKIT_API_KEY)")
    parser.add_argument("--api-secret", metavar="SECRET", help="the key's secret (LIVEKIT_API_SECRET)")
    _log_flag(parser, server, devmode=devmode)


def _log_flag(parser: argparse.ArgumentParser, server: AgentServer, *, devmode: bool) -> None:
    default = os.environ.get("LIVEKIT_LOG_LEVEL") or ServerEnvOption.getvalue(server.log_level, devmode)
    parser.add_argument(
        "--log-level", type=str.upper, choices=LOG_LEVELS, default=default.upper(), help="the least severe lines"
    )


def _configure(server: AgentServer, given: argparse.Namespace) -> None:
    named = {"ws_url": given.url, "api_key": given.api_key, "api_secret": given.api_secret}
    changes: dict[str, Any] = {name: value for name, value in named.items() if value}
    if (timeout := getattr(given, "drain_timeout", None)) is not None:
        changes["drain_timeout"] = timeout
    server.update_options(**changes)


def _start(server: AgentServer, file: Path, given: argparse.Namespace) -> int:
    _configure(server, given)
    if given.simulation:
        server.update_options(load_threshold=float("inf"))
    _log(server, given, as_json=True)
    return serve(server)


def _dev(server: AgentServer, file: Path, given: argparse.Namespace) -> int:
    if given.reload:
        from agent_runtime.worker.dev import serve_reloading

        return serve_reloading(file, [word for word in sys.argv[1:] if word != "--reload"])
    from agent_runtime.worker.dev import Parent

    _configure(server, given)
    _log(server, given, as_json=False)
    parent = Parent()
    if not parent.exists:
        return serve(server, devmode=True)
    server.on("worker_registered", parent.tell_ready)
    return serve(server, devmode=True, work=parent.gone)


def _connect(server: AgentServer, file: Path, given: argparse.Namespace) -> int:
    _configure(server, given)
    _log(server, given, as_json=False)
    server._address().check()
    identity = given.participant_identity or shortuuid("agent-")
    return serve(server, devmode=True, unregistered=True, work=partial(_one_job, server, given.room, identity))


def _log(server: AgentServer, given: argparse.Namespace, *, as_json: bool) -> None:
    style = LogStyle(given.log_level, as_json)
    style.set_up()
    server._configure(**{"log_style": style} | given_options.get())


async def _one_job(server: AgentServer, name: str, identity: str) -> None:
    """Join a room, which is made if it isn't there, and stay for the job's time."""
    from agent_runtime.worker.rooms import find_room

    room = await find_room(server._address(), name)
    await server.simulate_job(name, agent_identity=identity, room_info=room)
    await server.drain(None)


def _console(server: AgentServer, file: Path, given: argparse.Namespace) -> int:
    command = [sys.executable, "-m", "agent_console"]
    if given.list_devices:
        os.execv(sys.executable, [*command, "devices"])
    command.append(str(file))
    for name in ("input_device", "output_device"):
        if (value := getattr(given, name)) is not None:
            command += [f"--{name.replace('_', '-')}", value]
    command += [f"--{name}" for name in ("text", "record") if getattr(given, name)]
    os.execv(sys.executable, command)


def _download(server: AgentServer, file: Path, given: argparse.Namespace) -> int:
    print("nothing is to be downloaded: the embedded models come inside their packages (see `agent-console doctor`)")
    return ExitCode.STOPPED
