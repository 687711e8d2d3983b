"""The words that the text turn detector looks at, without its model."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_runtime.llm import ChatContext
from agent_runtime.providers.embedded.turn_detector import TextTurnDetector, cues, last_exchange, probability


def test_it_looks_at_all_that_was_said_since_the_assistants_last_sentence() -> None:
    chat_ctx = ChatContext.empty()
    chat_ctx.add_message(role="user", content="hello")
    chat_ctx.add_message(role="assistant", content="Hi there! Which city?")
    chat_ctx.add_message(role="user", content="well  paris")
    chat_ctx.add_message(role="user", content="i think.")
    assert last_exchange(chat_ctx) == ("Which city?", "well paris i think")


def test_before_the_assistant_spoke_it_stands_for_anyone() -> None:
    chat_ctx = ChatContext.empty()
    chat_ctx.add_message(role="user", content="hello?")
    assert last_exchange(chat_ctx) == ("How can I help you?", "hello")


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("set a timer for", (True, False)),
        ("I lost my card AND", (True, False)),
        ("um", (False, True)),
        ("i was thinking hmm", (False, True)),
        ("so", (True, True)),
        ("it is a sofa", (False, False)),
        ("what time is it", (False, False)),
    ],
)
def test_cues(said: str, found: tuple[bool, bool]) -> None:
    assert cues(said) == found


def test_cues_lower_the_probability_and_the_model_raises_it() -> None:
    assert probability(-2.0, "set a timer for") < probability(-2.0, "set a timer for ten") < probability(-1.0, "ten")


async def test_it_judges_english(tmp_path: Path) -> None:
    detector = TextTurnDetector(model=tmp_path / "some-model.gguf", threshold=0.2)
    assert (detector.model, detector.provider) == ("some-model", "embedded")
    for language in (None, "en", "en-US", "en_GB", "English"):
        assert await detector.supports_language(language)
        assert await detector.unlikely_threshold(language) == 0.2
    for language in ("de", "es-MX", "enm"):
        assert not await detector.supports_language(language)
        assert await detector.unlikely_threshold(language) is None


async def test_silence_is_complete(tmp_path: Path) -> None:
    detector = TextTurnDetector(model=tmp_path / "none.gguf")
    assert await detector.predict_end_of_turn(ChatContext.empty()) == 1.0
