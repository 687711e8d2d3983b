"""Jobs for tests: an entrypoint that does what its job's metadata say, found by name in other processes."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from pathlib import Path

from livekit.protocol import agent, models

from agent_runtime import Agent, AgentSession
from agent_runtime.errors import AgentLoadError
from agent_runtime.testing import Answer, ScriptedLLM
from agent_runtime.worker.assignment import JobAcceptArguments, RunningJobInfo
from agent_runtime.worker.job import JobContext, JobProcess

_numbers = itertools.count()


def info(what: str = "", *, job_id: str | None = None) -> RunningJobInfo:
    """A job that no server gave."""
    room = models.Room(name="kitchen", sid="RM_1")
    job = agent.Job(id=job_id or f"AJ_{next(_numbers)}", room=room, metadata=what, agent_name="cook")
    return RunningJobInfo(JobAcceptArguments("", "agent-1", ""), job, "ws://127.0.0.1:1", "", "AW_1", fake_job=True)


def set_up(process: JobProcess) -> None:
    """What a good setup function does."""
    process.userdata["ready"] = "made ready"


def set_up_badly(process: JobProcess) -> None:
    raise RuntimeError("the model isn't there")


def set_up_a_file_that_cannot_be_run(process: JobProcess) -> None:
    raise AgentLoadError("my_agent.py:3: invalid syntax")


def set_up_for_ever(process: JobProcess) -> None:
    time.sleep(60)


def set_up_unless(hangs: Path, process: JobProcess) -> None:
    """A setup function that never returns while there is such a file."""
    while hangs.exists():
        time.sleep(0.05)


async def session_over(job: JobContext) -> None:
    note(job, "session over")


def note(job: JobContext, text: str) -> None:
    """Write it where the test looks."""
    path = job.job.metadata.partition(":")[2]
    with Path(path).open("a") as file:
        file.write(f"{os.getpid()} {text}\n")


async def entrypoint(job: JobContext) -> None:
    """Do what the metadata say: `what` or `what:file`."""
    what = job.job.metadata.partition(":")[0]
    if what == "nothing":
        return
    await job.connect()
    await _WHAT[what](job)


async def _end(job: JobContext) -> None:
    note(job, f"ready: {job.proc.userdata.get('ready')}")

    async def over(reason: str) -> None:
        note(job, f"over: {reason}")

    async def fails() -> None:
        raise ValueError("no good-bye")

    job.add_shutdown_callback(over)
    job.add_shutdown_callback(fails)
    job.shutdown("all is said")


async def _stay(job: JobContext) -> None:
    note(job, "stays")


async def _raise(job: JobContext) -> None:
    raise ValueError("no such order")


async def _die(job: JobContext) -> None:
    os._exit(7)


async def _block(job: JobContext) -> None:
    time.sleep(120)  # noqa: ASYNC251 - what a bad job does


def _soup() -> ScriptedLLM:
    return ScriptedLLM(by_input={"What is there?": Answer("Soup is on.")})


async def _talk(job: JobContext) -> None:
    session: AgentSession[None] = AgentSession(stt=None, vad=None, tts=None, llm=_soup())
    await session.start(Agent(instructions=""))
    note(job, "talks")
    await session.run(user_input="What is there?")
    await asyncio.sleep(0.2)
    job.shutdown("served")


async def _chat(job: JobContext) -> None:
    session: AgentSession[None] = AgentSession(stt=None, vad=None, tts=None, llm=_soup())
    await session.start(Agent(instructions=""))
    while True:
        run = await session.run(user_input="What is there?")
        run.expect.contains_message(role="assistant")
        note(job, "answered")
        await asyncio.sleep(0.02)


async def _eat(job: JobContext) -> None:
    job.proc.userdata["heap"] = bytearray(b"x" * (150 * 2**20))
    note(job, "ate")


_WHAT = {
    "end": _end,
    "stay": _stay,
    "raise": _raise,
    "die": _die,
    "block": _block,
    "talk": _talk,
    "chat": _chat,
    "eat": _eat,
}
