"""Realtime models that stand in for each other, in a conversation."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agent_runtime.errors import APIConnectionError
from agent_runtime.llm import RealtimeModelFallbackAdapter
from agent_runtime.testing import Answer, ScriptedAudioInput, ScriptedRealtimeModel, VirtualClock, in_virtual_time
from tests.support.realtime import HELLO, session_of, talk


@in_virtual_time
async def test_the_next_model_goes_on():
    first = ScriptedRealtimeModel([HELLO], [Answer("Hi there.")], durations=[2.0])
    second = ScriptedRealtimeModel(answers=[Answer("I am back.")])
    adapter = RealtimeModelFallbackAdapter([first, second], clock=VirtualClock())
    changes: list[tuple[Any, bool]] = []
    adapter.on("realtime_availability_changed", lambda e: changes.append((e.realtime_model, e.available)))
    async with talk([HELLO], llm=adapter) as (stage, _):
        await stage.run_until(4.1)
        first.sessions[0].fail(APIConnectionError("gone"))
        await stage.run_until(8.0)
        assert changes == [(first, False)]
        assert first.sessions[0].closed
        error: Any = stage.of("error_occurred")[0].data
        assert error.recoverable
        assert session_of(second).instructions == "Be brief."
        assert [m.text_content for m in session_of(second).chat_ctx.messages()] == ["Hello", "Hi", "I am back."]
        assert stage.said()[-2:] == [("assistant", "Hi"), ("assistant", "I am back.")]


@in_virtual_time
async def test_a_model_comes_back_after_its_cooldown():
    models = [ScriptedRealtimeModel(), ScriptedRealtimeModel()]
    adapter = RealtimeModelFallbackAdapter([*models], cooldown=3.0, clock=VirtualClock())
    async with talk([], [], llm=adapter) as (stage, _):
        session_of(models[0]).fail(APIConnectionError("gone"))
        await stage.run_until(2.0)
        session_of(models[1]).push_audio(ScriptedAudioInput()._frame)
        await adapter.restart_session(switch_model=True)
        assert [len(m.sessions) for m in models] == [1, 2]
        await stage.run_until(3.5)
        await adapter.restart_session(switch_model=True)
        assert [len(m.sessions) for m in models] == [2, 2]


@in_virtual_time
async def test_one_that_fails_while_it_is_told_the_conversation_is_passed_over():
    class Failing(ScriptedRealtimeModel):
        def session(self, **more: Any) -> Any:
            session = super().session(**more)
            tell = session._update_session

            async def fail_meanwhile(**told: Any) -> None:
                session.fail(APIConnectionError("no line"))
                await asyncio.sleep(0.5)
                await tell(**told)

            session._update_session = fail_meanwhile
            return session

    models = [ScriptedRealtimeModel(), Failing(), ScriptedRealtimeModel()]
    adapter = RealtimeModelFallbackAdapter([*models], clock=VirtualClock())
    async with talk([], [], llm=adapter) as (stage, _):
        session_of(models[0]).fail(APIConnectionError("gone"))
        await stage.run_until(2.0)
        assert [len(m.sessions) for m in models] == [1, 1, 1]
        assert models[1].sessions[0].closed
        assert session_of(models[2]).instructions == "Be brief."
        assert all(event.data.recoverable for event in stage.of("error_occurred"))


@in_virtual_time
async def test_with_none_left_the_error_is_final():
    model = ScriptedRealtimeModel()
    adapter = RealtimeModelFallbackAdapter([model], clock=VirtualClock())
    async with talk([], [], llm=adapter) as (stage, _):
        session_of(model).fail(APIConnectionError("gone"))
        await stage.run_until(1.0)
        error: Any = stage.of("error_occurred")[0].data
        assert not error.recoverable


def test_models_that_need_different_sessions_are_refused():
    with pytest.raises(ValueError, match="audio_output"):
        RealtimeModelFallbackAdapter([ScriptedRealtimeModel(), ScriptedRealtimeModel(audio_output=False)])
    with pytest.raises(ValueError, match="at least one"):
        RealtimeModelFallbackAdapter([])


def test_it_can_do_what_all_can():
    adapter = RealtimeModelFallbackAdapter([ScriptedRealtimeModel(supports_say=True), ScriptedRealtimeModel()])
    assert not adapter.capabilities.supports_say
    assert adapter.capabilities.message_truncation
