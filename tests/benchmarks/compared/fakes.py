"""Providers that answer at once and devices that keep time, against names that both libraries have.

`livekit.agents` is LiveKit Agents itself or our compatibility import: whoever imports this file decides which.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from livekit import rtc
from livekit.agents import Agent, APIConnectOptions, function_tool
from livekit.agents.llm import LLM, ChatChunk, ChoiceDelta, FunctionToolCall, LLMStream
from livekit.agents.stt import STT, RecognizeStream, SpeechData, SpeechEvent, SpeechEventType, STTCapabilities
from livekit.agents.tts import TTS, SynthesizeStream, TTSCapabilities
from livekit.agents.vad import VAD, VADCapabilities, VADEvent, VADEventType, VADStream
from livekit.agents.voice.io import AudioInput, AudioOutput, AudioOutputCapabilities

NO_RETRY = APIConnectOptions(max_retry=0)
FRAME = 0.02
IN_RATE, OUT_RATE = 16000, 24000
_SILENT = bytes(2 * round(IN_RATE * FRAME))
_VOICED = b"\x01\x00" * round(IN_RATE * FRAME)
BLOCK = 0.01
"""Seconds that the speaker has begun to play can't be called back, as with a device."""
QUEUE = 0.2
"""Seconds of audio that the speaker takes ahead."""


@dataclass
class Log:
    """What one session went through. All times are the loop's."""

    late: list[float] = field(default_factory=list)
    """By how much each frame came late to the detector."""
    answers: list[float] = field(default_factory=list)
    """From when the end of speech was due to the first frame at the speaker."""
    replies: list[float] = field(default_factory=list)
    """From when the detector told the end of speech to the same."""
    reply_cpu: list[float] = field(default_factory=list)
    """CPU of the process in that time."""
    ends: int = 0
    """Turns of the user's."""
    end_due: float | None = None
    end_told: float = 0.0
    end_cpu: float = 0.0
    decided: float | None = None
    """When the detector sent the window that has to interrupt."""
    decided_due: float = 0.0
    cleared: list[float] = field(default_factory=list)
    """From that window to the cleared buffer."""
    silent: list[float] = field(default_factory=list)
    """From when that window was due to the end of the last block that the speaker played."""
    underruns: int = 0
    interrupt_after: float | None = None


class Microphone(AudioInput):
    """A fresh frame each 20 ms; it begins at `phase`. `talks` says whether the user speaks at a time since then."""

    def __init__(self, talks: Callable[[float], bool], phase: float = 0.0) -> None:
        super().__init__(label="microphone")
        self._talks, self._phase = talks, phase
        self._origin: float | None = None
        self._count = 0

    async def __anext__(self) -> rtc.AudioFrame:
        loop = asyncio.get_running_loop()
        if self._origin is None:
            self._origin = loop.time() + self._phase
        at = self._count * FRAME
        self._count += 1
        due = self._origin + at
        if (wait := due - loop.time()) > 0:
            await asyncio.sleep(wait)
        frame = rtc.AudioFrame(_VOICED if self._talks(at) else _SILENT, IN_RATE, 1, round(IN_RATE * FRAME))
        frame.userdata["due"] = due
        return frame


class Detector(VAD):
    """Hears exactly what the microphone marks, and reports each frame."""

    def __init__(self, log: Log) -> None:
        super().__init__(capabilities=VADCapabilities(update_interval=FRAME))
        self.log = log

    def stream(self) -> VADStream:
        return _DetectorStream(self)


