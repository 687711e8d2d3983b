"""Conversations by a duplex model, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agent_runtime import Agent, AgentTask, TaskGroup, function_tool
from agent_runtime.llm import DuplexRealtimeAdapter, FixedGate, RealtimeModelError
from agent_runtime.metrics import Metadata, RealtimeModelMetrics
from agent_runtime.testing import ScriptedLLM, ScriptedTTS, Stage, in_virtual_time, scripted_session
from agent_runtime.types import NOT_GIVEN
from agent_runtime.voice import CloseEvent, CloseReason
from agent_runtime.voice.circuits import name_of
from tests.support.duplex import FakeDuplexModel, FakeDuplexSession


@asynccontextmanager
async def talk(
    model: FakeDuplexModel | None = None, agent: Agent | None = None, **options: Any
) -> AsyncGenerator[tuple[Stage, FakeDuplexSession]]:
    model = model or FakeDuplexModel()
    parts: dict[str, Any] = {"stt": None, "tts": None, "llm": model, "vad": NOT_GIVEN, **options}
    async with scripted_session([], **parts) as stage:
        await stage.session.start(agent or Agent(instructions="Be brief."))
        await stage.run_until(0.1)
        yield stage, model.sessions[0]


@function_tool
async def weather() -> str:
    """The weather."""
    return "sunny"


@in_virtual_time
async def test_a_conversation():
    async with talk() as (stage, duplex):
        assert duplex.told == ["Be brief.", [], set()]
        duplex.user_starts()
        await stage.run_until(1.0)
        duplex.user_stops("Hello")
        await stage.run_until(1.2)
        duplex.speak("Hi there.", 1.0)
        await stage.run_until(4.0)
        assert stage.timeline("user_state_changed", "agent_state_changed", "item_added", "playout_finished")[1:] == [
            (0.1, "user speaking"),
            (1.0, "user listening"),
            (1.0, "user item"),
            (1.22, "agent thinking"),
            (1.22, "agent speaking"),
            (2.7, "played 1.48"),
            (2.7, "assistant item"),
            (2.7, "agent listening"),
        ]
        assert stage.said()[-2:] == [("user", "Hello"), ("assistant", "Hi there.")]
        assert duplex.heard > 75


@in_virtual_time
async def test_the_user_may_speak_while_the_agent_does():
    async with talk() as (stage, duplex):
        duplex.speak("One two three four.", 4.0)
        await stage.run_until(1.0)
        duplex.user_starts()
        await stage.run_until(1.5)
        duplex.user_stops("Mm-hm")
        await stage.run_until(6.0)
        assert stage.times("playout_finished", interrupted=False) == [4.6]
        assert stage.said()[-2:] == [("assistant", "One two three four."), ("user", "Mm-hm")]


@in_virtual_time
async def test_what_is_cut_by_hand_is_remembered_as_heard_and_the_model_keeps_it():
    async with talk() as (stage, duplex):
        duplex.speak("One two three four.", 4.0)
        await stage.run_until(1.6)
        await stage.session.interrupt()
        await stage.run_until(6.0)
        assert stage.times("playout_finished", interrupted=True) == [1.6]
        [message] = [item for item in stage.session.history.messages() if item.role == "assistant"]
        assert (message.text_content, message.interrupted) == ("One", True)
        assert [m.text_content for m in stage.session.current_agent.realtime_llm_session.chat_ctx.messages()] == [
            "One two three four."
        ]


@pytest.mark.parametrize(("by_itself", "told"), [(True, []), (False, [("tool_choice", "auto"), ("asked", None)])])
@in_virtual_time
async def test_a_tool_runs_while_the_model_speaks(by_itself: bool, told: list[Any]):
    model = FakeDuplexModel(auto_tool_reply_generation=by_itself)
    async with talk(model, Agent(instructions="Be brief.", tools=[weather])) as (stage, duplex):
        duplex.speak("Let me look.", 1.0)
        await stage.run_until(0.5)
        duplex.call("weather")
        await stage.run_until(3.0)
        assert stage.times("tool_finished") == [0.5]
        assert duplex.told[3:] == [["sunny"], *told]
        duplex.speak("It is sunny.", 1.0)
        await stage.run_until(6.0)
        assert [text for role, text in stage.said() if role == "assistant"] == ["Let me look.", "It is sunny."]
        assert stage.session.current_speech is None


@in_virtual_time
async def test_a_call_in_silence_is_carried_out_too():
    async with talk(agent=Agent(instructions="Be brief.", tools=[weather])) as (stage, duplex):
        duplex.call("weather")
        await stage.run_until(1.0)
        assert duplex.told[-1] == ["sunny"]
        kinds = [item.type for item in stage.session.history.items if item.type.startswith("function")]
        assert kinds == ["function_call", "function_call_output"]


@in_virtual_time
async def test_a_reply_is_asked_for_and_refused():
    async with talk() as (stage, duplex):
        speech = stage.session.generate_reply(instructions="Greet.")
        await stage.run_until(0.5)
        assert duplex.told[-1] == ("asked", "Greet.")
        duplex.speak("Hello.", 1.0)
        await stage.run_until(3.0)
        assert speech.done()
        assert [item.text_content for item in speech.chat_items] == ["Hello."]  # type: ignore[union-attr]
        stage.session.generate_reply()
        await stage.run_until(14.0)
        error: Any = stage.of("error_occurred")[0].data
        assert error.message.startswith("RealtimeError: the model didn't speak within 10 s")
        assert stage.session.agent_state == "listening"


@in_virtual_time
async def test_the_next_agent_has_a_session_of_its_own():
    model = FakeDuplexModel()
    async with talk(model) as (stage, first):
        stage.session.update_agent(Agent(instructions="Be long.", tools=[weather]))
        await stage.run_until(0.2)
        assert first.told[-1] == "closed"
        assert model.sessions[1].told == ["Be long.", [], {"weather"}]
        assert stage.session.current_agent.duplex_session is model.sessions[1]


@in_virtual_time
async def test_a_model_that_can_be_told_of_the_next_agent_goes_on():
    model = FakeDuplexModel(mutable_tools=True, mutable_instructions=True, mutable_chat_context=True)
    async with talk(model) as (stage, first):
        first.user_stops("Hello")
        await stage.run_until(0.2)
        stage.session.update_agent(
            Agent(instructions="Be long.", tools=[weather], chat_ctx=stage.session.current_agent.chat_ctx)
        )
        await stage.run_until(0.3)
        assert model.sessions == [first]
        assert first.told[3:] == ["Be long.", {"weather"}]


@in_virtual_time
async def test_only_an_agent_on_a_duplex_model_has_its_session():
    model = FakeDuplexModel()
    agent = Agent(instructions="Be brief.")
    with pytest.raises(RuntimeError, match="not running"):
        _ = agent.duplex_session
    async with talk(model, agent) as (stage, duplex):
        assert agent.duplex_session is duplex
        agent.update_options(llm=ScriptedLLM())
        with pytest.raises(RuntimeError, match="no duplex model"):
            _ = agent.duplex_session
        agent.update_options(llm=FakeDuplexModel())
        await stage.run_until(0.2)
        assert agent.duplex_session is not duplex
    assert isinstance(AgentTask.duplex_session, property)
    assert isinstance(TaskGroup.duplex_session, property)


def test_people_know_a_duplex_model_by_its_own_name():
    class Nameless(FakeDuplexModel):
        @property
        def model(self) -> str:
            return "unknown"

    assert name_of(DuplexRealtimeAdapter(FakeDuplexModel())) == "fake-duplex"
    assert name_of(DuplexRealtimeAdapter(Nameless())) == "Nameless"


async def test_a_duplex_model_is_wrapped_wherever_it_is_given():
    model = FakeDuplexModel()
    assert isinstance(Agent(instructions="", llm=model).llm, DuplexRealtimeAdapter)
    adapter = DuplexRealtimeAdapter(model, gate=lambda: FixedGate(0.01), audio_timeout=0.3)
    assert Agent(instructions="", llm=adapter).llm is adapter


@in_virtual_time
async def test_a_given_text_is_said_by_a_voice():
    async with talk(tts=ScriptedTTS([1.0])) as (stage, duplex):
        await stage.session.say("Welcome.")
        await stage.run_until(2.0)
        assert stage.said()[-1] == ("assistant", "Welcome.")
        assert len(duplex.told) == 3


@in_virtual_time
async def test_what_the_model_measures_is_counted():
    async with talk() as (stage, duplex):
        duplex._report_connection_acquired(0.25)
        duplex.emit(
            "metrics_collected",
            RealtimeModelMetrics(
                request_id="r",
                timestamp=0.0,
                label="fake",
                input_tokens=7,
                output_tokens=3,
                total_tokens=10,
                metadata=Metadata(model_name="fake-duplex", model_provider="fake"),
                input_token_details=RealtimeModelMetrics.InputTokenDetails(),
                output_token_details=RealtimeModelMetrics.OutputTokenDetails(),
            ),
        )
        [usage] = stage.session.usage.model_usage
        assert (usage.input_tokens, usage.output_tokens) == (7, 3)  # type: ignore[union-attr]


@in_virtual_time
async def test_words_without_sound_are_part_of_the_conversation():
    async with talk() as (stage, duplex):
        duplex.words("Hm.")
        await stage.run_until(4.0)
        assert stage.said()[-1] == ("assistant", "Hm.")
        assert stage.session.agent_state == "listening"
        duplex.speak("Well", 1.0)
        await stage.run_until(7.0)
        duplex.words(" now.", 9100, 9200)
        await stage.run_until(8.0)
        assert [text for role, text in stage.said() if role == "assistant"] == ["Hm.", "Well", " now."]
        assert [event.data.position for event in stage.of("playout_finished")] == [0.0, 1.48, 0.0]  # type: ignore[union-attr]


class Reader(Agent):
    async def transcription_node(self, text: Any, model_settings: Any) -> Any:
        async for piece in text:
            yield piece.upper()


@pytest.mark.parametrize("aligned", [True, False])
@in_virtual_time
async def test_words_without_sound_are_read_by_the_agents_own_node(aligned: bool):
    agent = Reader(instructions="", use_tts_aligned_transcript=aligned)
    async with talk(agent=agent, tts=ScriptedTTS([1.0], aligned=True)) as (stage, duplex):
        duplex.words("Hm.")
        await stage.run_until(5.0)
        assert stage.said()[-1] == ("assistant", "HM.")
        assert stage.session.agent_state == "listening"


@in_virtual_time
async def test_sound_that_fails_ends_the_session():
    async with talk() as (stage, duplex):
        closed: list[CloseEvent] = []
        stage.session.on("close", closed.append)
        duplex.failure = ConnectionError("gone")
        await stage.run_until(1.0)
        assert [(event.reason, type(event.error)) for event in closed] == [(CloseReason.ERROR, RealtimeModelError)]
        assert duplex.told[-1] == "closed"


@in_virtual_time
async def test_a_model_that_refuses_its_configuration_ends_the_session():
    class Refusing(FakeDuplexModel):
        def session(self) -> FakeDuplexSession:
            session = super().session()

            async def refuse(_: str) -> None:
                raise ValueError("too long")

            session._update_instructions = refuse  # type: ignore[method-assign]  # as a provider's would
            return session

    async with talk(Refusing()) as (stage, duplex):
        assert duplex.told == ["closed"]
        error: Any = stage.of("error_occurred")[0].data
        assert "too long" in error.message
        assert not error.recoverable
        with pytest.raises(RuntimeError):
            stage.session.generate_reply()
