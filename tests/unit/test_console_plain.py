"""The console as lines: what is final is told once, what is typed is said, and a pipe's end ends it."""

from __future__ import annotations

import io

import pytest

from agent_console.plain import Narrator, line_printer, run_plain
from agent_runtime import events as ev
from agent_runtime.events import AnyEvent, Event
from tests.support.backend import ScriptedBackend
from tests.support.conversation import STORIES, Script


def told(story: str) -> list[str]:
    narrator = Narrator()
    return [line for event in STORIES[story]().events for line in narrator.tell(event)]


def test_a_conversation_reads_as_lines() -> None:
    lines = [line.partition("] ")[2] for line in told("interrupted")]
    assert lines[:4] == [
        "session: WeatherAgent, local",
        "agent: Hello! Ask me about the weather anywhere.",
        "you: What's the weather like in Oslo tomorrow?",
        'tool get_weather(city="Oslo", day="tomorrow") gave in 0.41 s: 4 °C, light snow from 14:00, wind 3 m/s',
    ]
    assert "turn 2 waited 0.84 s = stt 0.21 + wait 0.29 + llm 0.16 + sentence 0.06 + tts 0.09 + out 0.03" in lines
    assert "agent: A warm coat and a scarf. The snow will (stopped, by voice)" in lines
    assert lines[-1] == "you: Sorry, I meant Bergen."


@pytest.mark.parametrize("story", list(STORIES))
def test_nothing_is_told_twice(story: str) -> None:
    said = [line for line in told(story) if "] you: " in line or "] agent: " in line or "] tool " in line]
    assert len(said) == len(set(said))


def test_troubles_are_told_with_what_to_do() -> None:
    lines = "\n".join(told("troubles"))
    assert "error: weather_agent.py:41: expected ':'; the old code goes on" in lines
    assert 'tool get_weather(city="Nowhereville") failed in 0.04 s' in lines
    assert "error: Microphone lost: MacBook Pro Microphone" in lines


def test_lines_are_said_and_commands_obeyed() -> None:
    backend = ScriptedBackend(STORIES["without_microphone"]().events)
    written: list[str] = []
    lines = [
        "Hello\n",
        "\n",
        "/mute\n",
        "/unmute\n",
        "/interrupt\n",
        "/reload\n",
        "/room\n",
        "/local\n",
        "/help\n",
        "/fly\n",
        "/quit\n",
        "no\n",
    ]
    assert run_plain(backend, lines, written.append) == 0
    assert backend.calls == [
        ("send_text", "Hello"),
        ("set_muted", True),
        ("set_muted", False),
        ("interrupt",),
        ("reload",),
        ("set_mode", "room", False),
        ("set_mode", "local", False),
        ("stop",),
    ]
    assert any(line.startswith("there is no /fly; a line is said") for line in written)


def test_a_pipe_ends_when_its_question_is_answered() -> None:
    class Answering(ScriptedBackend):
        def send_text(self, text: str) -> None:
            super().send_text(text)
            script = Script(meters=False).open(microphone=False).ready()
            script.user_types(text)
            script.answers("It is four degrees.", measure=False)
            self.send(*script.events)

    backend, written = Answering(), list[str]()
    assert run_plain(backend, ["How cold is it?"], written.append) == 0
    assert [line.partition("] ")[2] for line in written[-2:]] == ["you: How cold is it?", "agent: It is four degrees."]
    assert backend.calls[-1] == ("stop",)


def test_a_pipe_whose_question_failed_ends_with_an_error() -> None:
    class Failing(ScriptedBackend):
        def send_text(self, text: str) -> None:
            super().send_text(text)
            script = Script(meters=False).open(microphone=False).ready()
            script.user_types(text)
            script.emit(ev.ErrorOccurred("llm", "the key is refused", True))
            script.emit(ev.AgentStateChanged("thinking", "listening"))
            self.send(*script.events)

    assert run_plain(Failing(), ["How cold is it?"], [].append) == 1


def test_without_a_question_a_typed_session_ends_with_its_input() -> None:
    started: AnyEvent = Event(1, 1.0, "s", None, None, ev.SessionStarted("desk", "text", 0.0, {}))
    for events in [started], STORIES["without_microphone"]().events:
        backend = ScriptedBackend(events)
        assert run_plain(backend, [], [].append) == 0
        assert backend.calls == [("stop",)]


def test_a_pipe_does_not_wait_for_an_agent_that_can_not_be_made() -> None:
    failed: AnyEvent = Event(1, 1.0, "s", None, "start", ev.ReloadFailed("no luck", "desk.py", 3, "Traceback"))
    backend = ScriptedBackend([failed])
    assert run_plain(backend, ["How cold is it?"], [].append) == 1


def test_a_session_that_fails_ends_with_an_error() -> None:
    closed: AnyEvent = Event(1, 1.0, "s", None, None, ev.SessionClosed("error", "no key"))
    written: list[str] = []
    assert run_plain(ScriptedBackend([closed]), [], written.append) == 1
    assert any("no key" in line for line in written)


def test_lines_are_written_in_what_the_stream_has() -> None:
    raw = io.BytesIO()
    write = line_printer(io.TextIOWrapper(raw, "ascii"))
    write("4 °C → fine")
    assert raw.getvalue() == b"4  C > fine\n"


def test_what_was_not_heard_at_all_is_not_told() -> None:
    script = Script(meters=False).open().ready()
    script.begin_turn("say")
    script.answers("Hello!", heard=0.0, cut_by="text", measure=False)
    narrator = Narrator()
    lines = [line for event in script.events for line in narrator.tell(event)]
    assert not [line for line in lines if "agent:" in line]
