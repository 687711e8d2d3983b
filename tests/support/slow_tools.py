"""An agent whose tools work in the background, and what a conversation with it brought."""

from __future__ import annotations

import asyncio
from typing import Any

from agent_runtime import Agent, RunContext, ToolFlag, function_tool
from agent_runtime.llm import ChatContext
from agent_runtime.testing import Answer, Stage


def calls(*names: str, text: str = "") -> Answer:
    return Answer(text, [(name, "{}") for name in names])


class Slow(Agent):
    """Its tools begin at 3.0, with `HELLO`."""

    def __init__(self) -> None:
        super().__init__(instructions="You have tools.")
        self.ran: list[str] = []

    @function_tool
    async def book(self, context: RunContext[Any]) -> str:
        """Tell at once, and have a result at 9.0."""
        await context.update("asking the airline")
        await asyncio.sleep(6.0)
        self.ran.append("book")
        return "booked"

    @function_tool
    async def chatty(self, context: RunContext[Any]) -> str:
        """Tell at 3.0, at 8.0 and at 8.5, and have a result at 12.0."""
        await context.update("one")
        await asyncio.sleep(5.0)
        await context.update("two")
        await asyncio.sleep(0.5)
        await context.update({"step": 3})
        await asyncio.sleep(3.5)
        return "chatted"

    @function_tool
    async def quiet(self, context: RunContext[Any]) -> str:
        """Tell the model alone."""
        await context.update("secretly begun", silent=True)
        await asyncio.sleep(2.0)
        await context.update("secretly on", silent=True)
        await asyncio.sleep(1.0)
        return "done at last"

    @function_tool
    async def fails(self, context: RunContext[Any]) -> str:
        """Fail in the background."""
        await context.update("trying")
        await asyncio.sleep(4.0)
        raise ZeroDivisionError("secret")

    @function_tool
    async def hands_over(self, context: RunContext[Any]) -> Agent:
        """Hand over too late."""
        await context.update("thinking")
        await asyncio.sleep(4.0)
        return Agent(instructions="Other.")

    @function_tool
    async def quick(self) -> str:
        """Take no time."""
        return "quick done"

    @function_tool(flags=ToolFlag.CANCELLABLE)
    async def stoppable(self, context: RunContext[Any]) -> str:
        """Take long."""
        await context.update("begun")
        try:
            await asyncio.sleep(100.0)
        except asyncio.CancelledError:
            self.ran.append("stopped")
            raise
        return "never"


def outputs(stage: Stage) -> list[tuple[str, str, bool]]:
    """(what the call is called, output, error) of each output, the call's own id left out."""
    told = []
    for item in stage.session.history.items:
        if item.type == "function_call_output":
            _, _, rest = item.call_id.removeprefix("call_").partition("_")
            told.append((f"{item.name}{'_' + rest if rest else ''}", item.output, item.is_error))
    return told


def spoken(stage: Stage) -> list[tuple[float, str]]:
    """When the agent began to be heard, and with what."""
    begun = stage.times("agent_state_changed", new="speaking")
    return list(zip(begun, [text for role, text in stage.said() if role == "assistant"], strict=True))


def updates(stage: Stage) -> list[str]:
    return [event.data.update_id.split("_")[-1] for event in stage.of("tool_updated")]


def replies(stage: Stage) -> list[tuple[float, str, int]]:
    """(time, status, how many outputs) of each reply to news."""
    return [(round(e.time, 3), e.data.status, len(e.data.update_ids)) for e in stage.of("tool_reply_updated")]


def last_words(context: ChatContext) -> str:
    return context.items[-1].text_content or "" if context.items[-1].type == "message" else ""
