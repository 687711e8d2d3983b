"""The console's small parts: keys, glyphs, push-to-talk, the pump, the clock."""

from __future__ import annotations

import ast
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.events import Key

import agent_console
from agent_console import pump as pump_module
from agent_console.backend import AudioDevice
from agent_console.glyphs import is_unicode, plain, terminal_encoding
from agent_console.keys import ACTIONS, BY_ID, bindings, keys_of
from agent_console.pump import EventPump
from agent_console.push_to_talk import PushToTalk
from agent_console.screens.devices import row_of
from agent_console.session_clock import SessionClock
from agent_console.state import ConsoleState
from agent_console.terminal_keys import TolerantParser
from agent_runtime.events import AnyEvent, AudioDropped, Event

# --- keys ------------------------------------------------------------------------------------------------------------


def test_bindings_can_be_mapped() -> None:
    assert [binding.id for binding in bindings()] == [action.id for action in ACTIONS]


def test_keys_are_written_for_people() -> None:
    assert keys_of(BY_ID["search"], {}) == ["/"]
    assert keys_of(BY_ID["palette"], {}) == ["^p"]
    assert keys_of(BY_ID["mute"], {"mute": "ctrl+t, x"}) == ["^t", "x"]


# --- glyphs ----------------------------------------------------------------------------------------------------------


def test_everything_that_the_console_draws_has_a_plain_glyph() -> None:
    assert plain("●○◌◆✓✗→…·‖≥━╸╺─│▁▂▃▄▅▆▇█▎\u276f╭╮╰╯") == "*oo*+x>.-|>===-|..-==###|>++++"


def test_every_sign_that_the_console_draws_has_one_in_ascii() -> None:
    signs: set[str] = set()
    for file in Path(agent_console.__file__).parent.rglob("*.py"):
        strings = (
            node.value for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Constant)
        )
        signs.update(sign for text in strings if isinstance(text, str) for sign in text if not sign.isascii())
    replaced = "\ufffd"  # it says itself that something can't be shown
    assert [sign for sign in sorted(signs - {replaced}) if "?" in plain(sign)] == []


def test_letters_lose_their_accents_and_others_are_marked() -> None:
    assert plain("é雪", "ascii") == "e??"
    assert plain("é雪", "latin-1") == "é??"
    assert plain("Yes\uff01") == "Yes! "


@pytest.mark.parametrize(
    ("environ", "stream", "encoding"),
    [
        ({"LANG": "en_US.UTF-8"}, "utf-8", "utf-8"),
        ({}, "utf-8", "utf-8"),
        ({"LC_ALL": "C", "LANG": "en_US.UTF-8"}, "utf-8", "ascii"),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, "utf-8", "ascii"),
        ({"LC_CTYPE": "C.UTF-8"}, "utf-8", "utf-8"),
        ({"LANG": "de_DE"}, "iso-8859-1", "iso-8859-1"),
        ({"LANG": "en_US.UTF-8", "TERM": "dumb"}, "utf-8", "ascii"),
        ({"LANG": "en_US.UTF-8"}, None, "ascii"),
    ],
)
def test_the_encoding_of_a_terminal(environ: dict[str, str], stream: str | None, encoding: str) -> None:
    assert terminal_encoding(environ, stream) == encoding


@pytest.mark.parametrize(
    ("encoding", "expected"), [("utf-8", True), ("UTF8", True), ("ascii", False), (None, False), ("no-such", False)]
)
def test_which_encodings_show_everything(encoding: str | None, expected: bool) -> None:
    assert is_unicode(encoding) is expected


# --- keys of odd terminals -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sequence", "keys"),
    [
        ("\x1b[32;1:1u", ["space"]),
        ("\x1b[32;1:2u", ["space"]),
        ("\x1b[32;1:3u", []),
        ("\x1b[109;5:1u", ["ctrl+m"]),
        ("\x1b[109;5u", ["ctrl+m"]),
        ("\x1b[1;1:3A", []),
        ("\x1b[1;1:1A", ["up"]),
        ("\x1b[97:65;2u", []),
        ("\x1b[9999999;1u", []),
    ],
)
def test_key_event_types_are_understood_or_ignored(sequence: str, keys: list[str]) -> None:
    assert [event.key for event in TolerantParser().feed(sequence) if isinstance(event, Key)] == keys


# --- push-to-talk ----------------------------------------------------------------------------------------------------


