"""`TaskGroup`: tasks in their order, the way back, and what is remembered of them."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agent_runtime import (
    Agent,
    AgentSession,
    AgentTask,
    TaskCompletedEvent,
    TaskGroup,
    ToolError,
    function_tool,
)
from agent_runtime.llm import ChatContext
from agent_runtime.llm.summary import summarize
from agent_runtime.testing import Answer, ScriptedLLM, in_virtual_time

QUICK = {"ttft": 0.0, "duration": 0.0}


def said(text: str) -> Answer:
    return Answer(text, **QUICK)


def give(value: str) -> Answer:
    return Answer("", [("give", json.dumps({"value": value}))], **QUICK)


def back(*task_ids: str) -> Answer:
    return Answer("", [("out_of_scope", json.dumps({"task_ids": list(task_ids)}))], **QUICK)


class Ask(AgentTask[str]):
    def __init__(self, what: str) -> None:
        super().__init__(instructions=f"Ask for the {what}.")
        self.what = what

    async def on_enter(self) -> None:
        self.session.say(f"Your {self.what}?")

    @function_tool
    async def give(self, value: str) -> None:
        """The user told it."""
        self.complete(ToolError("nothing") if value == "nothing" else value)


class Desk(Agent):
    def __init__(self, **options: Any) -> None:
        super().__init__(instructions="desk")
        self.options = {"summarize_chat_ctx": False, **options}
        self.results: dict[str, Any] | Exception | None = None

    async def on_enter(self) -> None:
        group = TaskGroup(**self.options)
        for what in ("name", "phone", "mail"):
            group.add(lambda what=what: Ask(what), id=what, description=f"Asks for the {what}")
        try:
            self.results = (await group).task_results
        except Exception as error:
            self.results = error


@asynccontextmanager
async def started(agent: Agent, *answers: Answer) -> AsyncGenerator[AgentSession[Any], None]:
    async with AgentSession[Any](llm=ScriptedLLM(list(answers))) as session:
        await session.start(agent, capture_run=True)
        yield session


def told(context: ChatContext) -> list[str]:
    return [m.text_content or "" for m in context.messages() if m.role != "system"]


@in_virtual_time
async def test_tasks_come_in_their_order_and_know_what_was_said():
    completed: list[tuple[str, Any]] = []

    async def note(event: TaskCompletedEvent) -> None:
        assert isinstance(event.agent_task, Ask)
        completed.append((event.task_id, event.result))

    desk = Desk(on_task_completed=note)
    async with started(desk, give("Bob"), give("123"), give("b@c")) as session:
        for text in ("Bob", "123", "b@c"):
            await session.run(user_input=text)
        assert desk.results == {"name": "Bob", "phone": "123", "mail": "b@c"}
        assert completed == [("name", "Bob"), ("phone", "123"), ("mail", "b@c")]
        assert session.current_agent is desk
        everything = ["Your name?", "Bob", "Your phone?", "123", "Your mail?", "b@c"]
        assert told(desk.chat_ctx) == everything
        assert told(session.llm.requests[-1]) == everything
        assert not [item for item in desk.chat_ctx.items if item.type == "function_call"]


@in_virtual_time
async def test_going_back_to_tasks_that_are_done():
    desk = Desk()
    answers = [give("Bob"), give("123"), back("phone", "name"), give("456"), give("Zoe"), give("z@c")]
    async with started(desk, *answers) as session:
        for text in ("Bob", "123", "My phone and name are wrong", "456", "Zoe", "z@c"):
            await session.run(user_input=text)
        assert desk.results == {"name": "Zoe", "phone": "456", "mail": "z@c"}
        # After the way back the task that was left begins anew.
        questions = [text for text in told(desk.chat_ctx) if text.startswith("Your")]
        assert questions == ["Your name?", "Your phone?", "Your mail?", "Your phone?", "Your name?", "Your mail?"]


@in_virtual_time
async def test_the_way_back_leads_to_tasks_that_are_done_only():
    desk = Desk()
    async with started(desk, give("Bob"), back("mail"), said("I can't.")) as session:
        assert [tool.id for tool in session.current_agent.tools] == ["give"]
        await session.run(user_input="Bob")
        assert [tool.id for tool in session.current_agent.tools] == ["give", "out_of_scope"]
        run = await session.run(user_input="Change my mail")
        run.expect.contains_function_call_output(is_error=True)
        (output,) = [e.item.output for e in run.events if e.type == "function_call_output"]
        assert output == "task_ids must be a list of some of name, not ['mail']"
        assert session.current_agent.what == "phone"


@pytest.mark.parametrize("go_on", [False, True])
@in_virtual_time
async def test_a_task_that_fails(go_on):
    desk = Desk(return_exceptions=go_on)
    async with started(desk, give("Bob"), give("nothing"), give("b@c")) as session:
        await session.run(user_input="Bob")
        if not go_on:
            with pytest.raises(ToolError, match="nothing"):  # a task's exception is the run's output
                await session.run(user_input="I have none")
            assert isinstance(desk.results, ToolError)
            assert session.current_agent is desk
            return
        await session.run(user_input="I have none")
        await session.run(user_input="b@c")
        assert isinstance(desk.results, dict)
        assert isinstance(desk.results.pop("phone"), ToolError)
        assert desk.results == {"name": "Bob", "mail": "b@c"}


@in_virtual_time
async def test_the_group_is_summed_up():
    desk = Desk(summarize_chat_ctx=True)
    async with started(desk, give("Bob"), give("123"), give("b@c"), said("Bob, 123, b@c.")) as session:
        for text in ("Bob", "123", "b@c"):
            await session.run(user_input=text)
        assert told(desk.chat_ctx) == ["<summary_of_the_conversation>Bob, 123, b@c.</summary_of_the_conversation>"]
        asked = session.llm.requests[-1].messages()[-1].text_content
        assert asked.splitlines()[:4] == [
            "assistant: Your name?",
            "user: Bob",
            'tool call give: {"value": "Bob"}',
            "tool give gave: ",
        ]


@in_virtual_time
async def test_a_group_whose_summary_fails_fails():
    desk = Desk(summarize_chat_ctx=True)
    async with started(desk, give("Bob"), give("123"), give("b@c")) as session:
        for text in ("Bob", "123", "b@c"):
            await session.run(user_input=text)
        assert isinstance(desk.results, LookupError)
        assert session.current_agent is desk


@in_virtual_time
async def test_a_session_that_closes_in_a_group_leaves_nothing_behind():
    desk = Desk()
    async with started(desk, give("Bob")) as session:
        await session.run(user_input="Bob")
    assert isinstance(desk.results, ToolError) or desk.results is None


@in_virtual_time
async def test_a_summary_keeps_what_is_no_talk_and_earlier_summaries():
    context = ChatContext.empty()
    context.add_message(role="system", content="instructions", created_at=0.0)
    context.add_message(role="assistant", content="earlier", extra={"is_summary": True}, created_at=1.0)
    context.add_message(role="user", content="Hi", created_at=2.0)
    llm = ScriptedLLM([said("Greeted."), said("")])
    summary = await summarize(context, llm)
    assert [m.text_content for m in summary.messages()] == [
        "instructions",
        "earlier",
        "<summary_of_the_conversation>Greeted.</summary_of_the_conversation>",
    ]
    assert llm.requests[0].messages()[-1].text_content == "user: Hi"
    # Without words of the model, or without anything to sum up, nothing is lost.
    assert (await summarize(context, llm)).items == context.items
    assert (await summarize(ChatContext.empty(), llm)).items == []
