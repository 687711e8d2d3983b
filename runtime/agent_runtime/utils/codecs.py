"""Decoding a provider's compressed audio into frames, for people who write providers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from livekit.rtc import AudioFrame

from agent_runtime.errors import MediaError
from agent_runtime.media.compressed import FileDecoder
from agent_runtime.media.decoding import Decoder, make_decoder
from agent_runtime.media.stream_buffer import StreamBuffer
from agent_runtime.utils.aio import Chan, ChanClosed

__all__ = ["AudioStreamDecoder", "StreamBuffer"]

_LABEL = "the stream"


class AudioStreamDecoder:
    """Turns encoded bytes into frames while they arrive; one stream each.

    Push bytes, say when they end, and iterate over the frames. Iterating raises `MediaError` at the end if it wasn't
    what it should be.

    Args:
        sample_rate: Hz of the frames; None keeps the stream's own, which is 48,000 for raw PCM.
        num_channels: one or two, of the frames; None keeps the stream's own, which is one for raw PCM.
        format: the MIME type; left out, FFmpeg looks what it is.

    Raises:
        MediaError: there is no decoder for the format.
        MissingDependencyError: PyAV is needed for the format and isn't installed.
    """

    def __init__(
        self, *, sample_rate: int | None = 48000, num_channels: int | None = 1, format: str | None = None
    ) -> None:
        self._rate, self._channels = sample_rate or 48000, num_channels or 1  # of raw PCM
        self._frames: Chan[AudioFrame] = Chan()
        self._rest = bytearray()
        self._error: MediaError | None = None
        self._loop = asyncio.get_running_loop()
        self._decoder: Decoder | None = (
            make_decoder(format, sample_rate, num_channels, _LABEL, on_audio=self._on_audio)
            if format
            else FileDecoder(None, sample_rate, num_channels, _LABEL, on_audio=self._on_audio)
        )

    def push(self, chunk: bytes) -> None:
        """Add encoded bytes, cut anywhere; dropped once it is closed."""
        if not self._frames.closed:
            self._guard(lambda: self._send(chunk if self._decoder is None else self._decoder.push(chunk)))

    def end_input(self) -> None:
        """Nothing more comes."""
        if isinstance(self._decoder, FileDecoder):
            self._decoder.end()
            self._drain()
        elif not self._frames.closed:
            self._guard(lambda: self._send(b"" if self._decoder is None else self._decoder.flush()))
            self._frames.close()

    async def aclose(self) -> None:
        """Stop; what isn't read yet is dropped."""
        if self._decoder is not None:
            self._decoder.close()
        self._frames.close()

    def __aiter__(self) -> AudioStreamDecoder:
        return self

    async def __anext__(self) -> AudioFrame:
        try:
            return await self._frames.recv()
        except ChanClosed:
            if self._error is not None:
                raise self._error from None
            raise StopAsyncIteration from None

    def _guard(self, step: Callable[[], None]) -> None:
        try:
            step()
        except MediaError as e:
            self._error = e
            self._frames.close()

    def _send(self, data: bytes) -> None:
        self._rest += data
        decoder = self._decoder
        rate = (decoder.sample_rate if decoder else None) or self._rate
        channels = (decoder.num_channels if decoder else None) or self._channels
        size = len(self._rest) - len(self._rest) % (2 * channels)
        if size and not self._frames.closed:
            self._frames.send_nowait(AudioFrame(bytes(self._rest[:size]), rate, channels, size // (2 * channels)))
        del self._rest[:size]

    def _on_audio(self) -> None:
        """In the decoder's thread."""
        with contextlib.suppress(RuntimeError):  # the loop may be closed before the thread notices
            self._loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        decoder = self._decoder
        assert isinstance(decoder, FileDecoder)
        if self._frames.closed:
            return
        self._send(decoder.take())
        if decoder.is_over:
            self._guard(lambda: self._send(decoder.flush()))
            self._frames.close()