class _DetectorStream(VADStream):
    async def _main_task(self) -> None:
        loop, log = asyncio.get_running_loop(), self._vad.log
        kinds = VADEventType
        speaking, speech, silence, count = False, 0.0, 0.0, 0
        async for frame in self._input_ch:
            if not isinstance(frame, rtc.AudioFrame):
                continue
            due = frame.userdata.get("due", 0.0)
            log.late.append(loop.time() - due)
            count += 1
            if frame.data[0]:
                if not speaking:
                    speaking, speech = True, 0.0
                    self._tell(kinds.START_OF_SPEECH, count, frame, FRAME, 0.0, True)
                speech, silence = speech + FRAME, 0.0
            else:
                silence += FRAME
            if speaking and log.interrupt_after is not None and log.decided is None and speech > log.interrupt_after:
                log.decided, log.decided_due = loop.time(), due
            self._tell(kinds.INFERENCE_DONE, count, frame, speech if speaking else 0.0, silence, speaking)
            if speaking and silence:
                speaking = False
                log.ends += 1
                log.end_due, log.end_told, log.decided = due, loop.time(), None
                log.end_cpu = time.process_time()
                self._tell(kinds.END_OF_SPEECH, count, frame, speech, silence, False)

    def _tell(self, kind: Any, count: int, frame: rtc.AudioFrame, speech: float, silence: float, on: bool) -> None:
        self._event_ch.send_nowait(
            VADEvent(
                type=kind,
                samples_index=count * 320,
                timestamp=count * FRAME,
                speech_duration=speech,
                silence_duration=silence,
                frames=[frame],
                probability=0.0 if silence else 0.9,
                speaking=on,
                raw_accumulated_silence=silence,
                raw_accumulated_speech=0.0 if silence else speech,
            )
        )


def is_voiced(frame: rtc.AudioFrame) -> bool:
    """Whether it is one of the microphone's with a voice in it."""
    return bool(frame.data[0])


class Recognizer(STT):
    """Has the final transcript with the first frame after speech that `speaks` finds silent."""

    def __init__(self, speaks: Callable[[rtc.AudioFrame], bool] = is_voiced) -> None:
        super().__init__(capabilities=STTCapabilities(streaming=True, interim_results=False))
        self.speaks = speaks

    async def _recognize_impl(self, buffer: Any, **_: Any) -> Any:
        raise NotImplementedError("it streams")

    def stream(self, *, language: Any = None, conn_options: Any = None) -> RecognizeStream:
        stream = _RecognizerStream(stt=self, conn_options=conn_options)
        stream.speaks = self.speaks
        return stream


class _RecognizerStream(RecognizeStream):
    speaks: Callable[[rtc.AudioFrame], bool]

    async def _run(self) -> None:
        spoke = False
        async for frame in self._input_ch:
            if not isinstance(frame, rtc.AudioFrame):
                continue
            speaks = self.speaks(frame)
            if spoke and not speaks:
                said = [SpeechData(language="en", text="what is the weather in Rome today", confidence=0.9)]
                self._event_ch.send_nowait(
                    SpeechEvent(type=SpeechEventType.FINAL_TRANSCRIPT, request_id="x", alternatives=said)
                )
            spoke = speaks


class Model(LLM):
    """Eight words at once; to a message that asks for a tool, a call of it."""

    def chat(self, *, chat_ctx: Any, tools: Any = None, conn_options: Any = None, **_: Any) -> LLMStream:
        return _ModelStream(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options or NO_RETRY)


class _ModelStream(LLMStream):
    async def _run(self) -> None:
        last = self._chat_ctx.items[-1]
        if last.type == "message" and last.role == "user" and "tool" in (last.text_content or ""):
            call = FunctionToolCall(name="lookup", arguments='{"city": "Rome"}', call_id=uuid.uuid4().hex[:12])
            self._event_ch.send_nowait(ChatChunk(id="x", delta=ChoiceDelta(role="assistant", tool_calls=[call])))
            return
        for word in ("It ", "is ", "sunny ", "in ", "Rome ", "all ", "day ", "long."):
            self._event_ch.send_nowait(ChatChunk(id="x", delta=ChoiceDelta(role="assistant", content=word)))


