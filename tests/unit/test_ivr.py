"""Phone menus: keys, silence and loops."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from agent_runtime import Agent, RunContext
from agent_runtime.testing import Answer, UserSpeech, in_virtual_time, scripted_session
from agent_runtime.voice.dtmf import DtmfEvent, dtmf_event_to_code, send_dtmf_events
from agent_runtime.voice.ivr import LoopDetector
from agent_tools import ToolError

MENU = "For opening hours press one, for a table press two"


def test_keys_have_numbers() -> None:
    assert [dtmf_event_to_code(key) for key in (DtmfEvent.ZERO, DtmfEvent.NINE, DtmfEvent.STAR, DtmfEvent.D)] == [
        0,
        9,
        10,
        15,
    ]


def test_the_same_again_and_again_is_a_loop() -> None:
    loop = LoopDetector()
    assert [loop.repeats(MENU) for _ in range(4)] == [False, False, False, True]
    assert [loop.repeats(MENU) for _ in range(2)] == [False, False]


def test_other_words_break_it() -> None:
    loop = LoopDetector()
    texts = [MENU, MENU, MENU, "Please hold the line, you are next", MENU, MENU]
    assert [loop.repeats(text) for text in texts] == [False] * 6
    assert not LoopDetector(times=1).repeats("")


@in_virtual_time
async def test_the_agent_acts_when_nothing_goes_on() -> None:
    async with scripted_session(answers=[Answer("Anybody?")] * 3, durations=[1.0] * 3, ivr_detection=True) as stage:
        await stage.session.start(Agent(instructions=""))
        await stage.run_until(7.0)
        assert [who for who, _ in stage.said()] == ["assistant"]
        [began] = stage.times("playout_started")
        assert began == pytest.approx(5.5, abs=0.2)
        assert [tool.id for tool in stage.session.tools] == ["send_dtmf_events"]
    assert stage.session.tools == []


@in_virtual_time
async def test_the_agent_acts_when_the_menu_begins_again() -> None:
    speeches = [UserSpeech(1.0 + 4 * n, 3.0 + 4 * n, MENU) for n in range(4)]
    async with scripted_session(
        speeches, answers=[Answer("Two.")] * 6, durations=[0.2] * 6, ivr_detection=True
    ) as stage:
        await stage.session.start(Agent(instructions=""))
        await stage.run_until(16.0)
        created = [payload.speech_handle for _, name, payload in stage.callbacks if name == "speech_created"]
        assert [speech.allow_interruptions for speech in created].count(False) == 1


@in_virtual_time
async def test_without_it_nobody_acts() -> None:
    async with scripted_session(answers=[Answer("Anybody?")]) as stage:
        await stage.session.start(Agent(instructions=""))
        await stage.run_until(12.0)
        assert stage.said() == []
        assert stage.session.tools == []


class Keypad:
    def __init__(self, error: Exception | None = None) -> None:
        self.pressed: list[tuple[int, str]] = []
        self.error = error

    async def publish_dtmf(self, *, code: int, digit: str) -> None:
        if self.error is not None:
            raise self.error
        self.pressed.append((code, digit))


def context(keypad: Keypad | None) -> RunContext[Any]:
    io = SimpleNamespace(room=SimpleNamespace(local_participant=keypad)) if keypad is not None else None
    made: Any = SimpleNamespace(session=SimpleNamespace(_room_io=io))
    return made


@in_virtual_time
async def test_keys_are_pressed_one_by_one() -> None:
    keypad = Keypad()
    said = await send_dtmf_events(context(keypad), [DtmfEvent.ONE, DtmfEvent.POUND])
    assert keypad.pressed == [(1, "1"), (11, "#")]
    assert said == "Pressed 1 #."


@in_virtual_time
async def test_the_model_is_told_where_there_are_no_keys() -> None:
    with pytest.raises(ToolError, match="no phone call"):
        await send_dtmf_events(context(None), [DtmfEvent.ONE])
    with pytest.raises(ToolError, match="key 1 couldn't be pressed: the line is dead"):
        await send_dtmf_events(context(Keypad(OSError("the line is dead"))), [DtmfEvent.ONE])
