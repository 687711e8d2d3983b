"""An agent that takes the conversation over for one purpose, and gives its result to whoever awaits it."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from agent_runtime.llm import ChatContext
from agent_runtime.types import NOT_GIVEN, NotGivenOr
from agent_runtime.voice.agent import Agent
from agent_runtime.voice.interruption import stop_speech
from agent_runtime.voice.run_context import current_run_context
from agent_runtime.voice.scope import current_scope
from agent_runtime.voice.turn import TurnHandlingOptions
from agent_tools import Tool, ToolError, Toolset

if TYPE_CHECKING:
    from agent_runtime import llm as llm_
    from agent_runtime import stt as stt_
    from agent_runtime import tts as tts_
    from agent_runtime import vad as vad_
    from agent_runtime.voice.speech_handle import SpeechHandle
    from agent_runtime.voice.task_stack import TaskStack
    from agent_tools.mcp import MCPServer

TaskResult_T = TypeVar("TaskResult_T")


class AgentTask(Agent, Generic[TaskResult_T]):
    """Await it in a tool, in `on_enter` or in `on_exit`: `email = await AskForEmail()`.

    It has the conversation from then on, until `complete` is called, by one of its tools for instance. The agent that
    awaits it is paused meanwhile: its hooks aren't called, and afterwards it remembers what was said. An exception that
    it is completed with is raised where it is awaited.

    Args:
        preserve_function_call_history: whether the awaiting agent remembers its tool calls too.
        instructions: as for `Agent`, and so are all others.
    """

    def __init__(
        self,
        *,
        instructions: str | llm_.Instructions,
        chat_ctx: NotGivenOr[ChatContext] = NOT_GIVEN,
        tools: list[Tool | Toolset] | None = None,
        mcp_servers: NotGivenOr[list[MCPServer] | None] = NOT_GIVEN,
        stt: NotGivenOr[stt_.STT[Any] | None] = NOT_GIVEN,
        vad: NotGivenOr[vad_.VAD | None] = NOT_GIVEN,
        turn_handling: NotGivenOr[TurnHandlingOptions] = NOT_GIVEN,
        llm: NotGivenOr[llm_.LLM[Any] | llm_.RealtimeModel | llm_.DuplexModel | None] = NOT_GIVEN,
        tts: NotGivenOr[tts_.TTS[Any] | None] = NOT_GIVEN,
        preserve_function_call_history: bool = False,
        turn_detection: NotGivenOr[Any] = NOT_GIVEN,
        allow_interruptions: NotGivenOr[bool] = NOT_GIVEN,
        min_endpointing_delay: NotGivenOr[float] = NOT_GIVEN,
        max_endpointing_delay: NotGivenOr[float] = NOT_GIVEN,
    ) -> None:
        super().__init__(
            instructions=instructions,
            chat_ctx=chat_ctx,
            tools=tools,
            mcp_servers=mcp_servers,
            stt=stt,
            vad=vad,
            turn_handling=turn_handling,
            llm=llm,
            tts=tts,
            turn_detection=turn_detection,
            allow_interruptions=allow_interruptions,
            min_endpointing_delay=min_endpointing_delay,
            max_endpointing_delay=max_endpointing_delay,
        )
        self._preserve_function_call_history = preserve_function_call_history
        self.__awaited = False
        self._task_outcome: TaskResult_T | Exception | None = None
        self.__is_done = False
        # Made when it is awaited: a task may be made before there is a loop.
        self._task_finished: asyncio.Future[None] | None = None
        self.__stack: TaskStack | None = None
        self._task_unanswered: SpeechHandle | None = None
        """The speech that completed it: its turn is answered by whoever awaits the task."""

    def done(self) -> bool:
        """Whether it was completed or cancelled."""
        return self.__is_done

    def complete(self, result: TaskResult_T | Exception) -> None:
        """It is over, with that result, or failed with that exception. Raises RuntimeError if it was over already."""
        if self.__is_done:
            raise RuntimeError(f"the task {self.id!r} is done already")
        self._finish_task(result)
        context = current_run_context()
        if context is not None:
            context.speech_handle._final_output = result

    def cancel(self) -> None:
        """Stop what it says, and have it fail with a `ToolError` unless it is over."""
        if self._activity is not None and self._activity.agent is self:
            stop_speech(self._activity, "api", force=True)
        self._fail_task("is cancelled")

    def _fail_task(self, why: str) -> None:
        if not self.__is_done:
            self._finish_task(ToolError(f"AgentTask {self.id} {why}"))

    def _finish_task(self, outcome: TaskResult_T | Exception) -> None:
        self.__is_done, self._task_outcome = True, outcome
        scope = current_scope()
        if scope is not None:
            self._task_unanswered = scope.speech or scope.unanswered
        if self.__stack is not None:
            self.__stack.ended(self)
        if self._task_finished is not None:
            self._task_finished.set_result(None)

    def __await__(self) -> Generator[Any, None, TaskResult_T]:
        return self.__run().__await__()

    async def __run(self) -> TaskResult_T:
        if self.__awaited:
            raise RuntimeError(f"the task {self.id!r} was awaited before; make another one")
        self.__awaited = True
        scope = current_scope()
        if scope is None or scope.decides_turn:
            where = f"not in {scope.name}" if scope is not None else "and here is none of them"
            raise RuntimeError(
                f"the task {self.id!r} can only be awaited inside of a tool, of on_enter or of on_exit, {where}"
            )
        if not self.__is_done:
            self._task_finished = asyncio.get_running_loop().create_future()
            self.__stack = scope.engine.agents.tasks
            await self.__stack.run(self, scope)
        if isinstance(self._task_outcome, Exception):
            raise self._task_outcome
        return cast("TaskResult_T", self._task_outcome)
