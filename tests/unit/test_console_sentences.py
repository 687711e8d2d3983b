"""Every event in plain words."""

from __future__ import annotations

import re
import typing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_console.drawing.events import event_lines, name_of
from agent_console.drawing.text import line_width
from agent_console.state.sentences import CAUSES, SENTENCES, facts, sentence, why
from agent_runtime import events as ev
from agent_runtime.events import AnyEvent, Event, EventData
from tests.property.test_events_codec import data_of
from tests.support.conversation import STORIES

KINDS = typing.get_args(EventData)


def event(data: EventData, cause: str | None = None) -> AnyEvent:
    return Event(1, 2.0, "s", "turn-1", cause, data)


def said(data: EventData, cause: str | None = None) -> str:
    return sentence(event(data, cause))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(max_examples=12, deadline=None)
@given(st.data())
def test_every_event_says_more_than_its_name(kind: type, drawn: st.DataObject) -> None:
    told = event(drawn.draw(data_of(kind)), drawn.draw(st.none() | st.sampled_from(sorted(CAUSES))))
    words = sentence(told)
    assert kind in SENTENCES
    assert words.strip() not in ("", name_of(told))
    assert "=" not in words or words != facts(told)
    for width in (40, 100):
        lines = event_lines(told, width, opened=False)
        assert len(lines) == 1
        assert line_width(lines[0]) <= width


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_cause_that_an_event_documents_has_plain_words(kind: type) -> None:
    _, _, causes = (kind.__doc__ or "").partition("Cause:")
    plain = re.sub(r"\([^()]*\)", "", causes)
    assert [cause for cause in re.findall(r"`([\w.]+)`", plain) if cause not in CAUSES] == []


def test_of_what_was_heard_the_newest_words_are_told() -> None:
    assert said(ev.AgentHeard("s", "i", "one two three four", 1.5)) == "“… two three four” was heard at 1.50 s"
    assert said(ev.AgentHeard("s", "i", "one two", 0.5)) == "“one two” was heard at 0.50 s"
    assert said(ev.AgentHeard("s", "i", "one two", 0.0)) == "“one two” can be read"
    assert said(ev.PlayoutFinished("s", 2.0, interrupted=True)) == "2.00 s were heard, then it was cut short"
    assert said(ev.PlayoutFinished("s", 0.0, interrupted=False)) == "nothing was spoken"


def test_names_give_way_to_what_is_said_where_it_is_narrow() -> None:
    told = event(ev.AgentStateChanged("listening", "thinking"))
    assert "".join(text for text, _ in event_lines(told, 56, opened=False)[0]).split()[1:3] == ["agent", "state"]
    assert "agent state changed" in "".join(text for text, _ in event_lines(told, 56, opened=True)[0])
    assert "agent state changed" in "".join(text for text, _ in event_lines(told, 80, opened=False)[0])


def test_a_cause_that_is_not_known_is_told_as_it_is() -> None:
    assert (why("brand_new"), why(None)) == ("brand new", "")


def test_an_event_without_words_is_told_field_by_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(typing.cast("dict[type, Any]", SENTENCES), ev.HookFinished)
    assert said(ev.HookFinished("on_enter", 0.25), "start") == "(start)  name=on_enter  duration=0.250"


def test_events_that_explain_a_wait_or_a_verdict_say_why_and_by_how_much() -> None:
    started = ev.EndpointingStarted(0.5, 3.0, 0.83, 0.5)
    assert said(started, "min_delay") == (
        "your turn ends 0.50 s after your last word · you seem to be done · turn detector 0.83 ≥ 0.50"
    )
    assert said(ev.EndpointingLearned(0.42, 0.31), "pause") == (
        "endpointing.min_delay is now 0.42 s: a pause of 0.31 s, you paused between two stretches of speech"
    )
    overlap = ev.OverlappingSpeech(False, 0.2, 0.5, 1.0, 0.4)
    assert said(overlap, "words") == (
        "you spoke over the agent: no interruption, 0.20 < 0.50 · 0.40 s after you began, judged by its words"
    )
    assert said(ev.UserTurnExceeded("…", 52, 12.0), "max_words").startswith(
        "you talk longer than the agent allows: 52 words in 12.0 s"
    )
    assert "transcription_timeout" in said(ev.TranscriptionTimedOut(1.2, 0.5))
    assert said(ev.ToolReplyUpdated(("c_final",), "skipped", "s")) == (
        "the agent had nothing more to say about it · c_final"
    )


def test_circuits_say_which_provider_and_why() -> None:
    circuits = (ev.Circuit("big", "open", 1.0, "no line"), ev.Circuit("small", "closed", 0.0))
    assert said(ev.CircuitsChanged("llm", circuits, 0), "failed") == (
        "llm big is left alone · a request failed · no line"
    )
    assert said(ev.CircuitsChanged("llm", circuits), "start") == "llm in this order: big, small · at the start"
    assert said(ev.CircuitsChanged("llm", ())) == "llm: no providers that stand in for each other"


def test_an_estimate_is_marked() -> None:
    told = ev.LLMFinished("s", 412, 17, 0, 0.3, True, "small", True)
    assert said(told) == "small took 0.30 s · ≈412 tokens in, ≈17 out · cut"


def test_an_open_event_tells_its_fields_too() -> None:
    lines = event_lines(event(ev.HookFinished("on_enter", 0.25)), 80, opened=True)
    text = "\n".join("".join(part for part, _ in line) for line in lines)
    assert "on_enter ran for 0.25 s" in text
    assert "name=on_enter  duration=0.250" in text
    assert "turn-1 · seq 1" in text


@pytest.mark.parametrize("story", sorted(STORIES))
def test_no_event_of_a_story_is_told_field_by_field(story: str) -> None:
    for told in STORIES[story]().events:
        assert sentence(told) != facts(told)
