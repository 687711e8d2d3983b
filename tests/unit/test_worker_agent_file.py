"""What a worker makes ready of a file with an agent, where models that the settings name aren't installed."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path
from typing import Any

import pytest

from agent_runtime.agent_loader import parse_target
from agent_runtime.errors import AgentLoadError, MissingDependencyError
from agent_runtime.settings import Settings
from agent_runtime.worker.agent_file import AgentFile
from agent_runtime.worker.job import JobExecutorType, JobProcess

PLAIN = "from agent_runtime import Agent\n\nassistant = Agent(instructions='Be brief.')\n"
BRINGS_ITS_OWN = """
from agent_runtime import Agent, AgentSession

class Assistant(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Be brief.", llm=None, tts=None)

def session() -> AgentSession:
    return AgentSession(stt=None, vad=None)
"""


@pytest.fixture(autouse=True)
def nothing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(part: str) -> None:
        raise MissingDependencyError(f"a package for {part}", "pip install it")

    monkeypatch.setattr("agent_runtime.host.providers.require_embedded", refuse)
    monkeypatch.setattr(gc, "freeze", lambda: None)


def made_ready(folder: Path, source: str, name: str = "", **settings: Any) -> JobProcess:
    file = folder / "my_agent.py"
    file.write_text(source)
    process = JobProcess(executor_type=JobExecutorType.THREAD)
    AgentFile(parse_target(f"{file}{name}"), Settings(**settings)).set_up(process)
    return process


def test_a_part_that_nothing_brings_is_refused_with_the_command_that_gets_it(tmp_path: Path) -> None:
    with pytest.raises(
        AgentLoadError, match=r"my_agent\.py can't be served: .*a package for stt is missing: run"
    ) as it:
        made_ready(tmp_path, PLAIN, stt="embedded", vad="none", tts="none", llm="none")
    assert str(it.value).count("is missing") == 1


def test_parts_of_the_agents_and_the_sessions_own_are_not_missed(tmp_path: Path) -> None:
    assert made_ready(tmp_path, BRINGS_ITS_OWN).userdata


def test_a_part_that_the_agent_alone_would_leave_open_is_missed(tmp_path: Path) -> None:
    with pytest.raises(AgentLoadError) as refused:
        made_ready(tmp_path, BRINGS_ITS_OWN, ":Assistant")
    assert "for stt" in str(refused.value)
    assert "for vad" in str(refused.value)
    assert "for tts" not in str(refused.value)
    assert "for llm" not in str(refused.value)


def test_a_realtime_model_needs_no_other_part(tmp_path: Path) -> None:
    source = """
from agent_runtime import Agent
from agent_runtime.testing import ScriptedRealtimeModel

assistant = Agent(instructions="", llm=ScriptedRealtimeModel())
"""
    assert made_ready(tmp_path, source).userdata


def test_nothing_is_made_twice_where_nothing_is_missing(tmp_path: Path) -> None:
    counted = PLAIN.replace("assistant =", "class Assistant(Agent):\n    def __init__(self): 1 / 0\n\nspare =")
    off = dict.fromkeys(("stt", "vad", "tts", "llm"), "none")
    process = made_ready(tmp_path, counted, ":Assistant", **off)
    (ready,) = process.userdata.values()
    with pytest.raises(AgentLoadError, match="division by zero"):
        asyncio.run(ready.code.build())
