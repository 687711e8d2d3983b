"""A task that asks for digits, pressed on the phone or spoken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent_runtime.clock import TimerHandle
from agent_runtime.llm import ChatContext
from agent_runtime.types import NOT_GIVEN, NotGivenOr, is_given
from agent_runtime.voice.agent_task import AgentTask
from agent_runtime.voice.dtmf import DtmfEvent, format_dtmf
from agent_tools import ToolError, function_tool

if TYPE_CHECKING:
    from livekit import rtc


@dataclass
class GetDtmfResult:
    """What `GetDtmfTask` gives: the keys, a space between each."""

    user_input: str

    @classmethod
    def from_dtmf_inputs(cls, dtmf_inputs: list[DtmfEvent]) -> GetDtmfResult:
        """Of these keys."""
        return cls(format_dtmf(dtmf_inputs))


class GetDtmfTask(AgentTask[GetDtmfResult]):
    """Asks for digits. Awaited, it gives them, and raises ToolError if there are too few.

    Args:
        num_digits: how many.
        ask_for_confirmation: read them back.
        dtmf_input_timeout: seconds after a key in which the next one comes.
        dtmf_stop_event: the key that ends the input.
        chat_ctx: the conversation so far.
        extra_instructions: added to the task's own.
    """

    def __init__(
        self,
        *,
        num_digits: int,
        ask_for_confirmation: bool = False,
        dtmf_input_timeout: float = 4.0,
        dtmf_stop_event: DtmfEvent = DtmfEvent.POUND,
        chat_ctx: NotGivenOr[ChatContext] = NOT_GIVEN,
        extra_instructions: NotGivenOr[str] = NOT_GIVEN,
    ) -> None:
        if num_digits <= 0:
            raise ValueError(f"num_digits is {num_digits}: ask for one at least")
        self._count, self._confirms = num_digits, ask_for_confirmation
        self._timeout, self._stop_key = dtmf_input_timeout, dtmf_stop_event
        self._pressed: list[DtmfEvent] = []
        self._timer: TimerHandle | None = None
        self._room: rtc.Room | None = None

        @function_tool
        async def record_inputs(inputs: list[DtmfEvent]) -> None:
            """Note the digits that the user has said, all of them, or has confirmed.

            Args:
                inputs: the digits.
            """
            self._give(inputs)

        confirmed = " Read them back and have them confirmed before you note them." if ask_for_confirmation else ""
        super().__init__(
            instructions=(
                f"You are one step of a larger conversation: you only find out {num_digits} digits. The user may press "
                f"keys or say them. When they said them, note them with record_inputs.{confirmed}\n"
                + (extra_instructions if is_given(extra_instructions) else "")
            ).strip(),
            chat_ctx=chat_ctx,
            tools=[record_inputs],
        )

    async def on_enter(self) -> None:
        """Listen for keys, and ask."""
        io = self.session._room_io
        if io is not None:
            self._room = io.room
            self._room.on("sip_dtmf_received", self._on_key)
        self.session.generate_reply(instructions=f"Ask for the {self._count} digits.")

    async def on_exit(self) -> None:
        """Listen no more."""
        self._stop_timer()
        if self._room is not None:
            self._room.off("sip_dtmf_received", self._on_key)

    def _on_key(self, tone: Any) -> None:
        """A key was pressed."""
        if self.done():
            return
        key = DtmfEvent(tone.digit)
        self._stop_timer()
        if key != self._stop_key:
            self._pressed.append(key)
        if key == self._stop_key or len(self._pressed) == self._count:
            self._complete_input()
        else:
            clock = self.session._engine.clock
            self._timer = clock.call_at(clock.now() + self._timeout, self._complete_input)

    def _complete_input(self) -> None:
        self._timer = None
        pressed, self._pressed = self._pressed, []
        if self._confirms and len(pressed) == self._count:
            self.session.generate_reply(user_input=f"I pressed {format_dtmf(pressed)}.")
        else:
            self._give(pressed)

    def _give(self, keys: list[DtmfEvent]) -> None:
        if self.done():
            return
        if len(keys) == self._count:
            self.complete(GetDtmfResult.from_dtmf_inputs(keys))
        else:
            self.complete(ToolError(f"{self._count} digits were asked for, {len(keys)} given: {format_dtmf(keys)}"))

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
