"""Conversations with agents whose code goes wrong anywhere, under random scripts: the session bears it, and ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent_runtime import Agent, APIConnectionError, function_tool
from agent_runtime.testing import Answer, Stage, UserSpeech, run_virtual, scripted_session
from tests.property import test_turn_session_property as usual

HANG = 9.0
CALMS_DOWN = 40.0
"""Seconds after which nothing that hung does any more."""
CLOSES_WITHIN = 25.0
WAYS = ["well", "well", "raises", "hangs", "speaks", "wrong type"]
PLACES = ["on_enter", "on_exit", "on_user_turn_completed", "llm_node", "tts_node", "transcription_node"]


class Bad(usual.Busy):
    """Does in each place what `ways` says; its tools hang, too, and one doesn't care that it is cancelled."""

    def __init__(self, ways: dict[str, str]) -> None:
        super().__init__()
        self.ways = ways

    async def _hook(self, place: str) -> None:
        match self.ways.get(place):
            case "raises":
                raise RuntimeError(f"{place} is broken")
            case "hangs":
                await asyncio.sleep(HANG)
            case "speaks":
                self.session.say("From a hook")

    async def on_enter(self) -> None:
        await self._hook("on_enter")

    async def on_exit(self) -> None:
        await self._hook("on_exit")

    async def on_user_turn_completed(self, turn_ctx: Any, new_message: Any) -> None:
        await self._hook("on_user_turn_completed")

    async def _node(self, place: str, pieces: Any) -> AsyncIterator[Any]:
        way = self.ways.get(place)
        if way == "raises":
            raise RuntimeError(f"{place} is broken")
        async for piece in pieces:
            if way == "wrong type":
                yield 17
                return
            yield piece
        if way == "hangs":
            await asyncio.sleep(HANG)

    def llm_node(self, chat_ctx: Any, tools: Any, model_settings: Any) -> Any:
        return self._node("llm_node", Agent.default.llm_node(self, chat_ctx, tools, model_settings))

    def tts_node(self, text: Any, model_settings: Any) -> Any:
        return self._node("tts_node", Agent.default.tts_node(self, text, model_settings))

    def transcription_node(self, text: Any, model_settings: Any) -> Any:
        return self._node("transcription_node", Agent.default.transcription_node(self, text, model_settings))

    @function_tool
    async def moves(self) -> Any:
        """Hand over for good."""
        return Bad(self.ways), "moved"

    @function_tool
    async def hangs(self) -> str:
        """Take far too long."""
        await asyncio.sleep(2 * HANG)
        return "hung"

    @function_tool
    async def stubborn(self) -> str:
        """Go on when it is told to stop."""
        for _ in range(3):
            try:
                await asyncio.sleep(1.5)
            except asyncio.CancelledError:
                continue
        return "stubborn"


ANSWERS = st.lists(
    st.builds(
        Answer,
        st.sampled_from(["", "Yes.", "Let me think about this for a little while and then tell you."]),
        st.lists(st.sampled_from([(name, "{}") for name in [*usual.TOOLS, "hangs", "stubborn"]]), max_size=2),
        st.sampled_from([0.0, 0.1, 0.8]),
        st.sampled_from([0.0, 0.3, 2.0]),
        st.sampled_from([None, None, None, APIConnectionError("no line", retryable=False)]),
    ),
    min_size=40,
    max_size=40,
)
ACTIONS = st.lists(
    st.tuples(
        st.floats(0.0, 30.0),
        st.sampled_from(
            [
                *("text", "say", "interrupt", "press", "send", "discard", "commit", "clear"),
                *("new code", "hand over", "cancel", "complete", "no voice", "protected", "sound"),
            ]
        ),
    ),
    max_size=7,
)


async def perform(stage: Stage, action: str, ways: dict[str, str]) -> None:
    session = stage.session
    match action:
        case "no voice":
            stage.tts.error = APIConnectionError("no voice", retryable=False)
        case "protected":
            session.generate_reply(instructions="Don't let them interrupt.", allow_interruptions=False)
        case "new code":
            session.swap_agent(Bad(ways))
        case "hand over":
            session.update_agent(Bad(ways))
        case "sound":
            session.output.set_audio_enabled(not session.output.audio_enabled)
        case _:
            await usual.perform(stage, action)


async def calm_down(stage: Stage, ways: dict[str, str], end: float) -> None:
    """Once the code is well again and nobody does anything, the agent listens."""
    ways.clear()
    stage.llm.answers = [Answer("Yes.")] * 80
    stage.session.push_to_talk.discard()
    stage.session.interrupt(force=True)
    await stage.run_until(end + CALMS_DOWN)
    assert stage.session.agent_state == "listening"
    assert stage.session.current_speech is None


async def converse(
    stage: Stage, actions: list[tuple[float, str]], ways: dict[str, str], *, end: float, early: bool
) -> None:
    await stage.session.start(Bad(ways))
    for at, action in sorted(actions):
        if at < end:
            await stage.run_until(at)
            await perform(stage, action, ways)
    if early:
        await stage.run_until(end)
    else:
        await calm_down(stage, ways, end)
    closing = stage.now
    await stage.session.aclose()
    assert stage.now - closing < CLOSES_WITHIN


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.data_too_large, HealthCheck.too_slow])
@given(
    usual.speeches(),
    ANSWERS,
    ACTIONS,
    st.fixed_dictionaries({place: st.sampled_from(WAYS) for place in PLACES}),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.floats(0.0, 30.0),
    st.sampled_from(usual.HANDLING),
)
def test_any_conversation_with_a_bad_agent(
    said: list[UserSpeech],
    answers: list[Answer],
    actions: list[tuple[float, str]],
    ways: dict[str, str],
    can_pause: bool,
    aligned: bool,
    early: bool,
    close_at: float,
    handling: dict[str, Any],
) -> None:
    well_heard = "wrong type" not in (ways["tts_node"], ways["transcription_node"])
    unhandled: list[dict[str, Any]] = []

    async def scenario() -> Stage:
        options: dict[str, Any] = {"conn_options": usual.NO_RETRY, "can_pause": can_pause, "aligned": aligned}
        options |= {"turn_handling": handling, "transcription_timeout": 1.5}
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
        async with scripted_session(said, answers=answers, **options) as stage:
            await converse(stage, actions, dict(ways), end=close_at if early else usual.END, early=early)
        return stage

    stage = run_virtual(scenario())  # fails where a task is left over
    assert not unhandled
    usual.check_tools(stage)
    usual.check_order(stage)
    usual.check_interruptions(stage)
    usual.check_parts(stage)
    if well_heard:
        usual.check_heard(stage)
