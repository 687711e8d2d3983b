"""What `docs/realtime.md` shows runs, and does what it says."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from livekit.rtc import AudioFrame, VideoBufferType, VideoFrame

from agent_runtime import Agent, AgentSession, function_tool, llm
from agent_runtime.io import VideoInput
from agent_runtime.testing import (
    Answer,
    ScriptedRealtimeModel,
    UserSpeech,
    in_virtual_time,
    run_virtual,
    scripted_session,
)
from agent_runtime.types import NOT_GIVEN
from agent_runtime.utils import images
from agent_runtime.voice import ModelSettings, VoiceActivityVideoSampler
from tests.support.duplex import FakeDuplexModel, sound
from tests.support.realtime import talk

PAGE = (Path(__file__).parents[2] / "docs" / "realtime.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
USED: dict[str, Any] = {
    used.__name__.rpartition(".")[2]: used
    for used in (
        Agent,
        AgentSession,
        Answer,
        AudioFrame,
        ScriptedRealtimeModel,
        UserSpeech,
        VoiceActivityVideoSampler,
        images,
        in_virtual_time,
        llm,
        scripted_session,
    )
}


@function_tool
async def look() -> str:
    """Look."""
    return "seen"


def run(marker: str, **names: Any) -> dict[str, Any]:
    """The one snippet with `marker` in it, run with these names."""
    (code,) = (snippet for snippet in SNIPPETS if marker in snippet)
    exec(code, known := {"np": np, "asyncio": asyncio, "NOT_GIVEN": NOT_GIVEN, **USED, **names})
    return known


def test_every_snippet_is_tried() -> None:
    assert len(SNIPPETS) == 9


@in_virtual_time
async def test_a_session_takes_a_realtime_model() -> None:
    model = ScriptedRealtimeModel()
    assert run("AgentSession(llm=model)\n", model=model)["session"].llm is model


def test_openais_model_is_given_to_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")

    async def scenario() -> None:
        model = run("realtime import RealtimeModel")["session"].llm
        assert isinstance(model, llm.RealtimeModel)
        assert (model.model, model.provider) == ("gpt-realtime", "api.openai.com")

    run_virtual(scenario())


def test_the_sound_is_softer() -> None:
    heard: list[int] = []
    softly: type[Any] = run("class Softly")["Softly"]

    async def sounds() -> AsyncGenerator[AudioFrame]:
        yield AudioFrame(np.full(4, 1000, np.int16).tobytes(), 24000, 1, 4)

    async def scenario() -> None:
        async with talk(agent=softly(instructions="")) as (stage, _):
            node: Any = stage.session.current_agent.realtime_audio_output_node(sounds(), ModelSettings())
            heard.extend([int(frame.data[0]) async for frame in node])
            await stage.run_until(6.0)
            assert stage.said()[-1] == ("assistant", "Hi there.")

    run_virtual(scenario())
    assert heard == [500]


@in_virtual_time
async def test_a_parrot_is_a_duplex_model() -> None:
    session: AgentSession[Any] = run("class Parrot(")["session"]
    async with scripted_session([], llm=session.llm, stt=None, tts=None, vad=None) as stage:
        await stage.session.start(Agent(instructions="", tools=[look]))
        duplex: Any = stage.session.current_agent.duplex_session
        duplex.push_audio(sound(0))
        for _ in range(100):
            duplex.push_audio(sound())
        await stage.run_until(5.0)
        assert list(duplex.tools.function_tools) == ["look"]
        assert stage.times("playout_started") == [1.0]


async def test_a_duplex_model_is_given_a_gate() -> None:
    made = run("llm.FixedGate", model=FakeDuplexModel())
    assert made["session"].llm is made["adapter"]
    assert isinstance(made["adapter"]._gate(), llm.FixedGate)


def test_models_stand_in_for_each_other() -> None:
    made = run("RealtimeModelFallbackAdapter", first=ScriptedRealtimeModel(), second=ScriptedRealtimeModel())
    assert isinstance(made["model"], llm.RealtimeModel)


@in_virtual_time
async def test_a_camera_is_looked_at() -> None:
    class Camera(VideoInput):
        async def __anext__(self) -> VideoFrame:
            raise StopAsyncIteration

    made = run("session.input.video = camera", model=ScriptedRealtimeModel(), camera=(camera := Camera(label="camera")))
    assert made["session"].input.video is camera


def test_a_picture_is_made() -> None:
    frame = VideoFrame(width=40, height=20, type=VideoBufferType.RGBA, data=bytes(40 * 20 * 4))
    assert run("images.encode", frame=frame)["picture"].startswith(b"\x89PNG")


def test_the_test_passes() -> None:
    run("def test_it_answers")["test_it_answers"]()
