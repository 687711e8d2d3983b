"""`agent-console new NAME`: a folder with an agent, its tests and what one needs to go on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from agent_runtime.errors import AgentConsoleError

_AGENT: Final = '''\
"""{title}: talk to it with `agent-console agent.py`, and save this file while you talk."""

from agent_runtime import Agent, RunContext, ToolError, function_tool

HOURS = {{"monday": "nine to five", "saturday": "ten to two"}}


class {cls}(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You answer the phone of a shop. Answer in one short sentence.")

    async def on_enter(self) -> None:
        self.session.say("Hello! How can I help you?")

    @function_tool
    async def opening_hours(self, context: RunContext, day: str) -> str:
        """Tell when the shop is open.

        Args:
            day: The day of the week, such as Monday.
        """
        hours = HOURS.get(day.strip().lower())
        if hours is None:
            raise ToolError(f"We are closed on {{day}}. We are open on Monday and Saturday.")
        return f"On {{day}} we are open from {{hours}}."
'''

_TEST: Final = '''\
"""Tests without models, microphone or waiting: run `pytest`."""

from agent import {cls}
from agent_runtime import AgentSession
from agent_runtime.testing import Answer, ScriptedLLM, in_virtual_time


@in_virtual_time
async def test_it_tells_when_the_shop_is_open() -> None:
    llm = ScriptedLLM([Answer(tool_calls=[("opening_hours", '{{"day": "Monday"}}')]), Answer("From nine to five.")])
    async with AgentSession(llm=llm) as session:
        await session.start({cls}(), capture_run=True)
        result = await session.run(user_input="When are you open on Monday?")
        result.expect.next_event().is_function_call(name="opening_hours", arguments={{"day": "Monday"}})
        result.expect.next_event().is_function_call_output(output="On Monday we are open from nine to five.")
        result.expect.next_event().is_message(role="assistant")
        result.expect.no_more_events()
'''

_SCENARIO: Final = """\
# Run it with `agent-console test scenarios`.
agent: ../agent.py

scenarios:
  - name: it tells when the shop is open
    steps:
      - say: What are your opening hours on Monday?
      - expect: {{ tool: opening_hours, arguments: {{ day: Monday }}, text: nine to five }}

  - name: it stops when the customer cuts in
    answers: # in place of a model's
      - We are open on Monday from nine to five and on Saturday from ten to two.
      - Then see you on Monday.
    steps:
      - say: When are you open?
      - interrupt: {{ after_words: 5, say: Monday is fine }}
      - expect: {{ interrupted: true, text: see you on Monday }}
"""

_ENV: Final = """\
# Copy this to .env. Without a key the embedded models are used.
# OPENAI_API_KEY=
# OPENAI_BASE_URL=http://localhost:11434/v1
# AGENT_CONSOLE_LLM=openai:gpt-4.1-mini
"""

_README: Final = """\
# {title}

```sh
agent-console agent.py          # talk; save agent.py while you do
agent-console test scenarios    # hold it to conversations
pytest                          # the same for its parts, in no time
```

Keys of models go into `.env`: see `.env.example`.
"""

_TOML: Final = """\
agent = "agent.py"
"""

_PYTEST: Final = """\
[pytest]
pythonpath = .
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
"""

FILES: Final = {
    "agent.py": _AGENT,
    "tests/test_agent.py": _TEST,
    "scenarios/opening_hours.yaml": _SCENARIO,
    ".env.example": _ENV,
    ".gitignore": ".env\n__pycache__/\n",
    "README.md": _README,
    "agent-console.toml": _TOML,
    "pytest.ini": _PYTEST,
}


def new_project(name: str, folder: Path | None = None) -> int:
    """Make the folder `name` and its files, and say what to do next. Raises AgentConsoleError if that can't be."""
    if not re.fullmatch(r"[A-Za-z][\w-]*", name):
        raise AgentConsoleError(f"{name!r} is no name for a project: letters, digits, - and _, a letter first")
    place = (folder or Path.cwd()) / name
    if place.exists():
        raise AgentConsoleError(f"{place} is there already: take another name")
    words = re.split(r"[-_]+", name.strip("-_"))
    names = {"title": " ".join(words).capitalize(), "cls": "".join(word[:1].upper() + word[1:] for word in words)}
    names["cls"] += "" if names["cls"].endswith("Agent") else "Agent"
    try:
        for path, template in FILES.items():
            file = place / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(template.format(**names), encoding="utf-8")
    except OSError as exc:
        raise AgentConsoleError(f"{place} can't be made: {exc.strerror or exc}") from exc
    print(f"{name}: made. Next:\n\n  cd {name}\n  agent-console\n  agent-console test scenarios\n  pytest")
    return 0
