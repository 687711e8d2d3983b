"""Compressed audio (MP3, AAC, Opus, FLAC, in any container that FFmpeg reads) to PCM16, while it arrives."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Final

from agent_runtime.errors import MediaError, MissingDependencyError
from agent_runtime.media.stream_buffer import StreamBuffer

logger = logging.getLogger(__name__)

INSTALL: Final = "pip install 'agent-console[codecs]'"
FRAMED: Final = {
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/x-mpeg": "mp3",
    "audio/mpga": "mp3",
    "audio/aac": "aac",
    "audio/x-aac": "aac",
}
"""MIME types of streams whose frames are found without a container, and FFmpeg's names of their codecs."""
CONTAINED: Final = {
    "audio/flac": "flac",
    "audio/x-flac": "flac",
    "audio/mp4": "mp4",
    "audio/x-m4a": "mp4",
    "video/mp4": "mp4",
    "audio/ogg": "ogg",
    "audio/opus": None,  # browsers say so of WebM as well as of Ogg
    "audio/webm": "matroska",
    "video/webm": "matroska",
}
"""MIME types of files, and FFmpeg's names of their containers; None where it has to look."""
_LAYOUTS: Final = {1: "mono", 2: "stereo"}
_LEAST: Final = 4096
"""Bytes that FFmpeg may look at before it knows a container: its own 5 MB would be the whole of a sentence."""


def load_av() -> Any:
    """PyAV, FFmpeg's Python binding.

    Raises:
        MissingDependencyError: it isn't installed.
    """
    try:
        import av
    except ModuleNotFoundError as e:
        raise MissingDependencyError("the decoder of compressed audio (PyAV)", INSTALL) from e
    return av


def is_compressed(mime_type: str) -> bool:
    """Whether a MIME type, with or without parameters, is of audio that this module decodes."""
    kind = mime_type.lower().split(";")[0].strip()
    return kind in FRAMED or kind in CONTAINED


class _Converter:
    """Decoded frames as PCM16 bytes of one rate and number of channels; None keeps those of the first frame."""

    def __init__(self, av: Any, sample_rate: int | None, num_channels: int | None) -> None:
        if num_channels is not None and num_channels not in _LAYOUTS:
            raise ValueError(f"{num_channels} channels: compressed audio is decoded to one or two")
        self._av = av
        self.sample_rate, self.num_channels = sample_rate, num_channels
        self._resampler: Any = None

    def convert(self, frame: Any) -> bytes:
        """What comes out for a frame; None flushes."""
        if self._resampler is None:
            if frame is None:
                return b""
            self.sample_rate = self.sample_rate or frame.sample_rate
            self.num_channels = self.num_channels or min(len(frame.layout.channels), 2)
            layout = _LAYOUTS[self.num_channels]
            self._resampler = self._av.AudioResampler(format="s16", layout=layout, rate=self.sample_rate)
        return b"".join(out.to_ndarray().tobytes() for out in self._resampler.resample(frame))


class FrameDecoder:
    """Decodes a stream that needs no container, on the event loop: each frame as soon as it is complete.

    Args:
        codec: FFmpeg's name of it.
        sample_rate: Hz of what comes out; None keeps what the stream has.
        num_channels: one or two, of what comes out; None keeps one as it is, and makes two of more.
        label: who sends it, for errors.
    """

    def __init__(self, codec: str, sample_rate: int | None, num_channels: int | None, label: str) -> None:
        self._av = load_av()
        self._codec, self.sample_rate, self.num_channels, self._label = codec, sample_rate, num_channels, label
        self._start()

    def push(self, data: bytes) -> bytes:
        """See `Decoder.push`."""
        self._pushed += len(data)
        return b"".join(map(self._decode, self._context.parse(data))) if data else b""

    def flush(self) -> bytes:
        """See `Decoder.flush`. Raises MediaError if there was nothing in it that could be decoded."""
        out = b"".join(map(self._decode, self._context.parse(b"")))
        if self._decoded:
            out += self._decode(None) + self._converter.convert(None)
        elif self._pushed:
            raise MediaError(f"{self._label} sent {self._pushed} bytes that aren't {self._codec.upper()}")
        self._start()
        return out

    def close(self) -> None:
        """See `Decoder.close`."""

    def _start(self) -> None:
        self._context = self._av.CodecContext.create(self._codec, "r")
        self._converter = _Converter(self._av, self.sample_rate, self.num_channels)
        self._pushed = 0
        self._decoded = 0

    def _decode(self, packet: Any) -> bytes:
        try:
            frames = self._context.decode(packet)
        except self._av.error.FFmpegError as e:  # one broken frame is some 25 ms; the next is found again
            logger.debug("a frame of %s's audio is broken: %s", self._label, e)
            return b""
        self._decoded += len(frames)
        out = b"".join(map(self._converter.convert, frames))
        self.sample_rate, self.num_channels = self._converter.sample_rate, self._converter.num_channels
        return out


