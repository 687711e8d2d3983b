"""Holding sentences back until the audio before them is nearly over."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from agent_runtime.tokenize import SentenceStream, TokenData
from agent_runtime.tts.emitter import AudioEmitter
from agent_runtime.utils import aio


@dataclass(frozen=True)
class SentenceStreamPacer:
    """Lets the first sentence through at once, and more when the listener has little left to hear.

    Args:
        min_remaining_audio: seconds of audio, not yet heard by then, at which the next text goes out.
        max_text_length: characters that go out at once.
    """

    min_remaining_audio: float = 5.0
    max_text_length: int = 300

    def wrap(self, sent_stream: SentenceStream, audio_emitter: AudioEmitter) -> SentenceStream:
        """The sentences of `sent_stream`, paced by what `audio_emitter` has sent on."""
        return _PacedSentences(self, sent_stream, audio_emitter)


class _PacedSentences(SentenceStream):
    def __init__(self, pacer: SentenceStreamPacer, sentences: SentenceStream, emitter: AudioEmitter) -> None:
        super().__init__()
        self._pacer = pacer
        self._sentences = sentences
        self._emitter = emitter
        self._first = True
        self._queue = aio.Chan[TokenData]()
        self._reader = asyncio.create_task(self._read(), name="read sentences")

    def push_text(self, text: str) -> None:
        """See `SentenceStream.push_text`."""
        self._sentences.push_text(text)

    def flush(self) -> None:
        """See `SentenceStream.flush`."""
        self._sentences.flush()

    def end_input(self) -> None:
        """See `SentenceStream.end_input`."""
        self._sentences.end_input()

    async def aclose(self) -> None:
        """See `SentenceStream.aclose`."""
        await self._sentences.aclose()
        await aio.cancel_and_wait(self._reader)
        self._queue.close()
        self._do_close()

    async def __anext__(self) -> TokenData:
        # Whoever asks has had all audio of what they got before.
        batch = await self._queue.__anext__()
        if self._first:
            self._first = False
            return batch
        remaining = self._emitter.playout_end - asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, remaining - self._pacer.min_remaining_audio))
        while not self._queue.empty() and len(batch.token) < self._pacer.max_text_length:
            batch.token = f"{batch.token.rstrip()} {self._queue.recv_nowait().token.lstrip()}"
        return batch

    async def _read(self) -> None:
        async for sentence in self._sentences:
            self._queue.send_nowait(sentence)
        self._queue.close()
