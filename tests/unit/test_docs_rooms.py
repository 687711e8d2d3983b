"""The code on the page about rooms runs."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

from livekit import rtc

from agent_runtime.room import push_to_talk
from agent_runtime.room.streams import Mixer

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "rooms.md").read_text(encoding="utf-8")


def names_of_page() -> dict[str, Any]:
    names: dict[str, Any] = {}
    for code in re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL):
        exec(compile(code, "snippet", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
    return names


async def test_a_session_is_given_everybodys_voice() -> None:
    names = names_of_page()
    session, room = names["AgentSession"](vad=None), rtc.Room()
    manager = names["hear_everybody"](session, room)
    assert isinstance(session.input.audio, Mixer)
    await manager.aclose()


async def test_a_session_starts_before_the_room_is_connected(monkeypatch) -> None:
    names = names_of_page()
    connected = []

    async def connect(room: rtc.Room, url: str, token: str) -> None:
        connected.append((url, token))

    monkeypatch.setattr(rtc.Room, "connect", connect)
    session = await names["talk"]("ws://there", "a token")
    assert connected == [("ws://there", "a token")]
    assert session.room_io.linked_participant is None
    assert session.output.audio is session.room_io.audio_output
    await session.aclose()


def test_the_methods_of_push_to_talk_are_named() -> None:
    assert re.findall(r"^\| `(\w+)` \|", PAGE, flags=re.MULTILINE) == list(push_to_talk.METHODS)
    assert f"`{push_to_talk.TOPIC}`" in PAGE
