"""Streaming speech recognition by the bundled Moonshine model.

The model reads whole stretches of speech, fast. So the stretch that is being spoken is read again and again while it
grows (interims), and once more as soon as the speaker pauses, in the hope that this is its end: when it turns out to
be, the final text is there already. The bundled detector of voice finds the stretches.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass, field

import numpy as np
from livekit.rtc import AudioFrame, combine_audio_frames
from numpy.typing import NDArray

from agent_runtime.media.frames import to_array
from agent_runtime.media.mix import to_mono
from agent_runtime.media.resample import resample
from agent_runtime.providers.embedded.moonshine import SAMPLE_RATE, clean
from agent_runtime.providers.embedded.reader import make_reader
from agent_runtime.providers.embedded.vad import (
    WINDOW,
    WINDOW_SECONDS,
    SileroModel,
    SileroOptions,
    SpeechTracker,
    silero_weights,
)
from agent_runtime.providers.loading import Progress
from agent_runtime.records import record
from agent_runtime.stt import (
    STT,
    AudioBuffer,
    RecognitionUsage,
    RecognizeStream,
    SpeechData,
    SpeechEvent,
    SpeechEventType,
    STTCapabilities,
)
from agent_runtime.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, APIConnectOptions, NotGivenOr
from agent_runtime.utils import aio, shortuuid
from agent_runtime.vad import VADEventType

logger = logging.getLogger(__name__)

LANGUAGE = "en"
PADDING = 10
"""Windows before the first voiced one that the model gets to read: 0.3 s. With less it loses first words."""
TAIL = 2
"""Windows after the last voiced one that it gets. With more silence it makes up more (see `bench_stt`)."""
GUESS_AFTER = 3
"""Silent windows, 96 ms, after which the stretch is read in the hope that it is over."""
PREFLIGHT_AFTER = 6
"""Silent windows, 192 ms, after which such a guess is good enough to begin a reply with."""
LONG = 8 / WINDOW_SECONDS
"""Windows after which any pause of `PREFLIGHT_AFTER` ends a stretch."""
TOO_LONG = 15 / WINDOW_SECONDS
"""Windows after which it is cut at its best pause: reading takes more than twice as long for twice as much."""
MIN_INTERIM = 0.3
"""Seconds from one interim to the next, at least."""
PATIENCE = 3
"""… and so many times what reading takes: a guess that comes meanwhile has to wait for the thread."""


class MoonshineSTT(STT[str]):
    """The bundled recogniser: English, streaming with interims, in one worker thread that all streams share.

    It doesn't tell the times of words (the package has no model for them) nor how sure it is.

    Args:
        end_silence: seconds of silence after which a stretch of speech is final. Shorter pauses within it don't matter.
            `flush` makes it final at once.
    """

    def __init__(self, *, end_silence: float = 0.4) -> None:
        super().__init__(capabilities=STTCapabilities(streaming=True, interim_results=True, manual_flush=True))
        self.end_silence = end_silence
        self._reader = make_reader()

    @property
    def model(self) -> str:
        """See `STT.model`."""
        return "moonshine-tiny-en"

    @property
    def provider(self) -> str:
        """See `STT.provider`."""
        return "embedded"

    async def load(self, on_progress: Progress | None = None) -> None:
        """See `Loadable.load`."""
        await asyncio.gather(self._reader.load(on_progress), silero_weights().get())

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> MoonshineStream:
        """See `STT.stream`. `language` is English whatever is asked for."""
        return MoonshineStream(self, conn_options)

    async def aclose(self) -> None:
        """Free the weights, once the reading that is in progress is over."""
        await self._reader.aclose()

    async def read(self, samples: NDArray[np.int16], voiced: float, *, urgent: bool = True) -> str:
        """The words in `int16[samples]` at 16 kHz, `voiced` seconds of which hold voice; cancelling drops them.

        What is `urgent` goes before what isn't, where several share the model.
        """
        return clean(await self._reader.read(samples, urgent=urgent), voiced)

    async def _recognize_impl(
        self, buffer: AudioBuffer, *, language: NotGivenOr[str] = NOT_GIVEN, conn_options: APIConnectOptions
    ) -> SpeechEvent:
        frame = combine_audio_frames(buffer)
        silero = await silero_weights().get()
        stretches = await asyncio.to_thread(find_speech, silero, to_mono(to_array(frame)), frame.sample_rate)
        texts = [await self.read(stretch.samples, stretch.voiced) for stretch in stretches]
        data = SpeechData(LANGUAGE, " ".join(filter(None, texts)))
        if stretches:
            data.start_time, data.end_time = stretches[0].start, stretches[-1].end
        return SpeechEvent(SpeechEventType.FINAL_TRANSCRIPT, shortuuid("stt_"), [data])


@record(frozen=True, slots=True)
class Stretch:
    """A piece of speech: its samples at 16 kHz, and where it is in the signal, in seconds."""

    samples: NDArray[np.int16]
    start: float
    end: float
    voiced: float


@dataclass
class Segmenter:
    """Cuts a signal into stretches of speech, given the probability of speech in each window.

    The windows of the present stretch are kept, and those of the padding before it.
    """

    end_silence: float
    tracker: SpeechTracker = field(init=False)
    probabilities: deque[float] = field(default_factory=deque)
    windows: deque[NDArray[np.int16]] = field(default_factory=deque)
    first: int = 0
    """Number of the first window that is kept."""

    def __post_init__(self) -> None:
        options = SileroOptions(0.09, self.end_silence, 0.0, 0.0, 0.5, 0.35)
        self.tracker = SpeechTracker(options)

    def push(self, window: NDArray[np.int16], probability: float) -> VADEventType | None:
        """Hear the next window; says whether speech began or is over."""
        self.windows.append(window)
        self.probabilities.append(probability)
        change = self.tracker.update(probability)
        if not self.tracker.speaking and change is None:
            self.forget_before(self.tracker.heard - self.tracker.voiced - PADDING)
        return change

    def forget_before(self, number: int) -> None:
        """Drop the windows before this one."""
        while self.first < number and self.windows:
            self.windows.popleft()
            self.probabilities.popleft()
            self.first += 1

    def stretch(self, end: int | None = None) -> Stretch:
        """From the beginning of the present stretch up to window number `end`, or as far as it is heard."""
        end = self.tracker.heard if end is None else min(end, self.tracker.heard)
        count = end - self.first
        probabilities = list(self.probabilities)[:count]
        return Stretch(
            samples=np.concatenate([np.zeros(0, np.int16), *list(self.windows)[:count]]),
            start=max(self.first, self.tracker.start) * WINDOW_SECONDS,
            end=min(end, self.tracker.end) * WINDOW_SECONDS,
            voiced=sum(p >= 0.5 for p in probabilities) * WINDOW_SECONDS,
        )

    def cut(self) -> int:
        """The window in which a stretch that is too long is best cut: the middle of its last third's longest pause."""
        values = np.array(self.probabilities)
        begin = len(values) * 2 // 3
        # A pause is a run of low probabilities: the sum over 5 windows (160 ms) is lowest in the middle of one.
        sums = np.convolve(values[begin:], np.ones(5), "same")
        return self.first + begin + int(np.argmin(sums))


