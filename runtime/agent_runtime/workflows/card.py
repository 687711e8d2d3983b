"""Tasks that ask for a payment card. What they ask for is never said back: the user says it twice instead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, TypeVar

from agent_runtime.llm import LLM, ChatContext, DuplexModel, Instructions, RealtimeModel
from agent_runtime.stt import STT
from agent_runtime.tts import TTS
from agent_runtime.types import NOT_GIVEN, NotGivenOr, is_given
from agent_runtime.vad import VAD
from agent_runtime.voice.agent_task import AgentTask
from agent_runtime.voice.run_context import RunContext
from agent_runtime.voice.task_group import TaskGroup
from agent_runtime.voice.turn import TurnDetectionMode
from agent_runtime.workflows.collect import flags_of
from agent_runtime.workflows.person import GetNameTask
from agent_tools import FunctionTool, Tool, ToolError, ToolFlag, Toolset, function_tool

T = TypeVar("T")

ISSUERS: Final = {"3": "American Express", "4": "Visa", "5": "Mastercard", "6": "Discover"}
"""By the number's first digit."""
_RULES: Final = """\
You are one step of taking down a payment card: you only find out the {words}. Note it with {update} once the user has
given all of it, and use only what they said. Never say any of it yourself, not even to check it. Write no Markdown and
no lists. If the user won't give it, call decline_card_capture; if they want to begin again with the card, call
restart_card_collection."""
_SPOKEN: Final = """\
The user speaks, digit by digit, and a recogniser may have misheard: oh is zero, and fillers count for nothing."""
_TYPED: Final = "The user types, perhaps with spaces, dashes or slashes."


@dataclass
class GetCardNumberResult:
    """What `GetCardNumberTask` gives: the number is digits alone."""

    issuer: str
    card_number: str = field(repr=False)


@dataclass
class GetSecurityCodeResult:
    """What `GetSecurityCodeTask` gives: three or four digits."""

    security_code: str = field(repr=False)


@dataclass
class GetExpirationDateResult:
    """What `GetExpirationDateTask` gives, as `04/31`."""

    date: str


@dataclass
class GetCreditCardResult:
    """What `GetCreditCardTask` gives."""

    cardholder_name: str
    issuer: str
    card_number: str = field(repr=False)
    security_code: str = field(repr=False)
    expiration_date: str


class CardCaptureDeclinedError(ToolError):
    """Raised by awaiting a card's task if the user won't tell."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the user didn't give their card: {reason}")
        self.reason = reason


class CardCollectionRestartError(ToolError):
    """Raised by awaiting one of a card's tasks if the user wants to begin again."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the user begins again with the card: {reason}")
        self.reason = reason


class _CardStep(AgentTask[T]):
    """Asks for one thing on a card.

    Args:
        words: what it is.
        update: the tool that notes it.
        confirm: whether it has to be said twice. Unset: only where it is spoken.
        extra: added to the instructions.
        chat_ctx: the conversation so far.
    """

    def __init__(
        self,
        words: str,
        update: FunctionTool[..., Any],
        *,
        confirm: NotGivenOr[bool],
        extra: str,
        chat_ctx: NotGivenOr[ChatContext],
    ) -> None:
        self._words, self._update, self._confirm = words, update.id, confirm
        rules = _RULES.format(words=words, update=update.id)
        text = f"{rules}\n\n{extra}" if extra else rules
        super().__init__(
            instructions=Instructions(text, audio=_SPOKEN, text=_TYPED),
            chat_ctx=chat_ctx,
            tools=[
                update,
                self._ends("decline_card_capture", f"The user won't give the {words}.", CardCaptureDeclinedError),
                self._ends("restart_card_collection", "The user begins again with a card.", CardCollectionRestartError),
            ],
        )

    async def on_enter(self) -> None:
        """Ask, unless it was said already."""
        self.session.generate_reply(
            instructions=f"Ask for the {self._words}. If the user has given it before, call {self._update} instead."
        )

    async def note(self, ctx: RunContext[Any], value: T, again: Tool) -> str | None:
        """The model noted `value`. `again` is the tool for what the user says when asked a second time."""
        needed = self._confirm if is_given(self._confirm) else ctx.speech_handle.input_details.modality == "audio"
        if not needed:
            self.give(value)
            return None
        await self.update_tools([*(tool for tool in self.tools if tool.id != again.id), again])
        return f"Noted. Ask for the {self._words} once more, without saying it, and call {again.id} with what they say."

    def give(self, value: T) -> None:
        """Be done with it."""
        if not self.done():
            self.complete(value)

    def same(self, one: object, other: object, value: T) -> None:
        """Be done if both times the same was said. Raises ToolError if not."""
        if one != other:
            raise ToolError(f"That is another {self._words} than before: ask for it anew and call {self._update}.")
        self.give(value)

    def _ends(self, name: str, description: str, error: Callable[[str], ToolError]) -> Tool:
        async def end(reason: str) -> None:
            if not self.done():
                self.complete(error(reason))

        return function_tool(end, name=name, description=description, flags=ToolFlag.IGNORE_ON_ENTER)