class Voice(TTS):
    """Speaks any text as so many seconds of silence, all of it at once, in 20 ms frames."""

    def __init__(self, seconds: float) -> None:
        super().__init__(capabilities=TTSCapabilities(streaming=True), sample_rate=OUT_RATE, num_channels=1)
        self.audio = bytes(2 * round(OUT_RATE * seconds))

    def synthesize(self, text: str, *, conn_options: Any = None) -> Any:
        raise NotImplementedError("it streams")

    def stream(self, *, conn_options: Any = None) -> SynthesizeStream:
        return _VoiceStream(tts=self, conn_options=conn_options)


class _VoiceStream(SynthesizeStream):
    async def _run(self, output_emitter: Any) -> None:
        text = [piece async for piece in self._input_ch if isinstance(piece, str)]
        output_emitter.initialize(
            request_id="x", sample_rate=OUT_RATE, num_channels=1, mime_type="audio/pcm", frame_size_ms=20, stream=True
        )
        if not text:
            return
        self._mark_started()
        output_emitter.start_segment(segment_id="x")
        output_emitter.push(self._tts.audio)
        output_emitter.end_segment()


class Speaker(AudioOutput):
    """Plays a block each 20 ms and takes `QUEUE` seconds ahead. It can't hold still, so interruptions clear it."""

    def __init__(self, log: Log) -> None:
        capabilities = AudioOutputCapabilities(pause=False)
        super().__init__(label="speaker", capabilities=capabilities, sample_rate=OUT_RATE)
        self._log = log
        self._queue: deque[float] = deque()
        self._queued = self._played = 0.0
        self._room: asyncio.Future[None] | None = None
        self._open = self._flushed = False
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0.0
        self._clears = 0

    @property
    def playback_position(self) -> float:
        return self._played

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        loop = asyncio.get_running_loop()
        clears = self._clears
        while self._queued >= QUEUE:
            self._room = loop.create_future()
            await self._room
            if clears != self._clears:
                return  # it belongs to what was cut
        seconds = frame.samples_per_channel / frame.sample_rate
        self._queue.append(seconds)
        self._queued += seconds
        if not self._open:
            self._open, self._flushed, self._played = True, False, 0.0
            now = loop.time()
            if self._log.end_due is not None:
                self._log.answers.append(now - self._log.end_due)
                self._log.replies.append(now - self._log.end_told)
                self._log.reply_cpu.append(time.process_time() - self._log.end_cpu)
                self._log.end_due = None
            self._tell_started(now)
            self._next = now
            self._tick()

    def _tick(self) -> None:
        if self._queue:
            seconds = self._queue.popleft()
            self._queued -= seconds
            self._played += seconds
            self._next += seconds
        elif self._flushed:
            self._tell_finished(interrupted=False)
            return
        else:
            self._log.underruns += 1
            self._next += FRAME
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        self._timer = asyncio.get_running_loop().call_at(self._next, self._tick)

    def flush(self) -> None:
        super().flush()
        self._flushed = True

    def clear_buffer(self) -> None:
        if not self._open:
            return
        if self._log.decided is not None:
            now = asyncio.get_running_loop().time()
            self._log.cleared.append(now - self._log.decided)
            begun = self._next - BLOCK if now < self._next - BLOCK else self._next
            self._log.silent.append(begun - self._log.decided_due)
            self._log.decided = None
        self._clears += 1
        self._queue.clear()
        self._queued = 0.0
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        self._tell_finished(interrupted=True)

    def _tell_started(self, now: float) -> None:
        self.on_playback_started(created_at=now)

    def _tell_finished(self, *, interrupted: bool) -> None:
        self._open = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.on_playback_finished(playback_position=self._played, interrupted=interrupted)


class Assistant(Agent):
    """Has one tool."""

    def __init__(self) -> None:
        super().__init__(instructions="You are helpful.")

    @function_tool
    async def lookup(self, city: str) -> str:
        """Look up the weather.

        Args:
            city: where
        """
        return f"sunny in {city}"
