"""An agent's code that blocks the loop, wherever it is, is named with its line, and the session goes on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from agent_runtime import Agent, AgentSession, function_tool
from agent_runtime.events import LoopBlocked, LoopLag, LoopStalled
from agent_runtime.host.watchdog import LoopWatchdog
from agent_runtime.testing import Answer, ScriptedLLM

SOURCE = Path(__file__).read_text().splitlines()
PLACES = ["on_enter", "llm_node", "transcription_node", "tool", "callback", "on_exit"]


class Blocks(Agent):
    """Blocks the loop at one place, once, until the watchdog has noticed it."""

    def __init__(self, place: str) -> None:
        super().__init__(instructions="", id="blocks")
        self.place = place
        self.noticed = threading.Event()

    def at(self, place: str) -> None:
        if place == self.place and not self.noticed.is_set():
            assert self.noticed.wait(30)  # the line that must be named

    async def on_enter(self) -> None:
        self.session.on("conversation_item_added", lambda _: self.at("callback"))
        self.at("on_enter")

    async def on_exit(self) -> None:
        self.at("on_exit")

    async def llm_node(self, chat_ctx: Any, tools: Any, model_settings: Any) -> AsyncGenerator[Any, None]:
        self.at("llm_node")
        async for chunk in Agent.default.llm_node(self, chat_ctx, tools, model_settings):
            yield chunk

    async def transcription_node(self, text: Any, model_settings: Any) -> AsyncGenerator[str, None]:
        async for piece in text:
            self.at("transcription_node")
            yield piece

    @function_tool
    async def look_up(self) -> str:
        """Look something up."""
        self.at("tool")
        return "found"


@pytest.mark.parametrize("place", PLACES)
async def test_a_line_that_blocks_is_named_and_the_session_goes_on(place: str) -> None:
    agent, told = Blocks(place), []
    over = asyncio.Event()

    def tell(data: LoopStalled | LoopBlocked | LoopLag) -> None:
        if isinstance(data, LoopStalled):
            agent.noticed.set()
        if isinstance(data, LoopBlocked):
            over.set()
        if not isinstance(data, LoopLag):
            told.append(data)

    quick = {"ttft": 0.0, "duration": 0.0}
    model = ScriptedLLM([Answer("", [("look_up", "{}")], **quick), Answer("Found", **quick), Answer("OK", **quick)])
    watchdog = LoopWatchdog(asyncio.get_running_loop(), tell)
    watchdog.start()
    async with AgentSession(llm=model, vad=None) as session:
        await session.start(agent)
        await session.run(user_input="Look it up")
        if place == "on_exit":
            session.update_agent(Agent(instructions="", id="next"))
        await asyncio.wait_for(over.wait(), 30)
        await session.run(user_input="Still there?")
        assert session.history.items[-1].text_content == "OK"
        assert session.agent_state == "listening"
    watchdog.stop()
    caught, ended = told[:2]
    assert (type(caught), type(ended)) == (LoopStalled, LoopBlocked)
    assert caught.file == __file__
    assert "the line that must be named" in SOURCE[caught.line - 1]
    assert f"in {'<lambda>' if place == 'callback' else 'look_up' if place == 'tool' else place}" in caught.stack
