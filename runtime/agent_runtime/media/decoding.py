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
_ENDLESS = 0x7FFFFFFF
"""A chunk of this size or more, or of none, is as long as what arrives: its writer couldn't know."""


class Decoder(Protocol):
    """Turns encoded bytes, cut anywhere, into PCM16 bytes."""

    sample_rate: int | None
    """Hz of what comes out; None until the first of it, where the stream's own was asked for."""
    num_channels: int | None
    """Channels of what comes out, in the same way."""

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
    mime_type: str,
    sample_rate: int | None,
    num_channels: int | None,
    label: str,
    *,
    on_audio: Callable[[], None] = lambda: None,
) -> Decoder | None:
    """The decoder for a MIME type; None for raw PCM, which needs none.

    A rate or a number of channels that is None stays what it is in the stream's first audio. `on_audio` is called when
    the decoder has more to give though nothing was pushed, in any thread.

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
    """Reads WAV files of 16-bit PCM, one after another, while they arrive.

    Another file begins where one's audio ends, or with what is pushed at once: some providers send each piece as a
    file of its own, and don't know its length when they begin.

    Args:
        sample_rate: Hz of what comes out; None keeps the first file's.
        num_channels: of what comes out; None keeps the first file's.
        label: who sends it, for errors.
    """

    def __init__(self, sample_rate: int | None, num_channels: int | None, label: str) -> None:
        self.sample_rate, self.num_channels = sample_rate, num_channels
        self._label = label
        self._format = (0, 0)
        self._left = 0
        """Bytes of the file's audio that are still to come."""
        self._start()

    def push(self, data: bytes) -> bytes:
        """See `Decoder.push`. Raises MediaError if it isn't a WAV file of 16-bit PCM."""
        begun = b""
        if self._resampler is not None and data.startswith(b"RIFF"):
            begun = self.flush()
        self._pending += data
        out = [begun]
        while self._resampler is not None or self._read_header():
            out.append(self._read_samples())
            if self._left or not self._pending:
                break
            if len(self._pending) < 4:  # whether another file begins isn't seen yet
                break
            if self._pending.startswith(b"RIFF"):
                out.append(self._end_file())
            else:
                self._left = _ENDLESS  # the length was wrong
        return b"".join(out)

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
        self._resampler: Resampler | None = None
        self._left = 0

    def _end_file(self) -> bytes:
        pending = self._pending
        rest = self.flush()
        self._pending = pending
        return rest

    def _read_samples(self) -> bytes:
        assert self._resampler is not None
        assert self.num_channels is not None
        channels = self._format[1]
        block = 2 * channels
        size = min(len(self._pending), self._left) // block * block
        samples = np.frombuffer(bytes(self._pending[:size]), np.int16).reshape(-1, channels)
        del self._pending[:size]
        self._left -= size
        if self._left < block:
            self._left = 0
        if channels != self.num_channels:
            mono = samples.mean(axis=1, keepdims=True).astype(np.int16)
            samples = np.repeat(mono, self.num_channels, axis=1)
        return self._resampler.push(samples if self.num_channels > 1 else samples[:, 0]).tobytes()

    def _read_header(self) -> bool:
        data = self._pending
        if len(data) >= 12 and (data[:4] != b"RIFF" or data[8:12] != b"WAVE"):
            raise self._error("something that isn't a WAV file")
        at = 12
        has_format = False
        while len(data) >= at + 8:
            name, size = bytes(data[at : at + 4]), int.from_bytes(data[at + 4 : at + 8], "little")
            if name == b"data":
                if not has_format:
                    raise self._error("a WAV file without a format")
                del data[: at + 8]
                self._begin_audio(size)
                return True
            if len(data) < at + 8 + size:
                break
            if name == b"fmt ":
                self._read_format(bytes(data[at + 8 : at + 8 + size]))
                has_format = True
            at += 8 + size + size % 2
        if len(data) > _HEADER_LIMIT:
            raise self._error("a WAV file without audio")
        return False

    def _read_format(self, chunk: bytes) -> None:
        code, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
        if code not in (_PCM, _EXTENSIBLE) or bits != 16 or not channels or not rate:
            raise self._error(f"a WAV file of encoding {code:#06x} with {bits} bits")
        self._format = (rate, channels)

    def _begin_audio(self, size: int) -> None:
        rate, channels = self._format
        self.sample_rate, self.num_channels = self.sample_rate or rate, self.num_channels or channels
        self._resampler = Resampler(rate, self.sample_rate, self.num_channels)
        self._left = size if 0 < size < _ENDLESS else _ENDLESS

    def _error(self, what: str) -> MediaError:
        return MediaError(f"{self._label} sent {what}: it must be 16-bit PCM")
