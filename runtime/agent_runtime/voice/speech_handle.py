"""One speech of the agent: what `say` and `generate_reply` return."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from agent_runtime.records import record
from agent_runtime.utils.ids import shortuuid
from agent_runtime.voice.turn_inputs import InterruptCause

if TYPE_CHECKING:
    from agent_runtime.llm import ChatItem
    from agent_runtime.voice.turn_clock import TurnClock

logger = logging.getLogger(__name__)

INTERRUPTION_TIMEOUT = 5.0
"""Seconds after an interruption until a speech that doesn't end by itself is cancelled."""


@record(frozen=True, slots=True)
class InputDetails:
    """How the user's turn came that a speech answers."""

    modality: Literal["text", "audio"] = "audio"


class SpeechHandle:
    """A speech from its scheduling to its last sample; await it for the end of playout.

    Awaiting never raises: see `exception`.
    """

    SPEECH_PRIORITY_LOW: ClassVar[int] = 0
    SPEECH_PRIORITY_NORMAL: ClassVar[int] = 5
    SPEECH_PRIORITY_HIGH: ClassVar[int] = 10

    def __init__(
        self,
        *,
        speech_id: str,
        allow_interruptions: bool,
        input_details: InputDetails,
        turn_id: str | None = None,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._id = speech_id
        self._allow_interruptions = allow_interruptions
        self._input_details = input_details
        self._interrupted = loop.create_future()
        self._authorized = loop.create_future()
        self._scheduled = loop.create_future()
        self._done = loop.create_future()
        self._step_done: list[asyncio.Future[None]] = []
        self._chat_items: list[ChatItem] = []
        self._num_steps = 1
        self._error: BaseException | None = None
        self._done_callbacks: list[Callable[[SpeechHandle], Any]] = []
        self._forced_end: asyncio.TimerHandle | None = None
        self.turn_id = turn_id
        """The turn that the speech belongs to."""
        self.interrupt_cause: InterruptCause | None = None
        """What stopped it, if something did."""
        self._turn_clock: TurnClock | None = None
        self._task: asyncio.Task[None] | None = None
        # Set by the session, which tells its turn machine.
        self._on_interrupted: Callable[[SpeechHandle], None] | None = None
        self._on_allow_changed: Callable[[SpeechHandle], None] | None = None
        # Set by the run that the speech is part of.
        self._on_items: Callable[[Sequence[ChatItem]], None] | None = None
        self._final_output: Any = None
        self._paused = False
        """Whether a tool of it awaits an `AgentTask` that has the conversation."""
        self._holds = 0
        self._allowed_before_hold = allow_interruptions

    @classmethod
    def create(
        cls,
        allow_interruptions: bool = True,
        input_details: InputDetails | None = None,
        turn_id: str | None = None,
    ) -> SpeechHandle:
        """A handle with an id of its own."""
        return cls(
            speech_id=shortuuid("speech_"),
            allow_interruptions=allow_interruptions,
            input_details=input_details or InputDetails(),
            turn_id=turn_id,
        )

    @property
    def id(self) -> str:
        """Its id, `speech_…`."""
        return self._id

    @property
    def num_steps(self) -> int:
        """Requests to the model so far: one, and one more after each round of tools."""
        return self._num_steps

    @property
    def input_details(self) -> InputDetails:
        """How the turn came that it answers."""
        return self._input_details

    @property
    def scheduled(self) -> bool:
        """Whether it was put into the queue. A reply that was begun early may never be."""
        return self._scheduled.done()

    @property
    def interrupted(self) -> bool:
        """Whether it was told to stop."""
        return self._interrupted.done()

    @property
    def allow_interruptions(self) -> bool:
        """Whether it may be interrupted. Setting it to False on an interrupted speech raises RuntimeError."""
        return self._allow_interruptions

    @allow_interruptions.setter
    def allow_interruptions(self, value: bool) -> None:
        if self.interrupted and not value:
            raise RuntimeError(f"{self._id} is interrupted already; allow_interruptions can't become False")
        if value == self._allow_interruptions:
            return
        self._allow_interruptions = value
        if self._on_allow_changed is not None:
            self._on_allow_changed(self)

    @property
    def chat_items(self) -> list[ChatItem]:
        """What it added to the chat context so far."""
        return self._chat_items

    def done(self) -> bool:
        """Whether it is over, with all its steps."""
        return self._done.done()

    def exception(self) -> BaseException | None:
        """What made it fail, None if nothing did. Raises InvalidStateError while it isn't done."""
        if not self.done():
            raise asyncio.InvalidStateError(f"{self._id} is not done yet")
        return self._error

    def interrupt(self, *, force: bool = False) -> SpeechHandle:
        """Stop it. Raises RuntimeError if it doesn't allow interruptions, unless `force`."""
        return self._interrupt("forced" if force and not self._allow_interruptions else "api", force=force)

    def _interrupt(self, cause: InterruptCause, *, force: bool = False) -> SpeechHandle:
        if self.interrupted or self.done():
            return self
        if not force and not self._allow_interruptions:
            raise RuntimeError(f"{self._id} does not allow interruptions; use force=True")
        self.interrupt_cause = cause
        self._interrupted.set_result(None)
        self._forced_end = self._loop.call_later(INTERRUPTION_TIMEOUT, self._end_by_force)
        if self._on_interrupted is not None:
            self._on_interrupted(self)
        return self

    def _end_by_force(self) -> None:
        logger.error("%s did not end %s s after its interruption and is cancelled", self._id, INTERRUPTION_TIMEOUT)
        if self._task is not None:
            self._task.cancel()
        self._mark_done()

    async def wait_for_playout(self) -> None:
        """Wait until it is over, with all its tool calls and the replies to them.

        Raises RuntimeError inside a tool of this very speech, which would wait for itself: use
        `RunContext.wait_for_playout` there.
        """
        from agent_runtime.voice.run_context import current_run_context

        context = current_run_context()
        if context is not None and context.speech_handle is self and not (self.done() or context.in_background):
            raise RuntimeError(
                f"the tool {context.function_call.name!r} can't wait for the speech that called it: that speech waits "
                "for the tool. Use `await context.wait_for_playout()` to wait for what was said before the tool."
            )
        await asyncio.shield(self._done)

    def __await__(self) -> Generator[None, None, SpeechHandle]:
        async def wait() -> SpeechHandle:
            await self.wait_for_playout()
            return self

        return wait().__await__()

    async def wait_if_not_interrupted(self, aw: list[asyncio.Future[Any]]) -> None:
        """Wait for all of `aw`, but no longer than until it is interrupted. Cancels none of them."""
        pending = {f for f in aw if not f.done()}
        while pending and not self.interrupted:
            done, _ = await asyncio.wait({*pending, self._interrupted}, return_when=asyncio.FIRST_COMPLETED)
            pending -= done

    def add_done_callback(self, callback: Callable[[SpeechHandle], Any]) -> None:
        """Call `callback(handle)` once it is over; soon, if it is already."""
        if self.done():
            self._loop.call_soon(callback, self)
        else:
            self._done_callbacks.append(callback)

    def remove_done_callback(self, callback: Callable[[SpeechHandle], Any]) -> None:
        """Take back `add_done_callback`."""
        if callback in self._done_callbacks:
            self._done_callbacks.remove(callback)

    # --- for the engine ----------------------------------------------------------------------------------------------

    def _hold(self) -> None:
        """Let nothing but force interrupt it, until each hold is let go."""
        if self._holds == 0:
            self._allowed_before_hold = self._allow_interruptions
            if not self.interrupted:
                self.allow_interruptions = False
        self._holds += 1

    def _let_go(self) -> None:
        self._holds -= 1
        if self._holds == 0 and not self.interrupted:
            self.allow_interruptions = self._allowed_before_hold

    def _mark_scheduled(self) -> None:
        if not self._scheduled.done():
            self._scheduled.set_result(None)

    def _authorize(self) -> None:
        """It has the floor for its next step."""
        self._step_done.append(self._loop.create_future())
        if not self._authorized.done():
            self._authorized.set_result(None)

    def _end_step(self) -> None:
        """It gave the floor back; the next step needs it again."""
        if self._step_done and not self._step_done[-1].done():
            self._step_done[-1].set_result(None)
        self._authorized = self._loop.create_future()

    async def _wait_for_step(self, index: int) -> None:
        if index < len(self._step_done):
            await asyncio.shield(self._step_done[index])

    def _item_added(self, items: Sequence[ChatItem]) -> None:
        self._chat_items.extend(items)
        if self._on_items is not None:
            self._on_items(items)

    def _mark_done(self, error: BaseException | None = None) -> None:
        if self._forced_end is not None:
            self._forced_end.cancel()
            self._forced_end = None
        if self.done():
            return
        self._error = error
        self._end_step()
        self._done.set_result(None)
        callbacks, self._done_callbacks = self._done_callbacks, []
        for callback in callbacks:
            try:
                callback(self)
            except Exception:
                logger.exception("a done callback of %s failed", self._id)
