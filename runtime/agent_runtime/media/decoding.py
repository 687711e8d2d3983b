"""What a provider sends as audio, turned into PCM16 of the rate and channels that were promised."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Protocol

import numpy as np

from agent_runtime.errors import MediaError
from agent_runtime.media.compressed import compressed_decoder, is_compressed
from agent_runtime.media.resample import Resampler

_HEADER_LIMIT = 65536
_PCM, _EXTENSIBLE = 1, 0xFFFE


class Decoder(Protocol):
    """Turns encoded bytes, cut anywhere, into PCM16 bytes."""

    def push(self, data: bytes) -> bytes:
        """Decode what is complete."""
        ...

    def flush(self) -> bytes:
        """What is left; then another file may begin."""
        ...

    def close(self) -> None:
        """Drop what is left; nothing is pushed any more."""
        ...


def make_decoder(
    mime_type: str, sample_rate: int, num_channels: int, label: str, *, on_audio: Callable[[], None] = lambda: None
) -> Decoder | None:
    """The decoder for a MIME type; None for raw PCM, which needs none.

    `on_audio` is called when the decoder has more to give though nothing was pushed, in any thread.

    Raises:
        MediaError: if there is none, naming the provider.
        MissingDependencyError: it is compressed, and what decodes that isn't installed.
    """
    kind = mime_type.lower().split(";")[0].strip()
    if kind in ("audio/pcm", "audio/raw", "audio/l16"):
        return None
    if kind in ("audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"):
        return WavDecoder(sample_rate, num_channels, label)
    if is_compressed(mime_type):
        return compressed_decoder(mime_type, sample_rate, num_channels, label, on_audio)
    raise MediaError(f"{label} sends {mime_type or 'audio of no stated kind'}: ask it for audio/pcm or audio/wav")


class WavDecoder:
    """Reads a WAV file of 16-bit PCM while it arrives, converting it to the wanted rate and channels."""

    def __init__(self, sample_rate: int, num_channels: int, label: str) -> None:
        self._sample_rate = sample_rate
        self._num_channels = num_channels
        self._label = label
        self._start()

    def push(self, data: bytes) -> bytes:
        """See `Decoder.push`. Raises MediaError if it isn't a WAV file of 16-bit PCM."""
        self._pending += data
        if self._resampler is None and not self._read_header():
            return b""
        assert self._resampler is not None
        block = 2 * self._channels
        size = len(self._pending) - len(self._pending) % block
        samples = np.frombuffer(bytes(self._pending[:size]), np.int16).reshape(-1, self._channels)
        del self._pending[:size]
        if self._channels != self._num_channels:
            mono = samples.mean(axis=1, keepdims=True).astype(np.int16)
            samples = np.repeat(mono, self._num_channels, axis=1)
        return self._resampler.push(samples if self._num_channels > 1 else samples[:, 0]).tobytes()

    def flush(self) -> bytes:
        """See `Decoder.flush`."""
        rest = b"" if self._resampler is None else self._resampler.flush().tobytes()
        self._start()
        return rest

    def close(self) -> None:
        """See `Decoder.close`."""
        self._start()

    def _start(self) -> None:
        self._pending = bytearray()
        self._channels = 0
        self._resampler: Resampler | None = None

    def _read_header(self) -> bool:
        data = self._pending
        if len(data) >= 12 and (data[:4] != b"RIFF" or data[8:12] != b"WAVE"):
            raise self._error("something that isn't a WAV file")
        at = 12
        while len(data) >= at + 8:
            name, size = bytes(data[at : at + 4]), int.from_bytes(data[at + 4 : at + 8], "little")
            if name == b"data":
                if self._resampler is None:
                    raise self._error("a WAV file without a format")
                del data[: at + 8]
                return True
            if len(data) < at + 8 + size:
                break
            if name == b"fmt ":
                self._read_format(bytes(data[at + 8 : at + 8 + size]))
            at += 8 + size + size % 2
        if len(data) > _HEADER_LIMIT:
            raise self._error("a WAV file without audio")
        self._resampler = None  # the header is read again when more of it is there
        return False

    def _read_format(self, chunk: bytes) -> None:
        code, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
        if code not in (_PCM, _EXTENSIBLE) or bits != 16 or not channels or not rate:
            raise self._error(f"a WAV file of encoding {code:#06x} with {bits} bits")
        self._channels = channels
        self._resampler = Resampler(rate, self._sample_rate, self._num_channels)

    def _error(self, what: str) -> MediaError:
        return MediaError(f"{self._label} sent {what}: it must be 16-bit PCM")
