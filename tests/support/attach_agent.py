"""What a job runs in the tests of attaching: a typed conversation whose answers are known."""

from __future__ import annotations

import asyncio
import os

from agent_runtime import Agent, AgentSession
from agent_runtime.testing import Answer, ScriptedLLM
from agent_runtime.worker.job import JobContext

KEY = "the-key-of-the-job-4711"


async def entrypoint(ctx: JobContext) -> None:
    os.environ["WEATHER_API_KEY"] = KEY
    session = AgentSession[None](llm=ScriptedLLM([Answer("It is sunny."), Answer(f"The key is {KEY}.")]))
    await ctx.connect()
    await session.start(Agent(instructions="You know the weather."))
    await asyncio.Event().wait()
