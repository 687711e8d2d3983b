"""Says something while a tool works: `RunContext.with_filler`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from agent_runtime.voice.quiet import ConversationLostError
from agent_runtime.voice.speech_handle import SpeechHandle

if TYPE_CHECKING:
    from agent_runtime.voice.session import AgentSession

FillerSource: TypeAlias = str | Callable[[int], SpeechHandle | str | None]


class Filler:
    """Speaks `source` each time it was quiet for `delay`, until it is closed or the speech is interrupted.

    Raises ValueError for a negative time.
    """

    def __init__(
        self,
        source: FillerSource,
        *,
        session: AgentSession[Any],
        speech: SpeechHandle,
        delay: float,
        interval: float | None,
        max_steps: int | None,
    ) -> None:
        if delay < 0:
            raise ValueError(f"delay must not be negative, not {delay}")
        if interval is not None and interval < 0:
            raise ValueError(f"interval must not be negative, not {interval}")
        self._source = source
        self._session = session
        self._engine = session._engine
        self._speech = speech
        self._delay = delay
        self._interval = interval
        self._max_steps = max_steps
        self._said: list[SpeechHandle] = []
        self._disturbed = False
        self._task = self._engine.spawn(self._run(), "filler")

    def hold_off(self) -> None:
        """The tool has something to say itself: wait for the next quiet moment."""
        self._disturbed = True
        self._engine.turns.tell()

    async def aclose(self) -> None:
        """Say no more. What isn't heard yet is dropped, what is being said is said to its end."""
        self._task.cancel()
        await asyncio.wait([self._task])
        heard = self._session.current_speech if self._session.agent_state == "speaking" else None
        for speech in self._said:
            if speech is not heard and not speech.done():
                speech._interrupt("api", force=True)

    async def _run(self) -> None:
        loop = asyncio.ensure_future(self._repeat())
        try:
            await self._speech.wait_if_not_interrupted([loop])
            error = loop.exception() if loop.done() else None
            if error is not None and not isinstance(error, ConversationLostError):
                self._engine.report.failed("filler", error, turn_id=self._speech.turn_id)
        finally:
            loop.cancel()
            await asyncio.wait([loop])

    async def _repeat(self) -> None:
        while self._max_steps is None or len(self._said) < self._max_steps:
            await self._pause()
            speech = self._say()
            if speech is not None:
                self._said.append(speech)
            if self._interval is None:
                return
            await asyncio.sleep(self._interval)

    async def _pause(self) -> None:
        """Wait until it was quiet for `delay` without a break."""
        quiet, turns = self._engine.quiet, self._engine.turns
        while True:
            await quiet.wait()
            self._disturbed = False
            if self._delay == 0:
                return
            try:
                async with asyncio.timeout(self._delay):
                    await turns.until(lambda: self._disturbed or not quiet.now())
            except TimeoutError:
                if quiet.now():
                    return

    def _say(self) -> SpeechHandle | None:
        words = self._source(len(self._said)) if callable(self._source) else self._source
        return self._session.say(words) if isinstance(words, str) else words
