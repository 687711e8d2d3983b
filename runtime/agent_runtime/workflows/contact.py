"""Tasks that ask how somebody can be reached: email address, phone number, postal address."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Unpack

from agent_runtime.llm import Instructions
from agent_runtime.types import NOT_GIVEN, NotGivenOr
from agent_runtime.voice.run_context import RunContext
from agent_runtime.workflows.collect import CollectTask, Subject, TaskOptions, WorkflowInstructions, flags_of
from agent_tools import Tool, ToolError, Toolset, function_tool

_EMAIL: Final = re.compile(
    r"[A-Za-z0-9][\w.%+-]*@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}", re.ASCII
)
_PHONE: Final = re.compile(r"\+?\d{7,15}")
"""Digits of a number as E.164 has them, or as they are dialled within a country."""


@dataclass
class GetEmailResult:
    """What `GetEmailTask` gives."""

    email_address: str


class GetEmailTask(CollectTask[GetEmailResult]):
    """Asks for an email address.

    Args:
        instructions, extra_instructions: in place of, or beside the task's own.
        tools: more tools.
        require_confirmation: read it back. Unset: only where the user speaks.
        require_explicit_ask: ask even if it was said before.
        verify_spelling: read it back letter by letter.
        options: of the agent: `chat_ctx`, `llm`, …
    """

    def __init__(
        self,
        *,
        instructions: NotGivenOr[WorkflowInstructions | Instructions | str] = NOT_GIVEN,
        tools: NotGivenOr[list[Tool | Toolset]] = NOT_GIVEN,
        require_confirmation: NotGivenOr[bool] = NOT_GIVEN,
        require_explicit_ask: bool = False,
        verify_spelling: bool = False,
        extra_instructions: str = "",
        **options: Unpack[TaskOptions],
    ) -> None:
        @function_tool(flags=flags_of(explicit=require_explicit_ask))
        async def update_email_address(email: str, ctx: RunContext[Any]) -> str | None:
            """Note the user's email address.

            Args:
                email: the address.
                ctx: of the call.
            """
            email = email.strip()
            if not _EMAIL.fullmatch(email):
                raise ToolError(f"{email!r} is no email address")
            spelled = f"{email} ({' '.join(email)})" if verify_spelling else email
            return await self.take(ctx, GetEmailResult(email), spelled)

        super().__init__(
            Subject(
                "email address",
                "update_email_address",
                "confirm_email_address",
                "decline_email_capture",
                'Read "at", "dot", "dash", "underscore" and "plus" as their signs, and spelled letters as a word.',
                "If a sign or the domain is missing, ask.",
            ),
            update_email_address,
            instructions=instructions,
            extra=extra_instructions,
            tools=tools,
            confirm=True if verify_spelling else require_confirmation,
            options=options,
        )


@dataclass
class GetPhoneNumberResult:
    """What `GetPhoneNumberTask` gives."""

    phone_number: str


class GetPhoneNumberTask(CollectTask[GetPhoneNumberResult]):
    """Asks for a phone number. Arguments as `GetEmailTask`."""

    def __init__(
        self,
        extra_instructions: str = "",
        *,
        tools: NotGivenOr[list[Tool | Toolset]] = NOT_GIVEN,
        require_confirmation: NotGivenOr[bool] = NOT_GIVEN,
        require_explicit_ask: bool = False,
        **options: Unpack[TaskOptions],
    ) -> None:
        @function_tool(flags=flags_of(explicit=require_explicit_ask))
        async def update_phone_number(phone_number: str, ctx: RunContext[Any]) -> str | None:
            """Note the user's phone number.

            Args:
                phone_number: its digits, with + and the country's code if it was said.
                ctx: of the call.
            """
            digits = re.sub(r"[\s().-]+", "", phone_number)
            if not _PHONE.fullmatch(digits):
                raise ToolError(f"{phone_number!r} is no phone number")
            return await self.take(ctx, GetPhoneNumberResult(digits), " ".join(digits))

        super().__init__(
            Subject(
                "phone number",
                "update_phone_number",
                "confirm_phone_number",
                "decline_phone_number_capture",
                'Read words as digits: "oh" is 0, "double five" is 55, "plus" is +.',
            ),
            update_phone_number,
            extra=extra_instructions,
            tools=tools,
            confirm=require_confirmation,
            options=options,
        )


@dataclass
class GetAddressResult:
    """What `GetAddressTask` gives."""

    address: str


class GetAddressTask(CollectTask[GetAddressResult]):
    """Asks for a postal address. Arguments as `GetEmailTask`."""

    def __init__(
        self,
        *,
        instructions: NotGivenOr[WorkflowInstructions | Instructions | str] = NOT_GIVEN,
        tools: NotGivenOr[list[Tool | Toolset]] = NOT_GIVEN,
        require_confirmation: NotGivenOr[bool] = NOT_GIVEN,
        require_explicit_ask: bool = False,
        extra_instructions: str = "",
        **options: Unpack[TaskOptions],
    ) -> None:
        @function_tool(flags=flags_of(explicit=require_explicit_ask))
        async def update_address(
            street_address: str, unit_number: str, locality: str, country: str, ctx: RunContext[Any]
        ) -> str | None:
            """Note the user's postal address.

            Args:
                street_address: street and number, as the country writes them.
                unit_number: flat, floor or suite; empty if there is none.
                locality: town, with district and postcode where they belong to it.
                country: the country.
                ctx: of the call.
            """
            parts = [part.strip() for part in (street_address, unit_number, locality, country)]
            if not (parts[0] and parts[2]):
                raise ToolError("an address needs a street and a town")
            address = " ".join(part for part in parts if part)
            return await self.take(ctx, GetAddressResult(address), address)

        super().__init__(
            Subject(
                "postal address",
                "update_address",
                "confirm_address",
                "decline_address_capture",
                "Numbers may come as words, and names may be spelled. Countries order an address differently.",
            ),
            update_address,
            instructions=instructions,
            extra=extra_instructions,
            tools=tools,
            confirm=require_confirmation,
            options=options,
        )
