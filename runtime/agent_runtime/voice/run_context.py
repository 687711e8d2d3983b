"""What a tool may ask for about the call that it serves."""

from __future__ import annotations

import contextvars
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from agent_tools import CallContext

if TYPE_CHECKING:
    from agent_runtime.llm import FunctionCall
    from agent_runtime.voice.session import AgentSession
    from agent_runtime.voice.speech_handle import SpeechHandle

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

    def disallow_interruptions(self) -> None:
        """Let the speech run to its end from now on. Raises RuntimeError if it was interrupted already."""
        self._speech_handle.allow_interruptions = False

    async def wait_for_playout(self) -> None:
        """Wait until what the agent said before this call has been heard."""
        await self._speech_handle._wait_for_step(self._step)


def current_run_context() -> RunContext[Any] | None:
    """The context of the tool call that runs the current task, None outside of tools."""
    return _current.get()


def enter_run_context(context: RunContext[Any]) -> None:
    """Make `context` current for the running task."""
    _current.set(context)


def leave_run_context() -> None:
    """Be in no tool call any more."""
    _current.set(None)
