"""Hears the user: audio to the VAD and the recogniser, and what they say to the turn machine."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, Final

from agent_runtime import events as ev
from agent_runtime.utils import aio
from agent_runtime.voice import turn_inputs as inputs
from agent_runtime.voice.agent import ModelSettings
from agent_runtime.voice.blame import blamed, fault, open_node, wrong_piece
from agent_runtime.voice.listening_detector import ListeningDetector
from agent_runtime.voice.turn import StreamingTurnDetector, TurnDetector

if TYPE_CHECKING:
    from livekit.rtc import AudioFrame

    from agent_runtime.io import AudioInput
    from agent_runtime.stt import RecognizeStream, SpeechEvent
    from agent_runtime.vad import VAD, VADEvent, VADStream
    from agent_runtime.voice.engine import Engine

logger = logging.getLogger(__name__)

PRE_ROLL = 0.3
"""Seconds before the press of push-to-talk that are recognised too: people begin to speak as they press."""


class Recognition:
    """See the module. One per session; sources, detectors and recognisers may change while it runs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.recognizer_streams: set[RecognizeStream] = set()
        """Streams of the default `stt_node`, which can be flushed."""
        self.muted = False
        """Silence is heard in place of the microphone."""
        self.gated = False
        """Push-to-talk: only what is said between press and release is recognised."""
        self.gate_open = False
        self._source: AudioInput | None = None
        self._reader: asyncio.Task[None] | None = None
        self._vad: VAD | None = None
        self._voice = False
        """Whether the detector hears speech."""
        self._vad_stream: VADStream | None = None
        self._vad_task: asyncio.Task[None] | None = None
        self._listener: ListeningDetector | None = None
        self._stt_audio: aio.Chan[AudioFrame] | None = None
        self._stt_task: asyncio.Task[None] | None = None
        self._recent: deque[AudioFrame] = deque()
        self._recent_seconds = 0.0
        self._closing: set[asyncio.Task[None]] = set()
        self._had_end = False
        self._last_frame: AudioFrame | None = None

    # --- what it hears with ------------------------------------------------------------------------------------------

    def set_source(self, source: AudioInput | None) -> None:
        """Listen to `source` from now on."""
        if source is self._source:
            return
        self._source = source
        if self._reader is not None:
            self._retire(self._reader)
            self._reader = None
        if source is not None:
            self._reader = self._watched(self._read(source), "microphone")

    def set_vad(self, vad: VAD | None) -> None:
        """Use another detector."""
        if vad is self._vad and (vad is None) == (self._vad_stream is None):
            return
        self._vad, self._voice = vad, False
        if self._vad_task is not None:
            self._retire(self._vad_task)
            self._vad_task = None
            if self._engine.machine.user_state == "speaking" and not self._engine.closing:
                # Nobody would ever tell that the speech ended.
                self._engine.feed(inputs.VoiceEnded(self._engine.clock.now()))
        if self._vad_stream is not None:
            self._retire(asyncio.create_task(self._vad_stream.aclose(), name="close vad"), cancel=False)
            self._vad_stream = None
        if vad is not None:
            self._vad_stream = vad.stream()
            self._vad_task = self._watched(self._follow_vad(self._vad_stream), "vad")

    def use_detector(self, detector: TurnDetector | StreamingTurnDetector | None) -> TurnDetector | None:
        """Let a turn detector that listens hear the user too. Gives what the turn machine is to ask."""
        if self._listener is not None and detector is not self._listener.detector:
            self._retire(asyncio.create_task(self._listener.aclose(), name="close turn detector"), cancel=False)
            self._listener = None
        if not isinstance(detector, StreamingTurnDetector):
            return detector
        if self._listener is None:
            self._listener = ListeningDetector(detector)
        return self._listener

    def turn_ended(self, reason: str) -> None:
        """What is heard from now on is another turn's."""
        if self._listener is not None:
            self._listener.turn_ended(reason)

    def restart_vad(self) -> None:
        """Begin to detect afresh."""
        vad = self._vad
        self.set_vad(None)
        self.set_vad(vad)

    def restart_recognizer(self, *, wanted: bool) -> None:
        """Begin to recognise afresh; what the recogniser still owes is dropped."""
        if self._stt_task is not None:
            self._retire(self._stt_task)
            self._stt_task = None
        if self._stt_audio is not None:
            self._stt_audio.close()
            self._stt_audio = None
        if wanted:
            self._stt_audio = aio.Chan()
            self._stt_task = self._watched(self._recognize(self._stt_audio), "stt")

    FLUSH_SILENCE: Final = 2.0
    """Seconds of silence after which any recogniser makes final what it has."""

    def flush_recognizer(self, silence: float = 0.0) -> None:
        """Have the recogniser finish what it has, after so many seconds of silence if it can't be told to."""
        heard = self._last_frame
        if silence > 0 and heard is not None and self._stt_audio is not None and not self._can_be_flushed():
            pause = silence_like(heard)
            for _ in range(math.ceil(silence * heard.sample_rate / heard.samples_per_channel)):
                self._stt_audio.send_nowait(pause)
        for stream in tuple(self.recognizer_streams):
            stream.flush()

    def _can_be_flushed(self) -> bool:
        stt = self._engine.stt
        return stt is not None and stt.capabilities.manual_flush

    @property
    def is_fed(self) -> bool:
        """Whether a microphone gives it audio."""
        return self._reader is not None and not self._reader.done()

    def owes_transcript(self) -> bool:
        """Whether a recogniser is at work that may still tell something."""
        return self._stt_task is not None and not self._stt_task.done()

    async def aclose(self) -> None:
        """Stop to listen."""
        self.set_source(None)
        self.set_vad(None)
        self.use_detector(None)
        self.restart_recognizer(wanted=False)
        while self._closing:
            await asyncio.wait(tuple(self._closing))

    def _retire(self, task: asyncio.Task[None], *, cancel: bool = True) -> None:
        if cancel:
            task.cancel()
        if not task.done():
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def _watched(self, coro: Any, name: str) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(coro, name=name)

        def report(done: asyncio.Task[None]) -> None:
            if done.cancelled() or (error := done.exception()) is None:
                return
            if name in ("stt", "vad"):
                self._engine.providers.failed(name, error)  # type: ignore[arg-type]  # one of the two
            else:
                self._engine.report.failed(name, error)

        task.add_done_callback(report)
        return task

    # --- audio -------------------------------------------------------------------------------------------------------

    async def _read(self, source: AudioInput) -> None:
        async for frame in source:
            self.push(frame)
        self._engine.input_ended()

    def push(self, frame: AudioFrame) -> None:
        """Hear a frame."""
        if self.muted:
            frame = silence_like(frame)
        self._last_frame = frame
        self._remember(frame)
        if self._listener is not None:
            self._listener.push(frame)
        if self._vad_stream is not None:
            try:
                self._vad_stream.push_frame(frame)
            except RuntimeError as error:
                # It failed: whoever follows it tells why, and begins it again.
                logger.debug("the detector takes no audio: %s", error)
        if self._engine.realtime.active and (self.gate_open or not self.gated):
            discarded = self._engine.discards_audio()
            self._engine.realtime.push_audio(silence_like(frame) if discarded else frame)
        if self._stt_audio is not None:
            recognised = frame
            if (self.gated and not self.gate_open) or self._engine.discards_audio():
                # Silence and not nothing: the recogniser's clock must go on.
                recognised = silence_like(frame)
            self._stt_audio.send_nowait(recognised)

    def _remember(self, frame: AudioFrame) -> None:
        self._recent.append(frame)
        self._recent_seconds += frame.samples_per_channel / frame.sample_rate
        while self._recent:
            first = self._recent[0].samples_per_channel / self._recent[0].sample_rate
            if self._recent_seconds - first < PRE_ROLL - 1e-6:
                break
            self._recent.popleft()
            self._recent_seconds -= first

    def open_gate(self) -> float:
        """Push-to-talk was pressed: recognise from the pre-roll on. Returns how many seconds that goes back."""
        fresh = self.gated and not self.gate_open
        self.gated = self.gate_open = True
        if fresh:
            self._engine.realtime.clear_audio()
            for frame in self._recent:
                self._engine.realtime.push_audio(frame)
        if not fresh or self._stt_audio is None:
            return self._recent_seconds
        for frame in self._recent:
            self._stt_audio.send_nowait(frame)
        return self._recent_seconds

    def close_gate(self) -> None:
        """Push-to-talk was released: recognise nothing until the next press."""
        self.gate_open = False

    # --- the VAD -----------------------------------------------------------------------------------------------------

    async def _follow_vad(self, stream: VADStream) -> None:
        async for event in stream:
            self._take_vad(event)

    def _take_vad(self, event: VADEvent) -> None:
        engine = self._engine
        now = engine.clock.now() - self._input_latency()
        kind = event.type.value
        if kind == "inference_done":
            # Not every detector tells with its windows what it told with the start of speech.
            if event.speaking or self._voice:
                silence = max(event.raw_accumulated_silence, event.silence_duration)
                voiced = event.speech_duration - silence
                engine.realtime.user_speaks(voiced)
                engine.feed(inputs.VoiceWindow(voiced, silence))
            if engine.report.stream.wants(ev.AudioMeter):
                self._meter(event)
        elif kind == "start_of_speech":
            self._voice = True
            engine.feed(inputs.VoiceStarted(now - event.speech_duration - event.inference_duration))
        elif kind == "end_of_speech":
            self._voice = False
            engine.feed(inputs.VoiceEnded(now - event.silence_duration - event.inference_duration))

    def _input_latency(self) -> float:
        """What people say reaches us this late; an input of somebody else's making may not tell."""
        return getattr(self._source, "latency", 0.0)

    def _meter(self, event: VADEvent) -> None:
        from agent_runtime.media.frames import to_array
        from agent_runtime.media.levels import measure

        frames = event.frames or ([self._last_frame] if self._last_frame is not None else [])
        if not frames:
            return
        measured = measure(to_array(frames[-1]))
        threshold = float(getattr(self._vad, "activation_threshold", 0.5))
        self._engine.report.emit(
            ev.AudioMeter(
                input_rms=measured.rms,
                input_peak=measured.peak,
                output_rms=self._engine.playout.level,
                vad_probability=event.probability,
                vad_threshold=threshold,
                clipped=measured.clipped,
            )
        )

    # --- the recogniser ----------------------------------------------------------------------------------------------

    async def _recognize(self, audio: aio.Chan[AudioFrame]) -> None:
        from agent_runtime.stt import SpeechEvent

        agent = self._engine.require_agent()
        with blamed(agent, "stt_node"):
            node = await open_node(agent, "stt_node", agent.stt_node(audio, ModelSettings()))
            if node is None:
                return
            try:
                async for event in node:
                    if not isinstance(event, str | SpeechEvent):
                        raise wrong_piece(agent, "stt_node", event, "SpeechEvent or str")
                    self._take_speech(event)
            finally:
                if isinstance(node, AsyncGenerator):
                    await node.aclose()
        if not audio.closed:
            raise fault(agent, "stt_node", "stt", "ended while the session goes on")

    def _take_speech(self, event: SpeechEvent | str) -> None:
        engine = self._engine
        if isinstance(event, str):
            self._heard(event)
            return
        kind = event.type.value
        if kind == "start_of_speech":
            engine.feed(inputs.RecognizerStarted(engine.clock.now() - self._input_latency()))
            return
        if kind == "end_of_speech":
            engine.feed(inputs.RecognizerEnded(engine.clock.now() - self._input_latency()))
            return
        if not event.alternatives:
            return
        best = event.alternatives[0]
        if kind == "final_transcript":
            engine.providers.stt_works()
            if best.text:
                engine.language = best.language or engine.language
            self._heard(best.text, best.language, best.speaker_id, best.confidence or 0.0)
        elif engine.realtime.detects_turns:
            return
        elif kind in ("interim_transcript", "preflight_transcript"):
            self._transcribed(best.text, best.language, best.speaker_id, is_final=False)
            engine.feed(inputs.Interim(best.text, kind == "preflight_transcript", best.confidence or 0.0))

    def _heard(
        self, text: str, language: str | None = None, speaker_id: str | None = None, confidence: float = 0.0
    ) -> None:
        engine = self._engine
        if engine.realtime.detects_turns:
            # The model has taken the turn by then, or will without us.
            engine.realtime.user_said(text, is_final=True, confidence=confidence)
            return
        if text:
            self._transcribed(text, language, speaker_id, is_final=True)
        engine.feed(inputs.Final(text, confidence))

    def _transcribed(self, text: str, language: str | None, speaker_id: str | None, *, is_final: bool) -> None:
        engine = self._engine
        if engine.ignores_transcripts():
            return
        engine.ensure_turn()
        engine.report.transcribed(
            text, is_final=is_final, language=str(language) if language else None, speaker_id=speaker_id
        )


def silence_like(frame: AudioFrame) -> AudioFrame:
    """Silence of the same length and format."""
    from livekit.rtc import AudioFrame

    return AudioFrame(
        bytes(frame.samples_per_channel * frame.num_channels * 2),
        frame.sample_rate,
        frame.num_channels,
        frame.samples_per_channel,
    )
