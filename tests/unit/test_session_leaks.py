"""What a session leaves behind when it is over: nothing, though its providers and devices live on."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref

import pytest

from agent_runtime import Agent, AgentSession, function_tool
from agent_runtime.testing import (
    Answer,
    ScriptedAudioInput,
    ScriptedAudioOutput,
    ScriptedLLM,
    ScriptedSTT,
    ScriptedTTS,
    ScriptedVAD,
    UserSpeech,
    VirtualClock,
    run_virtual,
)

SPEECHES = [UserSpeech(0.5, 2.5, "Look it up"), UserSpeech(9.0, 10.0, "Wait"), UserSpeech(20.0, 21.0, "Look it up")]
FOUND = Answer("It is here, as far as I can see")
SESSIONS = 5


class Clerk(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="")

    @function_tool
    async def look(self) -> str:
        """Look it up."""
        await asyncio.sleep(1.0)
        return "found"

    @function_tool
    async def pass_on(self) -> Agent:
        """Hand over."""
        return Clerk()


async def _one_after_another(until: float) -> list[weakref.ref[object]]:
    clock = VirtualClock()
    vad, tts = ScriptedVAD(SPEECHES), ScriptedTTS()
    calls = Answer("One moment please", [("look", "{}"), ("pass_on", "{}")])
    answers = {"Look it up": calls, "found": FOUND, "": FOUND, "Wait": Answer("Yes")}
    llm = ScriptedLLM(by_input=answers)
    speaker, microphone = ScriptedAudioOutput(clock=clock), ScriptedAudioInput()
    seen: list[weakref.ref[object]] = []

    async def converse() -> None:
        stt = ScriptedSTT(SPEECHES)  # it remembers where its script is
        session: AgentSession[None] = AgentSession(
            stt=stt, vad=vad, llm=llm, tts=tts, clock=clock, turn_handling={"turn_detection": "vad"}
        )
        session.input.audio, session.output.audio = microphone, speaker
        told: list[object] = []
        session.on("conversation_item_added", told.append)
        session.events.subscribe(told.append)
        agent = Clerk()
        await session.start(agent)
        await asyncio.sleep(until)
        await session.aclose()
        assert told
        seen.extend(weakref.ref(part) for part in (session, session._engine, session.history, agent))

    for _ in range(SESSIONS):
        await converse()
    await asyncio.sleep(60.0)  # timers that were called off come due
    assert asyncio.all_tasks() == {asyncio.current_task()}
    gc.collect()
    return seen


@pytest.mark.parametrize("until", [0.0, 2.8, 3.3, 5.0, 10.2, 40.0])
def test_nothing_holds_on_to_a_session_that_is_over(until: float) -> None:
    threads = threading.active_count()
    seen = run_virtual(_one_after_another(until))
    assert len(seen) == 4 * SESSIONS
    assert [ref() for ref in seen if ref() is not None] == []
    assert threading.active_count() == threads
