"""Asks the turn detector whether the user is done, as early as the words are known."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from agent_runtime.voice.listening_detector import ListeningDetector
from agent_runtime.voice.words import same_words

if TYPE_CHECKING:
    from agent_runtime.llm import ChatContext
    from agent_runtime.voice.engine import Engine
    from agent_runtime.voice.turn import TurnDetector

Opinion: TypeAlias = tuple[float | None, float | None]
"""Probability that the turn is over, and the threshold for it; Nones where the language isn't known."""


@dataclass(slots=True)
class _Question:
    """What was asked, and the answer to come."""

    text: str
    context: ChatContext
    detector: Any
    answer: asyncio.Task[Opinion]


class EndOfTurn:
    """See the module. One per session."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._ahead: _Question | None = None

    def foresee(self, text: str) -> None:
        """Ask about words that the turn is likely to end with: the answer is there when the silence is long enough.

        A detector that judges by ear isn't asked: what it has to hear is that silence.
        """
        detector = self._engine.turn_detector
        if detector is None or isinstance(detector, ListeningDetector):
            return
        self.forget()
        question = self._ahead = self._ask(detector, text)
        # One that fails and isn't needed is no failure; one that is needed is asked again.
        question.answer.add_done_callback(lambda answer: answer.cancelled() or answer.exception())

    async def opinion(self, text: str) -> Opinion:
        """Whether a turn with these words is over. Raises what the detector raises."""
        detector = self._engine.turn_detector
        assert detector is not None
        ahead = self._ahead
        if ahead is None or not self._is_about(ahead, detector, text) or _failed(ahead):
            self.forget()
            ahead = self._ahead = self._ask(detector, text)
        return await ahead.answer

    def forget(self) -> None:
        """Drop a question that was asked ahead."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead.answer.cancel()

    def _is_about(self, question: _Question, detector: TurnDetector, text: str) -> bool:
        return (
            question.detector is detector
            and same_words(question.text, text)
            and question.context.is_equivalent(self._engine.require_agent()._chat_ctx)
        )

    def _ask(self, detector: TurnDetector, text: str) -> _Question:
        context = self._engine.require_agent()._chat_ctx.copy()
        answer = asyncio.create_task(self._answer(detector, text, context.copy()), name="turn detector's opinion")
        return _Question(text, context, detector, answer)

    async def _answer(self, detector: TurnDetector, text: str, context: ChatContext) -> Opinion:
        engine = self._engine
        if not await detector.supports_language(engine.language):
            return None, None
        context.add_message(role="user", content=text, created_at=engine.report.wall())
        probability = await detector.predict_end_of_turn(context)
        return probability, await detector.unlikely_threshold(engine.language)


def _failed(question: _Question) -> bool:
    answer = question.answer
    return answer.done() and (answer.cancelled() or answer.exception() is not None)
