"""Tasks that ask for one thing, and the tool that hangs up."""

from __future__ import annotations

import asyncio
import contextlib
import json
from datetime import date, time
from types import SimpleNamespace
from typing import Any

import pytest
from livekit import rtc

from agent_runtime import Agent, AgentSession, AgentTask
from agent_runtime.llm import FunctionCallOutput, Instructions
from agent_runtime.testing import Answer, ScriptedLLM, in_virtual_time
from agent_runtime.voice.end_call import EndCallTool
from agent_runtime.worker.job import JobContext, JobProcess, current_job
from agent_runtime.workflows import (
    GetAddressTask,
    GetDOBTask,
    GetDtmfTask,
    GetEmailResult,
    GetEmailTask,
    GetNameTask,
    GetPhoneNumberTask,
    WorkflowInstructions,
)
from agent_tools import ToolError
from tests.support import jobs

ASK = Answer("May I ask?")
CONFIRM = Answer(tool_calls=[("confirm_email_address", "{}")])


class Host(Agent):
    """Awaits the task as soon as it has the conversation."""

    def __init__(self, task: AgentTask[Any]) -> None:
        super().__init__(instructions="")
        self.task = task
        self.result: Any = None

    async def on_enter(self) -> None:
        try:
            self.result = await self.task
        except ToolError as error:
            self.result = error


def note(name: str, **arguments: Any) -> Answer:
    return Answer(tool_calls=[(name, json.dumps(arguments))])


async def outcome(
    task: AgentTask[Any], *answers: Answer, said: int = 1, modality: Any = "text"
) -> tuple[Any, list[str]]:
    """What awaiting the task gives, and what its tools told the model."""
    llm = ScriptedLLM([ASK, *answers, *[Answer("Well.")] * 4])
    async with AgentSession(stt=None, vad=None, tts=None, llm=llm) as session:
        host = Host(task)
        await session.start(host)
        await asyncio.sleep(2.0)
        for turn in range(said):
            with contextlib.suppress(ToolError):  # the task's, which the run tells too
                await session.run(user_input=f"Turn {turn}", input_modality=modality)
        await asyncio.sleep(2.0)
        outputs = [item.output for item in session.history.items if isinstance(item, FunctionCallOutput)]
        return host.result, outputs


@in_virtual_time
async def test_what_is_typed_needs_no_confirmation() -> None:
    result, _ = await outcome(GetEmailTask(), note("update_email_address", email=" ann@example.com "))
    assert result.email_address == "ann@example.com"


@in_virtual_time
async def test_what_is_spoken_is_read_back() -> None:
    task = GetEmailTask(verify_spelling=True)
    result, told = await outcome(
        task, note("update_email_address", email="a@b.co"), Answer("Right?"), CONFIRM, said=2, modality="audio"
    )
    assert result.email_address == "a@b.co"
    assert "a @ b . c o" in told[0]


@in_virtual_time
async def test_a_wrong_address_is_told_and_asked_for_again() -> None:
    result, told = await outcome(
        GetEmailTask(), note("update_email_address", email="ann at home"), note("update_email_address", email="a@b.co")
    )
    assert told[0] == "'ann at home' is no email address"
    assert result.email_address == "a@b.co"


@in_virtual_time
async def test_a_confirmation_of_what_was_before_doesnt_count() -> None:
    task = GetEmailTask(require_confirmation=True)
    seen: list[str | None] = []
    async with AgentSession(stt=None, vad=None, tts=None, llm=ScriptedLLM([ASK])) as session:
        host = Host(task)
        await session.start(host)
        await asyncio.sleep(2.0)
        context: Any = SimpleNamespace()
        for address in ("old@b.co", "new@b.co"):
            await task.take(context, GetEmailResult(address), address)
            seen.append(task.tools[-1].id)
        assert seen == ["confirm_email_address"] * 2
        assert "has changed" in str(await task._confirmed(GetEmailResult("old@b.co"))())
        assert not task.done()
        await task._confirmed(GetEmailResult("new@b.co"))()
        await asyncio.sleep(1.0)
        assert host.result.email_address == "new@b.co"


@in_virtual_time
async def test_the_user_may_decline() -> None:
    result, _ = await outcome(GetPhoneNumberTask(), note("decline_phone_number_capture", reason="private"))
    assert isinstance(result, ToolError)
    assert "private" in str(result)


@in_virtual_time
async def test_a_number_is_its_digits() -> None:
    result, told = await outcome(
        GetPhoneNumberTask(),
        note("update_phone_number", phone_number="12"),
        note("update_phone_number", phone_number="+1 (555) 010-0199"),
    )
    assert told[0] == "'12' is no phone number"
    assert result.phone_number == "+15550100199"


@in_virtual_time
async def test_an_address_has_a_street_and_a_town() -> None:
    known = {"unit_number": "", "country": "France"}
    result, told = await outcome(
        GetAddressTask(),
        note("update_address", street_address="1 rue X", locality="", **known),
        note("update_address", street_address="1 rue X", locality="75001 Paris", **known),
    )
    assert told[0] == "an address needs a street and a town"
    assert result.address == "1 rue X 75001 Paris France"


