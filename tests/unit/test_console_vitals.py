"""What the console shows of the parts around a conversation: circuits, echo, the loop's lag, what was used."""

from __future__ import annotations

import pytest

from agent_console.drawing.health import Drawing, echo, health_lines
from agent_console.drawing.meters import meter_lines
from agent_console.drawing.status import latency_panel, session_panel
from agent_console.drawing.text import Line, line_width
from agent_console.drawing.usage import usage_lines
from agent_console.state import ConsoleState, reduce_all
from agent_console.state.spending import Price, Prices
from agent_runtime import events as ev
from agent_runtime.events import Circuit, Event, EventData


def after(*told: EventData) -> ConsoleState:
    return reduce_all(ConsoleState(), [Event(n, float(n), "s", None, None, data) for n, data in enumerate(told, 1)])


def text(lines: list[Line]) -> list[str]:
    assert all(line_width(line) <= 60 for line in lines)
    return [" ".join("".join(part for part, _ in line).split()) for line in lines]


def health(*told: EventData) -> list[str]:
    return text(health_lines(after(*told), Drawing(0, 0.01), 60))


def down(problem: str = "connection refused", *, other: str = "closed") -> ev.CircuitsChanged:
    circuits = (Circuit("gpt-4.1", "open", 62.0, problem), Circuit("gpt-4o-mini", other, 0.0))  # type: ignore[arg-type]
    return ev.CircuitsChanged("llm", circuits, 0)


UP = ev.CircuitsChanged("llm", (Circuit("gpt-4.1", "closed", 90.0, "connection refused"), Circuit("b", "closed", 0.0)))


# --- circuits ---------------------------------------------------------------------------


def test_providers_behind_a_fallback_are_listed_with_their_state_since_when_and_why() -> None:
    lines = health(down())
    at = lines.index("PROVIDERS")
    assert lines[at + 1 : at + 4] == [
        "✗ llm gpt-4.1 left alone since 1:02",
        "connection refused",
        "✓ llm gpt-4o-mini asked",
    ]
    trying = health(ev.CircuitsChanged("llm", (Circuit("gpt-4.1", "half_open", 63.0, "connection refused"),), 0))
    assert "◌ llm gpt-4.1 being tried since 1:03" in trying


def test_without_a_fallback_there_is_no_list_of_providers() -> None:
    assert "PROVIDERS" not in health()
    assert "PROVIDERS" not in health(down(), ev.CircuitsChanged("llm", ()))


def test_a_provider_that_is_left_alone_has_a_banner_until_it_is_asked_again() -> None:
    (banner,) = after(down()).banners
    assert (banner.level, banner.text) == ("warning", "llm gpt-4.1 is left alone: connection refused")
    assert banner.hint == "gpt-4o-mini stands in"
    assert after(down(), UP).banners == ()


def test_a_banner_says_when_nothing_is_left() -> None:
    (banner,) = after(down(other="open")).banners
    assert banner.level == "error"
    assert banner.text == "llm gpt-4.1, gpt-4o-mini are left alone: connection refused"
    assert "nothing else is left" in banner.hint


# --- loop, echo, room ---------------------------------------------------------------------------


def test_how_late_the_loop_comes_is_told_and_stands_out_when_it_is_heard() -> None:
    assert "late by p99 2 ms · worst 8 ms in 10 s" in health(ev.LoopLag(0.002, 0.008, 10.0))
    assert "late by ✗ p99 31 ms · worst 90 ms in 10 s" in health(ev.LoopLag(0.031, 0.09, 10.0))


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (None, "-"),
        (ev.EchoCancellation("off"), "off: audio.echo_cancellation"),
        (ev.EchoCancellation("no_speaker"), "on · no speaker to take out"),
        (ev.EchoCancellation("no_echo", 0.062), "on · the speaker isn't heard"),
        (ev.EchoCancellation("on", 0.062), "on · 62 ms · nothing to take out yet"),
        (ev.EchoCancellation("on", 0.062, 31.0), "on · 62 ms · 31 dB taken out"),
    ],
)
def test_echo_cancellation_is_told_in_words_on_both_panels(told: ev.EchoCancellation | None, words: str) -> None:
    state = after(*([told] if told is not None else []))
    assert "".join(part for part, _ in echo(state.health.echo)) == words
    assert f"echo cancellation {words}" in text(meter_lines(state, 1.0, 60, 30))
    assert f"echo cancellation {words}" in text(health_lines(state, Drawing(0, 0.0), 60))


