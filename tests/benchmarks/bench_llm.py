"""What conversations, events and streamed answers cost in CPU: `python -m tests.benchmarks.bench_llm`."""

from __future__ import annotations

import asyncio
import time
import timeit
from collections.abc import Callable

from agent_runtime.events import AgentText, Event, codec
from agent_runtime.llm import ChatChunk, ChatContext, ChatMessage, ChoiceDelta
from agent_runtime.providers.openai import LLM
from tests.support.fake_llm import FakeLLM, text
from tests.support.openai_server import DONE, KEY, OpenAIServer, Reply, chunk, usage

CHUNKS = 500


def report(what: str, seconds: float) -> None:
    print(f"{what:<58}{seconds * 1e6:10.1f} µs")


def each(what: str, action: Callable[[], object], number: int = 5_000) -> None:
    action()
    report(what, min(timeit.repeat(action, number=number, repeat=3)) / number)


def conversations() -> None:
    long = ChatContext([ChatMessage(role="user", content=["hello"]) for _ in range(400)])
    each("make a message", lambda: ChatMessage(role="user", content=["hello"]))
    each("make a chunk", lambda: ChatChunk(id="r", delta=ChoiceDelta(content="hello")))
    each("copy a context of 400 messages", long.copy)
    each("write 400 messages for OpenAI", lambda: long.to_provider_format("openai"), 100)
    each("write 400 messages as plain data", long.to_dict, 100)


def events() -> None:
    event = Event(1, 0.5, "session", "turn", None, AgentText("speech", "item", "hello "))
    line = codec.dumps(event)
    each("write an event", lambda: codec.dumps(event))
    each("read an event", lambda: codec.loads(line))


async def a_stream() -> None:
    llm = FakeLLM([text("hello ") for _ in range(100)])
    await llm.ask().collect()
    start = time.process_time()
    for _ in range(50):
        await llm.ask().collect()
    report("LLMStream: an answer of 100 chunks, with metrics", (time.process_time() - start) / 50)


async def openai_chunks() -> None:
    body = b"".join(chunk({"content": "hello "}) for _ in range(CHUNKS))
    server = OpenAIServer(Reply([body, chunk(finish="stop"), usage(), DONE]))
    async with server, LLM(model="m", api_key=KEY, base_url=server.url) as llm:
        await llm.chat(chat_ctx=_question()).collect()
        start = time.process_time()
        for _ in range(5):
            await llm.chat(chat_ctx=_question()).collect()
        report("OpenAI: a streamed chunk, client and server", (time.process_time() - start) / 5 / CHUNKS)


def _question() -> ChatContext:
    context = ChatContext.empty()
    context.add_message(role="user", content="Hi")
    return context


if __name__ == "__main__":
    conversations()
    events()
    asyncio.run(a_stream())
    asyncio.run(openai_chunks())
