"""One user turn and everything that follows of it, for tests: `AgentSession.run` and its `RunResult`."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypedDict, TypeVar, cast

from agent_runtime.errors import UnexpectedModelBehavior
from agent_runtime.llm import AgentHandoff, ChatItem
from agent_runtime.types import NOT_GIVEN, NotGivenOr, is_given
from agent_runtime.voice.run_assert import (
    AgentHandoffAssert,
    ChatMessageAssert,
    EventAssert,
    EventRangeAssert,
    FunctionCallAssert,
    FunctionCallOutputAssert,
    RunAssert,
)
from agent_runtime.voice.run_context import current_run_context
from agent_runtime.voice.run_events import (
    AgentHandoffEvent,
    ChatMessageEvent,
    FunctionCallEvent,
    FunctionCallOutputEvent,
    RunEvent,
    format_run,
)
from agent_runtime.voice.scope import scope_in
from agent_runtime.voice.tool_mocks import mock_tools

if TYPE_CHECKING:
    from agent_runtime.voice.events import ConversationItemAddedEvent, SpeechCreatedEvent
    from agent_runtime.voice.session import AgentSession
    from agent_runtime.voice.speech_handle import SpeechHandle

__all__ = [
    "AgentHandoffAssert",
    "AgentHandoffEvent",
    "ChatMessageAssert",
    "ChatMessageEvent",
    "EventAssert",
    "EventRangeAssert",
    "FunctionCallAssert",
    "FunctionCallEvent",
    "FunctionCallOutputAssert",
    "FunctionCallOutputEvent",
    "RunAssert",
    "RunEvent",
    "RunOutputOptions",
    "RunResult",
    "mock_tools",
]

logger = logging.getLogger(__name__)

Run_T = TypeVar("Run_T")

RETRY_INSTRUCTIONS = "The result is still missing. Call the function that gives it; words alone don't count."
"""What the model is told when a run ends without the output that was asked for."""


class RunOutputOptions(TypedDict, total=False):
    """What is done when a run ends without an output of its `output_type`."""

    max_retries: int
    """How often the model is asked again before the run fails: 2."""
    retry_instructions: str
    """What it is told then."""


class RunResult(Generic[Run_T]):
    """What a run brought: await it, then look at it with `expect`.

    Awaiting raises what the run failed with: the error of its last speech; `UnexpectedModelBehavior` if its output
    isn't of `output_type`; RuntimeError if the session was closed meanwhile.

    Args:
        user_input: what the user said, for messages.
        output_type: what `final_output` has to be. None: anything, or nothing.
        output_options: what to do if there is none. Unset: the defaults of `RunOutputOptions`; None: nothing.
        session: the session that it is a run of.
    """

    def __init__(
        self,
        *,
        user_input: str | None = None,
        output_type: type[Run_T] | None,
        output_options: NotGivenOr[RunOutputOptions | None] = NOT_GIVEN,
        session: AgentSession[Any] | None = None,
    ) -> None:
        options = (output_options if is_given(output_options) else {}) or {}
        self._user_input = user_input
        self._output_type = output_type
        self._retries = 0 if output_options is None else options.get("max_retries", 2)
        self._retry_instructions = options.get("retry_instructions", RETRY_INSTRUCTIONS)
        self._session = session
        self._events: list[RunEvent] = []
        self._final_output: Run_T | None = None
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._speeches: list[SpeechHandle] = []
        self._last: SpeechHandle | None = None
        self._agent = session._engine.agent if session is not None else None
        self._not_awaited: set[asyncio.Future[Any]] = set()
        self._awaits_agents = True

    def __repr__(self) -> str:
        state = "" if self.done() else " not over yet"
        return f"<RunResult{state}>\n{format_run(self._user_input, self._events)}"

    @property
    def events(self) -> list[RunEvent]:
        """What happened, in order: the agent's messages, tool calls, their outputs, and handoffs."""
        return self._events

    @functools.cached_property
    def expect(self) -> RunAssert:
        """Assertions. They go through the events from the first on; each use goes on where the last one ended."""
        return RunAssert(self)

    @property
    def final_output(self) -> Run_T:
        """What the run's task was completed with. Raises RuntimeError if the run isn't over or has no output."""
        if not self.done():
            raise RuntimeError("the run isn't over: await it first")
        if self._final_output is None:
            raise RuntimeError("the run has no final output")
        return self._final_output

    def done(self) -> bool:
        """Whether it is over."""
        return self._over.done()

    def __await__(self) -> Generator[None, None, RunResult[Run_T]]:
        async def wait() -> RunResult[Run_T]:
            context = current_run_context()
            waited_for = context is not None and not context.in_background
            if context is not None and waited_for and context.speech_handle in self._speeches and not self.done():
                name = context.function_call.name
                raise RuntimeError(f"the tool {name!r} can't wait for the run that called it: that run waits for it")
            await asyncio.shield(self._over)
            return self

        return wait().__await__()

    # --- for the session ---------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        """Take down what happens from now on, until `_end_when_idle` finds that it is over."""
        session = self._session
        assert session is not None
        agents = session._engine.agents
        # Hooks and handoffs that are under way are none of the run's. Inside of a hook, or of a tool, no handoff can
        # take place before the run is over.
        self._not_awaited = set(agents.under_way())
        self._awaits_agents = scope_in(session._engine) is None
        session.on("speech_created", self._speech_created)
        session.on("conversation_item_added", self._conversation_item_added)

    def _end_when_idle(self) -> None:
        assert self._session is not None
        self._session._engine.spawn(self._watch(), "run")

    async def _watch(self) -> None:
        closed = RuntimeError("the session was closed before the run was over")
        assert self._session is not None
        try:
            while True:
                while pending := self._pending():
                    # A task that is awaited in a tool pauses its speech: then that isn't waited for any more.
                    changed = self._session._engine.agents.moves.change
                    await asyncio.wait([*pending, changed], return_when=asyncio.FIRST_COMPLETED)
                if self._session._engine.closing:
                    return self._fail(closed)
                if not self._asked_again():
                    return self._finish()
        except asyncio.CancelledError:
            self._fail(closed)
            raise
        finally:
            self._session.off("speech_created", self._speech_created)
            self._session.off("conversation_item_added", self._conversation_item_added)

    def _pending(self) -> list[asyncio.Future[Any]]:
        assert self._session is not None
        pending: list[asyncio.Future[Any]] = [
            speech._done for speech in self._speeches if not (speech.done() or speech._paused)
        ]
        pending += self._session._engine.tool_replies.under_way(self)
        if self._awaits_agents:
            pending += [task for task in self._session._engine.agents.under_way() if task not in self._not_awaited]
        return pending

    def _asked_again(self) -> bool:
        """Ask the model for the output that it owes, if it may be asked again."""
        owes = self._output_type is not None and self._last is not None and self._last.exception() is None
        if not owes or self._output() is not None or self._retries <= 0:
            return False
        assert self._session is not None
        self._retries -= 1
        logger.warning("the run has no output yet; the model is asked again")
        self._session.generate_reply(instructions=self._retry_instructions)
        return True

    def _output(self) -> Any:
        return self._last._final_output if self._last is not None else None

    def _finish(self) -> None:
        output, wanted = self._output(), self._output_type
        error = self._last.exception() if self._last is not None else None
        if error is None and isinstance(output, BaseException):
            error = output
        if error is None and wanted is not None and not isinstance(output, wanted):
            error = UnexpectedModelBehavior(f"the run should have given {wanted.__name__}, not {output!r}")
        if error is not None:
            self._fail(error)
        else:
            self._final_output = cast("Run_T | None", output)
            self._over.set_result(None)

    def _fail(self, error: BaseException) -> None:
        error.add_note(f"The run:\n{format_run(self._user_input, self._events)}")
        self._over.set_exception(error)
        self._over.exception()  # a run that nobody awaits says nothing when it is thrown away

    # --- what happens ------------------------------------------------------------------------------------------------

    def _speech_created(self, event: SpeechCreatedEvent) -> None:
        speech = event.speech_handle
        if event.user_initiated and speech not in self._speeches:
            self._adopt(speech)

    def _adopt(self, speech: SpeechHandle) -> None:
        """What becomes of that speech is part of the run from now on."""
        if speech not in self._speeches:
            self._speeches.append(speech)
            speech.add_done_callback(self._speech_done)
        speech._on_items = self._items_added

    def _speech_done(self, speech: SpeechHandle) -> None:
        self._last = speech

    def _items_added(self, items: Sequence[ChatItem]) -> None:
        for item in items:
            if item.type == "message":
                self._add(ChatMessageEvent(item))
            elif item.type == "function_call":
                self._add(FunctionCallEvent(item))
            elif item.type == "function_call_output":
                self._add(FunctionCallOutputEvent(item))

    def _conversation_item_added(self, event: ConversationItemAddedEvent) -> None:
        # A run inside of a hook or tool doesn't wait for handoffs: one that follows its last speech is none of its own.
        if isinstance(event.item, AgentHandoff) and (self._awaits_agents or self._pending()):
            assert self._session is not None
            old, self._agent = self._agent, self._session.current_agent
            self._add(AgentHandoffEvent(event.item, old_agent=old, new_agent=self._agent))

    def _add(self, event: RunEvent) -> None:
        if self.done():
            return
        events, at = self._events, len(self._events)
        while at > 0 and events[at - 1].item.created_at > event.item.created_at:
            at -= 1
        events.insert(at, event)