class FileDecoder:
    """Decodes a file of any container while it arrives, in a thread, since FFmpeg reads files by itself.

    Args:
        container: FFmpeg's name of it; None lets it look.
        sample_rate: Hz of what comes out; None keeps what the stream has.
        num_channels: one or two, of what comes out; None keeps one as it is, and makes two of more.
        label: who sends it, for errors.
        on_audio: called in the thread when `push` or `take` would give something, and when it is over.
    """

    def __init__(
        self,
        container: str | None,
        sample_rate: int | None,
        num_channels: int | None,
        label: str,
        *,
        on_audio: Callable[[], None] = lambda: None,
    ) -> None:
        self._av = load_av()
        self._container, self._label = container, label
        self.sample_rate, self.num_channels = sample_rate, num_channels
        self._on_audio = on_audio
        self._thread: threading.Thread | None = None
        self._start()

    def push(self, data: bytes) -> bytes:
        """See `Decoder.push`: what is decoded by now, of what was pushed before."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="audio decoder", daemon=True)
            self._thread.start()
        self._feed.write(data)
        return self.take()

    def take(self) -> bytes:
        """What is decoded by now."""
        with self._lock:
            out = bytes(self._out)
            self._out.clear()
        return out

    def end(self) -> None:
        """Nothing more comes; doesn't wait for what is left."""
        self._feed.end_input()
        self.is_over |= self._thread is None

    def flush(self) -> bytes:
        """See `Decoder.flush`. Waits for the thread. Raises MediaError if it isn't what it should be."""
        self.end()
        if self._thread is not None:
            self._thread.join()
        out, error, is_empty = self.take(), self._error, self._thread is not None and not self._given
        self._start()
        if is_empty:
            raise MediaError(f"{self._label} sent audio that can't be decoded: {error or 'no sound in it'}") from error
        return out

    def close(self) -> None:
        """See `Decoder.close`."""
        self._feed.close()

    def _start(self) -> None:
        self._feed = StreamBuffer()
        self._out = bytearray()
        self._given = 0
        self._lock = threading.Lock()
        self._error: Exception | None = None
        self._thread = None
        self.is_over = False
        """Whether everything is decoded, or nothing more can be."""

    def _run(self) -> None:
        try:
            self._decode(_Converter(self._av, self.sample_rate, self.num_channels))
        except (self._av.error.FFmpegError, IndexError) as e:  # IndexError: no stream of audio in it
            self._error = e
            logger.debug("%s's audio ends in an error: %s", self._label, e)
        self.is_over = True
        self._on_audio()

    def _decode(self, converter: _Converter) -> None:
        options = {"probesize": str(_LEAST), "analyzeduration": "0"}
        with self._av.open(self._feed, format=self._container, container_options=options) as file:
            for frame in file.decode(file.streams.audio[0]):
                data = converter.convert(frame)
                self.sample_rate, self.num_channels = converter.sample_rate, converter.num_channels
                self._give(data)
        self._give(converter.convert(None))

    def _give(self, data: bytes) -> None:
        with self._lock:
            self._out += data
            self._given += len(data)
        self._on_audio()


def compressed_decoder(
    mime_type: str, sample_rate: int | None, num_channels: int | None, label: str, on_audio: Callable[[], None]
) -> FrameDecoder | FileDecoder:
    """The decoder for a MIME type that `is_compressed`; `on_audio` as in `FileDecoder`.

    Raises:
        MissingDependencyError: PyAV isn't installed.
    """
    kind = mime_type.lower().split(";")[0].strip()
    if kind in FRAMED:
        return FrameDecoder(FRAMED[kind], sample_rate, num_channels, label)
    return FileDecoder(CONTAINED[kind], sample_rate, num_channels, label, on_audio=on_audio)


def decode(data: bytes, sample_rate: int, num_channels: int, label: str) -> bytes:
    """All of a file, whatever its container, as PCM16. Blocks: call it in a thread.

    Raises:
        MediaError: it can't be decoded.
        MissingDependencyError: PyAV isn't installed.
    """
    decoder = FileDecoder(None, sample_rate, num_channels, label)
    return decoder.push(data) + decoder.flush()
