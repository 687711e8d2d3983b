"""Tasks that ask who somebody is: name, date of birth."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time
from typing import Any, Unpack

from agent_runtime.types import NOT_GIVEN, NotGivenOr, is_given
from agent_runtime.voice.run_context import RunContext
from agent_runtime.workflows.collect import CollectTask, Subject, TaskOptions, flags_of
from agent_tools import Tool, ToolError, Toolset, function_tool


@dataclass
class GetNameResult:
    """What `GetNameTask` gives; what wasn't asked for is None."""

    first_name: str | None = None
    middle_name: str | None = None
    last_name: str | None = None


class GetNameTask(CollectTask[GetNameResult]):
    """Asks for a name.

    Args:
        first_name, last_name, middle_name: which parts of it; one at least.
        name_format: the order of the parts, such as `{last_name}, {first_name}`.
        verify_spelling: read it back letter by letter.
        extra_instructions, tools, require_confirmation, require_explicit_ask, options: as `GetEmailTask`.
    """

    def __init__(
        self,
        first_name: bool = True,
        last_name: bool = False,
        middle_name: bool = False,
        name_format: NotGivenOr[str] = NOT_GIVEN,
        verify_spelling: bool = False,
        extra_instructions: str = "",
        *,
        tools: NotGivenOr[list[Tool | Toolset]] = NOT_GIVEN,
        require_confirmation: NotGivenOr[bool] = NOT_GIVEN,
        require_explicit_ask: bool = False,
        **options: Unpack[TaskOptions],
    ) -> None:
        wanted = {"first_name": first_name, "middle_name": middle_name, "last_name": last_name}
        names = [name for name, is_wanted in wanted.items() if is_wanted]
        if not names:
            raise ValueError("a name has parts: ask for first_name, middle_name or last_name")
        order = name_format if is_given(name_format) else " ".join(f"{{{name}}}" for name in names)

        @function_tool(flags=flags_of(explicit=require_explicit_ask))
        async def update_name(
            ctx: RunContext[Any],
            first_name: str | None = None,
            middle_name: str | None = None,
            last_name: str | None = None,
        ) -> str | None:
            """Note the user's name.

            Args:
                ctx: of the call.
                first_name: the given name.
                middle_name: the names between.
                last_name: the family's name.
            """
            given = {"first_name": first_name, "middle_name": middle_name, "last_name": last_name}
            found = {name: (given[name] or "").strip() for name in names}
            if lacking := [name.replace("_", " ") for name, value in found.items() if not value]:
                raise ToolError(f"still to be asked for: {', '.join(lacking)}")
            whole = order.format(**{**dict.fromkeys(wanted, ""), **found}).strip()
            spelled = f"{whole} ({' '.join(whole)})" if verify_spelling else whole
            return await self.take(ctx, GetNameResult(**found), spelled)

        super().__init__(
            Subject(
                f"name ({', '.join(name.replace('_', ' ') for name in names)})",
                "update_name",
                "confirm_name",
                "decline_name_capture",
                "Names may be spelled letter by letter; keep accents and hyphens.",
            ),
            update_name,
            extra=extra_instructions,
            tools=tools,
            confirm=True if verify_spelling else require_confirmation,
            options=options,
        )


@dataclass
class GetDOBResult:
    """What `GetDOBTask` gives."""

    date_of_birth: date
    time_of_birth: time | None = None


class GetDOBTask(CollectTask[GetDOBResult]):
    """Asks for a date of birth.

    Args:
        include_time: ask for the time of day too; it may stay unknown.
        extra_instructions, tools, require_confirmation, require_explicit_ask, options: as `GetEmailTask`.
    """

    def __init__(
        self,
        extra_instructions: str = "",
        include_time: bool = False,
        *,
        tools: NotGivenOr[list[Tool | Toolset]] = NOT_GIVEN,
        require_confirmation: NotGivenOr[bool] = NOT_GIVEN,
        require_explicit_ask: bool = False,
        **options: Unpack[TaskOptions],
    ) -> None:
        @function_tool(flags=flags_of(explicit=require_explicit_ask))
        async def update_dob(
            year: int, month: int, day: int, ctx: RunContext[Any], hour: int | None = None, minute: int | None = None
        ) -> str | None:
            """Note the user's date of birth.

            Args:
                year: with four digits.
                month: 1 to 12.
                day: 1 to 31.
                ctx: of the call.
                hour: 0 to 23, if the time of birth was asked for and is known.
                minute: 0 to 59.
            """
            try:
                born = date(year, month, day)
                at = time(hour, minute or 0) if include_time and hour is not None else None
            except ValueError as exc:
                raise ToolError(f"there is no such date: {exc}") from exc
            if born > date.today():
                raise ToolError(f"{born.isoformat()} is yet to come")
            text = f"{born:%B} {born.day}, {born.year}" + (f", {at:%H:%M}" if at else "")
            return await self.take(ctx, GetDOBResult(born, at), text)

        more = "Ask for the time of birth too; it may stay unknown." if include_time else ""
        super().__init__(
            Subject(
                "date of birth",
                "update_dob",
                "confirm_dob",
                "decline_dob_capture",
                "Dates are said in many ways; ask if day and month may be mixed up, or the century.",
            ),
            update_dob,
            extra=f"{more}\n{extra_instructions}".strip(),
            tools=tools,
            confirm=require_confirmation,
            options=options,
        )
