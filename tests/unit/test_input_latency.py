"""Speech is told at the time when it was in the air, not when its frames came."""

from __future__ import annotations

import pytest

from agent_runtime import Agent
from agent_runtime.testing import Answer, ScriptedAudioInput, UserSpeech, run_virtual, scripted_session


@pytest.mark.parametrize("latency", [0.0, 0.08])
def test_a_microphone_that_is_late_sets_speech_back_by_its_latency(latency: float) -> None:
    async def talk() -> tuple[list[float], float | None]:
        async with scripted_session([UserSpeech(0.5, 2.5, "Hello?")], answers=[Answer("Hi.")]) as stage:
            stage.session.input.audio = ScriptedAudioInput(latency=latency)
            await stage.session.start(Agent(instructions="Be brief."))
            await stage.run_until(5.0)
            states = [e.data.at for e in stage.of("user_state_changed")]
            return states, stage.of("turn_committed")[0].data.speech_ended_at

    states, ended = run_virtual(talk())
    assert states == pytest.approx([0.5 - latency, 2.5 - latency])
    assert ended == pytest.approx(2.5 - latency)
