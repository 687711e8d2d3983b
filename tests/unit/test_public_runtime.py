"""What `agent_runtime` offers, and what importing it costs."""

from __future__ import annotations

import json
import subprocess
import sys

import agent_runtime
import agent_runtime.voice

HEAVY = ("textual", "openai", "onnxruntime", "numpy", "livekit", "pydantic", "moonshine_voice", "xllamacpp", "hibari")
HEAVY_FOR_AGENTS = ("textual", "rich", "openai", "onnxruntime", "moonshine_voice", "xllamacpp", "hibari", "sounddevice")


def loaded(code: str) -> list[str]:
    script = f"{code}\nimport sys, json\nprint(json.dumps(sorted({{m.split('.')[0] for m in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return list(json.loads(done.stdout))


def test_every_public_name_is_there() -> None:
    for package in (agent_runtime, agent_runtime.voice):
        names = list(package.__all__)
        assert len(names) == len(set(names))
        for name in names:
            assert getattr(package, name) is not None, name
        assert not hasattr(package, "Unknown")
    assert set(dir(agent_runtime)) == set(agent_runtime.__all__)
    assert set(agent_runtime._NAMES) | set(agent_runtime._MODULES) == set(agent_runtime.__all__)


def test_importing_it_loads_nothing_heavy() -> None:
    assert not set(HEAVY) & set(loaded("import agent_runtime"))


def test_agents_and_sessions_need_no_model_runtime_and_no_screen() -> None:
    modules = loaded("from agent_runtime import Agent, AgentSession; import agent_runtime.testing")
    assert not set(HEAVY_FOR_AGENTS) & set(modules)
