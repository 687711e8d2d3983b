"""Cuts a duplex model's endless sound into utterances, gives each its words, and makes answers of them.

Two clocks run: that of the sound that came so far, and that of the provider's times for words. What they differ by is
known from the first words of an utterance: these are what opened the gate.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal

from agent_runtime.llm.chat_items import ChatMessage, FunctionCall
from agent_runtime.llm.duplex import DuplexAudioFrame, DuplexOutputTranscriptDelta
from agent_runtime.llm.realtime import GenerationCreatedEvent, MessageGeneration
from agent_runtime.types import NOT_GIVEN, TimedString
from agent_runtime.utils import aio, shortuuid

if TYPE_CHECKING:
    from livekit.rtc import AudioFrame

    from agent_runtime.llm.audio_gate import AudioGate

logger = logging.getLogger(__name__)

_EARLY_MS: Final = 300
"""Words go out so long before their sound: providers' times are early, and a text may be ahead of the voice."""

_UNHEARD_MS: Final = 3000
"""Words for which no sound came in so much of the model's time go out without; the same as in LiveKit Agents."""

Kind = Literal["speech", "text", "call"]


class Utterance:
    """What the model says in one go, as one answer of a realtime model."""

    def __init__(self, start_ms: int) -> None:
        self.id = shortuuid("item_")
        self.start_ms = self.end_ms = start_ms
        """On the sound's clock."""
        self.words_ahead_ms: int | None = None
        """The words' clock less the sound's; None until words came that have times."""
        self.messages: aio.Chan[MessageGeneration] = aio.Chan()
        self.calls: aio.Chan[FunctionCall] = aio.Chan()
        self.text: aio.Chan[str] = aio.Chan()
        self.audio: aio.Chan[AudioFrame] = aio.Chan()
        self._began_at = time.time()
        self._said = ""
        self._last_word = 0.0
        """Seconds from its start to the last time that a word was given: times don't go back."""

    def generation(self, kind: Kind) -> GenerationCreatedEvent:
        """It, as a session is told of it. One that is only a call has no message."""
        if kind != "call":
            modalities: asyncio.Future[list[Literal["text", "audio"]]] = asyncio.get_running_loop().create_future()
            modalities.set_result(["audio", "text"])
            self.messages.send_nowait(MessageGeneration(self.id, self.text, self.audio, modalities))
        return GenerationCreatedEvent(self.messages, self.calls, user_initiated=False, response_id=self.id)

    def hear(self, frame: AudioFrame, end_ms: int) -> None:
        """Its sound goes on, up to `end_ms`."""
        self.end_ms = end_ms
        self.audio.send_nowait(frame)

    def covers(self, words: DuplexOutputTranscriptDelta, *, early_ms: int) -> bool:
        """Whether its sound has come to these words, or is at most `early_ms` before them."""
        if words.start_ms is None or self.words_ahead_ms is None:
            return True
        return words.start_ms - self.words_ahead_ms <= self.end_ms + early_ms

    def say(self, words: DuplexOutputTranscriptDelta) -> None:
        """These are words of it."""
        self._said += words.text
        if words.start_ms is None or self.words_ahead_ms is None:
            self.text.send_nowait(words.text)
            return
        zero = self.words_ahead_ms + self.start_ms
        start = self._last_word = max(self._last_word, (words.start_ms - zero) / 1000)
        if words.end_ms is None:
            self.text.send_nowait(TimedString(words.text, start_time=start, end_time=NOT_GIVEN))
            return
        end = self._last_word = max(start, (words.end_ms - zero) / 1000)
        self.text.send_nowait(TimedString(words.text, start_time=start, end_time=end))

    def close(self) -> ChatMessage | None:
        """It is over. The message that it was, under the id by which the session has it too; None: no words."""
        for channel in (self.text, self.audio, self.calls, self.messages):
            channel.close()
        if not self._said:
            return None
        return ChatMessage(id=self.id, role="assistant", content=[self._said], created_at=self._began_at)


class SpeechCutter:
    """See the module. `announce` is told of each answer when it begins, `said` of each message when it is over."""

    def __init__(
        self,
        gate: AudioGate,
        *,
        announce: Callable[[GenerationCreatedEvent, Kind], None],
        said: Callable[[ChatMessage], None],
    ) -> None:
        self._gate, self._announce, self._tell_said = gate, announce, said
        self._open: Utterance | None = None
        self._timed: Utterance | None = None
        """The last by which both clocks are known: it tells words of sound that is over from those of what comes."""
        self._now_ms = 0
        self._waiting: deque[DuplexOutputTranscriptDelta] = deque()
        self._waiting_since_ms = 0

    @property
    def speaking(self) -> bool:
        """Whether the model is heard to speak."""
        return self._open is not None

    def hear(self, piece: DuplexAudioFrame) -> None:
        """The model sent this sound."""
        if piece.start_ms is not None:
            self._now_ms = piece.start_ms
        speaks = self._gate.update(piece.frame)
        if speaks and self._open is None:
            self._open = self._begin("speech")
        self._now_ms += round(piece.frame.duration * 1000)
        if not speaks:
            if self._open is not None:
                self.end()
            elif self._waiting and self._now_ms - self._waiting_since_ms >= _UNHEARD_MS:
                logger.error("the model sent words for which it sent no sound: they are shown without")
                self._say_silently(len(self._waiting))
        elif self._open is not None:
            self._open.hear(piece.frame, self._now_ms)
            self._hand_over(self._open)

    def read(self, words: DuplexOutputTranscriptDelta) -> None:
        """The model sent these words."""
        if not self._waiting:
            self._waiting_since_ms = self._now_ms
        self._waiting.append(words)
        last = self._timed
        if last is None or last is self._open:
            return
        late = 0
        for waiting in self._waiting:
            if waiting.start_ms is None or not last.covers(waiting, early_ms=0):
                break
            late += 1
        if late:
            self._say_silently(late)

    def call(self, call: FunctionCall) -> None:
        """The model calls a tool: while it speaks, as part of that."""
        if self._open is not None:
            self._open.calls.send_nowait(call)
            return
        alone = self._begin("call")
        alone.calls.send_nowait(call)
        self._finish(alone)

    def end(self) -> None:
        """The model fell silent."""
        over, self._open = self._open, None
        self._gate.deactivate()
        if over is not None:
            self._hand_over(over)
            self._finish(over)
        self._waiting_since_ms = self._now_ms

    def break_off(self) -> None:
        """The connection was lost: what is said is over, and words that wait for sound never get it."""
        self._waiting.clear()
        self.end()
        self._timed = None

    def _begin(self, kind: Kind) -> Utterance:
        utterance = Utterance(self._now_ms)
        self._announce(utterance.generation(kind), kind)
        return utterance

    def _finish(self, utterance: Utterance) -> None:
        message = utterance.close()
        if message is not None:
            self._tell_said(message)

    def _hand_over(self, utterance: Utterance) -> None:
        while self._waiting:
            words = self._waiting[0]
            if words.start_ms is not None and utterance.words_ahead_ms is None:
                utterance.words_ahead_ms = words.start_ms - utterance.start_ms
                self._timed = utterance
            if not utterance.covers(words, early_ms=_EARLY_MS):
                return
            utterance.say(self._waiting.popleft())

    def _say_silently(self, count: int) -> None:
        utterance = self._begin("text")
        for _ in range(count):
            utterance.say(self._waiting.popleft())
        self._finish(utterance)
