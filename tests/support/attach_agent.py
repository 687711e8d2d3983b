"""What a job runs in the tests of attaching: a typed conversation whose answers are known."""

from __future__ import annotations

import asyncio
import os

from agent_runtime import Agent, AgentServer, AgentSession, cli
from agent_runtime.testing import Answer, ScriptedLLM
from agent_runtime.worker.job import JobContext

KEY = "the-key-of-the-job-4711"


async def entrypoint(ctx: JobContext) -> None:
    os.environ["WEATHER_API_KEY"] = KEY
    session = AgentSession[None](llm=ScriptedLLM([Answer("It is sunny."), Answer(f"The key is {KEY}.")]))
    await ctx.connect()
    await session.start(Agent(instructions="You know the weather."))
    await asyncio.Event().wait()


server = AgentServer(load_fnc=lambda: 0.0, num_idle_processes=1, port=0)
server.rtc_session(entrypoint, agent_name="greeter")

if __name__ == "__main__":
    cli.run_app(server)
