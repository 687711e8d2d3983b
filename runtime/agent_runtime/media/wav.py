"""WAV files: read any common one, write one that is valid at every moment."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from agent_runtime.errors import MediaError
from agent_runtime.media import g711

_PCM, _FLOAT, _ALAW, _ULAW, _EXTENSIBLE = 0x0001, 0x0003, 0x0006, 0x0007, 0xFFFE
_UNKNOWN_SIZES = (0, 0xFFFFFFFF)
"""Data sizes that a program writes when it can't go back to fill them in: the audio runs to the end of the file."""


class WavReader:
    """Reads a WAV file piece by piece as PCM16.

    Understands PCM of 8, 16, 24 and 32 bits, float of 32 and 64 bits, A-law and μ-law, plain or as
    WAVE_FORMAT_EXTENSIBLE, at any rate and with any number of channels.

    Raises:
        MediaError: naming the file and what is wrong with it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            self._file = self.path.open("rb")
        except OSError as e:
            raise MediaError(f"{self.path}: can't be read: {e.strerror}") from e
        try:
            self._read_header()
        except BaseException:
            self._file.close()
            raise

    sample_rate: int
    channels: int
    frames: int
    """Samples per channel in the whole file."""

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.frames / self.sample_rate

    def read(self, count: int = -1) -> NDArray[np.int16]:
        """Up to `count` samples per channel (all that are left if negative), `int16[samples, channels]`."""
        count = self._left if count < 0 else min(count, self._left)
        data = self._file.read(count * self._block)
        self._left -= count
        return _decode(data, self._code, self._bits).reshape(-1, self.channels)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _read_header(self) -> None:
        riff = self._file.read(12)
        if len(riff) < 12 or riff[:4] != b"RIFF" or riff[8:] != b"WAVE":
            raise self._error("is not a WAV file")
        have_format = False
        while len(header := self._file.read(8)) == 8:
            name, size = header[:4], int.from_bytes(header[4:], "little")
            if name == b"data":
                if not have_format:
                    raise self._error("has audio before its format: the file is damaged")
                return self._start_data(size)
            if name == b"fmt ":
                self._read_format(self._file.read(size))
                have_format = True
                self._file.seek(size % 2, os.SEEK_CUR)
            else:
                self._file.seek(size + size % 2, os.SEEK_CUR)
        raise self._error("has no audio in it: the file is truncated")

    def _read_format(self, chunk: bytes) -> None:
        if len(chunk) < 16:
            raise self._error("is truncated in its format")
        code, channels, rate, _, block, bits = struct.unpack("<HHIIHH", chunk[:16])
        if code == _EXTENSIBLE and len(chunk) >= 26:
            code = int.from_bytes(chunk[24:26], "little")  # the sub-format's GUID starts with the plain code
        known = {_PCM: (8, 16, 24, 32), _FLOAT: (32, 64), _ALAW: (8,), _ULAW: (8,)}
        if bits not in known.get(code, ()):
            what = f"PCM of {bits} bits" if code == _PCM else f"encoding {code:#06x} with {bits} bits"
            raise self._error(f"has {what}, which isn't supported: convert it to 16-bit PCM")
        if not channels or not rate or block != channels * bits // 8:
            raise self._error(f"has {channels} channels at {rate} Hz in blocks of {block} bytes: the file is damaged")
        self.channels, self.sample_rate = channels, rate
        self._code, self._bits, self._block = code, bits, block

    def _start_data(self, size: int) -> None:
        start = self._file.tell()
        there = self._file.seek(0, os.SEEK_END) - start
        self._file.seek(start)
        if size in _UNKNOWN_SIZES:
            size = there
        elif size > there:
            raise self._error(f"is truncated: {there} of {size} bytes of audio are there")
        self.frames = self._left = size // self._block

    def _error(self, problem: str) -> MediaError:
        return MediaError(f"{self.path}: {problem}")


class WavWriter:
    """Writes PCM16 to a WAV file whose header is put right every half second of audio.

    So what is on disk is a valid file even if the process is killed.

    Raises:
        MediaError: if the file can't be written.
    """

    _LIMIT = 0xFFFFFFFF - 36

    def __init__(self, path: str | os.PathLike[str], sample_rate: int, channels: int = 1) -> None:
        self.path = Path(path)
        self.sample_rate = sample_rate
        self.channels = channels
        self.frames = 0
        self._patched = 0
        try:
            # Unbuffered: what was written is the system's before the header says so, whatever happens to the process.
            self._file: BinaryIO = self.path.open("wb", buffering=0)
            self._file.write(self._header())
        except OSError as e:
            raise MediaError(f"{self.path}: can't be written: {e.strerror}") from e

    @property
    def duration(self) -> float:
        """Seconds written."""
        return self.frames / self.sample_rate

    def write(self, samples: NDArray[np.int16]) -> None:
        """Append `int16[samples, channels]` (or `int16[samples]` to a mono file)."""
        data = np.ascontiguousarray(samples, "<i2").tobytes()
        if (self.frames * self.channels * 2) + len(data) > self._LIMIT:
            raise MediaError(f"{self.path}: is full: a WAV file holds 4 GB")
        try:
            self._file.write(data)
            self.frames += len(data) // (2 * self.channels)
            if self.frames - self._patched >= self.sample_rate // 2:
                self._patch()
        except OSError as e:
            raise MediaError(f"{self.path}: can't be written: {e.strerror}") from e

    def write_silence(self, frames: int) -> None:
        """Append `frames` samples per channel of silence."""
        step = self.sample_rate * 10
        for start in range(0, frames, step):
            self.write(np.zeros((min(step, frames - start), self.channels), np.int16))

    def save(self) -> None:
        """Put the header right now: what was written so far can be read, whatever happens to the process."""
        if self.frames == self._patched:
            return
        try:
            self._patch()
        except OSError as e:
            raise MediaError(f"{self.path}: can't be written: {e.strerror}") from e

    def close(self) -> None:
        """Put the header right and close the file. Closing twice does nothing."""
        if self._file.closed:
            return
        try:
            self._patch()
        except OSError as e:
            raise MediaError(f"{self.path}: can't be written: {e.strerror}") from e
        finally:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _header(self) -> bytes:
        block = 2 * self.channels
        size = self.frames * block
        form = struct.pack("<HHIIHH", _PCM, self.channels, self.sample_rate, self.sample_rate * block, block, 16)
        return struct.pack("<4sI4s4sI16s4sI", b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, form, b"data", size)

    def _patch(self) -> None:
        self._file.seek(0)
        self._file.write(self._header())
        self._file.seek(0, os.SEEK_END)
        self._patched = self.frames


def read_wav(path: str | os.PathLike[str]) -> tuple[NDArray[np.int16], int]:
    """A whole file as `int16[samples, channels]`, and its rate in Hz."""
    with WavReader(path) as reader:
        return reader.read(), reader.sample_rate


def write_wav(path: str | os.PathLike[str], samples: NDArray[np.int16], sample_rate: int) -> None:
    """A whole file from `int16[samples]` or `int16[samples, channels]`."""
    with WavWriter(path, sample_rate, 1 if samples.ndim == 1 else samples.shape[1]) as writer:
        writer.write(samples)


def _decode(data: bytes, code: int, bits: int) -> NDArray[np.int16]:
    if code == _ALAW:
        return g711.alaw_decode(data)
    if code == _ULAW:
        return g711.ulaw_decode(data)
    if code == _FLOAT:
        values = np.nan_to_num(np.frombuffer(data, f"<f{bits // 8}").astype(np.float64), posinf=1.0, neginf=-1.0)
        return np.clip(np.rint(values * 32768), -32768, 32767).astype(np.int16)
    if bits == 8:
        return ((np.frombuffer(data, np.uint8).astype(np.int16) - 128) << 8).astype(np.int16)
    if bits == 16:
        return np.frombuffer(data, "<i2").astype(np.int16)
    # 24 and 32 bits: the two upper bytes are the sample, the next lower bit rounds it.
    raw = np.frombuffer(data, np.uint8).reshape(-1, bits // 8)
    upper = np.ascontiguousarray(raw[:, -2:]).view("<i2")[:, 0].astype(np.int32) + (raw[:, -3] >> 7)
    return np.minimum(upper, 32767).astype(np.int16)
