"""Who asks for what isn't there yet is told; who doesn't, isn't bothered."""

from __future__ import annotations

from typing import Any

import pytest

from agent_runtime import Agent, function_tool
from agent_runtime.testing import run_virtual, scripted_session


@function_tool(on_duplicate="reject")
async def book() -> str:
    """Book a table."""
    return "booked"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, None),
        ({"tools": [book]}, 'on_duplicate="reject" of book'),
    ],
)
def test_the_log_names_what_has_no_effect(
    options: dict[str, Any], told: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    async def start() -> None:
        async with scripted_session(microphone=False, **options) as stage:
            await stage.session.start(Agent(instructions="Be brief."))

    run_virtual(start())
    lines = [record.message for record in caplog.records if "no effect yet" in record.message]
    assert len(lines) == (told is not None)
    assert told is None or told in lines[0]