class GetCardNumberTask(_CardStep[GetCardNumberResult]):
    """Asks for a card's number and checks it.

    Args:
        chat_ctx: the conversation so far.
        require_confirmation: whether the user says it twice. Unset: only where they speak.
        require_explicit_ask: ask even if it was said before.
        extra_instructions: added to the task's own.
    """

    def __init__(
        self,
        *,
        chat_ctx: NotGivenOr[ChatContext] = NOT_GIVEN,
        require_confirmation: NotGivenOr[bool] = NOT_GIVEN,
        require_explicit_ask: bool = False,
        extra_instructions: str = "",
    ) -> None:
        @function_tool(flags=flags_of(explicit=require_explicit_ask))
        async def update_card_number(ctx: RunContext[Any], card_number: str) -> str | None:
            """Note the card's number.

            Args:
                ctx: of the call.
                card_number: all of its digits.
            """
            number = _digits(card_number)
            if not 13 <= len(number) <= 19:
                raise ToolError(f"{len(number)} digits are no card's number: ask for all of it again.")
            if not self.validate_card_number(number):
                raise ToolError("There is no such number, one digit is wrong: ask for it again, or for another card.")
            found = GetCardNumberResult(ISSUERS.get(number[0], "Other"), number)

            async def confirm_card_number(repeated_card_number: str) -> None:
                self.same(_digits(repeated_card_number), number, found)

            return await self.note(ctx, found, _again(confirm_card_number, "The user said the card's number again."))

        super().__init__(
            "card number",
            update_card_number,
            confirm=require_confirmation,
            extra=extra_instructions,
            chat_ctx=chat_ctx,
        )

    def validate_card_number(self, card_number: str) -> bool:
        """Whether its last digit fits the others (Luhn's sum)."""
        if not (card_number.isascii() and card_number.isdigit()):
            return False
        digits = [int(digit) for digit in reversed(card_number)]
        doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
        return (sum(digits[::2]) + sum(doubled)) % 10 == 0


class GetExpirationDateTask(_CardStep[GetExpirationDateResult]):
    """Asks until when a card is valid. The arguments are those of `GetCardNumberTask`."""

    def __init__(
        self,
        *,
        chat_ctx: NotGivenOr[ChatContext] = NOT_GIVEN,
        require_confirmation: NotGivenOr[bool] = NOT_GIVEN,
        require_explicit_ask: bool = False,
        extra_instructions: str = "",
    ) -> None:
        @function_tool(flags=flags_of(explicit=require_explicit_ask))
        async def update_expiration_date(
            ctx: RunContext[Any], expiration_month: int, expiration_year: int
        ) -> str | None:
            """Note until when the card is valid.

            Args:
                ctx: of the call.
                expiration_month: 1 to 12.
                expiration_year: its last two digits, 31 for 2031.
            """
            month, year = expiration_month, _short(expiration_year)
            if not (1 <= month <= 12 and 0 <= year <= 99):
                raise ToolError("There is no such month: ask for month and year again.")
            today = date.today()
            if (2000 + year, month) < (today.year, today.month):
                raise ToolError("The card isn't valid any more: ask for another one.")
            found = GetExpirationDateResult(f"{month:02d}/{year:02d}")

            async def confirm_expiration_date(repeated_expiration_month: int, repeated_expiration_year: int) -> None:
                self.same((repeated_expiration_month, _short(repeated_expiration_year)), (month, year), found)

            return await self.note(ctx, found, _again(confirm_expiration_date, "The user said the date again."))

        super().__init__(
            "expiration date",
            update_expiration_date,
            confirm=require_confirmation,
            extra=extra_instructions,
            chat_ctx=chat_ctx,
        )


