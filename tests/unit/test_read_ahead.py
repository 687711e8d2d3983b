"""What a model reads while it is nobody's turn to answer."""

from __future__ import annotations

import asyncio
import contextlib

from agent_runtime import Agent, AgentSession
from agent_runtime.errors import APIConnectionError
from agent_runtime.host.read_ahead import ReadAhead
from agent_runtime.llm import ChatContext
from agent_runtime.testing import Answer, ScriptedLLM, run_virtual


class Reader:
    """Remembers what it was given to read."""

    def __init__(self, failures: int = 0) -> None:
        self.read: list[list[str]] = []
        self.failures = failures

    async def prime(self, chat_ctx: ChatContext) -> None:
        self.read.append([m.text_content or "" for m in chat_ctx.messages() if m.role != "system"])
        if self.failures:
            self.failures -= 1
            raise APIConnectionError("the process ended")


async def talk(reader: Reader) -> Reader:
    other = Reader()
    answers = {"hi": Answer("Hello."), "how are you": Answer("Fine.")}
    session: AgentSession[None] = AgentSession(llm=ScriptedLLM(by_input=answers), vad=None)
    await session.start(Agent(instructions="Be kind."))
    reading = asyncio.create_task(ReadAhead(session, [reader, other]).run())
    await asyncio.sleep(0)
    for question in ("hi", "how are you"):
        await session.run(user_input=question)
        await asyncio.sleep(1)
    reading.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await reading
    await session.run(user_input="hi")
    await session.aclose()
    return other


def test_the_instructions_are_read_first_and_each_exchange_once_it_is_over() -> None:
    reader = Reader()
    run_virtual(talk(reader))
    assert reader.read == [[], ["hi", "Hello."], ["hi", "Hello.", "how are you", "Fine."]]


def test_a_reader_that_fails_is_asked_again() -> None:
    reader = Reader(failures=2)
    other = run_virtual(talk(reader))
    assert len(reader.read) == len(other.read) == 3
