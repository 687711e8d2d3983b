"""Asks which agent is meant, where a file has several and somebody is there to answer."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

from agent_runtime.agent_loader import Target
from agent_runtime.errors import AgentLoadError


def choose(target: Target, error: AgentLoadError, ask: Callable[[str], str] | None = None) -> Target:
    """The target with the agent's name that a person picks, by its number or name; `enter` picks the first.

    Raises `error` if it isn't about that, or there is neither an `ask` nor somebody at a terminal.
    """
    names = error.choices
    if ask is None and sys.stdin.isatty() and sys.stdout.isatty():
        ask = input
    if not names or ask is None:
        raise error
    by_answer = {"": names[0], **{str(number): name for number, name in enumerate(names, start=1)}}
    by_answer |= {name: name for name in names}
    print("Which agent?")
    for number, name in enumerate(names, start=1):
        print(f"  {number}  {name}")
    while True:
        try:
            answer = ask(f"1 to {len(names)}, enter for {names[0]}: ").strip()
        except EOFError:
            raise error from None
        if answer in by_answer:
            return replace(target, name=by_answer[answer])
