"""Conversations by a realtime model, in virtual time."""

from __future__ import annotations

from typing import Any

import pytest

from agent_runtime import Agent, AgentTask, StopResponse, function_tool
from agent_runtime.errors import APIConnectionError
from agent_runtime.llm import RealtimeModelError
from agent_runtime.testing import (
    Answer,
    ScriptedAudioOutput,
    ScriptedRealtimeModel,
    ScriptedSTT,
    ScriptedTTS,
    ScriptedVAD,
    UserSpeech,
    VirtualClock,
    in_virtual_time,
)
from agent_runtime.types import NOT_GIVEN
from agent_runtime.voice import CloseEvent, CloseReason
from tests.support.realtime import HELLO, session_of, talk

FIRST = "one"
"""What is heard of four words in the first of their four seconds."""


@in_virtual_time
async def test_the_model_takes_the_turn_and_answers():
    async with talk() as (stage, model):
        await stage.run_until(7.0)
        assert stage.timeline("user_state_changed", "agent_state_changed", "playout_finished", "item_added") == [
            (0.0, "agent listening"),
            (0.5, "user speaking"),
            (3.0, "user listening"),
            (3.0, "agent thinking"),
            (3.1, "agent speaking"),
            (3.2, "user item"),
            (5.1, "played 2.00"),
            (5.1, "assistant item"),
            (5.1, "agent listening"),
        ]
        assert stage.said()[-2:] == [("user", "Hello"), ("assistant", "Hi there.")]
        assert session_of(model).instructions == "Be brief."
        assert [item.id for item in session_of(model).chat_ctx.messages()] == [
            item.id for item in stage.session.history.messages() if item.role != "system"
        ]


@in_virtual_time
async def test_everything_of_a_turn_is_told_in_that_turn():
    async with talk() as (stage, _):
        await stage.run_until(7.0)
        kinds = ("turn_committed", "user_transcribed", "item_added", "llm_started", "playout_started", "turn_measured")
        assert {event.turn_id for event in stage.of(*kinds) if event.time > 0} == {"turn_1"}
        measured: Any = stage.of("turn_measured")[0].data
        assert [part.name for part in measured.parts] == ["llm"]
        assert measured.end - measured.start == pytest.approx(0.1)
        finished: Any = stage.of("llm_finished")[0].data
        assert (finished.prompt_tokens, finished.completion_tokens, finished.cancelled) == (10, 2, False)
        usage: Any = stage.session.usage.model_usage[0]
        assert (usage.model, usage.output_tokens) == ("scripted-realtime", 2)


@pytest.mark.parametrize("truncates", [True, False])
@in_virtual_time
async def test_an_interruption_keeps_what_was_heard(truncates: bool):
    speeches = [HELLO, UserSpeech(4.1, 5.0, "Stop")]
    answers = [Answer("one two three four"), Answer("Sorry.")]
    async with talk(speeches, answers, durations=[4.0, 1.0], capabilities={"message_truncation": truncates}) as parts:
        stage, model = parts
        await stage.run_until(8.0)
        heard = stage.said()[2 if stage.said()[0][0] == "system" else 1]
        assert stage.times("playout_finished", interrupted=True) == [4.1]
        assert heard[0] == "assistant"
        assert heard[1] == FIRST
        message = next(m for m in stage.session.history.messages() if m.role == "assistant")
        assert message.interrupted
        assert session_of(model).truncations == ([(message.id, 1000, heard[1])] if truncates else [])
        assert stage.said()[-2:] == [("user", "Stop"), ("assistant", "Sorry.")]


