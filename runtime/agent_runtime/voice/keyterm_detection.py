"""Finds names and words in a conversation that a recogniser should listen for, by a language model."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from agent_runtime.llm import LLM, ChatContext, ChatMessage, FunctionToolCall, function_tool
from agent_runtime.utils import aio

if TYPE_CHECKING:
    from agent_runtime.voice.stt_context import KeytermDetectionOptions

logger = logging.getLogger(__name__)

MESSAGES: Final = 12
"""The newest messages, which a model is shown."""
KEPT_PASSES: Final = 3
"""Looks after which a candidate that nothing has confirmed is forgotten."""
TIMEOUT: Final = 10.0

INSTRUCTIONS: Final = """\
A speech recogniser writes down what a caller says. You keep the list of rare words that it is told to expect: names of
people, places, firms and products, and technical terms. After each turn, call record_keyterms once with what changes.

Lines of USER are the recogniser's own guesses. They may be wrong, and wrong in the same way each time, so that a word
comes back says nothing about its spelling. Lines of ASSISTANT are written, not heard: its own names are right, but what
it merely repeats after the user is no better than the guess.

A wrong spelling makes the recogniser wrong for the rest of the call. So a term waits as `pending` until one of these
holds, and then goes to `confirm`: the user spelled it letter by letter and the assistant took it without a doubt; the
assistant itself uses exactly this word with confidence; the user corrected another spelling to this one. If the
assistant doubts ("did I get that right?"), the term stays pending, whatever the user answers.

Leave out ordinary words, fillers, cut-off words, and a name joined with an ordinary word. Use `remove` only for a
spelling that the user has just corrected away. Don't name again what is in use. If nothing changes, give
empty lists."""


@function_tool(name="record_keyterms")
async def _record_keyterms(pending: list[str], confirm: list[str], remove: list[str]) -> None:
    """Note what changes in the list of terms.

    Args:
        pending: terms that were said and may be misspelled.
        confirm: terms whose spelling is certain by now.
        remove: spellings that turned out wrong.
    """


class KeytermDetector:
    """Looks for terms after the user's turns, one look at a time.

    Args:
        llm: looks.
        options: how.
        known: the terms that were given, which needn't be found.
        on_change: is called when `terms` changed.
    """

    def __init__(
        self,
        llm: LLM[Any],
        options: KeytermDetectionOptions,
        *,
        known: Callable[[], Sequence[str]],
        on_change: Callable[[], None],
    ) -> None:
        self._llm = llm
        self._options = options
        self._known = known
        self._on_change = on_change
        self._confirmed: list[str] = []
        self._pending: dict[str, int] = {}
        """Candidate to the look that found it."""
        self._looks = 0
        self._turns = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def terms(self) -> list[str]:
        """Those that are certain, oldest first."""
        return self._confirmed

    def user_spoke(self, history: ChatContext) -> None:
        """A turn of the user is in the conversation."""
        self._turns += 1
        if self._turns % max(1, self._options.get("turn_interval", 1)) or (self._task and not self._task.done()):
            return
        text = _conversation(history.items)
        self._task = asyncio.get_running_loop().create_task(self._look(text), name="keyterms")

    async def aclose(self) -> None:
        """Stop looking; what was found stays."""
        if self._task is not None:
            await aio.cancel_and_wait(self._task)

    async def _look(self, conversation: str) -> None:
        context = ChatContext.empty()
        context.add_message(role="system", content=self._options.get("instructions") or INSTRUCTIONS)
        context.add_message(role="user", content=f"{conversation}\n\n{self._lists()}")
        try:
            async with asyncio.timeout(self._options.get("timeout", TIMEOUT)):
                stream = self._llm.chat(chat_ctx=context, tools=[_record_keyterms], tool_choice="required")
                answer = await stream.collect()
        except Exception as exc:
            # A conversation goes on without them, whatever is wrong with the model.
            logger.warning("looking for keyterms failed: %s", str(exc) or type(exc).__name__)
            return
        before = list(self._confirmed)
        self._apply(*_changes(answer.tool_calls))
        if self._confirmed != before:
            self._on_change()

    def _lists(self) -> str:
        in_use = ", ".join([*self._known(), *self._confirmed]) or "none"
        return f"In use: {in_use}\nPending: {', '.join(self._pending) or 'none'}"

    def _apply(self, pending: list[str], confirm: list[str], remove: list[str]) -> None:
        self._looks += 1
        known = set(self._known())
        for term in remove:
            self._pending.pop(term, None)
        self._confirmed = [term for term in self._confirmed if term not in remove]
        for term in confirm:
            self._pending.pop(term, None)
            if term not in known and term not in self._confirmed:
                self._confirmed.append(term)
        for term in pending:
            if term not in known and term not in self._confirmed:
                self._pending.setdefault(term, self._looks)
        self._pending = {term: look for term, look in self._pending.items() if self._looks - look < KEPT_PASSES}
        most = self._options.get("max_keyterms")
        if most is not None:
            self._confirmed = self._confirmed[max(0, len(self._confirmed) - most) :]


def _conversation(items: Iterable[object]) -> str:
    messages = [m for m in items if isinstance(m, ChatMessage) and m.role in ("user", "assistant") and m.text_content]
    return "\n".join(f"{m.role.upper()}: {m.text_content}" for m in messages[-MESSAGES:])


def _changes(calls: Sequence[FunctionToolCall]) -> tuple[list[str], list[str], list[str]]:
    """What the model's call says: pending, confirm, remove; what it says wrongly is left out."""
    call = next((call for call in calls if call.name == "record_keyterms"), None)
    if call is None:
        return [], [], []
    try:
        data = json.loads(call.arguments or "{}")
    except ValueError:
        logger.warning("the model's keyterms can't be read: %.100s", call.arguments)
        return [], [], []

    def terms(name: str) -> list[str]:
        found = data.get(name) if isinstance(data, dict) else None
        return [term for term in found if isinstance(term, str) and term.strip()] if isinstance(found, list) else []

    return terms("pending"), terms("confirm"), terms("remove")
