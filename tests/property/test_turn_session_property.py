"""Whole conversations under random scripts, in virtual time: what must hold, holds."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent_runtime import (
    Agent,
    AgentTask,
    APIConnectionError,
    APIConnectOptions,
    RunContext,
    SessionConnectOptions,
    ToolError,
    ToolFlag,
    function_tool,
)
from agent_runtime.testing import Answer, Stage, UserSpeech, run_virtual, scripted_session

END = 60.0
NO_RETRY = SessionConnectOptions(llm_conn_options=APIConnectOptions(max_retry=0), max_unrecoverable_errors=1000)


class Busy(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You have tools.")

    @function_tool
    async def slow(self) -> str:
        """Take a while."""
        await asyncio.sleep(1.5)
        return "slow"

    @function_tool
    async def quick(self) -> str:
        """Take no time."""
        return "quick"

    @function_tool
    async def fails(self) -> str:
        """Fail."""
        raise RuntimeError("broken")

    @function_tool
    async def talks(self) -> str:
        """Say something meanwhile."""
        self.session.say("One moment")
        return "talked"

    @function_tool(on_duplicate="reject")
    async def reports(self, context: RunContext[Any]) -> str:
        """Work in the background and tell of it."""
        await context.update("begun")
        await asyncio.sleep(0.7)
        await context.update("half", silent=True)
        await context.update("more")
        await asyncio.sleep(1.6)
        return "reported"

    @function_tool(on_duplicate="replace", flags=ToolFlag.CANCELLABLE)
    async def replaced(self, context: RunContext[Any]) -> str:
        """Work in the background unless somebody else wants to."""
        await context.update("begun")
        async with context.with_filler("Still at it", delay=0.5):
            await asyncio.sleep(2.2)
        return "not replaced"

    @function_tool(on_duplicate="confirm")
    async def lasts(self) -> str:
        """Outlast an interruption."""
        await asyncio.sleep(7.0)
        return "lasted"

    @function_tool
    async def asks(self, context: RunContext[Any]) -> str:
        """Ask something in one go."""
        await context.update("begun")
        async with context.foreground():
            await self.session.say("A question")
        return "asked"

    @function_tool
    async def awaits(self) -> str:
        """Have a task done."""
        return await Errand()

    @function_tool
    async def moves(self) -> Any:
        """Hand over for good."""
        return Busy(), "moved"


class Errand(AgentTask[str]):
    """Has the conversation until it is done, and may have another one done before."""

    def __init__(self) -> None:
        super().__init__(instructions="An errand.")

    async def on_enter(self) -> None:
        self.session.say("First a question")

    @function_tool
    async def finishes(self) -> str:
        """It is done."""
        self.complete("done")
        return "finished"

    @function_tool
    async def quick(self) -> None:
        """It is done, and there is nothing to say about it."""
        self.complete(ToolError("not done"))

    @function_tool
    async def awaits(self) -> str:
        """Have another one done first."""
        return await Errand()

    @function_tool
    async def moves(self) -> Any:
        """Hand over for good."""
        return Busy(), "moved"


@st.composite
def speeches(draw: st.DrawFn) -> list[UserSpeech]:
    told, at = [], 0.5
    for _ in range(draw(st.integers(0, 6))):
        at += draw(st.floats(0.6, 6.0))
        length = draw(st.sampled_from([0.2, 0.6, 1.5, 3.0]))
        text = draw(st.sampled_from(["", "no", "mm-hm", "please go on", "what about the other one"]))
        told.append(UserSpeech(at, at + length, text, draw(st.sampled_from([0.0, 0.2, 0.9]))))
        at += length
    return told


TOOLS = ["slow", "quick", "fails", "talks", "reports", "replaced", "lasts", "asks", "lk_agents_get_running_tasks"]
TOOLS += ["awaits", "awaits", "finishes", "moves"]
ANSWERS = st.lists(
    st.builds(
        Answer,
        st.sampled_from(["", "Yes.", "Let me think about this for a little while and then tell you."]),
        st.lists(st.sampled_from([(name, "{}") for name in TOOLS]), max_size=2),
        st.sampled_from([0.0, 0.1, 0.8]),
        st.sampled_from([0.0, 0.3, 2.0]),
        st.sampled_from([None, None, None, APIConnectionError("no line", retryable=False)]),
    ),
    min_size=80,
    max_size=80,
)
TASK_ACTIONS = ["hand over", "cancel", "complete"]
ACTIONS = st.lists(
    st.tuples(
        st.floats(0.0, 40.0),
        st.sampled_from(
            [
                "text",
                "say",
                "interrupt",
                "swap",
                "press",
                "send",
                "discard",
                "off",
                "commit",
                "clear",
                "mute",
                *TASK_ACTIONS,
            ]
        ),
    ),
    max_size=6,
)


HANDLING: list[dict[str, Any]] = [
    {},
    {"interruption": {"mode": "adaptive", "min_words": 2}, "endpointing": {"mode": "dynamic"}},
    {"interruption": {"mode": "adaptive", "backchannel_boundary": None}, "user_turn_limit": {"max_words": 4}},
    {"interruption": {"mode": "adaptive", "false_interruption_timeout": 0.4}, "user_turn_limit": {"max_duration": 2.0}},
]


async def perform(stage: Stage, action: str) -> None:
    session = stage.session
    match action:
        case "text":
            session.send_text("typed")
        case "say":
            session.say("By the way")
        case "interrupt":
            session.interrupt(force=True)
        case "swap":
            session.swap_agent(Busy())
        case "hand over":
            session.update_agent(Busy())
        case "cancel" | "complete":
            task = session.current_agent
            if isinstance(task, AgentTask) and not task.done():
                task.cancel() if action == "cancel" else task.complete("done from outside")
        case "press" | "send" | "discard" | "off":
            getattr(session.push_to_talk, action)()
        case "commit":
            session.commit_user_turn(transcript_timeout=0.5)
        case "clear":
            session.clear_user_turn()
        case "mute":
            session.set_input_muted(True)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.data_too_large, HealthCheck.too_slow])
@given(
    speeches(),
    ANSWERS,
    ACTIONS,
    st.booleans(),
    st.booleans(),
    st.sampled_from([END, END, 12.34]),
    st.sampled_from(HANDLING),
)
def test_any_conversation(
    said: list[UserSpeech],
    answers: list[Answer],
    actions: list[tuple[float, str]],
    can_pause: bool,
    aligned: bool,
    end: float,
    handling: dict[str, Any],
) -> None:
    async def scenario() -> Stage:
        options: dict[str, Any] = {"conn_options": NO_RETRY, "can_pause": can_pause, "aligned": aligned}
        options |= {"turn_handling": handling, "transcription_timeout": 1.5}
        async with scripted_session(said, answers=answers, **options) as stage:
            await stage.session.start(Busy())
            for at, action in sorted(actions):
                if at < end:
                    await stage.run_until(at)
                    await perform(stage, action)
            if end == END:
                stage.llm.answers = [Answer("Yes.")] * 80  # what comes of calls calls nothing any more
                stage.session.push_to_talk.discard()
                stage.session.interrupt(force=True)
                await stage.run_until(end)
                assert stage.session.agent_state == "listening"
                assert stage.session.current_speech is None
        return stage

    stage = run_virtual(scenario())
    check_tools(stage)
    check_order(stage)
    check_interruptions(stage)
    check_heard(stage)
    check_parts(stage)


def check_tools(stage: Stage) -> None:
    """Every call has exactly one output, right after the calls of its step, and one end for its start."""
    items = stage.session.history.items
    called = [i.call_id for i in items if i.type == "function_call"]
    answered = [i.call_id for i in items if i.type == "function_call_output"]
    assert sorted(called) == sorted(answered)
    assert len(set(called)) == len(called)
    started = [e.data.call_id for e in stage.of("tool_started")]
    finished = [e.data.call_id for e in stage.of("tool_finished")]
    assert sorted(started) == sorted(finished)
    assert set(started) == {_of_call(call_id) for call_id in called}
    for _, name, payload in stage.callbacks:
        if name == "function_tools_executed":
            assert [call.call_id for call, _ in payload.zipped()] == [output.call_id for _, output in payload.zipped()]
    check_results(stage)


def _of_call(call_id: str) -> str:
    """The call that an update or a late result is of."""
    return "_".join(call_id.split("_")[:2])


def check_results(stage: Stage) -> None:
    """What came of a call that ended by itself is in the conversation, once, however its reply ended."""
    outputs = {i.call_id: i.output for i in stage.session.history.items if i.type == "function_call_output"}
    updated = {event.data.call_id for event in stage.of("tool_updated")}
    for event in stage.of("tool_finished"):
        data = event.data
        if "cancelled" not in data.output:
            name = f"{data.call_id}_final" if data.call_id in updated else data.call_id
            assert outputs[name] == data.output or "handoff did not happen" in outputs[name]


def check_order(stage: Stage) -> None:
    """The conversation is in the order of time, and so is what was told of it."""
    times = [item.created_at for item in stage.session.history.items]
    assert times == sorted(times)
    assert all(a.time <= b.time and a.seq < b.seq for a, b in pairwise(stage.events))


def check_interruptions(stage: Stage) -> None:
    """Nothing of a speech is heard after it was interrupted."""
    stopped: set[str] = set()
    for event in stage.events:
        if event.data.type == "agent_interrupted":
            stopped.add(event.data.speech_id)
        elif event.data.type in ("playout_started", "playout_resumed"):
            assert event.data.speech_id not in stopped


def check_heard(stage: Stage) -> None:
    """What is in the conversation was heard: a beginning of what was generated, and what was told as heard."""
    generated: dict[str, str] = {}
    heard: dict[str, str] = {}
    for event in stage.events:
        if event.data.type == "agent_text":
            generated[event.data.item_id] = generated.get(event.data.item_id, "") + event.data.delta
        elif event.data.type == "agent_heard":
            heard[event.data.item_id] = event.data.text
    for message in stage.session.history.messages():
        if message.role == "assistant":
            text = message.text_content or ""
            assert generated[message.id].startswith(text)
            assert heard[message.id] == text
            assert message.interrupted or text == generated[message.id]


def check_parts(stage: Stage) -> None:
    """The parts of a turn add up."""
    for event in stage.of("turn_measured"):
        parts = event.data.parts
        if not parts:  # words alone, at once
            assert event.data.start == event.data.end
            continue
        assert parts[0].start == event.data.start
        assert parts[-1].end == event.data.end
        assert all(a.end == b.start and a.end > a.start for a, b in pairwise(parts))
