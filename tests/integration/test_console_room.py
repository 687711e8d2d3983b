"""The console goes into a room of a real server and back, as a person sees it in a terminal."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.console_process import ConsoleProcess
from tests.support.livekit_server import LiveKitServer, binary, livekit_server, missing
from tests.support.room import PATIENCE, RATE, Caller, caller, until
from tests.support.speech import QUESTION, likeness, recorded, transcribe

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))

ANSWER = "I am talking about the weather. It was raining all day yesterday."
HEARING = f"""
from agent_runtime import Agent, AgentSession
from agent_runtime.providers.embedded.stt import MoonshineSTT
from agent_runtime.providers.embedded.tts import HibariTTS
from agent_runtime.testing import Answer, ScriptedLLM

def session() -> AgentSession:
    llm = ScriptedLLM([Answer({ANSWER!r})])
    return AgentSession(stt=MoonshineSTT(), llm=llm, tts=HibariTTS()), Agent(instructions="Answer.")
"""
WRITING = """
from agent_runtime import Agent, AgentSession
from agent_runtime.testing import Answer, ScriptedLLM, ScriptedTTS

def session() -> AgentSession:
    llm = ScriptedLLM([Answer(f"Answer {number}.") for number in range(30)])
    return AgentSession(stt=None, vad=None, llm=llm, tts=ScriptedTTS([0.1] * 30, ttfb=0.0)), Agent(instructions="")
"""
CTRL_O = "\x0f"


@pytest.fixture(scope="module")
def server() -> Iterator[LiveKitServer]:
    with livekit_server() as running:
        yield running


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., ConsoleProcess]:
    """Gives a console on an agent of this code, whose events go to `events.jsonl`."""

    def make(code: str, *arguments: str, env: dict[str, str]) -> ConsoleProcess:
        (tmp_path / ".git").mkdir()  # no settings file from further up counts
        (tmp_path / "desk_agent.py").write_text(code)
        flags = ("--text", "--events", "events.jsonl", *arguments)
        return ConsoleProcess(["desk_agent.py", *flags], cwd=tmp_path, env={"HOME": str(tmp_path), **env})

    return make


def written(folder: Path, kind: str) -> list[dict[str, Any]]:
    """What was written down so far of one kind of event."""
    lines = (folder / "events.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    events = [json.loads(line) for line in lines if line.endswith("\n")]
    return [event["data"] for event in events if event["data"]["type"] == kind]


async def seen(console: ConsoleProcess, pattern: str) -> str:
    """Wait for the screen while somebody talks in the room."""
    return await asyncio.to_thread(console.wait_for, pattern, PATIENCE)


async def leave_prompt(console: ConsoleProcess) -> None:
    """Give the keys back to the console; a key that followed at once would be part of the escape's sequence."""
    console.press("escape")
    await seen(console, r"\? help")


@pytest.mark.models
async def test_somebody_in_the_room_asks_and_hears_the_answer(
    server: LiveKitServer, start: Callable[..., ConsoleProcess], tmp_path: Path
) -> None:
    with start(HEARING, "--room", "desk", env=server.environment) as console:
        await seen(console, "● room desk")
        async with caller(server, "ana", room="desk") as ana:
            await seen(console, "hears ana")
            await ana.speak(recorded(QUESTION), then=2.0)
            await until(lambda: written(tmp_path, "playout_finished"), "the answer")
            await until(lambda: spoke_of(ana), "the agent's words as text")
            heard = transcribe(ana.sound, RATE)
            await leave_prompt(console)
            console.press("9")
            shown = await seen(console, r"ana .*is heard")
            await seen(console, r"lost 0\.\d%")
        console.press("q")
        assert await asyncio.to_thread(console.wait_for_exit, PATIENCE) == 0
    assert likeness(heard, ANSWER) > 0.7
    assert re.search(r"← ana microphone +subscribed", shown)
    assert re.search(r"→ agent-\w+ microphone +sent", shown)
    assert "eyJ" not in shown
    assert "eyJ" not in (tmp_path / "events.jsonl").read_text(encoding="utf-8")


def spoke_of(person: Caller) -> list[str]:
    """The agent's words, as the person got them."""
    return [text.text for text in person.texts if text.sender.startswith("agent")]


async def test_ctrl_o_twenty_times_in_a_conversation(
    server: LiveKitServer, start: Callable[..., ConsoleProcess], tmp_path: Path
) -> None:
    with start(WRITING, "--room", "moving", env=server.environment) as console:
        async with caller(server, "ana", room="moving", listens=False):
            await seen(console, "hears ana")
            for number in range(20):
                console.press(CTRL_O)
                await seen(console, "hears ana" if number % 2 else "you type")
                console.type(f"Question {number}?\r")
                await until(lambda: len(written(tmp_path, "speech_finished")) == number + 1, f"answer {number}")  # noqa: B023
        await leave_prompt(console)
        console.press("q")
        assert await asyncio.to_thread(console.wait_for_exit, PATIENCE) == 0
    modes = [change["mode"] for change in written(tmp_path, "mode_changed")]
    assert modes == ["room"] + ["local", "room"] * 10
    asked = [item["text"] for item in written(tmp_path, "turn_committed")]
    assert asked == [f"Question {number}?" for number in range(20)]
    assert not [speech for speech in written(tmp_path, "speech_finished") if speech["interrupted"]]
    assert not written(tmp_path, "error_occurred")


@pytest.fixture
def with_program(tmp_path: Path) -> dict[str, str]:
    """An environment without a configured server, in which `livekit-server` can be called."""
    program = binary()
    assert program is not None
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "livekit-server").symlink_to(program)
    return {"PATH": f"{folder}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.defpath}"}


def answers(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("killed", [False, True], ids=["left", "killed"])
async def test_a_server_is_started_where_none_is_configured_and_ends_with_the_console(
    start: Callable[..., ConsoleProcess], with_program: dict[str, str], tmp_path: Path, killed: bool
) -> None:
    with start(WRITING, "--room", "desk", env=with_program) as console:
        await seen(console, r"No LiveKit server is configured .* \^o again starts one")
        console.press(CTRL_O)
        await seen(console, "● room desk")
        await until(lambda: written(tmp_path, "room_invitation"), "the invitation")
        url = written(tmp_path, "room_invitation")[0]["url"]
        port = int(url.rpartition(":")[2])
        assert url.startswith("ws://127.0.0.1:")
        assert answers(port)
        if killed:
            console.child.kill(9)
        else:
            await leave_prompt(console)
            console.press("q")
        await asyncio.to_thread(console.wait_for_exit, PATIENCE)
    await until(lambda: not answers(port), "the end of the server")
