"""Tasks one after the other, with a way back to those that are done: `TaskGroup`."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from agent_runtime.llm import ChatContext
from agent_runtime.llm.summary import summarize
from agent_runtime.records import record
from agent_runtime.types import NOT_GIVEN, NotGivenOr
from agent_runtime.voice.agent_task import AgentTask
from agent_tools import RawFunctionTool, ToolError, ToolFlag, function_tool


@dataclass
class TaskGroupResult:
    """What came of a group."""

    task_results: dict[str, Any]
    """By the tasks' ids; an exception where one failed and `return_exceptions` was set."""


@dataclass
class TaskCompletedEvent:
    """A task of a group was completed."""

    agent_task: AgentTask[Any]
    task_id: str
    result: Any


@record(frozen=True, slots=True)
class _Entry:
    factory: Callable[[], AgentTask[Any]]
    description: str


class _GoBack(Exception):
    """The user wants to change what earlier tasks gave."""

    def __init__(self, task_ids: Sequence[str]) -> None:
        super().__init__(f"back to {', '.join(task_ids)}")
        self.task_ids = task_ids


class TaskGroup(AgentTask[TaskGroupResult]):
    """Awaits its tasks in the order in which they were added; each knows what was said in those before it.

    From the second task on the model has a tool, `out_of_scope`, by which it goes back to tasks that are done, when the
    user wants to change something there. The task that was left is begun anew after them.

    Args:
        summarize_chat_ctx: whether the agent that awaits the group remembers one message that sums it up, made by the
            language model, and not all that was said.
        return_exceptions: whether a task that fails gives its exception as its result and the next one comes; else the
            group fails with it.
        chat_ctx: what the first task knows already.
        on_task_completed: called after each task.
    """

    def __init__(
        self,
        *,
        summarize_chat_ctx: bool = True,
        return_exceptions: bool = False,
        chat_ctx: NotGivenOr[ChatContext] = NOT_GIVEN,
        on_task_completed: Callable[[TaskCompletedEvent], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__(instructions="", chat_ctx=chat_ctx)
        self._summarize_chat_ctx = summarize_chat_ctx
        self._return_exceptions = return_exceptions
        self._on_task_completed = on_task_completed
        self._entries: dict[str, _Entry] = {}
        self._visited: list[str] = []

    def add(self, task_factory: Callable[[], AgentTask[Any]], *, id: str, description: str) -> Self:
        """Put a task at the end.

        Args:
            task_factory: makes it, anew each time it begins.
            id: names its result.
            description: tells the model when to go back to it.
        """
        self._entries[id] = _Entry(task_factory, description)
        return self

    async def on_enter(self) -> None:
        """Go through the tasks."""
        results: dict[str, Any] = {}
        left = list(self._entries)
        try:
            while left:
                task_id = left.pop(0)
                try:
                    results[task_id] = await self._run_one(task_id)
                except _GoBack as back:
                    left = [*back.task_ids, task_id, *left]
                except Exception as error:
                    if self.done() or not self._return_exceptions:
                        raise
                    results[task_id] = error
            if self._summarize_chat_ctx:
                self._chat_ctx = await summarize(self._chat_ctx, self._get_activity_or_raise().require_llm())
        except Exception as error:
            if not self.done():
                self.complete(error)
            return
        self.complete(TaskGroupResult(results))

    async def _run_one(self, task_id: str) -> Any:
        task = self._entries[task_id].factory()
        known = self._chat_ctx.copy(exclude_instructions=True)
        await task.update_chat_ctx(known.merge(task.chat_ctx))
        others = [other for other in self._visited if other != task_id]
        if others:
            await task.update_tools([*task.tools, self._way_back(task, others)])
        if task_id not in self._visited:
            self._visited.append(task_id)
        result = await task
        # The next one, and the summary, are to know what tools found out too.
        self._chat_ctx.merge(task.chat_ctx, exclude_instructions=True)
        if self._on_task_completed is not None:
            await self._on_task_completed(TaskCompletedEvent(task, task_id, result))
        return result

    def _way_back(self, task: AgentTask[Any], visited: list[str]) -> RawFunctionTool[..., Any]:
        known = {task_id: self._entries[task_id].description for task_id in visited}

        async def out_of_scope(raw_arguments: dict[str, Any]) -> None:
            wanted = raw_arguments.get("task_ids")
            if not isinstance(wanted, list) or not wanted or any(task_id not in known for task_id in wanted):
                raise ToolError(f"task_ids must be a list of some of {', '.join(known)}, not {wanted!r}")
            if not task.done():
                task._finish_task(_GoBack(wanted))

        schema = {
            "name": "out_of_scope",
            "description": "Call this when the user wants to change something that an earlier step has settled. "
            f"Give the ids of those steps, in the order in which the user names them. {json.dumps(known)}",
            "parameters": {
                "type": "object",
                "properties": {
                    "task_ids": {
                        "type": "array",
                        "items": {"type": "string", "enum": visited},
                        "description": "The ids of the steps to go back to",
                    }
                },
                "required": ["task_ids"],
            },
        }
        return function_tool(out_of_scope, raw_schema=schema, flags=ToolFlag.IGNORE_ON_ENTER)
