"""Whether a person or a machine has answered a call: by how long they speak, and by what they say."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final, Literal, TypedDict

from pydantic import BaseModel

from agent_runtime.clock import Clock, TimerHandle
from agent_runtime.llm import LLM, ChatContext, ToolContext, function_tool
from agent_runtime.llm.utils import execute_function_call
from agent_runtime.utils import aio
from agent_tools import Tool

logger = logging.getLogger(__name__)

MAX_POSTPONED: Final = 3
"""How often the model may ask for more to hear."""
LONGEST_POSTPONED: Final = 10.0
"""Seconds."""

PROMPT: Final = """\
You hear the first words after a phone call was answered, as a recogniser wrote them down. Say who answered, by calling
save_prediction with one label:

human: a person, who says hello or their name, or asks who is calling.
machine-ivr: a menu or a gatekeeper: it asks to press a key, to say a choice, or to state one's name and business.
machine-vm: a mailbox in which a message can be left.
machine-unavailable: a recording with which nothing can be left: the mailbox is full or not set up, the number is dead.
uncertain: the words fit none of these yet.

"Hello, Lisa speaking." is human. "Welcome to Dana's. For opening hours press one." is machine-ivr, and so is "Say your
name and I'll see whether she's in." "I can't come to the phone, leave a message after the tone." is machine-vm. "The
mailbox is full. Goodbye." is machine-unavailable. "Thanks for calling Dana's, we're open from nine to five" may go on:
it is uncertain. Where more words will tell, call postpone_termination, if you have it, with the seconds to wait."""


class AMDCategory(StrEnum):
    """Who answered."""

    HUMAN = "human"
    MACHINE_IVR = "machine-ivr"
    MACHINE_VM = "machine-vm"
    MACHINE_UNAVAILABLE = "machine-unavailable"
    UNCERTAIN = "uncertain"


class AMDPredictionEvent(BaseModel):
    """Who answered, and how that is known."""

    type: Literal["amd_prediction"] = "amd_prediction"
    speech_duration: float
    """Seconds that they spoke."""
    category: AMDCategory
    reason: str
    """`llm`, `short_greeting`, `no_speech_timeout`, `detection_timeout`, `participant_missing`."""
    transcript: str
    delay: float
    """Seconds from the end of their speech to the verdict."""

    @property
    def is_human(self) -> bool:
        """A person."""
        return self.category is AMDCategory.HUMAN

    @property
    def is_machine(self) -> bool:
        """A machine, for certain."""
        return self.category not in (AMDCategory.HUMAN, AMDCategory.UNCERTAIN)


class DetectionOptions(TypedDict, total=False):
    """When a verdict is given; seconds."""

    human_speech_threshold: float
    """A greeting of at most so long is a person's. Unset: 2.5."""
    human_silence_threshold: float
    """Silence after such a greeting. Unset: 0.5."""
    machine_silence_threshold: float
    """Silence after a longer one. Unset: 1.5."""
    no_speech_threshold: float
    """Silence from the start. Unset: 10."""
    timeout: float
    """Everything. Unset: 20."""
    max_endpointing_delay: float
    """After speech, at which the turn counts as over though nothing says so. Unset: 3."""
    prompt: str
    """In place of our own."""


DEFAULTS: Final = {
    "human_speech_threshold": 2.5,
    "human_silence_threshold": 0.5,
    "machine_silence_threshold": 1.5,
    "no_speech_threshold": 10.0,
    "timeout": 20.0,
    "max_endpointing_delay": 3.0,
}

_Timer = Literal["timeout", "no_speech", "short", "silence", "turn", "more"]


