"""A scripted session in which a realtime model talks."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from agent_runtime import Agent
from agent_runtime.testing import (
    Answer,
    ScriptedRealtimeModel,
    ScriptedRealtimeSession,
    Stage,
    UserSpeech,
    scripted_session,
)
from agent_runtime.types import NOT_GIVEN

HELLO = UserSpeech(0.5, 2.5, "Hello")


@asynccontextmanager
async def talk(
    speeches: Sequence[UserSpeech] = (HELLO,),
    answers: Sequence[Answer] = (Answer("Hi there."),),
    *,
    durations: Sequence[float] = (2.0,),
    agent: Agent | None = None,
    capabilities: dict[str, bool] | None = None,
    **options: Any,
) -> AsyncGenerator[tuple[Stage, ScriptedRealtimeModel]]:
    """A stage on which a realtime model talks."""
    model = ScriptedRealtimeModel(speeches, answers, durations=durations, **(capabilities or {}))
    parts: dict[str, Any] = {"stt": None, "tts": None, "llm": model, "vad": NOT_GIVEN, **options}
    async with scripted_session(speeches, **parts) as stage:
        await stage.session.start(agent or Agent(instructions="Be brief."))
        yield stage, model


def session_of(model: ScriptedRealtimeModel) -> ScriptedRealtimeSession:
    return model.sessions[-1]
