"""What the process that jobs are forked from has imported: all that a job's first moments need."""

from __future__ import annotations

import json
import subprocess
import sys

JOB = """
import asyncio, json, sys
import agent_runtime.worker.preload
from agent_runtime import Agent, AgentSession
shared = set(sys.modules)
from agent_runtime.worker.assignment import JobAcceptArguments
from agent_runtime.worker.messages import RunJob
from agent_runtime.worker.observed import ObservedJob

async def main():
    RunJob(JobAcceptArguments("", "", ""), b"", "", "", "", True).info()
    session = AgentSession(stt=None, vad=None, tts=None, llm=None)
    ObservedJob().follow(session)
    await session.start(Agent(instructions=""))
    session.say("Hello.")
    await session.drain()
    await session.aclose()

asyncio.run(main())
print(json.dumps(sorted(name for name in set(sys.modules) - shared if name.startswith(("agent_runtime", "livekit")))))
"""


def test_a_job_imports_nothing_while_somebody_waits_for_its_agent() -> None:
    done = subprocess.run([sys.executable, "-c", JOB], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
