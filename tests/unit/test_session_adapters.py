"""Providers of whole texts and buffers in a session: one adapter each, and nothing left of it afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from agent_runtime import Agent, AgentSession
from agent_runtime.stt import STT, STTCapabilities
from agent_runtime.testing import (
    Answer,
    ScriptedAudioInput,
    ScriptedAudioOutput,
    ScriptedLLM,
    ScriptedVAD,
    in_virtual_time,
)
from tests.support.fake_speech import FakeTTS


class Whole(STT[Any]):
    """Recognises whole buffers, which it is never given here."""

    def __init__(self) -> None:
        super().__init__(capabilities=STTCapabilities(streaming=False, interim_results=False))

    async def _recognize_impl(self, buffer: Any, **_: Any) -> Any:
        raise NotImplementedError


def listens(part: Any) -> bool:
    return any(part.has_listeners(event) for event in ("metrics_collected", "error"))


@in_virtual_time
async def test_a_provider_keeps_its_adapter_through_changes_and_is_left_at_the_end():
    stt, vad = Whole(), ScriptedVAD([])
    voices = [FakeTTS(0.5, streaming=False) for _ in range(2)]
    session: AgentSession[None] = AgentSession(stt=stt, vad=vad, tts=voices[0], llm=ScriptedLLM([Answer("Hello.")] * 9))
    session.input.audio, session.output.audio = ScriptedAudioInput(), ScriptedAudioOutput()
    async with session:
        await session.start(Agent(instructions="One."))
        first = (session._engine.stt, session._engine.tts)
        assert first[0].wrapped_stt is stt
        assert first[1].wrapped_tts is voices[0]
        session.update_options(turn_handling={"endpointing": {"min_delay": 0.3}})
        session.update_agent(Agent(instructions="Two.", tts=voices[1]))
        await session.run(user_input="Hi")
        assert session._engine.tts.wrapped_tts is voices[1]
        session.update_agent(Agent(instructions="Three."))
        await session.run(user_input="Hi")
        assert (session._engine.stt, session._engine.tts) == first
        assert all(map(listens, (stt, *voices)))
    assert not any(map(listens, (stt, *voices)))


@in_virtual_time
async def test_a_recogniser_of_whole_buffers_needs_a_detector():
    async with AgentSession(stt=Whole(), vad=None, tts=None, llm=ScriptedLLM([])) as session:
        with pytest.raises(ValueError, match="needs a vad beside it"):
            await session.start(Agent(instructions=""))