class Timers:
    """Calls what is due when its time is moved."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[Timers.Timer] = []

    class Timer:
        def __init__(self, when: float, callback: Callable[[], None]) -> None:
            self.when, self.callback = when, callback
            self.stopped = False

        def stop(self) -> None:
            self.stopped = True

    def later(self, seconds: float, callback: Callable[[], None]) -> Timers.Timer:
        timer = Timers.Timer(self.now + seconds, callback)
        self._due.append(timer)
        return timer

    def pass_by(self, seconds: float) -> None:
        self.now += seconds
        for timer in list(self._due):
            if timer.when <= self.now:
                self._due.remove(timer)
                if not timer.stopped:
                    timer.callback()


@pytest.fixture
def timers() -> Timers:
    return Timers()


@pytest.fixture
def done() -> list[str]:
    return []


@pytest.fixture
def talk(done: list[str], timers: Timers) -> PushToTalk:
    return PushToTalk(done.append, timers.later)


def test_tap_to_start_tap_to_send(talk: PushToTalk, timers: Timers, done: list[str]) -> None:
    talk.key()
    timers.pass_by(3.0)
    assert done == ["press"]
    talk.key()
    timers.pass_by(0.2)
    assert done == ["press", "send"]
    assert not talk.talking


@pytest.mark.parametrize("repeat", [0.03, 0.09])
def test_hold_to_talk_release_to_send(talk: PushToTalk, timers: Timers, done: list[str], repeat: float) -> None:
    talk.key()
    timers.pass_by(0.5)
    for _ in range(60):
        talk.key()
        timers.pass_by(repeat)
    assert done == ["press"]
    timers.pass_by(0.2)
    assert done == ["press", "send"]


def test_discard_ends_it(talk: PushToTalk, timers: Timers, done: list[str]) -> None:
    talk.discard()
    talk.key()
    talk.key()
    talk.discard()
    timers.pass_by(1.0)
    assert done == ["press", "discard"]


def test_when_the_runtime_ends_it_nothing_is_sent(talk: PushToTalk, timers: Timers, done: list[str]) -> None:
    talk.key()
    talk.key()
    talk.is_off()
    timers.pass_by(1.0)
    assert done == ["press"]
    talk.key()
    assert done == ["press", "press"]


# --- the pump --------------------------------------------------------------------------------------------------------


def event(seq: int) -> AnyEvent:
    return Event(seq, 0.0, "s", None, None, AudioDropped("input", seq))


def test_the_pump_wakes_once_and_keeps_everything() -> None:
    woken: list[int] = []
    pump = EventPump(lambda: woken.append(1))
    for number in range(1, 101):
        pump.put(event(number))
    assert len(woken) == 1
    state = pump.drain(ConsoleState())
    assert (state.seq, state.dropped_input, pump.waiting) == (100, 100, 0)
    assert pump.rest()
    pump.put(event(101))
    assert len(woken) == 2


def test_the_pump_does_not_rest_on_what_came_meanwhile() -> None:
    pump = EventPump(lambda: None)
    pump.put(event(1))
    assert not pump.rest()
    pump.drain(ConsoleState())
    assert pump.rest()


def test_a_frame_takes_only_its_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(1_000))
    monkeypatch.setattr(pump_module, "perf_counter", lambda: next(ticks) * 0.004)
    pump = EventPump(lambda: None)
    for number in range(1, 11):
        pump.put(event(number))
    state = pump.drain(ConsoleState())
    assert (state.seq, pump.waiting) == (3, 7)
    assert pump.drain(state).seq == 6


def test_events_of_many_threads_all_arrive() -> None:
    pump = EventPump(lambda: None)
    threads = [threading.Thread(target=lambda: [pump.put(event(n)) for n in range(500)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pump.waiting == 4_000


def test_a_closed_pump_takes_nothing() -> None:
    pump = EventPump(lambda: None)
    pump.put(event(1))
    pump.close()
    pump.put(event(2))
    assert pump.waiting == 0


# --- the clock -------------------------------------------------------------------------------------------------------


def test_the_clock_goes_on_between_events() -> None:
    now = [100.0]
    clock = SessionClock(lambda: now[0])
    assert clock.now() == 0.0
    clock.heard("s", 5.0)
    now[0] = 101.5
    assert clock.now() == 6.5
    clock.heard("s", 6.2)  # it came late
    assert clock.now() == 6.5
    clock.heard("s", 6.9)
    assert clock.now() == pytest.approx(6.9)


def test_another_session_has_another_zero() -> None:
    clock = SessionClock(lambda: 0.0)
    clock.heard("host", 9.0)
    clock.heard("session", 0.5)
    assert clock.now() == 0.5


# --- imports ---------------------------------------------------------------------------------------------------------


def test_the_console_needs_no_engine_and_no_model() -> None:
    code = (
        "import sys, agent_console.app; "
        "heavy = {'agent_runtime.voice', 'openai', 'onnxruntime', 'numpy', 'pydantic', 'livekit', 'sounddevice'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_state_and_drawing_need_no_textual() -> None:
    code = (
        "import sys, agent_console.state, agent_console.drawing.entries, agent_console.drawing.status; "
        "print([name for name in sys.modules if name.startswith('textual')])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("name", "shown"), [("USB", "USB  system default"), ("System default (USB)", "System default (USB)")]
)
def test_a_device_says_once_that_it_is_the_systems(name: str, shown: str) -> None:
    device = AudioDevice("1", name, "input", is_default=True, is_current=False)
    assert row_of(device).plain.strip() == shown