def find_speech(silero: SileroModel, samples: NDArray[np.int16], sample_rate: int) -> list[Stretch]:
    """The stretches of speech in a whole signal, none longer than the model reads well."""
    audio = resample(samples, sample_rate, SAMPLE_RATE)
    silence = SAMPLE_RATE + -(len(audio) + SAMPLE_RATE) % WINDOW  # so that speech at the very end is over, too
    audio = np.concatenate((audio, np.zeros(silence, np.int16)))
    signal = silero.listen()
    segmenter = Segmenter(end_silence=0.8)
    stretches = []
    for start in range(0, len(audio), WINDOW):
        window = audio[start : start + WINDOW]
        change = segmenter.push(window, signal.probability(window))
        if change is VADEventType.END_OF_SPEECH:
            end = segmenter.tracker.end + TAIL
        elif segmenter.tracker.speaking and len(segmenter.windows) > TOO_LONG:
            end = segmenter.cut()
        else:
            continue
        stretches.append(segmenter.stretch(end))
        segmenter.forget_before(end)
    return stretches


class MoonshineStream(RecognizeStream):
    """See `MoonshineSTT`."""

    _stt: MoonshineSTT

    def __init__(self, stt: MoonshineSTT, conn_options: APIConnectOptions) -> None:
        self._end_silence = stt.end_silence
        self._start()
        super().__init__(stt=stt, conn_options=conn_options, sample_rate=SAMPLE_RATE)

    def _start(self) -> None:
        self._segmenter = Segmenter(self._end_silence)
        self._pending = np.zeros(0, np.int16)
        self._request_id = ""
        self._interim: asyncio.Task[str] | None = None
        self._guess: _Guess | None = None
        self._preflight = ""
        self._read_until = 0
        self._read_seconds = 0.0
        self._unreported = 0.0

    async def _run(self) -> None:
        self._start()
        silero, _ = await asyncio.gather(silero_weights().get(), self._stt.load())
        signal = silero.listen()
        try:
            async for item in self._input_ch:
                if isinstance(item, AudioFrame):
                    for window in self._windows_of(item):
                        await self._hear(window, signal.probability(window))
                    await asyncio.sleep(0)  # audio that came while the model was loading is worked off in one go
                elif self._segmenter.tracker.speaking:
                    await self._finish(ended=True)
        finally:
            await aio.cancel_and_wait(*self._take_readings())

    def _windows_of(self, frame: AudioFrame) -> list[NDArray[np.int16]]:
        data = np.concatenate((self._pending, to_mono(to_array(frame))))
        count = len(data) // WINDOW
        self._pending = data[count * WINDOW :]
        return [data[i * WINDOW : (i + 1) * WINDOW] for i in range(count)]

    async def _hear(self, window: NDArray[np.int16], probability: float) -> None:
        tracker = self._segmenter.tracker
        self._unreported += WINDOW_SECONDS
        change = self._segmenter.push(window, probability)
        if change is VADEventType.START_OF_SPEECH:
            self._request_id = shortuuid("stt_")
            self._read_until = tracker.start
            ago = (tracker.heard - tracker.start) * WINDOW_SECONDS
            self._send(SpeechEventType.START_OF_SPEECH, speech_start_time=time.time() - ago)
        elif change is VADEventType.END_OF_SPEECH:
            await self._finish(ended=True)
        elif tracker.speaking:
            await self._follow()

    async def _follow(self) -> None:
        """In the middle of a stretch: read what is there, guess that it is over, or cut it."""
        segmenter, tracker = self._segmenter, self._segmenter.tracker
        length = len(segmenter.windows)
        if length > TOO_LONG:
            await self._finish(cut=segmenter.cut())
        elif tracker.silent >= PREFLIGHT_AFTER and length > LONG:
            await self._finish()
        elif tracker.silent == GUESS_AFTER:
            self._start_guess()
        elif tracker.silent >= PREFLIGHT_AFTER:
            self._send_preflight()
        elif not tracker.silent and self._interim is None:
            waited = (tracker.heard - self._read_until) * WINDOW_SECONDS
            if waited >= max(MIN_INTERIM, PATIENCE * self._read_seconds):
                self._start_interim()

    def _start_interim(self) -> None:
        self._read_until = self._segmenter.tracker.heard
        stretch = self._segmenter.stretch()
        self._interim = asyncio.create_task(self._read(stretch, urgent=False))
        self._interim.add_done_callback(lambda task: self._on_read(task, stretch))

    def _start_guess(self) -> None:
        end = self._segmenter.tracker.end
        if end <= self._segmenter.first:
            return  # nothing was said since the last cut
        for task in self._take_readings():
            task.cancel()
        stretch = self._segmenter.stretch(end + TAIL)
        self._guess = _Guess(asyncio.create_task(self._read(stretch)), end)
        self._guess.text.add_done_callback(lambda task: self._on_read(task, stretch))

    def _on_read(self, task: asyncio.Task[str], stretch: Stretch) -> None:
        if task is self._interim:
            self._interim = None
        elif self._guess is None or task is not self._guess.text:
            return
        if task.cancelled():
            return
        if error := task.exception():
            logger.warning("an interim reading failed: %s", error)
            return
        self._send_text(SpeechEventType.INTERIM_TRANSCRIPT, task.result(), stretch)

    def _send_preflight(self) -> None:
        guess = self._guess
        if guess is None or guess.end != self._segmenter.tracker.end or not guess.text.done():
            return
        if not guess.text.cancelled() and guess.text.exception() is None and guess.text.result() != self._preflight:
            self._preflight = guess.text.result()
            self._send_text(SpeechEventType.PREFLIGHT_TRANSCRIPT, self._preflight, self._segmenter.stretch())

    async def _finish(self, *, ended: bool = False, cut: int | None = None) -> None:
        """Make the present stretch final: all of it, or up to window number `cut`. `ended`: nobody speaks any more."""
        segmenter, tracker = self._segmenter, self._segmenter.tracker
        silence = (tracker.heard - tracker.end) * WINDOW_SECONDS
        if tracker.end > segmenter.first:
            end = tracker.end + TAIL if cut is None else cut
            stretch = segmenter.stretch(end)
            text = await self._final_text(stretch, cut)
            segmenter.forget_before(min(end, tracker.heard))
            self._read_until = tracker.heard
            spoken_until = time.time() - silence
            self._send_text(SpeechEventType.FINAL_TRANSCRIPT, text, stretch, speech_end_time=spoken_until)
        if ended:
            tracker.reset()
            self._send(SpeechEventType.END_OF_SPEECH, speech_end_time=time.time() - silence)
        usage = RecognitionUsage(audio_duration=self._unreported)
        self._unreported = 0.0
        self._send(SpeechEventType.RECOGNITION_USAGE, recognition_usage=usage)

    async def _final_text(self, stretch: Stretch, cut: int | None) -> str:
        guess = self._guess
        guessed_right = guess is not None and cut is None and guess.end == self._segmenter.tracker.end
        if guess is not None and guessed_right:
            text = await guess.text
        else:
            for task in self._take_readings():
                task.cancel()
            text = await self._read(stretch)
        self._guess, self._preflight = None, ""
        return text

    async def _read(self, stretch: Stretch, *, urgent: bool = True) -> str:
        began = asyncio.get_running_loop().time()
        text = await self._stt.read(stretch.samples, stretch.voiced, urgent=urgent)
        self._read_seconds = asyncio.get_running_loop().time() - began
        return text

    def _take_readings(self) -> list[asyncio.Task[str]]:
        tasks = [self._interim, self._guess.text if self._guess is not None else None]
        self._interim = self._guess = None
        return [task for task in tasks if task is not None]

    def _send_text(
        self, kind: SpeechEventType, text: str, stretch: Stretch, *, speech_end_time: float | None = None
    ) -> None:
        if text:
            start, end = (self.start_time_offset + seconds for seconds in (stretch.start, stretch.end))
            data = SpeechData(LANGUAGE, text, start, end)
            self._event_ch.send_nowait(SpeechEvent(kind, self._request_id, [data], speech_end_time=speech_end_time))

    def _send(
        self,
        kind: SpeechEventType,
        *,
        speech_start_time: float | None = None,
        speech_end_time: float | None = None,
        recognition_usage: RecognitionUsage | None = None,
    ) -> None:
        self._event_ch.send_nowait(
            SpeechEvent(
                kind,
                self._request_id,
                recognition_usage=recognition_usage,
                speech_start_time=speech_start_time,
                speech_end_time=speech_end_time,
            )
        )


@record(frozen=True, slots=True)
class _Guess:
    """The text of the present stretch, if it is over at window number `end`."""

    text: asyncio.Task[str]
    end: int