def test_without_a_microphone_the_meters_say_what_to_do_instead_of_measuring_nothing() -> None:
    meters = text(meter_lines(after(ev.DeviceChanged("input", "unavailable", "")), 1.0, 60, 30))
    assert "None was found. Plug one in and pick it with d, or go on by" in meters
    assert not any(line.startswith(("SPEECH", "END OF TURN")) for line in meters)
    typed = text(meter_lines(ConsoleState(mode="text"), 1.0, 60, 30))
    assert typed[1].startswith("Not used: you type.")
    assert "END OF TURN no countdown" in text(meter_lines(after(ev.DeviceChanged("input", "lost", "")), 1.0, 60, 30))


def test_a_turn_without_a_measured_wait_doesnt_promise_one_after_the_first_answer() -> None:
    assert "after the first answer" in " ".join(text(latency_panel(None, 60, 12, live=True)))
    assert "holds no answer" in " ".join(text(latency_panel(None, 60, 12, live=False)))


def test_a_room_that_was_lost_is_counted() -> None:
    assert "room lost 2x, back 1x" in health(ev.RoomReconnecting(), ev.RoomReconnected(1.0), ev.RoomReconnecting())


def test_parts_that_were_begun_again_are_counted() -> None:
    assert "restarts none" in health()
    again = [ev.PartRestarting("stt", 0.1, 1), ev.PartRestarting("stt", 0.2, 2), ev.PartRestarting("vad", 0.1, 1)]
    assert "restarts stt 2x, vad 1x" in health(*again)


# --- what is used ---------------------------------------------------------------------------


def answered(model: str = "", *, estimated: bool = False) -> ev.LLMFinished:
    return ev.LLMFinished("s", 1000, 500, 0, 0.3, False, model, estimated)


def usage(prices: Prices, *told: EventData) -> list[str]:
    return text(usage_lines(after(*told), prices, 60))


def test_recognised_seconds_are_counted_and_priced() -> None:
    prices = Prices("$", {"nova": Price(minute=0.6)})
    lines = usage(prices, ev.SpeechRecognized("nova", 20.0), ev.SpeechRecognized("nova", 10.0))
    assert lines[:3] == ["RECOGNITION", "nova $0.30", "30.0 s of audio"]
    assert "TOTAL $0.30" in lines


def test_what_is_estimated_has_a_sign_and_a_word() -> None:
    prices = Prices("$", {"small": Price(input=1000.0)})
    lines = usage(prices, answered("small"), answered("small", estimated=True))
    assert lines[1] == "small ≈$2.00"
    assert "2 requests · ≈2,000 tokens in · ≈1,000 out" in lines[2]
    assert "partly estimated" in " ".join(lines)
    assert "TOTAL ≈$2.00" in lines
    assert "≈1,000 in · ≈500 out" in " ".join(text(session_panel(after(answered(estimated=True)), 60)))


def test_what_is_told_is_no_estimate() -> None:
    assert "≈" not in " ".join(usage(Prices("$", {"small": Price(input=1000.0)}), answered("small")))


def test_usage_is_that_of_the_model_that_answered_not_of_the_one_that_was_asked() -> None:
    state = after(
        ev.LLMStarted("s", "big", 0),
        answered("small"),
        ev.TTSStarted("s", "heart"),
        ev.TTSFinished("s", 10, 1.0, 0.1, False, "bella"),
        answered(),  # of a recording whose events don't say
    )
    assert {key: used.requests for key, used in state.spending.items()} == {
        ("llm", "small"): 1,
        ("tts", "bella"): 1,
        ("llm", "big"): 1,
    }


# --- devices, reloads -------------------------------------------------------------------


def test_where_one_types_devices_are_not_used_and_elsewhere_they_are_not_opened_yet() -> None:
    typed = health(ev.SessionStarted("a", "text", 0.0, {}))
    assert "microphone not used: you type" in typed
    assert "speaker not used: you type" in typed
    spoken = health(ev.SessionStarted("a", "local", 0.0, {}))
    assert "microphone not opened yet" in spoken


def test_restarts_and_reloads_that_never_were_are_none_alike() -> None:
    lines = health()
    assert "restarts none" in lines
    assert "reloads none" in lines