class Weatherman(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Tell the weather.")

    @function_tool
    async def weather(self, place: str) -> str:
        """The weather."""
        return f"sunny in {place}"


CALL = Answer(tool_calls=[("weather", '{"place": "Oslo"}')])


@pytest.mark.parametrize("by_itself", [True, False])
@in_virtual_time
async def test_a_tool_is_called_and_answered_to(by_itself: bool):
    capabilities = {"auto_tool_reply_generation": by_itself}
    async with talk(answers=[CALL, Answer("It is sunny.")], agent=Weatherman(), capabilities=capabilities) as parts:
        stage, model = parts
        await stage.run_until(8.0)
        remote = session_of(model)
        assert list(remote.tools.function_tools) == ["weather"]
        assert [item.type for item in remote.chat_ctx.items] == [
            "message",
            "function_call",
            "function_call_output",
            "message",
        ]
        assert stage.said()[-1] == ("assistant", "It is sunny.")
        assert stage.times("tool_finished") == [3.1]
        assert stage.times("playout_started") == [3.2]
        assert len({event.data.speech_id for event in stage.of("speech_finished")}) == 1  # type: ignore[union-attr]
        local = {item.id for item in stage.session.history.items if item.type.startswith("function_call")}
        assert local == {item.id for item in remote.chat_ctx.items if item.type.startswith("function_call")}
        assert remote.tool_choices == ([] if by_itself else ["auto"])


@in_virtual_time
async def test_a_handoff_gives_the_model_the_next_agent():
    class First(Agent):
        @function_tool
        async def pass_on(self) -> Agent:
            """Pass on."""
            return Weatherman()

    model_answers = [Answer(tool_calls=[("pass_on", "{}")]), Answer("Sunny.")]
    speeches = [HELLO, UserSpeech(5.0, 6.0, "And the weather?")]
    async with talk(speeches, model_answers, agent=First(instructions="Pass on.")) as (stage, model):
        await stage.run_until(10.0)
        assert len(model.sessions) == 1
        assert session_of(model).instructions == "Tell the weather."
        assert list(session_of(model).tools.function_tools) == ["weather"]
        assert stage.said()[-2:] == [("user", "And the weather?"), ("assistant", "Sunny.")]
        assert stage.session.current_agent.realtime_llm_session is session_of(model)


@in_virtual_time
async def test_a_failure_in_mid_reply_is_told_and_the_conversation_goes_on():
    answers = [Answer("Hi there."), Answer("Again.")]
    async with talk([HELLO, UserSpeech(7.0, 8.0, "Hm?")], answers, durations=[2.0, 1.0]) as (stage, model):
        await stage.run_until(4.1)
        session_of(model).fail(APIConnectionError("gone"), recoverable=True)
        await stage.run_until(12.0)
        error: Any = stage.of("error_occurred")[0].data
        assert error.source == "llm"
        assert "gone" in error.message
        assert stage.times("error_occurred") == [4.1]
        assert stage.said()[-1] == ("assistant", "Again.")


@in_virtual_time
async def test_a_failure_from_which_the_model_cannot_recover_ends_the_session():
    async with talk(answers=[Answer("Hi there.", duration=1.1, error=APIConnectionError("gone"))]) as (stage, model):
        closed: list[CloseEvent] = []
        stage.session.on("close", closed.append)
        await stage.run_until(6.0)
        assert [(event.reason, type(event.error)) for event in closed] == [(CloseReason.ERROR, RealtimeModelError)]
        assert stage.times("error_occurred") == [4.1]
        assert session_of(model).closed


@in_virtual_time
async def test_a_reconnection_in_mid_sentence_keeps_the_conversation():
    speeches = [HELLO, UserSpeech(6.0, 7.0, "Go on")]
    async with talk(speeches, [Answer("Hi there."), Answer("Well.")], durations=[2.0, 1.0]) as (stage, model):
        await stage.run_until(4.0)
        session_of(model).reconnect()
        await stage.run_until(10.0)
        assert [role for role, _ in stage.said() if role != "system"] == ["user", "assistant", "user", "assistant"]
        assert [m.text_content for m in session_of(model).chat_ctx.messages()] == [
            "Hello",
            "Hi there.",
            "Go on",
            "Well.",
        ]
        assert len(model.sessions) == 1


@in_virtual_time
async def test_text_alone_is_spoken_by_a_voice():
    voice = ScriptedTTS([1.0], tail=0.0)
    async with talk(tts=voice, capabilities={"audio_output": False}) as (stage, _):
        await stage.run_until(6.0)
        assert voice.texts == ["Hi there."]
        assert stage.times("playout_started") == [3.3]
        assert stage.said()[-1] == ("assistant", "Hi there.")


@in_virtual_time
async def test_push_to_talk_makes_the_turns():
    async with talk([UserSpeech(1.0, 2.0, "Hello")], vad=None, turn_handling={"turn_detection": "manual"}) as (
        stage,
        model,
    ):
        stage.session.push_to_talk.press()
        await stage.run_until(2.5)
        stage.session.push_to_talk.send()
        await stage.run_until(6.0)
        assert session_of(model).commits == 1
        assert stage.times("turn_committed") == [2.5]
        assert stage.times("playout_started") == [2.6]
        assert stage.said()[-2:] == [("user", "Hello"), ("assistant", "Hi there.")]


@in_virtual_time
async def test_a_turn_by_hand_that_is_forgotten_is_not_answered():
    async with talk(vad=None, turn_handling={"turn_detection": "manual"}) as (stage, model):
        stage.session.push_to_talk.press()
        await stage.run_until(2.6)
        clears = session_of(model).clears
        stage.session.push_to_talk.discard()
        await stage.run_until(5.0)
        assert (session_of(model).clears, session_of(model).commits) == (clears + 1, 0)
        assert not stage.of("speech_created")


@in_virtual_time
async def test_closing_in_mid_reply_keeps_what_was_heard():
    async with talk(answers=[Answer("one two three four")], durations=[4.0]) as (stage, model):
        await stage.run_until(4.1)
        await stage.session.aclose()
        role, text = stage.said()[-1]
        assert role == "assistant"
        assert text == FIRST
        assert session_of(model).closed


@in_virtual_time
async def test_a_typed_turn_is_told_the_model():
    async with talk([]) as (stage, model):
        stage.session.generate_reply(user_input="What's up?", instructions="Be kind.")
        await stage.run_until(3.0)
        assert [m.text_content for m in session_of(model).chat_ctx.messages()] == ["What's up?", "Hi there."]
        assert session_of(model).asked_instructions == ["Be kind."]
        assert stage.said()[-2:] == [("user", "What's up?"), ("assistant", "Hi there.")]


@in_virtual_time
async def test_say_needs_a_voice():
    async with talk([]) as (stage, _):
        with pytest.raises(RuntimeError, match="give the session or the agent a tts"):
            stage.session.say("Hello")


@in_virtual_time
async def test_the_model_speaks_a_given_text_if_it_can():
    async with talk([], capabilities={"supports_say": True}) as (stage, _):
        await stage.session.say("Good morning")
        assert stage.said()[-1] == ("assistant", "Good morning")
        assert stage.now == 2.0


@in_virtual_time
async def test_a_refused_request_is_the_speech_s_failure():
    async with talk([], []) as (stage, _):
        speech = await stage.session.generate_reply()
        assert "no further answer" in str(speech.exception())
        assert stage.session.agent_state == "listening"


@in_virtual_time
async def test_the_sound_goes_through_the_agents_node():
    heard: list[float] = []

    class Listener(Agent):
        async def realtime_audio_output_node(self, audio: Any, model_settings: Any) -> Any:
            async for frame in audio:
                heard.append(frame.samples_per_channel / frame.sample_rate)
                yield frame

    async with talk(agent=Listener(instructions="")) as (stage, _):
        await stage.run_until(6.0)
        assert heard == [2.0]
        assert stage.said()[-1] == ("assistant", "Hi there.")


@pytest.mark.parametrize("detection", ["vad", "realtime_llm", None])
@in_virtual_time
async def test_turns_are_ours_only_where_that_is_asked_for(detection: str | None):
    vad = ScriptedVAD([HELLO])
    async with talk(vad=vad, turn_handling={"turn_detection": detection}) as (stage, model):
        await stage.run_until(8.0)
        ours = detection == "vad"
        assert session_of(model).commits == int(ours)
        assert [event.cause for event in stage.of("turn_committed")] == [
            "endpointing.min_delay" if ours else "realtime_llm"
        ]
        assert stage.said()[-2:] == [("user", "Hello"), ("assistant", "Hi there.")]


@in_virtual_time
async def test_a_model_that_keeps_its_turns_is_not_told_to_leave_them(caplog: pytest.LogCaptureFixture):
    capabilities = {"can_disable_turn_detection": False}
    async with talk(turn_handling={"turn_detection": "vad"}, capabilities=capabilities) as (stage, model):
        await stage.run_until(6.0)
        assert "'vad' has no effect" in caplog.text
        assert session_of(model).commits == 0
        assert stage.said()[-1] == ("assistant", "Hi there.")


@in_virtual_time
async def test_our_turn_runs_the_agents_hook():
    asked: list[str | None] = []

    class Shy(Agent):
        async def on_user_turn_completed(self, turn_ctx: Any, new_message: Any) -> None:
            asked.append(new_message.text_content)
            raise StopResponse

    vad = ScriptedVAD([HELLO])
    async with talk(vad=vad, turn_handling={"turn_detection": "vad"}, agent=Shy(instructions="")) as (stage, model):
        await stage.run_until(6.0)
        assert len(asked) == 1
        assert session_of(model).asked_instructions == []
        assert not stage.of("speech_created")


@in_virtual_time
async def test_our_recogniser_tells_what_the_model_does_not():
    stt = ScriptedSTT([HELLO])
    async with talk(stt=stt, capabilities={"user_transcription": False}) as (stage, _):
        await stage.run_until(6.0)
        assert stage.said()[-2:] == [("user", "Hello"), ("assistant", "Hi there.")]
        assert {event.turn_id for event in stage.of("user_transcribed", "turn_committed")} == {"turn_1"}
        assert len(stage.of("turn_started")) == 1


@in_virtual_time
async def test_a_late_transcript_stands_before_the_answer():
    async with talk([UserSpeech(0.5, 2.5, "Hello", stt_delay=4.0)]) as (stage, _):
        await stage.run_until(8.0)
        assert [m.role for m in stage.session.history.messages() if m.role != "system"] == ["user", "assistant"]


@in_virtual_time
async def test_speech_that_may_not_be_interrupted_is_refused_where_the_model_decides(caplog: pytest.LogCaptureFixture):
    async with talk([]) as (stage, _):
        speech = stage.session.generate_reply(allow_interruptions=False)
        assert speech.allow_interruptions
        assert "has no effect" in caplog.text
        await speech


@in_virtual_time
async def test_instructions_tools_and_conversation_follow_the_agent():
    async with talk([]) as (stage, model):
        agent = stage.session.current_agent
        await agent.update_instructions("Be long.")
        await agent.update_tools(Weatherman().tools)
        context = agent.chat_ctx.copy()
        context.add_message(role="user", content="I am Ann.")
        await agent.update_chat_ctx(context)
        await stage.run_until(1.0)
        remote = session_of(model)
        assert remote.instructions == "Be long."
        assert list(remote.tools.function_tools) == ["weather"]
        assert [m.text_content for m in remote.chat_ctx.messages()] == ["I am Ann."]


@in_virtual_time
async def test_another_model_in_mid_conversation_knows_it():
    async with talk() as (stage, first):
        await stage.run_until(6.0)
        second = ScriptedRealtimeModel(answers=[Answer("Right.")])
        stage.session.update_options(llm=second)
        await stage.session.generate_reply()
        assert first.sessions[0].closed
        assert [m.text_content for m in session_of(second).chat_ctx.messages()] == ["Hello", "Hi there.", "Right."]


@in_virtual_time
async def test_a_choice_of_tools_for_one_answer_is_taken_back():
    async with talk([], agent=Weatherman(), capabilities={"per_response_tool_choice": False}) as (stage, model):
        await stage.session.generate_reply(tools=[], tool_choice="none")
        remote = session_of(model)
        assert remote.tool_choices == ["none", NOT_GIVEN, None]
        assert list(remote.tools.function_tools) == ["weather"]


@in_virtual_time
async def test_a_message_that_nobody_heard_is_taken_from_the_model():
    async with talk(answers=[Answer("Hi there.", ttft=0.0)]) as (stage, model):
        stage.session.output.audio = ScriptedAudioOutput(latency=1.0, clock=VirtualClock())
        await stage.run_until(3.5)
        await stage.session.interrupt()
        await stage.run_until(4.0)
        assert [m.text_content for m in session_of(model).chat_ctx.messages()] == ["Hello"]
        assert session_of(model).truncations == []


@in_virtual_time
async def test_a_run_by_text_holds_everything_that_follows():
    async with talk([], [CALL, Answer("It is sunny.")], agent=Weatherman()) as (stage, _):
        run = await stage.session.run(user_input="The weather?")
        run.expect.next_event().is_function_call(name="weather")
        run.expect.next_event().is_function_call_output(output="sunny in Oslo")
        run.expect.next_event().is_message(role="assistant")
        run.expect.no_more_events()


@in_virtual_time
async def test_a_task_in_a_tool_has_the_model_to_itself_and_gives_it_back():
    class AskName(AgentTask[str]):
        async def on_enter(self) -> None:
            await self.session.generate_reply(instructions="Ask for the name.")
            self.complete("Ann")

    class Host(Agent):
        @function_tool
        async def ask(self) -> str:
            """Ask."""
            return await AskName(instructions="Get the name.")

    answers = [Answer(tool_calls=[("ask", "{}")]), Answer("Your name?"), Answer("Hello Ann.")]
    async with talk([], answers, agent=Host(instructions="Greet.")) as (stage, model):
        await stage.session.generate_reply()
        remote = session_of(model)
        assert remote.instructions == "Greet."
        assert stage.said()[-1] == ("assistant", "Hello Ann.")
        kinds = [item.type for item in remote.chat_ctx.items]
        assert kinds.count("function_call") == kinds.count("function_call_output") == 1


@in_virtual_time
async def test_the_model_s_transcript_stands_for_the_agents_own_recogniser():
    class Hearing(Agent):
        async def stt_node(self, audio: Any, model_settings: Any) -> Any:
            async for _ in audio:
                yield "never asked"

    async with talk(agent=Hearing(instructions="")) as (stage, _):
        await stage.run_until(6.0)
        assert [text for role, text in stage.said() if role == "user"] == ["Hello"]


@in_virtual_time
async def test_a_turn_that_wants_no_reply_gets_none():
    async with talk(vad=None, turn_handling={"turn_detection": "manual"}) as (stage, model):
        await stage.run_until(3.0)
        stage.session.commit_user_turn(skip_reply=True)
        await stage.run_until(5.0)
        assert len(stage.of("turn_committed")) == 1
        assert not stage.of("speech_created")
        assert session_of(model).commits == 0
        assert "user" not in [role for role, _ in stage.said()]