class CallJudge:
    """Is told what is heard, and calls `on_verdict` once. Times are the clock's, in seconds.

    A verdict waits for silence; one that isn't `human` waits for the end of the turn too, since a machine talks on.

    Args:
        llm: reads what was said.
        options: see `DetectionOptions`.
        wait_until_finished: a verdict for want of time waits for the end of what is being said.
        clock: makes the timers.
        on_verdict: gets it.
    """

    def __init__(
        self,
        llm: LLM[Any],
        options: DetectionOptions,
        *,
        wait_until_finished: bool,
        clock: Clock,
        on_verdict: Callable[[AMDPredictionEvent], None],
    ) -> None:
        self._llm = llm
        self._prompt = options.get("prompt", PROMPT)
        self._times: dict[str, float] = {**DEFAULTS, **{k: v for k, v in options.items() if isinstance(v, int | float)}}
        self._waits = wait_until_finished
        self._clock = clock
        self._on_verdict = on_verdict
        self._timers: dict[_Timer, TimerHandle] = {}
        self._began_at: float | None = None
        self._ended_at: float | None = None
        self._speaking = self._silent = self._turn_over = False
        self._transcript = ""
        self._postponed = 0
        self._found: AMDPredictionEvent | None = None
        self._reading: asyncio.Task[None] | None = None
        self.listening = False
        self.done = False

    # --- what is heard -----------------------------------------------------------------------------------------------

    def listen(self) -> None:
        """The call was answered: what is heard counts from now on."""
        if self.listening or self.done:
            return
        self.listening = True
        self._after("timeout", self._times["timeout"], self._time_is_up)
        self._after("no_speech", self._times["no_speech_threshold"], self._nothing_said)

    def speech_began(self, at: float) -> None:
        """Somebody speaks."""
        if not self._hears():
            return
        self._stop("no_speech", "short", "silence", "turn")
        self._began_at = at if self._began_at is None else self._began_at
        self._speaking, self._silent, self._turn_over = True, False, False

    def speech_ended(self, at: float) -> None:
        """They fell silent at `at`, which is known only now."""
        if not self._hears() or self._began_at is None:
            return
        self._speaking, self._ended_at = False, at
        self._at("turn", at + self._times["max_endpointing_delay"], self.turn_ended)
        if at - self._began_at <= self._times["human_speech_threshold"] and not self._transcript:
            self._at("short", at + self._times["human_silence_threshold"], self._was_short)
        else:
            self._at("silence", at + self._times["machine_silence_threshold"], self._fell_silent)

    def heard(self, text: str) -> None:
        """These words were recognised for good."""
        if not self._hears() or not text.strip():
            return
        self._stop("no_speech", "more")
        self._transcript = f"{self._transcript} {text}".strip()
        if not self._speaking:
            self._turn_over = False
            self._after("turn", self._times["max_endpointing_delay"], self.turn_ended)
        if "short" in self._timers and self._ended_at is not None:
            self._stop("short")
            self._at("silence", self._ended_at + self._times["machine_silence_threshold"], self._fell_silent)
        self._read()

    def turn_ended(self) -> None:
        """What was being said is complete."""
        self._stop("turn")
        if self._speaking or self._ended_at is None:
            self._speaking, self._silent = False, True
        self._turn_over = True
        self._tell()

    def settle(self, category: AMDCategory, reason: str) -> None:
        """Decide without the model, unless it has."""
        if self.done:
            return
        self._stop("short", "silence")
        self._silent = True
        if not (self._waits and (self._began_at is not None or self._transcript)):
            self._turn_over = True
        self._found = self._found or self._verdict(category, reason)
        self._tell()

    async def aclose(self) -> None:
        """Decide nothing more."""
        self.done, self.listening = True, False
        self._stop(*list(self._timers))
        if self._reading is not None:
            await aio.cancel_and_wait(self._reading)

    def _hears(self) -> bool:
        return self.listening and not self.done

    # --- the verdict -------------------------------------------------------------------------------------------------

    def _time_is_up(self) -> None:
        self.settle(AMDCategory.UNCERTAIN, "detection_timeout")

    def _nothing_said(self) -> None:
        self.settle(AMDCategory.UNCERTAIN, "no_speech_timeout")

    def _was_short(self) -> None:
        self.settle(AMDCategory.HUMAN, "short_greeting")

    def _fell_silent(self) -> None:
        self._stop("silence")
        self._silent = True
        self._tell()

    def _verdict(self, category: AMDCategory, reason: str) -> AMDPredictionEvent:
        now = self._clock.now()
        end = self._ended_at if self._ended_at is not None else now
        return AMDPredictionEvent(
            speech_duration=end - self._began_at if self._began_at is not None else 0.0,
            category=category,
            reason=reason,
            transcript=self._transcript,
            delay=now - end,
        )

    def _tell(self) -> None:
        found = self._found
        if self.done or found is None or not self._silent or not (found.is_human or self._turn_over):
            return
        self.done, self.listening = True, False
        self._stop(*list(self._timers))
        self._on_verdict(found)

    # --- what was said -----------------------------------------------------------------------------------------------

    def _read(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
        self._reading = asyncio.get_running_loop().create_task(self._ask(self._transcript), name="who answered")

    async def _ask(self, transcript: str) -> None:
        async def save_prediction(label: AMDCategory) -> None:
            """Say who answered."""
            if label is not AMDCategory.UNCERTAIN:
                self._found = self._verdict(label, "llm")

        async def postpone_termination(seconds: float) -> str:
            """Wait for more words.

            Args:
                seconds: how long, 10 at most.
            """
            self._postponed += 1
            self._after("more", min(max(seconds, 0.0), LONGEST_POSTPONED), self._waited)
            return "waiting"

        tools: list[Tool] = [function_tool(save_prediction)]
        if self._postponed < MAX_POSTPONED:
            tools.append(function_tool(postpone_termination))
        context = ChatContext.empty()
        context.add_message(role="system", content=self._prompt)
        context.add_message(role="user", content=transcript)
        try:
            answer = await self._llm.chat(chat_ctx=context, tools=tools, tool_choice="required").collect()
            for call in answer.tool_calls:
                await execute_function_call(call, ToolContext(tools))
        except Exception as exc:
            # The times still decide.
            logger.warning("the model can't say who answered: %s", exc)
        self._tell()

    def _waited(self) -> None:
        self._stop("more")
        if self._found is None:
            self._read()

    # --- timers ------------------------------------------------------------------------------------------------------

    def _after(self, name: _Timer, seconds: float, then: Callable[[], None]) -> None:
        self._at(name, self._clock.now() + seconds, then)

    def _at(self, name: _Timer, when: float, then: Callable[[], None]) -> None:
        self._stop(name)
        self._timers[name] = self._clock.call_at(max(when, self._clock.now()), then)

    def _stop(self, *names: _Timer) -> None:
        for name in names:
            if (timer := self._timers.pop(name, None)) is not None:
                timer.cancel()
