"""What `docs/testing.md` shows is true: its tests pass, and its failure looks like that."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from agent_runtime import Agent, AgentSession
from agent_runtime.testing import Answer, ScriptedLLM, in_virtual_time
from agent_runtime.worker.job import JobContext, JobProcess, current_job
from tests.support import jobs
from tests.support.openai_server import DONE, KEY, OpenAIServer, Reply, answer, chunk, tool_call

PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")


def files() -> dict[str, str]:
    """The page's code by file name, pieces of the same file in their order."""
    found: dict[str, str] = {}
    for name, code in re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE, flags=re.DOTALL):
        found[name] = f"{found[name]}\n\n{code}" if name in found else code
    return found


def calls(name: str, **arguments: object) -> Reply:
    called = tool_call(0, id=f"call_{name}", name=name, arguments=json.dumps(arguments))
    return Reply([called, chunk(finish="tool_calls"), DONE])


async def test_its_tests_pass(tmp_path):
    code = files()
    assert set(code) == {"order_desk.py", "test_order_desk.py", "judged_jobs.py"}
    assert PAGE.count("```python") == PAGE.count("```python\n# ")
    for name, text in code.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    replies = [
        calls("order_status", number="9999"),
        answer("I'm sorry, there is no order 9999. Which number is it?"),
        calls("check_intent", success=True, reason="It is kind and asks."),
    ]
    async with OpenAIServer(*replies, models=["gpt-4.1-mini"]) as server:
        environment = {**os.environ, "OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": KEY}
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio", "-W", "error"],
            cwd=tmp_path,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        printed = (await process.communicate())[0].decode()
        assert process.returncode == 0, printed
        assert f"{code['test_order_desk.py'].count('def test_')} passed" in printed
        assert len(server.requests) == 3


@in_virtual_time
async def test_its_failure_looks_like_that():
    [shown] = re.findall(r"```text\n(.*?)\n```", PAGE, flags=re.DOTALL)
    scope: dict[str, object] = {"__name__": "order_desk"}
    exec(files()["order_desk.py"], scope)
    llm = ScriptedLLM([Answer(tool_calls=[("order_status", '{"number": "1042"}')]), Answer("It arrives tomorrow.")])
    async with AgentSession(llm=llm) as session:
        await session.start(scope["OrderDesk"]())
        result = await session.run(user_input="Where is order 1042?")
        with pytest.raises(AssertionError) as caught:
            result.expect.next_event().is_function_call(name="cancel_order")
        assert str(caught.value) == shown
        assert shown.partition("The run:\n")[2].replace(">>>", "   ") in repr(result)


@in_virtual_time
async def test_its_judges_tag_a_conversation(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    scope: dict[str, Any] = {"__name__": "judged_jobs"}
    exec(files()["judged_jobs.py"], scope)
    verdict = Answer(tool_calls=[("submit_verdict", '{"verdict": "pass", "reasoning": "It is."}')])
    model = ScriptedLLM([verdict, verdict])
    monkeypatch.setattr("agent_runtime.evals.judge_group._openai_model", lambda name: model)
    room: Any = None
    context = JobContext(proc=JobProcess(), info=jobs.info(), room=room, on_connect=print, on_shutdown=print)
    token = current_job.set(context)
    try:
        async with AgentSession(llm=ScriptedLLM([Answer("It is on its way.")])) as session:
            await session.start(Agent(instructions="Be brief."))
            await session.run(user_input="Where is order 1042?")
            await scope["on_session_end"](context)
    finally:
        current_job.reset(token)
    judged = {f"lk.judge.{name}:pass" for name in ("accuracy", "brief", "task_completion")}
    assert context.tagger.tags == {*judged, "lk.success"}
    assert context.tagger.evaluations[-1]["reasoning"] == "the longest answer has 17 letters"
