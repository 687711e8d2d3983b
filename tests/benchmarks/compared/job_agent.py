"""An agent's file, the same under both libraries: `python job_agent.py start`. `BENCH_SIDE` says which.

Its agent joins, and says a tone at once, with providers that take no time. Lines `@ ROOM STAGE TIME` on standard output
tell when a job got how far.
"""

from __future__ import annotations

import math
import os
import struct
import sys
import time
from pathlib import Path

if os.environ["BENCH_SIDE"] == "ours":
    sys.path[1:1] = [str(Path(__file__).parents[3] / part) for part in ("runtime", "tools")]
    from agent_runtime import compat

    compat.install()

from fakes import OUT_RATE, Voice
from livekit.agents import Agent, AgentServer, AgentSession, JobContext, JobProcess, JobRequest, cli

SPOKEN = 1.0
TONE = b"".join(struct.pack("<h", round(8000 * math.sin(n / 8))) for n in range(round(OUT_RATE * SPOKEN)))


def stamp(room: str, stage: str) -> None:
    """Tell how far it is, in one piece: the worker's process and the job's write to the same pipe."""
    os.write(1, f"@ {room} {stage} {time.time()}\n".encode())


def set_up(process: JobProcess) -> None:
    """Nothing is to be loaded."""


server = AgentServer(
    setup_fnc=set_up,
    load_fnc=lambda: 0.0,
    load_threshold=2.0,
    num_idle_processes=int(os.environ.get("BENCH_IDLE", "1")),
    port=0,
)


async def take(request: JobRequest) -> None:
    """Take the job."""
    stamp(request.room.name, "offered")
    await request.accept()
    stamp(request.room.name, "assigned")


@server.rtc_session(agent_name=os.environ.get("BENCH_AGENT_NAME", "bench"), on_request=take)
async def talk(job: JobContext) -> None:
    """Join and speak."""
    stamp(job.job.room.name, "entrypoint")
    await job.connect()
    stamp(job.job.room.name, "connected")
    voice = Voice(SPOKEN)
    voice.audio = TONE
    session = AgentSession(tts=voice, vad=None, turn_handling={"turn_detection": "manual"}, user_away_timeout=None)
    await session.start(Agent(instructions=""), room=job.room)
    session.say("Hello")


if __name__ == "__main__":
    cli.run_app(server)