@in_virtual_time
async def test_a_name_has_the_parts_that_are_wanted() -> None:
    task = GetNameTask(last_name=True, name_format="{last_name}, {first_name}", require_confirmation=True)
    confirm = Answer(tool_calls=[("confirm_name", "{}")])
    result, told = await outcome(
        task,
        note("update_name", first_name="Zoë"),
        note("update_name", first_name="Zoë", last_name="Lee", middle_name="X"),
        Answer("Right?"),
        confirm,
        said=2,
    )
    assert told[0] == "still to be asked for: last name"
    assert "Lee, Zoë" in told[1]
    assert (result.first_name, result.middle_name, result.last_name) == ("Zoë", None, "Lee")
    with pytest.raises(ValueError, match="a name has parts"):
        GetNameTask(first_name=False)


@in_virtual_time
async def test_a_date_of_birth_is_a_date_that_was() -> None:
    result, told = await outcome(
        GetDOBTask(include_time=True),
        note("update_dob", year=1990, month=2, day=30),
        note("update_dob", year=2990, month=2, day=3),
        note("update_dob", year=1990, month=2, day=3, hour=4),
    )
    assert told[0].startswith("there is no such date")
    assert told[1] == "2990-02-03 is yet to come"
    assert (result.date_of_birth, result.time_of_birth) == (date(1990, 2, 3), time(4, 0))


def test_instructions_can_be_ones_own() -> None:
    own = GetEmailTask(instructions="Ask nicely.")
    assert own.instructions == "Ask nicely."
    parts = GetEmailTask(instructions=WorkflowInstructions(persona="You are a bear.", extra="Growl."))
    text = str(parts.instructions)
    assert text.startswith("You are a bear.")
    assert text.endswith("Growl.")
    assert isinstance(parts.instructions, Instructions)
    assert "misheard" in parts.instructions.render(modality="audio")
    assert "types" in parts.instructions.render(modality="text")


class Room(rtc.EventEmitter[Any]):
    """A room whose callers press keys."""

    def press(self, *digits: str) -> None:
        for digit in digits:
            self.emit("sip_dtmf_received", SimpleNamespace(digit=digit))


async def keyed(task: GetDtmfTask, *digits: str, answers: int = 2) -> tuple[Any, AgentSession[None]]:
    session: AgentSession[None] = AgentSession(stt=None, vad=None, tts=None, llm=ScriptedLLM([ASK] * answers))
    room = Room()
    io: Any = SimpleNamespace(room=room)
    async with session:
        session._room_io = io
        host = Host(task)
        await session.start(host)
        await asyncio.sleep(1.0)
        room.press(*digits)
        await asyncio.sleep(8.0)
        session._room_io = None
        return host.result, session


@in_virtual_time
async def test_keys_are_collected() -> None:
    result, _ = await keyed(GetDtmfTask(num_digits=3), "1", "2", "3")
    assert result.user_input == "1 2 3"


@in_virtual_time
@pytest.mark.parametrize("digits", [("1", "#"), ("1",)])
async def test_too_few_keys_are_an_error(digits: tuple[str, ...]) -> None:
    result, _ = await keyed(GetDtmfTask(num_digits=2), *digits)
    assert str(result) == "2 digits were asked for, 1 given: 1"
    with pytest.raises(ValueError, match="one at least"):
        GetDtmfTask(num_digits=0)


@in_virtual_time
async def test_keys_are_confirmed_where_that_is_wanted() -> None:
    result, session = await keyed(GetDtmfTask(num_digits=2, ask_for_confirmation=True), "1", "2")
    assert result is None or isinstance(result, Exception)
    assert "I pressed 1 2." in [getattr(item, "text_content", None) for item in session.history.items]


@in_virtual_time
async def test_digits_may_be_said() -> None:
    result, _ = await outcome(GetDtmfTask(num_digits=2), note("record_inputs", inputs=["4", "2"]))
    assert result.user_input == "4 2"


@in_virtual_time
async def test_the_agent_hangs_up() -> None:
    calls: list[str] = []
    ended: list[str] = []

    async def called(event: Any) -> None:
        calls.append(f"called {event.arguments}")

    async def completed(event: Any) -> None:
        calls.append(str(event.output))
        event.output = "Say see you."

    room: Any = None
    job = JobContext(proc=JobProcess(), info=jobs.info(), room=room, on_connect=lambda: None, on_shutdown=ended.append)
    token = current_job.set(job)
    try:
        tool = EndCallTool(extra_description="Wait for bye.", on_tool_called=called, on_tool_completed=completed)
        [inner] = tool.tools
        assert "Wait for bye." in (getattr(inner, "info").description)  # noqa: B009 - only function tools have it
        llm = ScriptedLLM([Answer(tool_calls=[("end_call", "{}")]), Answer("See you!")])
        session: AgentSession[None] = AgentSession(stt=None, vad=None, tts=None, llm=llm)
        await session.start(Agent(instructions="", tools=[tool]))
        await session.run(user_input="That's all, bye")
        await asyncio.sleep(2.0)
        assert not session.started
        assert calls == ["called {}", "say goodbye to the user"]
        assert ended == ["user_initiated"]
        outputs = [item.output for item in session.history.items if isinstance(item, FunctionCallOutput)]
        assert outputs == ["Say see you."]
        await job._call_shutdown_callbacks("over")
    finally:
        current_job.reset(token)
