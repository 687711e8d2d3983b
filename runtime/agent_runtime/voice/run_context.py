"""What a tool may ask for about the call that it serves."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from agent_tools import CallContext

if TYPE_CHECKING:
    from agent_runtime.llm import FunctionCall, FunctionCallOutput
    from agent_runtime.voice.agent import Agent
    from agent_runtime.voice.filler import Filler, FillerSource
    from agent_runtime.voice.running_call import RunningCall
    from agent_runtime.voice.session import AgentSession
    from agent_runtime.voice.speech_handle import SpeechHandle
    from agent_runtime.voice.tool_handling import UpdateTemplate

Userdata_T = TypeVar("Userdata_T")

_current: contextvars.ContextVar[RunContext[Any] | None] = contextvars.ContextVar("run_context", default=None)


class RunContext(CallContext, Generic[Userdata_T]):
    """Given to tools that have a parameter of this type: `async def tool(self, context: RunContext[MyData], …)`."""

    def __init__(
        self, *, session: AgentSession[Userdata_T], speech_handle: SpeechHandle, function_call: FunctionCall
    ) -> None:
        self._session = session
        self._speech_handle = speech_handle
        self._function_call = function_call
        self._step = speech_handle.num_steps - 1
        self._fillers: list[Filler] = []
        self._updates: list[tuple[FunctionCall, FunctionCallOutput]] = []
        # Set by the session for as long as the call runs; a context that was made by hand has none.
        self._running: RunningCall | None = None

    @property
    def session(self) -> AgentSession[Userdata_T]:
        """The session that the call belongs to."""
        return self._session

    @property
    def speech_handle(self) -> SpeechHandle:
        """The speech that made the call."""
        return self._speech_handle

    @property
    def function_call(self) -> FunctionCall:
        """The call as the model wrote it."""
        return self._function_call

    @property
    def userdata(self) -> Userdata_T:
        """`session.userdata`."""
        return self._session.userdata

    @property
    def in_background(self) -> bool:
        """Whether the reply went on without waiting for this call: after its first `update`."""
        return self._running is not None and self._running.released

    def disallow_interruptions(self) -> None:
        """Let the speech run to its end from now on. Raises RuntimeError if it was interrupted already."""
        self._speech_handle.allow_interruptions = False

    async def wait_for_playout(self) -> None:
        """Wait until what the agent said before this call has been heard."""
        await self._speech_handle._wait_for_step(self._step)

    async def update(self, message: str | Any, *, template: UpdateTemplate | None = None, silent: bool = False) -> None:
        """Tell how far the call is.

        With the first update the reply goes on: `message` is what the model gets as the tool's output, and the tool
        works on in the background. Later ones, and what the tool returns in the end, are told in a reply of their own
        as soon as nobody speaks. After the call's end it does nothing.

        Args:
            message: a string is put into the template; anything else reaches the model as JSON.
            template: unset, the `update_template` of `tool_handling`.
            silent: only the model is told, nothing is said.
        """
        from agent_runtime.voice.tool_updates import update_items

        for filler in self._fillers:
            filler.hold_off()
        if self._running is not None:
            self._running.update(message, template=template, silent=silent)
            return
        self._updates.append(
            update_items(self._function_call, len(self._updates), message, template=template, silent=silent)
        )

    @contextlib.asynccontextmanager
    async def with_filler(
        self,
        source: FillerSource,
        *,
        delay: float = 0,
        interval: float | None = None,
        max_steps: int | None = None,
    ) -> AsyncGenerator[None, None]:
        """Have the agent say something while the block takes its time.

        When the block ends nothing more is begun, and what waited to be said is dropped; what is being said is said to
        its end.

        Args:
            source: the words; or a function that gets the number of times that it spoke and returns words, a speech
                that it scheduled, or None for nothing this time.
            delay: seconds for which nobody spoke before it does.
            interval: seconds after it spoke until it waits for quiet again. None: it speaks once.
            max_steps: how often it speaks at most. None: any number of times.
        """
        from agent_runtime.voice.filler import Filler

        filler = Filler(
            source,
            session=self._session,
            speech=self._speech_handle,
            delay=delay,
            interval=interval,
            max_steps=max_steps,
        )
        self._fillers.append(filler)
        try:
            yield
        finally:
            self._fillers.remove(filler)
            await filler.aclose()

    @contextlib.asynccontextmanager
    async def foreground(self) -> AsyncGenerator[Agent, None]:
        """Wait until nobody speaks, and keep other tools' news and fillers back for the block.

        For speech that belongs together, or an `AgentTask` after an update. What this call had to tell before is told
        first. Raises ToolError if the call's agent hands the conversation over meanwhile.
        """
        running = self._running
        if running is None:
            yield self._session.current_agent
            return
        async with running.foreground() as agent:
            yield agent


def current_run_context() -> RunContext[Any] | None:
    """The context of the tool call that runs the current task, None outside of tools."""
    return _current.get()


def enter_run_context(context: RunContext[Any]) -> None:
    """Make `context` current for the running task."""
    _current.set(context)


def leave_run_context() -> None:
    """Be in no tool call any more."""
    _current.set(None)
