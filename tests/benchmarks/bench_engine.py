"""CPU of the engine itself, with providers that answer at once: `python -m tests.benchmarks.bench_engine`.

Figures are CPU milliseconds of this process per turn (`time.process_time`), after a warm-up, with the garbage
collector frozen after the imports. The session has nobody listening, as in production.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import time
from typing import Any

from agent_runtime import Agent, AgentSession, function_tool
from agent_runtime.llm import LLM, ChatChunk, ChatContext, ChatMessage, ChoiceDelta, FunctionToolCall, LLMStream
from agent_runtime.utils import shortuuid


class InstantLLM(LLM[Any]):
    """Answers at once: with a tool call to a message that says so, else with eight words."""

    def chat(self, *, chat_ctx: ChatContext, tools: Any = None, conn_options: Any = None, **_: Any) -> LLMStream:
        return _InstantStream(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class _InstantStream(LLMStream):
    async def _run(self) -> None:
        last = self._chat_ctx.items[-1]
        if isinstance(last, ChatMessage) and last.role == "user" and "tool" in (last.text_content or ""):
            call = FunctionToolCall(name="lookup", arguments='{"city": "Rome"}', call_id=shortuuid("call_"))
            self._event_ch.send_nowait(ChatChunk(id="x", delta=ChoiceDelta(tool_calls=[call])))
            return
        for word in ("It ", "is ", "sunny ", "in ", "Rome ", "all ", "day ", "long."):
            self._event_ch.send_nowait(ChatChunk(id="x", delta=ChoiceDelta(content=word)))


class Assistant(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You are helpful.")

    @function_tool
    async def lookup(self, city: str) -> str:
        """Look up the weather.

        Args:
            city: where
        """
        return f"sunny in {city}"


async def turns(text: str, count: int, session: AgentSession[Any]) -> float:
    """CPU milliseconds per turn."""
    began = time.process_time()
    for _ in range(count):
        await session.generate_reply(user_input=text)
    return (time.process_time() - began) / count * 1000


async def measure(count: int) -> dict[str, float]:
    session: AgentSession[Any] = AgentSession(llm=InstantLLM(), vad=None, user_away_timeout=None)
    await session.start(Assistant())
    await turns("hello", 20, session)
    await turns("use a tool", 20, session)
    gc.collect()
    gc.freeze()
    figures = {
        "text turn, ms": await turns("hello", count, session),
        "tool turn, ms": await turns("use a tool", count, session),
    }
    await turns("hello", 300, session)
    figures["text turn after history grew, ms"] = await turns("hello", count, session)
    figures["tool turn after history grew, ms"] = await turns("use a tool", count, session)
    figures["items in history"] = float(len(session.history.items))
    await session.aclose()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if options.profile:
        import cProfile
        import pstats

        with cProfile.Profile() as profile:
            asyncio.run(measure(options.turns))
        pstats.Stats(profile).sort_stats("tottime").print_stats(35)
        return
    figures = asyncio.run(measure(options.turns))
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:40} {value:8.3f}")


if __name__ == "__main__":
    main()
