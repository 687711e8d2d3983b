"""What the command `test` does with a bundle."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

from agent_runtime import Agent
from agent_runtime.agent_loader import LoadedAgent, parse_target
from agent_runtime.bundle import Bundle, RecordedTurn, recorded_turns
from agent_runtime.bundle.as_test import Strictness, TestedAgent, write_test_file
from agent_runtime.bundle.turns import exchanges
from agent_runtime.errors import AgentConsoleError


def write_test(path: Path, agent: str | None, *, output: Path | None, turn: int | None, style: Strictness) -> int:
    """Write the test, or print it. Raises AgentConsoleError for a turn that isn't there, or code that can't be used."""
    from agent_console.start import load_here

    check_style(style)
    bundle = Bundle.open(path)
    wanted = agent or bundle.manifest.agent
    if not wanted:
        added = f"agent-console test {path} my_agent.py"
        raise AgentConsoleError(f"{path} doesn't say which agent it is of: add its file, as in `{added}`")
    conversation = exchanges(recorded_turns(bundle.events()))
    chosen = choose(conversation, turn)
    loaded = load_here(parse_target(wanted))
    folder = output.absolute().parent if output is not None else Path.cwd()
    text = write_test_file(conversation, chosen, tested_agent(loaded, folder), style)
    if output is None:
        print(text, end="")
        return 0
    if output.exists():
        raise AgentConsoleError(f"{output} is there already: name another file, or delete it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise AgentConsoleError(f"{output} can't be written: {exc.strerror or exc}") from exc
    print(f"{output}: {max(1, len(chosen))} test{'s' if len(chosen) > 1 else ''}; run it with `pytest {output}`")
    return 0


def check_style(style: Strictness) -> None:
    """Raise AgentConsoleError for a judge or a budget that can't be used."""
    if style.judge is not None and not (style.judge == "openai" or style.judge.removeprefix("openai:") != style.judge):
        raise AgentConsoleError(f"--judge {style.judge}: use openai or openai:MODEL; the embedded model is too small")
    if style.latency is not None and not style.latency > 0:
        raise AgentConsoleError(f"--latency {style.latency:g}: it has to be more than 0 seconds")


def choose(conversation: Sequence[RecordedTurn], turn: int | None) -> list[RecordedTurn]:
    """The exchange of this turn; those that are marked if none is named; none for the whole conversation."""
    said = [exchange for exchange in conversation if exchange.user]
    if not said:
        raise AgentConsoleError("nobody said anything in the recording: there is nothing to test")
    if turn is None:
        return [exchange for exchange in said if exchange.marked]
    found = [exchange for exchange in said if exchange.number == turn]
    if not found:
        numbers = ", ".join(str(exchange.number) for exchange in said)
        raise AgentConsoleError(f"--turn {turn}: the user's turns are {numbers}")
    return found


def tested_agent(loaded: LoadedAgent, folder: Path) -> TestedAgent:
    """How a test in `folder` imports the agent and makes it."""
    classes = {
        name: value
        for name, value in vars(loaded.module).items()
        if isinstance(value, type) and issubclass(value, Agent) and value.__module__ == loaded.module.__name__
    }
    start = loaded.name
    if loaded.kind == "factory":
        made = type(asyncio.run(_agent_of(loaded)))
        start = next((name for name, value in classes.items() if value is made), start)
    make = start if loaded.kind == "instance" else f"{start}()" if start in classes else f"{start}()[1]"
    entry = loaded.code.entry
    module = ".".join(entry.file.relative_to(entry.folder).with_suffix("").parts)
    return TestedAgent(module, start, make, sorted(classes), _made_importable(entry.folder, folder))


async def _agent_of(loaded: LoadedAgent) -> Agent:
    agent, session = await loaded.build()
    if session is not None:
        await session.aclose()
    return agent


def _made_importable(code: Path, tests: Path) -> str:
    """The line that a test needs so that what lies in `code` can be imported; none if it lies beside the test."""
    way = Path(os.path.relpath(code, tests))
    if way == Path():
        return ""
    if set(way.parts) == {".."}:
        return f"sys.path.insert(0, str(Path(__file__).resolve().parents[{len(way.parts)}]))"
    return f'sys.path.insert(0, str(Path(__file__).resolve().parent / "{way.as_posix()}"))'
