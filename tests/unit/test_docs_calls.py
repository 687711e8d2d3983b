"""The code on the pages about phone calls, tasks that ask, and what voice and recogniser are told."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from agent_runtime import AgentSession
from agent_runtime.testing import Answer, ScriptedLLM, in_virtual_time
from tests.unit.test_docs_snippets import run, snippets


@in_virtual_time
async def test_tasks_that_ask() -> None:
    (code,) = snippets("workflows.md")
    names: dict[str, Any] = {"__name__": "desk"}
    await run(code, names)
    calls = [
        ("update_name", {"first_name": "Ann", "last_name": "Lee"}),
        ("update_email_address", {"email": "ann@example.com"}),
        ("confirm_email_address", {}),
    ]
    name, email, confirm = (Answer(tool_calls=[(tool, json.dumps(given))]) for tool, given in calls)
    ask = Answer("Please tell me.")
    llm = ScriptedLLM([ask, name, email, ask, confirm, *[ask] * 4])
    async with AgentSession(stt=None, vad=None, tts=None, llm=llm) as session:
        desk = names["Desk"]()
        await session.start(desk)
        await asyncio.sleep(1.0)
        for words in ("Ann Lee", "ann@example.com, yes"):
            await session.run(user_input=words)
            await asyncio.sleep(2.0)
        assert desk.guest == "Ann Lee <ann@example.com>"


@in_virtual_time
async def test_what_voice_and_recogniser_are_told() -> None:
    steering, terms = snippets("expressive.md")
    names: dict[str, Any] = {}
    await run(steering, names)
    assert names["session"]._expressive["speech_steering"]["pace"] == "slow"
    await run(terms, names)
    assert names["session"].keyterms == ["Siobhan", "Aoife"]


@in_virtual_time
async def test_the_entrypoint_of_a_call_can_be_read() -> None:
    (code,) = snippets("phone-calls.md")
    names: dict[str, Any] = {"__name__": "calls"}
    await run(code, names)
    assert callable(names["entrypoint"])
