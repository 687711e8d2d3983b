"""Tells the user what came of calls in the background, in replies of their own, once nobody speaks."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agent_runtime import events as ev
from agent_runtime.llm import ChatItem
from agent_runtime.types import NOT_GIVEN
from agent_runtime.voice import tool_updates
from agent_runtime.voice.quiet import ConversationLostError
from agent_runtime.voice.replies import ReplyRequest
from agent_runtime.voice.scope import outside_scopes
from agent_runtime.voice.speech_handle import InputDetails, SpeechHandle
from agent_runtime.voice.tool_handling import CompleteToolOptions, ReplyPromptArgs, render
from agent_tools import ToolOutcome

if TYPE_CHECKING:
    from agent_runtime.voice.agent import Agent
    from agent_runtime.voice.engine import Engine
    from agent_runtime.voice.run_result import RunResult
    from agent_runtime.voice.running_call import RunningCall

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _News:
    """One output that the user isn't told of yet."""

    call: RunningCall
    items: tuple[ChatItem, ChatItem]
    agent: Agent
    """Who remembers it."""
    is_update: bool

    @property
    def call_id(self) -> str:
        """Of the output."""
        return getattr(self.items[1], "call_id", "")


@dataclass(eq=False, slots=True)
class _Outbox:
    """What one reply will tell."""

    owner: Agent | None
    options: CompleteToolOptions
    news: list[_News] = field(default_factory=list)
    task: asyncio.Task[None] | None = None


class ToolReplies:
    """See the module. One per session."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._outboxes: list[_Outbox] = []
        self._foreground: list[tuple[RunResult[Any], asyncio.Future[None]]] = []

    def add(self, call: RunningCall, call_id: str, outcome: ToolOutcome, *, is_update: bool) -> None:
        """The conversation has it at once, so that no other reply lacks it; the user is told when it is quiet."""
        engine = self._engine
        agent = call.owner or engine.require_agent()
        items = tool_updates.items_of(call.call, call_id, outcome, at=engine.report.wall())
        for item in items:
            engine.agents.add_item(agent, item, call.speech.turn_id)
        if not outcome.reply_required or engine.closing:
            return
        box = self._outbox(call)
        box.news.append(_News(call, items, agent, is_update))
        if box.task is None:
            # It belongs to no tool: a context of its own.
            box.task = outside_scopes().run(engine.spawn, self._deliver(box), "tool reply")

    def _outbox(self, call: RunningCall) -> _Outbox:
        for box in self._outboxes:
            if box.owner is call.owner and box.options is call.options:
                return box
        self._outboxes.append(_Outbox(call.owner, call.options))
        return self._outboxes[-1]

    async def _deliver(self, box: _Outbox) -> None:
        try:
            await self._engine.quiet.wait(box.owner)
            if box.news:
                self._reply(box)
        except ConversationLostError as error:
            logger.debug("nothing is said about %s: %s", [news.call_id for news in box.news], error)
        finally:
            if box in self._outboxes:
                self._outboxes.remove(box)

    def _reply(self, box: _Outbox) -> None:
        engine, agent = self._engine, self._engine.require_agent()
        for news in box.news:
            if news.agent is not agent:  # a handoff came between
                for item in news.items:
                    agent._chat_ctx.insert(item)
        last = agent._chat_ctx.items[-1] if agent._chat_ctx.items else None
        at_tail = last is not None and last.id == box.news[-1].items[1].id
        template = box.options["reply_at_tail_template" if at_tail else "reply_maybe_covered_template"]
        ids = [news.call_id for news in box.news]
        request = ReplyRequest(
            agent,
            instructions=render(template, ReplyPromptArgs(call_ids=ids)),
            # A report is nothing to act on: the model might call the same tool again.
            tool_choice="none" if all(news.is_update for news in box.news) else NOT_GIVEN,
            cause="tool_reply",
        )
        speech = engine.replies.generate(
            request,
            allow_interruptions=engine.allows_interruptions(),
            input_details=InputDetails("text"),
            turn_id=engine.report.turn_started("tool_reply"),
            user_initiated=True,
        )
        self._report(ids, "scheduled", speech)
        speech.add_done_callback(lambda handle: self._report(ids, _status(handle), handle))

    def _report(self, ids: list[str], status: Any, speech: SpeechHandle) -> None:
        self._engine.report.emit(ev.ToolReplyUpdated(tuple(ids), status, speech.id), turn_id=speech.turn_id)
        self._engine.tool_reports.reply(ids, status, speech.id)

    # --- who waits for it --------------------------------------------------------------------------------------------

    async def told(self, call: RunningCall) -> None:
        """Wait until what that call told is scheduled to be said."""
        tasks = [box.task for box in self._outboxes if box.task and any(news.call is call for news in box.news)]
        if tasks:
            await asyncio.wait(tasks)

    async def all_told(self) -> None:
        """Wait until nothing is left to be told."""
        while tasks := [box.task for box in self._outboxes if box.task]:
            await asyncio.wait(tasks)

    @contextlib.contextmanager
    def in_run(self, call: RunningCall) -> Generator[None, None, None]:
        """What the call does in the foreground is part of the run that it belongs to."""
        session = self._engine.session
        run = call.run
        if run is None or run is not session._run or run.done():
            yield
            return
        entry = (run, asyncio.get_running_loop().create_future())
        self._foreground.append(entry)
        try:
            yield
        finally:
            self._foreground.remove(entry)
            entry[1].set_result(None)

    def under_way(self, run: RunResult[Any]) -> list[asyncio.Future[Any]]:
        """What ends with the replies that are about to be scheduled, and what that run's calls do in the foreground."""
        agent = self._engine.agent
        boxes = [box.task for box in self._outboxes if box.task and box.owner in (None, agent)]
        return [*boxes, *(future for owner, future in self._foreground if owner is run)]

    # --- when agents come and go -------------------------------------------------------------------------------------

    def inherit(self, old: Agent, new: Agent) -> None:
        """New code takes over."""
        for box in self._outboxes:
            if box.owner is old:
                box.owner = new
            for news in box.news:
                news.agent = new if news.agent is old else news.agent

    def drop(self, agent: Agent) -> None:
        """That agent is gone, and with it what it had to say."""
        for box in self._outboxes:
            if box.owner is agent:
                box.news.clear()
                assert box.task is not None
                box.task.cancel()


def _status(speech: SpeechHandle) -> str:
    if speech.interrupted:
        return "interrupted"
    return "completed" if speech.chat_items else "skipped"
