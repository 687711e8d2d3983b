"""Entrypoints of jobs for `bench_jobs`: found by name in the jobs' processes."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).parent))

if "livekit.agents" not in sys.modules:
    from agent_runtime import compat

    compat.install()

from fakes import Assistant, Log, Microphone, Model, Speaker
from worker import make_session, of_logs

from agent_runtime import AgentSession, JobContext

CYCLE = 4.0
SPOKEN = 1.0


async def answer(job: JobContext) -> None:
    """Answer one text."""
    await job.connect()
    session: AgentSession[None] = AgentSession(llm=Model(), vad=None, user_away_timeout=None)
    await session.start(Assistant())
    await session.generate_reply(user_input="hello")
    job.shutdown("answered")


async def talk_or_die(job: JobContext) -> None:
    """`talk`, or end as badly as the metadata says: `raise`, `kill`, `block` (until the worker ends it) or `leak`."""
    match job.job.metadata:
        case "raise":
            raise RuntimeError("on purpose")
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "block":
            while True:
                pass
        case "leak":
            leaked = [bytes(1_000_000) for _ in range(300)]
            await asyncio.sleep(1.0)
            job.shutdown(f"leaked {len(leaked)} MB")
        case _:
            await talk(job)


async def talk(job: JobContext) -> None:
    """A conversation of so many seconds: `{"seconds": …, "phase": …, "file": …}` in the metadata; figures go there."""
    asked = json.loads(job.job.metadata)
    await job.connect()
    log = Log()
    session = make_session(log, SPOKEN)
    session.input.audio = Microphone(lambda at: at % CYCLE < SPOKEN, asked["phase"])
    session.output.audio = Speaker(log)
    await session.start(Assistant())
    gc.collect()
    gc.freeze()
    await asyncio.sleep(CYCLE)
    log.late.clear()
    log.answers.clear()
    log.ends, log.underruns, log.end_due = 0, 0, None
    await asyncio.sleep(asked["seconds"])
    figures = {**of_logs([log]), "late": [round(late * 1000, 2) for late in log.late]}
    await asyncio.to_thread(Path(asked["file"]).write_text, json.dumps(figures))
    job.shutdown("measured")
