"""Speech that the model directs: what it is told, what the voice gets, and what everybody else sees."""

from __future__ import annotations

from typing import Any

from agent_runtime import Agent, AgentSession
from agent_runtime import events as ev
from agent_runtime.llm import ChatContext, ChatMessage
from agent_runtime.testing import Answer, ScriptedAudioOutput, ScriptedLLM, ScriptedTTS, in_virtual_time
from agent_runtime.voice.expressive import GUIDE_ID

SAID = '<expr type="expression" label="happy"/> Hi there! <expr type="sound" label="laugh"/> Well, come in.'
WORDS = "Hi there! Well, come in."


class Actor(ScriptedTTS):
    """A voice of Inworld's kind."""

    class Markup(ScriptedTTS.Markup):
        def _provider_key(self) -> str:
            return "inworld"


def session(tts: ScriptedTTS, *, answers: int = 1, **given: Any) -> tuple[AgentSession[None], ScriptedLLM]:
    llm = ScriptedLLM([Answer(SAID) for _ in range(answers)])
    talk: AgentSession[None] = AgentSession(stt=None, vad=None, llm=llm, tts=tts, **given)
    talk.output.audio = ScriptedAudioOutput()
    return talk, llm


def guide(llm: ScriptedLLM, request: int = -1) -> str | None:
    message = llm.requests[request].get_by_id(GUIDE_ID)
    return message.text_content if isinstance(message, ChatMessage) else None


async def answer(talk: AgentSession[None]) -> str:
    """What the conversation holds of an answer."""
    await talk.run(user_input="Hello")
    last = talk.history.items[-1]
    assert isinstance(last, ChatMessage)
    return last.raw_text_content or ""


@in_virtual_time
async def test_the_model_directs_the_voice() -> None:
    voice = Actor()
    talk, llm = session(voice, expressive=True)
    async with talk:
        told_events: list[ev.AnyEvent] = []
        talk.events.subscribe(told_events.append, types=[ev.AgentText])
        await talk.start(Agent(instructions="Be kind."))
        assert await answer(talk) == WORDS
        told = guide(llm)
        assert told is not None
        assert '<expr type="sound" label="LABEL"/>' in told
        assert "um" in told
        assert voice.texts == ["[happy] Hi there! [laugh] Well, come in."]
        assert "".join(event.data.delta for event in told_events if isinstance(event.data, ev.AgentText)) == WORDS
        assert talk.history.get_by_id(GUIDE_ID) is None


@in_virtual_time
async def test_a_voice_without_markup_says_what_it_is_given() -> None:
    voice = ScriptedTTS()
    talk, llm = session(voice, expressive=True)
    async with talk:
        await talk.start(Agent(instructions=""))
        assert await answer(talk) == SAID
        assert guide(llm) is None


@in_virtual_time
async def test_unasked_it_is_off_and_an_agent_may_say_otherwise() -> None:
    voice = Actor()
    talk, llm = session(voice, answers=4)
    async with talk:
        agent = Agent(instructions="")
        await talk.start(agent)
        await answer(talk)
        assert (guide(llm), voice.texts[-1]) == (None, SAID)
        agent.update_options(expressive={"speech_steering": {"nonverbal_sounds": False, "disfluencies": False}})
        await answer(talk)
        told = guide(llm) or ""
        assert "without fillers" in told
        assert 'type="sound"' not in told
        assert voice.texts[-1].startswith("[happy]")
        agent.update_options(expressive=False)
        talk.update_options(expressive=True)
        await answer(talk)
        assert guide(llm) is None
        await talk.say(SAID)
        assert voice.texts[-1] == SAID


@in_virtual_time
async def test_what_is_said_may_hold_marks_too() -> None:
    voice = Actor()
    talk, _ = session(voice, expressive=True)
    async with talk:
        await talk.start(Agent(instructions=""))
        await talk.say(SAID)
        assert voice.texts[-1].startswith("[happy] Hi there! [laugh]")
        last = talk.history.items[-1]
        assert isinstance(last, ChatMessage)
        assert last.raw_text_content == WORDS


@in_virtual_time
async def test_a_guide_of_ones_own() -> None:
    options: Any = {
        "tts_instructions_template": "Marks: {tts.markup.llm_instructions}",
        "tts_instructions_append": "Never laugh at guests.",
        "speech_steering": {"pace": "slow"},
    }
    talk, llm = session(Actor(), expressive=options)
    async with talk:
        await talk.start(Agent(instructions=""))
        await answer(talk)
        told = guide(llm) or ""
        assert told.startswith("Marks: Marks have one form")
        assert told.endswith("Never laugh at guests.")
        assert "slow pace" in told


@in_virtual_time
async def test_where_nobody_hears_a_voice_the_model_writes() -> None:
    talk, llm = session(Actor(), expressive=True)
    talk.output.audio = None
    async with talk:
        await talk.start(Agent(instructions=""))
        await answer(talk)
        assert guide(llm) is None


@in_virtual_time
async def test_a_voice_of_whole_texts_gets_its_own_marks_too() -> None:
    voice = Actor()
    voice.capabilities.streaming = False
    talk, _ = session(voice, expressive=True)
    async with talk:
        await talk.start(Agent(instructions=""))
        assert await answer(talk) == WORDS
        assert voice.texts[0].startswith("[happy] Hi there!")


def test_a_conversation_from_elsewhere_is_read_without_marks() -> None:
    context = ChatContext.empty()
    context.add_message(role="assistant", content=[SAID])
    context.add_message(role="user", content=["<expr/> is a tag"])
    assistant, user = context.items
    assert isinstance(assistant, ChatMessage)
    assert isinstance(user, ChatMessage)
    assert (assistant.text_content, assistant.raw_text_content) == (WORDS, SAID)
    assert user.text_content == "<expr/> is a tag"
    contents = [item["content"] for item in context.to_dict(strip_markup=True)["items"]]
    assert contents == [[WORDS], ["<expr/> is a tag"]]
    assert context.to_dict()["items"][0]["content"] == [SAID]
