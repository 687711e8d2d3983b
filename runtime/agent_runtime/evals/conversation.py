"""The user of a scenario: says its lines, cuts in, waits, and holds each answer to what is expected."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from agent_runtime.errors import AgentConsoleError
from agent_runtime.evals.checks import Answer, check
from agent_runtime.evals.report import Answered, Happening, Said, ScenarioResult
from agent_runtime.evals.scenario import Interruption, Scenario, Step
from agent_runtime.evals.spoken import SpokenInput
from agent_runtime.events import AgentChanged, AnyEvent
from agent_runtime.llm import LLM, AgentHandoff, ChatItem, ChatMessage, FunctionCall, FunctionCallOutput
from agent_runtime.voice.events import AgentStateChangedEvent
from agent_runtime.voice.offered_tools import flat
from agent_runtime.voice.session import AgentSession

QUIET: Final = 0.6
"""Seconds that the agent has to have rested, so that its answer is over."""
LOOK: Final = 0.02
"""Seconds between two looks at how far the agent is."""


class Conversation:
    """One scenario's steps on a session that was started.

    Args:
        session: the session.
        microphone: what the user speaks into; unset, it types.
        scenario: the steps.
        result: gets the checks and what was said.
        judge: the model that judges intents.
        tell: gets what happens, as it happens.
    """

    def __init__(
        self,
        session: AgentSession[Any],
        microphone: SpokenInput | None,
        scenario: Scenario,
        result: ScenarioResult,
        *,
        judge: LLM[Any] | None,
        tell: Callable[[Happening], None],
    ) -> None:
        self._session = session
        self._microphone = microphone
        self._scenario = scenario
        self._result = result
        self._judge = judge
        self._tell = tell
        self._known: set[str] = set()
        self._tools: set[str] = set()
        """Those that the agents had so far."""
        self._answer = Answer()
        self._asked = 0.0
        self._first_word: float | None = None
        self._moved = 0.0
        self._loop = asyncio.get_running_loop()
        session.on("agent_state_changed", self._state_changed)
        session.on("conversation_item_added", lambda event: self._touch())
        session.events.subscribe(self._agent_changed, types=[AgentChanged])

    def _state_changed(self, event: AgentStateChangedEvent) -> None:
        self._touch()
        if event.new_state == "speaking" and self._first_word is None:
            self._first_word = self._moved

    def _agent_changed(self, event: AnyEvent) -> None:
        assert isinstance(event.data, AgentChanged)
        self._tools.update(event.data.tools)

    def _touch(self) -> None:
        self._moved = self._loop.time()

    async def run(self) -> None:
        """Go through the steps; ends early where the agent doesn't come to an end."""
        await self._until(self._rests, "the agent didn't come to rest before the first words")
        self._collect()
        steps = self._scenario.steps
        for number, step in enumerate(steps, start=1):
            cut_in = steps[number].interrupt if number < len(steps) else None
            await self._step(number, step, cut_in)
        if unknown := [name for name in self._scenario.tools if name not in self._tools]:
            there = ", ".join(sorted(self._tools)) or "none"
            raise AgentConsoleError(f"tools: the agent has no tool {unknown[0]!r} to stand in for; it has {there}")

    async def _step(self, number: int, step: Step, cut_in: Interruption | None) -> None:
        if step.say is not None:
            await self._say(step.say)
            if cut_in is not None:
                await self._cut_in(cut_in)
            await self._hear_out(number if cut_in is None else number + 1)
        elif step.wait is not None:
            await asyncio.sleep(step.wait)
            self._collect()
        elif step.expect is not None:
            async for held in check(number, step.expect, self._answer, self._judge):
                self._result.checks.append(held)
                self._tell(held)

    async def _say(self, text: str) -> None:
        self._first_word = None
        if self._microphone is None:
            self._asked = self._loop.time()
            self._session.generate_reply(user_input=text)
        else:
            self._asked = await self._microphone.say(text)
            if self._session.options.turn_handling.get("turn_detection") == "manual":
                self._session.commit_user_turn()  # as whoever holds a button lets it go
        self._touch()

    async def _cut_in(self, cut_in: Interruption) -> None:
        await self._until(lambda: self._first_word is not None, "the agent said nothing that could be interrupted")
        speech = self._session.current_speech
        if cut_in.after is not None:
            await asyncio.sleep(cut_in.after)
        else:
            wanted = cut_in.after_words or 0
            await self._until(lambda: self._heard_words() >= wanted, f"the agent didn't say {wanted} words")
        if speech is None or speech.done():
            raise AgentConsoleError("the answer was over before it could be interrupted")
        if self._microphone is None:
            await self._session.interrupt()
        await self._say(cut_in.say)

    def _heard_words(self) -> float:
        """About as many words as were heard: people are read two and a half words a second."""
        audio = self._session.output.audio
        position = audio.playback_position if audio is not None else None
        return (position or 0.0) * 2.5

    async def _hear_out(self, number: int) -> None:
        await self._until(lambda: self._answered() and self._rests(), "there was no answer")
        new = self._collect()
        latency = None if self._first_word is None else max(0.0, self._first_word - self._asked)
        handed_over = any(isinstance(item, AgentHandoff) for item in new)
        agents = [type(self._session.current_agent).__name__] if handed_over else []
        self._answer = Answer(new, latency, agents)
        if latency is not None:
            self._result.latencies[number] = latency
        self._tell(Answered(number, latency))

    def _answered(self) -> bool:
        """Whether the user's words are in the conversation, and something of the agent after them."""
        items = [item for item in self._session.history.items if item.id not in self._known]
        asked = [n for n, item in enumerate(items) if isinstance(item, ChatMessage) and item.role == "user"]
        return bool(asked) and len(items) > asked[-1] + 1

    def _rests(self) -> bool:
        resting = self._session.agent_state in ("listening", "idle") and self._session.current_speech is None
        return resting and self._loop.time() - self._moved >= QUIET

    async def _until(self, condition: Callable[[], bool], problem: str) -> None:
        patience = self._scenario.patience
        deadline = self._loop.time() + patience
        while not condition():
            if self._loop.time() >= deadline:
                self._collect()
                raise AgentConsoleError(f"{problem} within {patience:g} s")
            await asyncio.sleep(LOOK)

    def _collect(self) -> list[ChatItem]:
        """What is new in the conversation; it is told."""
        new = [item for item in self._session.history.items if item.id not in self._known]
        self._known.update(item.id for item in new)
        self._tools.update(item.name for item in new if isinstance(item, FunctionCall))
        tools = (*self._session._tools, *self._session.current_agent._tools)
        self._tools.update(tool.id for tool in flat(tools))
        for line in filter(None, map(_line, new)):
            self._result.transcript.append(line)
            self._tell(Said(line))
        return new


def _line(item: ChatItem) -> str:
    match item:
        case ChatMessage(role="user" | "assistant"):
            cut = " —" if item.interrupted else ""
            return f"{'user' if item.role == 'user' else 'agent'}: {item.text_content or ''}{cut}"
        case FunctionCall():
            return f"tool: {item.name}({item.arguments})"
        case FunctionCallOutput():
            return f"tool: {'failed: ' if item.is_error else ''}{item.output}"
        case AgentHandoff() if item.old_agent_id is not None:
            return f"agent: handed over to {item.new_agent_id}"
    return ""
