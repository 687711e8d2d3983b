"""What the process that jobs are forked from has imported: all that a job's first moments need."""

from __future__ import annotations

import json
import os
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


MADE = """
import json, os, sys
import agent_runtime.worker.preload, agent_runtime.worker.preload_embedded
shared = set(sys.modules)
threads = len(os.listdir("/proc/self/task")) if os.path.exists("/proc/self/task") else 1
from agent_runtime.host.providers import make_providers
from agent_runtime.host.turn_taking import take_turns
from agent_runtime.settings import Settings
make_providers(Settings(), lambda _: None)
new = sorted(name for name in set(sys.modules) - shared if name.startswith(("agent_runtime", "livekit")))
print(json.dumps([threads, new, "onnxruntime" in shared]))
"""


def test_parts_that_settings_name_are_shared_and_no_thread_is_started_before_the_fork() -> None:
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "AGENT_CONSOLE_LLM": "embedded"}
    done = subprocess.run([sys.executable, "-c", MADE], capture_output=True, text=True, check=True, env=environment)
    assert json.loads(done.stdout) == [1, [], False]


def test_a_job_imports_nothing_while_somebody_waits_for_its_agent() -> None:
    done = subprocess.run([sys.executable, "-c", JOB], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
