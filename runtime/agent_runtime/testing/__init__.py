"""Test agents without models, devices or waiting: virtual time, and scripted parts for every end of a session.

def test_it_answers() -> None:
    async def scenario() -> None:
        speeches = [UserSpeech(0.5, 2.5, "Hello")]
        async with scripted_session(speeches, answers=[Answer("Hi!")]) as stage:
            await stage.session.start(MyAgent())
            await stage.run_until(6.0)
            assert stage.times("agent_state_changed", new="speaking") == [3.2]

    run_virtual(scenario())
"""

from agent_runtime.testing.scripted import Answer, ScriptedLLM, ScriptedSTT, ScriptedTTS, ScriptedVAD, UserSpeech
from agent_runtime.testing.scripted_io import (
    Played,
    ScriptedAudioInput,
    ScriptedAudioOutput,
    ScriptedTextOutput,
)
from agent_runtime.testing.stage import Stage, scripted_session
from agent_runtime.testing.virtual_time import (
    EPOCH,
    VirtualClock,
    VirtualTimeError,
    VirtualTimeLoop,
    run_virtual,
)

__all__ = [
    "EPOCH",
    "Answer",
    "Played",
    "ScriptedAudioInput",
    "ScriptedAudioOutput",
    "ScriptedLLM",
    "ScriptedSTT",
    "ScriptedTTS",
    "ScriptedTextOutput",
    "ScriptedVAD",
    "Stage",
    "UserSpeech",
    "VirtualClock",
    "VirtualTimeError",
    "VirtualTimeLoop",
    "run_virtual",
    "scripted_session",
]
