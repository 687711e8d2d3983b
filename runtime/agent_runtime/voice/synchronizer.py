"""The agent's words in step with its voice, for files that join an output of each by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_runtime.io import AudioOutput, AudioOutputCapabilities, TextOutput
from agent_runtime.tokenize import basic
from agent_runtime.types import NOT_GIVEN, NotGivenOr

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit.rtc import AudioFrame

    from agent_runtime.tokenize import WordTokenizer


class _Voice(AudioOutput):
    def __init__(self, sink: AudioOutput) -> None:
        super().__init__(
            label="synchronized voice",
            capabilities=AudioOutputCapabilities(pause=True),
            next_in_chain=sink,
            sample_rate=sink.sample_rate,
        )

    @property
    def _sink(self) -> AudioOutput:
        sink = self.next_in_chain
        assert sink is not None
        return sink

    async def capture_frame(self, frame: AudioFrame) -> None:
        await super().capture_frame(frame)
        await self._sink.capture_frame(frame)

    def flush(self) -> None:
        super().flush()
        self._sink.flush()

    def clear_buffer(self) -> None:
        self._sink.clear_buffer()


class _Words(TextOutput):
    def __init__(self, synchronizer: TranscriptSynchronizer, sink: TextOutput | None) -> None:
        super().__init__(label="synchronized words", next_in_chain=sink)
        self._synchronizer, self._sink = synchronizer, sink

    async def capture_text(self, text: str) -> None:
        if self._sink is not None and not self._synchronizer.closed:
            await self._sink.capture_text(text)

    def flush(self) -> None:
        if self._sink is not None and not self._synchronizer.closed:
            self._sink.flush()


class TranscriptSynchronizer:
    """Give `audio_output` and `text_output` to a session, and each word is written when it is heard.

    A session does that with any two outputs, by the device's position and the times of words or the voice's measured
    pace: these are layers that change nothing. So `speed`, `hyphenate_word` and `word_tokenizer` have no effect.
    """

    def __init__(
        self,
        *,
        next_in_chain_audio: AudioOutput,
        next_in_chain_text: TextOutput | None,
        speed: float = 1.0,
        hyphenate_word: Callable[[str], list[str]] = basic.hyphenate_word,
        word_tokenizer: NotGivenOr[WordTokenizer] = NOT_GIVEN,
    ) -> None:
        self.closed = False
        """Whether no more words are passed on."""
        self._audio, self._text = _Voice(next_in_chain_audio), _Words(self, next_in_chain_text)

    @property
    def audio_output(self) -> AudioOutput:
        """For `session.output.audio`."""
        return self._audio

    @property
    def text_output(self) -> TextOutput:
        """For `session.output.transcription`."""
        return self._text

    @property
    def enabled(self) -> bool:
        """Whether words wait for the voice: as long as it isn't closed."""
        return not self.closed

    async def aclose(self) -> None:
        """Pass on no more words."""
        self.closed = True