class GetSecurityCodeTask(_CardStep[GetSecurityCodeResult]):
    """Asks for a card's security code. The arguments are those of `GetCardNumberTask`."""

    def __init__(
        self,
        *,
        chat_ctx: NotGivenOr[ChatContext] = NOT_GIVEN,
        require_confirmation: NotGivenOr[bool] = NOT_GIVEN,
        require_explicit_ask: bool = False,
        extra_instructions: str = "",
    ) -> None:
        @function_tool(flags=flags_of(explicit=require_explicit_ask))
        async def update_security_code(ctx: RunContext[Any], security_code: str) -> str | None:
            """Note the card's security code.

            Args:
                ctx: of the call.
                security_code: three or four digits; the first may be 0.
            """
            code = _digits(security_code)
            if len(code) not in (3, 4):
                raise ToolError("A security code has three or four digits: ask for it again.")
            found = GetSecurityCodeResult(code)

            async def confirm_security_code(repeated_security_code: str) -> None:
                self.same(_digits(repeated_security_code), code, found)

            return await self.note(ctx, found, _again(confirm_security_code, "The user said the security code again."))

        super().__init__(
            "security code",
            update_security_code,
            confirm=require_confirmation,
            extra=extra_instructions,
            chat_ctx=chat_ctx,
        )


class GetCreditCardTask(AgentTask[GetCreditCardResult]):
    """Asks for all that stands on a card: number, date, security code, and whose it is.

    Awaited, it gives that; it raises CardCaptureDeclinedError or another ToolError if the user won't tell.

    Args:
        chat_ctx, turn_detection, tools, stt, vad, llm, tts, allow_interruptions: see `Agent`.
        require_confirmation: whether the user says each thing twice. Unset: only where they speak.
        extra_instructions: added to those of each step.
    """

    def __init__(
        self,
        chat_ctx: NotGivenOr[ChatContext] = NOT_GIVEN,
        turn_detection: NotGivenOr[TurnDetectionMode | None] = NOT_GIVEN,
        tools: NotGivenOr[list[Tool | Toolset]] = NOT_GIVEN,
        stt: NotGivenOr[STT[Any] | None] = NOT_GIVEN,
        vad: NotGivenOr[VAD | None] = NOT_GIVEN,
        llm: NotGivenOr[LLM[Any] | RealtimeModel | DuplexModel | None] = NOT_GIVEN,
        tts: NotGivenOr[TTS[Any] | None] = NOT_GIVEN,
        allow_interruptions: NotGivenOr[bool] = NOT_GIVEN,
        require_confirmation: NotGivenOr[bool] = NOT_GIVEN,
        extra_instructions: str = "",
    ) -> None:
        super().__init__(
            instructions="",
            chat_ctx=chat_ctx,
            turn_detection=turn_detection,
            tools=tools if is_given(tools) else [],
            stt=stt,
            vad=vad,
            llm=llm,
            tts=tts,
            allow_interruptions=allow_interruptions,
        )
        self._confirm, self._extra = require_confirmation, extra_instructions

    async def on_enter(self) -> None:
        """Go through the steps, from the beginning again as often as the user wants."""
        while not self.done():
            try:
                self.complete(await self._collect())
            except CardCollectionRestartError:
                continue
            except ToolError as error:
                self.complete(error)

    async def _collect(self) -> GetCreditCardResult:
        group = TaskGroup(chat_ctx=self.chat_ctx)
        steps: dict[str, type[_CardStep[Any]]] = {
            "card number": GetCardNumberTask,
            "expiration date": GetExpirationDateTask,
            "security code": GetSecurityCodeTask,
        }
        for words, step in steps.items():
            group.add(self._maker(step), id=words.replace(" ", "_"), description=f"Finds out the {words}.")
        # A name that was said before is most often the user's own: whose card it is has to be asked.
        group.add(self._ask_name, id="cardholder", description="Finds out the name on the card.")
        found = (await group).task_results
        number, holder = found["card_number"], found["cardholder"]
        return GetCreditCardResult(
            cardholder_name=f"{holder.first_name} {holder.last_name}",
            issuer=number.issuer,
            card_number=number.card_number,
            security_code=found["security_code"].security_code,
            expiration_date=found["expiration_date"].date,
        )

    def _maker(self, step: type[_CardStep[Any]]) -> Callable[[], AgentTask[Any]]:
        options: dict[str, Any] = {"require_confirmation": self._confirm, "extra_instructions": self._extra}
        return lambda: step(chat_ctx=self.chat_ctx, **options)

    def _ask_name(self) -> AgentTask[Any]:
        about = "It is the name on the card that you find out: say so when you ask."
        return GetNameTask(
            last_name=True,
            chat_ctx=self.chat_ctx,
            extra_instructions=f"{self._extra}\n\n{about}".strip(),
            require_confirmation=self._confirm,
            require_explicit_ask=True,
        )


def _digits(text: str) -> str:
    return "".join(sign for sign in text if sign in "0123456789")


def _short(year: int) -> int:
    """A year's last two digits, where somebody gave all four."""
    return year - 2000 if 2000 <= year <= 2099 else year


def _again(tool: Callable[..., Any], description: str) -> Tool:
    return function_tool(tool, description=description)
