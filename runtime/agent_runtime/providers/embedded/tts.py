"""Streaming speech synthesis by the bundled Hibari voice."""

from __future__ import annotations

from agent_runtime.providers.embedded.hibari import SAMPLE_RATE, Speech
from agent_runtime.providers.embedded.speaker import make_speaker
from agent_runtime.providers.embedded.spoken_text import CLAUSE_MARKS, PieceCutter
from agent_runtime.providers.loading import Progress
from agent_runtime.tts import TTS, AudioEmitter, ChunkedStream, SynthesizeStream, TTSCapabilities
from agent_runtime.types import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions, TimedString, is_given
from agent_runtime.utils import shortuuid

SENTENCE_PAUSE = 0.15
"""Seconds of silence before a sentence that follows another, beside those with which the other ends (about 0.2)."""


class HibariTTS(TTS[str]):
    """The bundled voice: English, 24 kHz, in one worker thread that all streams share.

    It tells when each word is said, by the network's own durations (steps of 25 ms).

    Args:
        speed: 0.5 to 2.0; 1.0 is the voice's own.
    """

    def __init__(self, *, speed: float = 1.0) -> None:
        if not 0.5 <= speed <= 2:
            raise ValueError(f"speed is {speed}; it must be from 0.5 to 2.0")
        super().__init__(
            capabilities=TTSCapabilities(streaming=True, aligned_transcript=True),
            sample_rate=SAMPLE_RATE,
            num_channels=1,
        )
        self.speed = speed
        self._speaker = make_speaker()

    @property
    def model(self) -> str:
        """See `TTS.model`."""
        return "hibari-heart"

    @property
    def provider(self) -> str:
        """See `TTS.provider`."""
        return "embedded"

    async def load(self, on_progress: Progress | None = None) -> None:
        """See `Loadable.load`."""
        await self._speaker.load(on_progress)

    def synthesize(self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS) -> ChunkedStream:
        """See `TTS.synthesize`."""
        return HibariChunkedStream(tts=self, input_text=text, conn_options=conn_options)

    def stream(self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS) -> SynthesizeStream:
        """See `TTS.stream`."""
        return HibariStream(tts=self, conn_options=conn_options)

    async def aclose(self) -> None:
        """Let the thread go. What it is saying is dropped."""
        self._speaker.close()

    async def speak(self, text: str, pause: float, *, urgent: bool = True) -> Speech:
        """Say a piece of text; cancelling drops it, and the thread goes on to the next that somebody waits for.

        What is `urgent` goes before what isn't, where several share the voice.
        """
        return await self._speaker.speak(text, speed=self.speed, pause=pause, urgent=urgent)


class _Speaker:
    """Speaks the pieces of one text into an emitter, one after the other."""

    def __init__(self, tts: HibariTTS, emitter: AudioEmitter) -> None:
        self._tts = tts
        self._emitter = emitter
        self._seconds = 0.0
        self._after_sentence = False

    async def say(self, piece: str) -> None:
        pause = SENTENCE_PAUSE if self._after_sentence else 0.0
        speech = await self._tts.speak(piece, pause, urgent=not self._seconds)  # nobody waits for what comes later
        self._emitter.push_timed_transcript([_later(word, self._seconds) for word in speech.words])
        if len(speech.samples):
            self._emitter.push(speech.samples.tobytes())
            self._seconds += len(speech.samples) / SAMPLE_RATE
            self._after_sentence = piece.rstrip()[-1:] not in CLAUSE_MARKS


class HibariChunkedStream(ChunkedStream):
    """See `HibariTTS.synthesize`."""

    _tts: HibariTTS

    async def _run(self, output_emitter: AudioEmitter) -> None:
        output_emitter.initialize(
            request_id=shortuuid("tts_"), sample_rate=SAMPLE_RATE, num_channels=1, mime_type="audio/pcm"
        )
        speaker = _Speaker(self._tts, output_emitter)
        cutter = PieceCutter()
        for piece in [*cutter.push(self.input_text), *cutter.flush()]:
            await speaker.say(piece)


class HibariStream(SynthesizeStream):
    """See `HibariTTS.stream`."""

    _tts: HibariTTS

    async def _run(self, output_emitter: AudioEmitter) -> None:
        output_emitter.initialize(
            request_id=shortuuid("tts_"), sample_rate=SAMPLE_RATE, num_channels=1, mime_type="audio/pcm", stream=True
        )
        output_emitter.start_segment(segment_id=shortuuid("segment_"))
        speaker = _Speaker(self._tts, output_emitter)
        cutter = PieceCutter()
        async for item in self._input_ch:
            for piece in cutter.push(item) if isinstance(item, str) else cutter.flush():
                self._mark_started()
                await speaker.say(piece)
        output_emitter.end_segment()


def _later(word: TimedString, seconds: float) -> TimedString:
    start, end = (time + seconds if is_given(time) else time for time in (word.start_time, word.end_time))
    return TimedString(word, start, end)
