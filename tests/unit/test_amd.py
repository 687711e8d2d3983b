"""Who answered a call: by how long they speak, what they say, and how the session behaves meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from agent_runtime import Agent
from agent_runtime.testing import Answer, ScriptedLLM, Stage, UserSpeech, in_virtual_time, scripted_session
from agent_runtime.voice.amd import AMD
from agent_runtime.voice.amd_judge import AMDCategory, AMDPredictionEvent

MENU = "Welcome to Dana's. For opening hours press one, for a table press two"
MAILBOX = "I can't come to the phone right now, please leave a message after the tone"


def label(name: str, **given: Any) -> Answer:
    return Answer(tool_calls=[("save_prediction", f'{{"label": "{name}"}}')], ttft=0.05, duration=0.1, **given)


def wait(seconds: float) -> Answer:
    return Answer(tool_calls=[("postpone_termination", f'{{"seconds": {seconds}}}')], ttft=0.05, duration=0.1)


async def who(
    *speeches: UserSpeech, says: Sequence[Answer] = (), options: Any = None, **given: Any
) -> tuple[AMDPredictionEvent, float, Stage]:
    """The verdict, when it came, and the stage, which is closed."""
    async with scripted_session(speeches, answers=[Answer("Hello, this is Tom.")] * 3, durations=[1.0] * 3) as stage:
        await stage.session.start(Agent(instructions=""))
        model = ScriptedLLM(list(says))
        detector = AMD(stage.session, llm=model, detection_options=options or {}, **given)
        async with detector:
            assert detector.pending
            assert stage.session.amd is detector
            task = asyncio.create_task(detector.execute())
            while not task.done():
                await stage.run_until(stage.now + 0.1)
            at = stage.now
            await stage.run_until(at + 6.0)
        assert stage.session.amd is None
        return task.result(), at, stage


@in_virtual_time
async def test_a_short_hello_is_a_person() -> None:
    result, at, _ = await who(UserSpeech(1.0, 1.6))
    assert (result.category, result.reason) == (AMDCategory.HUMAN, "short_greeting")
    assert result.is_human
    assert result.speech_duration == pytest.approx(0.6, abs=0.05)
    assert at == pytest.approx(2.1, abs=0.11)


@in_virtual_time
async def test_words_are_read_before_a_person_is_believed() -> None:
    result, at, _ = await who(UserSpeech(1.0, 1.6, "Hello?"), says=[label("human")])
    assert (result.category, result.reason, result.transcript) == (AMDCategory.HUMAN, "llm", "Hello?")
    assert at == pytest.approx(3.1, abs=0.11)


@in_virtual_time
async def test_a_machine_is_heard_out_and_not_answered() -> None:
    result, at, stage = await who(UserSpeech(1.0, 6.0, MAILBOX), says=[label("machine-vm")])
    assert (result.category, result.transcript) == (AMDCategory.MACHINE_VM, MAILBOX)
    assert result.is_machine
    assert at > 7.4
    assert stage.said() == [("user", MAILBOX)]
    assert stage.times("playout_started") == []


@in_virtual_time
async def test_what_a_machine_says_later_isnt_answered_either() -> None:
    speeches = [UserSpeech(1.0, 6.0, MAILBOX), UserSpeech(9.0, 10.0, "Goodbye")]
    _, at, stage = await who(*speeches, says=[label("machine-vm")])
    assert at < 9.0
    assert stage.said() == [("user", MAILBOX), ("user", "Goodbye")]
    assert stage.times("playout_started") == []
    assert all(getattr(over.data, "interrupted", False) for over in stage.of("speech_finished"))


@in_virtual_time
async def test_a_machine_may_be_answered_all_the_same() -> None:
    _, _, stage = await who(
        UserSpeech(1.0, 6.0, MAILBOX), says=[label("machine-vm")], interrupt_on_machine=False, ivr_detection=False
    )
    assert ("assistant", "Hello, this is Tom.") in stage.said()


@in_virtual_time
async def test_the_agent_speaks_once_a_person_is_known() -> None:
    result, at, stage = await who(UserSpeech(1.0, 1.6, "Hello?"), says=[label("human")])
    assert result.is_human
    [heard] = stage.times("playout_started")
    assert heard >= at - 0.11


@in_virtual_time
async def test_silence_and_want_of_time_leave_it_open() -> None:
    result, at, _ = await who()
    assert (result.category, result.reason) == (AMDCategory.UNCERTAIN, "no_speech_timeout")
    assert at == pytest.approx(10.0, abs=0.11)
    result, at, _ = await who(
        UserSpeech(1.0, 9.0, "Well"), says=[label("uncertain")], options={"timeout": 5.0}, wait_until_finished=False
    )
    assert (result.category, result.reason) == (AMDCategory.UNCERTAIN, "detection_timeout")
    assert at == pytest.approx(5.0, abs=0.11)


@in_virtual_time
async def test_who_speaks_is_let_finish() -> None:
    result, at, _ = await who(UserSpeech(1.0, 9.0, "Well"), says=[label("uncertain")], options={"timeout": 5.0})
    assert result.reason == "detection_timeout"
    assert at > 9.0


@in_virtual_time
async def test_the_model_may_ask_for_more() -> None:
    says = [wait(4.0), label("machine-ivr")]
    result, at, _ = await who(UserSpeech(1.0, 3.0, "Thanks for calling Dana's"), says=says, ivr_detection=False)
    assert result.category is AMDCategory.MACHINE_IVR
    assert at > 7.0


@in_virtual_time
async def test_a_model_that_fails_leaves_it_to_the_clock(caplog: pytest.LogCaptureFixture) -> None:
    result, _, _ = await who(UserSpeech(1.0, 1.6, "Hello?"), options={"timeout": 8.0})
    assert result.reason == "detection_timeout"
    assert "can't say who answered" in caplog.text


@in_virtual_time
async def test_a_menu_is_navigated() -> None:
    async with scripted_session([UserSpeech(1.0, 6.0, MENU)], answers=[Answer("Two, please.")] * 2) as stage:
        await stage.session.start(Agent(instructions=""))
        heard: list[str] = []
        async with AMD(stage.session, llm=ScriptedLLM([label("machine-ivr")])) as detector:
            detector.on("amd_prediction", lambda event: heard.append(event.category))
            result = await detector.execute()
            assert [tool.id for tool in stage.session.tools] == ["send_dtmf_events"]
            await stage.run_until(stage.now + 8.0)
        assert heard == [result.category] == ["machine-ivr"]
        assert ("assistant", "Two, please.") in stage.said()


@in_virtual_time
async def test_closed_early_there_is_no_verdict() -> None:
    async with scripted_session() as stage:
        await stage.session.start(Agent(instructions=""))
        detector = AMD(stage.session)
        async with detector:
            with pytest.raises(RuntimeError, match="one at a time"):
                await AMD(stage.session).__aenter__()
        with pytest.raises(RuntimeError, match="closed before"):
            await detector.execute()
        assert not detector.enabled


@in_virtual_time
async def test_it_needs_a_model() -> None:
    async with scripted_session() as stage:
        stage.session.update_options(llm=None)
        with pytest.raises(ValueError, match="language model"):
            await AMD(stage.session).__aenter__()
        assert stage.session.amd is None
