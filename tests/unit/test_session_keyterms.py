"""What a recogniser is told beside the sound."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any

import pytest

from agent_runtime import Agent, AgentSession
from agent_runtime.llm import ChatMessage
from agent_runtime.stt import STTCapabilities
from agent_runtime.testing import Answer, ScriptedLLM, ScriptedSTT, UserSpeech, in_virtual_time
from agent_runtime.voice.keyterm_detection import INSTRUCTIONS


class Listener(ScriptedSTT):
    """Notes what it is told."""

    def __init__(self, *, keyterms: bool = True, chat_context: bool = False) -> None:
        speeches: Sequence[UserSpeech] = ()
        super().__init__(speeches)
        self._capabilities = STTCapabilities(
            streaming=True, interim_results=True, keyterms=keyterms, chat_context=chat_context
        )
        self.told: list[list[str]] = []
        self.items: list[Any] = []

    def _update_session_keyterms(self, keyterms: list[str]) -> None:
        super()._update_session_keyterms(keyterms)
        if self.capabilities.keyterms:
            self.told.append(keyterms)

    def _push_conversation_item(self, ev: Any) -> None:
        self.items.append(ev.item)


def finds(**changes: list[str]) -> Answer:
    """The looking model calls its tool."""
    return calls(json.dumps(changes))


def calls(arguments: str) -> Answer:
    return Answer(tool_calls=[("record_keyterms", arguments)], ttft=0.01, duration=0.02)


def session(stt: ScriptedSTT, answers: int = 6, **given: Any) -> AgentSession[None]:
    llm = ScriptedLLM([Answer(f"Answer {n}.") for n in range(answers)])
    return AgentSession(stt=stt, llm=llm, tts=None, vad=None, **given)


@in_virtual_time
async def test_given_terms_reach_each_recogniser() -> None:
    first, second = Listener(), Listener()
    async with session(first, stt_context_options={"keyterms": ["Siobhan", "Siobhan", "Zoë"]}) as talk:
        await talk.start(Agent(instructions=""))
        assert talk.keyterms == ["Siobhan", "Zoë"]
        assert first.told == [["Siobhan", "Zoë"]]
        talk.update_options(stt=second)
        assert second.told == [["Siobhan", "Zoë"]]
        talk.update_options(keyterms=["Aoife"])
        assert (first.told[1:], second.told[1:]) == ([], [["Aoife"]])


@in_virtual_time
async def test_the_older_argument_is_the_same() -> None:
    stt = Listener()
    async with session(stt, keyterms_options={"keyterms": ["Aoife"]}) as talk:
        await talk.start(Agent(instructions=""))
        assert stt.told == [["Aoife"]]
    with pytest.raises(ValueError, match="older name"):
        session(stt, keyterms_options={"keyterms": ["a"]}, stt_context_options={"keyterms": ["b"]})


@in_virtual_time
async def test_a_recogniser_that_takes_none_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    stt = Listener(keyterms=False)
    async with session(stt, stt_context_options={"keyterms": ["Aoife"]}) as talk:
        await talk.start(Agent(instructions=""))
        talk.update_options(keyterms=["Siobhan"])
    assert caplog.text.count("doesn't take keyterms") == 1


@in_virtual_time
async def test_nothing_is_told_where_nothing_is_given(caplog: pytest.LogCaptureFixture) -> None:
    stt = Listener(keyterms=False)
    async with session(stt) as talk:
        await talk.start(Agent(instructions=""))
        await talk.run(user_input="Hello")
    assert (stt.told, stt.items) == ([], [])
    assert "keyterms" not in caplog.text


@in_virtual_time
@pytest.mark.parametrize("forward", [True, False])
async def test_the_conversation_is_told_where_it_helps(forward: bool) -> None:
    stt = Listener(chat_context=True)
    async with session(stt, stt_context_options={"forward_chat_context": forward}) as talk:
        await talk.start(Agent(instructions=""))
        await talk.run(user_input="Hello")
    texts = [item.text_content for item in stt.items if item.type == "message"]
    assert texts == (["Hello", "Answer 0."] if forward else [])


async def looked(answers: Sequence[Answer], **options: Any) -> tuple[Listener, ScriptedLLM, list[str]]:
    """A conversation of as many turns as the looking model has answers."""
    stt, model = Listener(), ScriptedLLM(list(answers))
    detection = {"enabled": True, "llm": model, **options}
    async with session(stt, stt_context_options={"keyterms": ["Zoë"], "keyterm_detection": detection}) as talk:
        await talk.start(Agent(instructions=""))
        for turn in range(len(answers)):
            await talk.run(user_input=f"Turn {turn}")
            await talk.wait_for_idle()
        return stt, model, talk.keyterms


@in_virtual_time
async def test_a_term_waits_until_it_is_certain() -> None:
    stt, model, terms = await looked(
        [finds(pending=["Shavon", "Zoë"]), finds(confirm=["Siobhan"], remove=["Shavon"]), finds(confirm=["Zoë"])]
    )
    assert terms == ["Zoë", "Siobhan"]
    assert stt.told == [["Zoë"], ["Zoë", "Siobhan"]]
    second = [item for item in model.requests[1].items if isinstance(item, ChatMessage)]
    assert second[0].text_content == INSTRUCTIONS
    asked = second[1].text_content or ""
    assert "Pending: Shavon" in asked
    assert "USER: Turn 1" in asked


@in_virtual_time
async def test_candidates_are_forgotten_and_old_terms_make_room() -> None:
    answers = [finds(pending=["A"], confirm=["B"]), finds(confirm=["C"]), finds(), finds(confirm=["D"]), finds()]
    _, model, terms = await looked(answers, max_keyterms=2)
    assert terms == ["Zoë", "C", "D"]
    assert ["Pending: A" in str(request.items[1]) for request in model.requests] == [False, True, True, True, False]


@in_virtual_time
async def test_it_looks_after_every_so_many_turns() -> None:
    _, model, _ = await looked([finds(), finds(), finds(), finds()], turn_interval=2)
    assert len(model.requests) == 2


@in_virtual_time
async def test_a_model_that_fails_or_errs_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    idle = Answer("No call.", ttft=0.01, duration=0.02)
    answers = [calls("["), calls('{"confirm": "Aoife"}'), idle, finds(confirm=["Ann"])]
    _, _, terms = await looked(answers)
    assert terms == ["Zoë", "Ann"]
    assert "can't be read" in caplog.text


@in_virtual_time
async def test_a_slow_model_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    slow = Answer("Late.", ttft=30.0, duration=31.0)
    stt, model = Listener(), ScriptedLLM([slow])
    detection: Any = {"enabled": True, "llm": model, "timeout": 5.0}
    async with session(stt, stt_context_options={"keyterm_detection": detection}) as talk:
        await talk.start(Agent(instructions=""))
        await talk.run(user_input="Hello")
        detector = talk._stt_context._detector
        assert detector is not None
        assert detector._task is not None
        await detector._task
    assert "looking for keyterms failed" in caplog.text


@in_virtual_time
async def test_no_model_looks_for_a_recogniser_that_takes_none(caplog: pytest.LogCaptureFixture) -> None:
    model = ScriptedLLM([finds(confirm=["Ann"])])
    options: Any = {"keyterm_detection": {"enabled": True, "llm": model}}
    async with session(Listener(keyterms=False), stt_context_options=options) as talk:
        await talk.start(Agent(instructions=""))
        await talk.run(user_input="Hello")
    assert model.requests == []
    assert "none are looked for" in caplog.text
