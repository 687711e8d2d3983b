"""Test agents without models, devices or waiting: virtual time, and scripted parts for every end of a session.

@in_virtual_time
async def test_it_answers() -> None:
    speeches = [UserSpeech(0.5, 2.5, "Hello")]
    async with scripted_session(speeches, answers=[Answer("Hi!")]) as stage:
        await stage.session.start(MyAgent())
        await stage.run_until(6.0)
        assert stage.times("agent_state_changed", new="speaking") == [3.2]

`docs/testing.md` shows the rest: tests by text, tools that are mocked, messages that a model judges.
"""

from agent_runtime.testing.fake_job import fake_job_context
from agent_runtime.testing.scripted import Answer, ScriptedLLM, ScriptedSTT, ScriptedTTS, ScriptedVAD, UserSpeech
from agent_runtime.testing.scripted_io import (
    Played,
    ScriptedAudioInput,
    ScriptedAudioOutput,
    ScriptedTextOutput,
)
from agent_runtime.testing.scripted_realtime import ScriptedRealtimeModel, ScriptedRealtimeSession
from agent_runtime.testing.stage import Stage, scripted_session
from agent_runtime.testing.virtual_time import (
    EPOCH,
    VirtualClock,
    VirtualTimeError,
    VirtualTimeLoop,
    in_virtual_time,
    run_virtual,
)

__all__ = [
    "EPOCH",
    "Answer",
    "Played",
    "ScriptedAudioInput",
    "ScriptedAudioOutput",
    "ScriptedLLM",
    "ScriptedRealtimeModel",
    "ScriptedRealtimeSession",
    "ScriptedSTT",
    "ScriptedTTS",
    "ScriptedTextOutput",
    "ScriptedVAD",
    "Stage",
    "UserSpeech",
    "VirtualClock",
    "VirtualTimeError",
    "VirtualTimeLoop",
    "fake_job_context",
    "in_virtual_time",
    "run_virtual",
    "scripted_session",
]
