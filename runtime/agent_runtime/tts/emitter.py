"""How a synthesizer hands over its audio: bytes of any size in, evenly cut frames out, the last one marked."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from livekit.rtc import AudioFrame

from agent_runtime.media.decoding import Decoder, make_decoder
from agent_runtime.media.frames import to_array
from agent_runtime.media.resample import Resampler
from agent_runtime.tts.types import SynthesizedAudio
from agent_runtime.types import USERDATA_TIMED_TRANSCRIPT, TimedString
from agent_runtime.utils import aio, shortuuid

logger = logging.getLogger(__name__)

FIRST_FRAME_MS = 20
"""The first frame of a burst is this long, then each is twice the one before it: playback begins early."""
TAIL_MS = 10
"""Held back until more comes, so that the last audio of a segment can be marked as final."""
FLUSH_AHEAD = 0.02
"""Seconds before the listener would run dry when held-back audio is let go."""


@dataclass
class _Segment:
    id: str
    frame_ms: int = FIRST_FRAME_MS
    sent: bool = False


class AudioEmitter:
    """Takes what a provider's `_run` receives and sends `SynthesizedAudio` to a stream.

    Call `initialize` first. With `stream=True` each segment is put between `start_segment` and `end_segment` (or
    `end_input`); without, there is one segment, begun already. Audio is 16-bit PCM at the given rate, or WAV. After
    `end_input` or `aclose` everything more is ignored.
    """

    def __init__(self, *, label: str, dst_ch: aio.Chan[SynthesizedAudio]) -> None:
        self._label = label
        self._dst_ch = dst_ch
        self._started = False
        self._closed = False
        self._segment: _Segment | None = None
        self._audio_durations: list[float] = []
        self._buffer = bytearray()
        self._transcripts: list[TimedString] = []
        self._provider_request_ids: list[str] = []
        self._flush_timer: asyncio.TimerHandle | None = None
        self._playout_end = 0.0
        self._decoder: Decoder | None = None
        self._resampler: Resampler | None = None

    @property
    def started(self) -> bool:
        """Whether `initialize` was called."""
        return self._started

    @property
    def num_segments(self) -> int:
        """Segments begun so far."""
        return len(self._audio_durations)

    @property
    def provider_request_ids(self) -> list[str]:
        """The provider's own ids of what was asked, to find it in the provider's logs."""
        return self._provider_request_ids.copy()

    def pushed_duration(self, idx: int = -1) -> float:
        """Seconds of audio that were sent on in segment number `idx`; 0.0 if there is no such segment."""
        count = len(self._audio_durations)
        return self._audio_durations[idx] if -count <= idx < count else 0.0

    @property
    def playout_end(self) -> float:
        """The loop's time at which all that was sent on will have been heard, if it is played at once."""
        return self._playout_end

    @property
    def total_duration(self) -> float:
        """Seconds of audio that were sent on, in all segments."""
        return sum(self._audio_durations)

    def initialize(
        self,
        *,
        request_id: str,
        sample_rate: int,
        num_channels: int,
        mime_type: str,
        frame_size_ms: int = 200,
        stream: bool = False,
    ) -> None:
        """Say what will be pushed.

        Args:
            request_id: the provider's, or one of our own.
            sample_rate: Hz of the frames that come out (and of PCM that goes in).
            num_channels: channels of the frames that come out.
            mime_type: `audio/pcm`, `audio/wav`, or what PyAV decodes: `audio/mpeg`, `audio/ogg`, `audio/flac` …
            frame_size_ms: frames are at most this long.
            stream: whether segments are begun and ended by the caller.

        Raises:
            MediaError: there is no decoder for `mime_type`.
            MissingDependencyError: PyAV would decode it and isn't installed.
        """
        if self._started:
            raise RuntimeError("the AudioEmitter is initialized already")
        self._decoder = make_decoder(mime_type, sample_rate, num_channels, self._label)
        self._started = True
        self._request_id = request_id or shortuuid("unknown_")
        self._sample_rate = sample_rate
        self._num_channels = num_channels
        self._frame_size_ms = frame_size_ms
        self._streaming = stream
        if not stream:
            self._begin_segment("")

    def start_segment(self, *, segment_id: str) -> None:
        """What is pushed from now on belongs to this segment."""
        self._check_started()
        if not self._streaming:
            raise RuntimeError("start_segment() is for an AudioEmitter that was initialized with stream=True")
        if self._closed:
            return
        if self._segment is not None:
            raise RuntimeError(f"segment {segment_id!r} is started before segment {self._segment.id!r} was ended")
        self._note_provider_request_id(segment_id)
        self._begin_segment(segment_id)

    def end_segment(self) -> None:
        """The segment has all its audio."""
        self._check_started()
        if not self._streaming:
            raise RuntimeError("end_segment() is for an AudioEmitter that was initialized with stream=True")
        self._finish_segment()

    def push(self, data: bytes) -> None:
        """Add audio, cut anywhere."""
        if not self._accepts():
            return
        if self._segment is None:
            raise RuntimeError("audio was pushed before start_segment()")
        self._buffer += data if self._decoder is None else self._decoder.push(data)
        self._send_full_frames()
        self._schedule_flush()

    def push_frame(self, frame: AudioFrame) -> None:
        """Add audio that is framed already, by another emitter for instance: it goes on in one frame.

        It is resampled if its rate isn't the emitter's. Its last 10 ms go with what comes next, or say that it was
        the end.
        """
        if not self._accepts():
            return
        if self._segment is None:
            raise RuntimeError("audio was pushed before start_segment()")
        if frame.num_channels != self._num_channels:
            raise ValueError(
                f"{self._label} gave a frame of {frame.num_channels} channels, having promised {self._num_channels}"
            )
        if frame.sample_rate == self._sample_rate:
            data = bytes(frame.data)
        else:
            if self._resampler is None or self._resampler.in_rate != frame.sample_rate:
                logger.debug("%s gives audio at %d Hz, not %d", self._label, frame.sample_rate, self._sample_rate)
                self._resampler = Resampler(frame.sample_rate, self._sample_rate, self._num_channels)
            samples = to_array(frame)
            data = self._resampler.push(samples[:, 0] if self._num_channels == 1 else samples).tobytes()
        self._buffer += data
        size = len(self._buffer) - self._bytes(TAIL_MS)
        if size > 0:
            self._send(size, is_final=False)
        self._schedule_flush()

    def push_timed_transcript(self, delta_text: TimedString | list[TimedString]) -> None:
        """Tell the text of the audio that is pushed next; its times count from the start of the segment."""
        if self._accepts():
            self._transcripts += delta_text if isinstance(delta_text, list) else [delta_text]

    def flush(self) -> None:
        """Send on what is held back."""
        if self._accepts() and self._segment is not None:
            self._send_rest(is_final=False)
            self._segment.frame_ms = FIRST_FRAME_MS

    def end_input(self) -> None:
        """Nothing more comes."""
        if self._accepts():
            self._finish_segment()
            self._close()

    async def join(self) -> None:
        """Wait until everything that was pushed has been sent on. It has: kept for providers that call it."""
        self._check_started()

    async def aclose(self) -> None:
        """Drop what is held back."""
        self._close()

    def _note_provider_request_id(self, context_id: str) -> None:
        # Providers call it when they learn the id late.
        if context_id and context_id not in self._provider_request_ids:
            self._provider_request_ids.append(context_id)

    def _check_started(self) -> None:
        if not self._started:
            raise RuntimeError("call initialize() of the AudioEmitter first")

    def _accepts(self) -> bool:
        self._check_started()
        return not self._closed

    def _begin_segment(self, segment_id: str) -> None:
        self._segment = _Segment(segment_id)
        self._audio_durations.append(0.0)
        self._playout_end = 0.0

    def _finish_segment(self) -> None:
        if self._closed or self._segment is None:
            return
        if self._resampler is not None:
            self._buffer += self._resampler.flush().tobytes()
            self._resampler = None
        if self._decoder is not None:
            self._buffer += self._decoder.flush()
        self._send_full_frames()
        self._send_rest(is_final=True)
        if self._buffer:
            logger.warning("%s ended its audio in the middle of a sample: incomplete PCM", self._label)
            self._buffer.clear()
        self._segment = None

    def _bytes(self, milliseconds: int) -> int:
        return self._sample_rate * milliseconds // 1000 * self._num_channels * 2

    def _send_full_frames(self) -> None:
        segment = self._segment
        assert segment is not None
        while len(self._buffer) >= (size := self._bytes(segment.frame_ms)) + self._bytes(TAIL_MS):
            self._send(size, is_final=False)
            segment.frame_ms = min(segment.frame_ms * 2, self._frame_size_ms)

    def _send_rest(self, *, is_final: bool) -> None:
        assert self._segment is not None
        size = len(self._buffer) - len(self._buffer) % (2 * self._num_channels)
        if not size and is_final and self._segment.sent:
            # All audio is out and unmarked: a sliver of silence carries the mark.
            self._send_frame(bytes(self._bytes(TAIL_MS)), is_final=True)
        elif size:
            self._send(size, is_final=is_final)
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None

    def _send(self, size: int, *, is_final: bool) -> None:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._audio_durations[-1] += self._send_frame(data, is_final=is_final)

    def _send_frame(self, data: bytes, *, is_final: bool) -> float:
        assert self._segment is not None
        frame = AudioFrame(data, self._sample_rate, self._num_channels, len(data) // (2 * self._num_channels))
        frame.userdata[USERDATA_TIMED_TRANSCRIPT], self._transcripts = self._transcripts, []
        self._segment.sent = True
        seconds = frame.samples_per_channel / frame.sample_rate
        self._playout_end = max(self._playout_end, asyncio.get_running_loop().time()) + seconds
        self._dst_ch.send_nowait(SynthesizedAudio(frame, self._request_id, is_final, self._segment.id))
        return seconds

    def _schedule_flush(self) -> None:
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None
        if self._buffer:
            loop = asyncio.get_running_loop()
            self._flush_timer = loop.call_at(max(loop.time(), self._playout_end - FLUSH_AHEAD), self.flush)

    def _close(self) -> None:
        self._closed = True
        self._buffer.clear()
        if self._decoder is not None:
            self._decoder.close()
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None
