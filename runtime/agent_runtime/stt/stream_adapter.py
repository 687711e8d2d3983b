"""Live recognition with a recogniser of whole buffers: a detector of voice cuts the speech out."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from livekit.rtc import AudioFrame, combine_audio_frames

from agent_runtime.stt.stream import RecognizeStream
from agent_runtime.stt.stt import STT
from agent_runtime.stt.types import AudioBuffer, SpeechEvent, SpeechEventType, STTCapabilities, STTError
from agent_runtime.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, APIConnectOptions, NotGivenOr
from agent_runtime.utils import aio
from agent_runtime.vad import VAD, VADEvent, VADEventType, VADStream

# `recognize` is tried again already.
DEFAULT_STREAM_ADAPTER_API_CONNECT_OPTIONS: Final = APIConnectOptions(
    max_retry=0, timeout=DEFAULT_API_CONNECT_OPTIONS.timeout
)
_LONGEST: Final = 60.0
"""Seconds of a speech that are kept, as detectors keep them: a television may never fall silent."""
_LOOK_INTERVAL: Final = 0.005
"""Seconds between two looks at whether a detector that is behind has caught up."""


class StreamAdapter(STT[str]):
    """Makes a streaming recogniser, without interims, of one that isn't.

    Args:
        stt: recognises whole buffers. It is not closed with the adapter.
        vad: finds the speech.
    """

    _recognize_metrics_needed = False  # the wrapped one reports its own

    def __init__(self, *, stt: STT[Any], vad: VAD) -> None:
        super().__init__(
            capabilities=STTCapabilities(
                streaming=True,
                interim_results=False,
                keyterms=stt.capabilities.keyterms,
                chat_context=stt.capabilities.chat_context,
                manual_flush=True,
            )
        )
        self._stt = stt
        self._vad = vad
        stt.on("metrics_collected", self._forward_metrics)
        stt.on("error", self._forward_error)

    @property
    def wrapped_stt(self) -> STT[Any]:
        """The recogniser of whole buffers."""
        return self._stt

    @property
    def model(self) -> str:
        """The wrapped one's."""
        return self._stt.model

    @property
    def provider(self) -> str:
        """The wrapped one's."""
        return self._stt.provider

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> RecognizeStream:
        """See `STT.stream`."""
        return StreamAdapterWrapper(
            self, vad=self._vad, wrapped_stt=self._stt, language=language, conn_options=conn_options
        )

    def prewarm(self) -> None:
        """See `STT.prewarm`."""
        self._stt.prewarm()

    async def aclose(self) -> None:
        """Stop forwarding metrics and errors."""
        self._stt.off("metrics_collected", self._forward_metrics)
        self._stt.off("error", self._forward_error)

    async def _recognize_impl(
        self, buffer: AudioBuffer, *, language: NotGivenOr[str] = NOT_GIVEN, conn_options: APIConnectOptions
    ) -> SpeechEvent:
        return await self._stt.recognize(buffer, language=language, conn_options=conn_options)

    def _update_session_keyterms(self, keyterms: list[str]) -> None:
        self._stt._update_session_keyterms(keyterms)

    def _push_conversation_item(self, ev: Any) -> None:
        self._stt._push_conversation_item(ev)

    def _forward_metrics(self, metrics: object) -> None:
        self.emit("metrics_collected", metrics)

    def _forward_error(self, error: STTError) -> None:
        if error.recoverable:  # the last one ends the adapter's own stream, which tells it
            self.emit("error", error)


class StreamAdapterWrapper(RecognizeStream):
    """See `StreamAdapter`."""

    _reports_usage = False  # the wrapped one reports its own

    def __init__(
        self,
        stt: STT[Any],
        *,
        vad: VAD,
        wrapped_stt: STT[Any],
        language: NotGivenOr[str],
        conn_options: APIConnectOptions,
    ) -> None:
        super().__init__(stt=stt, conn_options=DEFAULT_STREAM_ADAPTER_API_CONNECT_OPTIONS)
        self._vad = vad
        self._wrapped_stt = wrapped_stt
        self._wrapped_stt_conn_options = conn_options
        self._language = language
        self._speech: list[AudioFrame] = []
        """Of the speech in progress, up to `_LONGEST`; where the detector ends it, it has its own."""
        self._seconds = 0.0
        self._work = aio.Chan[SpeechEvent | list[AudioFrame]]()
        """What is to be sent, and what is to be recognised, in order."""

    async def _run(self) -> None:
        async with self._vad.stream() as vad_stream:
            tasks = [
                asyncio.create_task(self._forward_input(vad_stream)),
                asyncio.create_task(self._follow(vad_stream)),
                asyncio.create_task(self._recognize()),
            ]
            try:
                await asyncio.gather(*tasks)
            finally:
                await aio.cancel_and_wait(*tasks)

    async def _forward_input(self, vad_stream: VADStream) -> None:
        async for item in self._input_ch:
            if isinstance(item, AudioFrame):
                vad_stream.push_frame(item)
                continue
            vad_stream.flush()
            await _worked_off(vad_stream)
            if self._speech:
                self._end_speech(self._speech, time.time())
        vad_stream.end_input()

    async def _follow(self, vad_stream: VADStream) -> None:
        event: VADEvent
        async for event in vad_stream:
            if event.type is VADEventType.START_OF_SPEECH:
                self._speech = list(event.frames)
                self._seconds = sum(frame.duration for frame in event.frames)
                self._work.send_nowait(SpeechEvent(SpeechEventType.START_OF_SPEECH))
            elif event.type is VADEventType.INFERENCE_DONE and self._speech and self._seconds < _LONGEST:
                self._speech += event.frames
                self._seconds += sum(frame.duration for frame in event.frames)
            elif event.type is VADEventType.END_OF_SPEECH and self._speech:
                self._end_speech(event.frames, time.time() - event.silence_duration - event.inference_duration)
        self._work.close()

    def _end_speech(self, frames: list[AudioFrame], ended_at: float) -> None:
        self._speech = []
        self._work.send_nowait(SpeechEvent(SpeechEventType.END_OF_SPEECH, speech_end_time=ended_at))
        self._work.send_nowait(frames)

    async def _recognize(self) -> None:
        ended_at: float | None = None
        async for item in self._work:
            if isinstance(item, SpeechEvent):
                ended_at = item.speech_end_time
                self._event_ch.send_nowait(item)
                continue
            event = await self._wrapped_stt.recognize(
                combine_audio_frames(item), language=self._language, conn_options=self._wrapped_stt_conn_options
            )
            if event.alternatives and event.alternatives[0].text:
                self._event_ch.send_nowait(
                    SpeechEvent(
                        SpeechEventType.FINAL_TRANSCRIPT,
                        event.request_id,
                        event.alternatives[:1],
                        speech_end_time=ended_at if event.speech_end_time is None else event.speech_end_time,
                    )
                )


async def _worked_off(vad_stream: VADStream) -> None:
    """Wait until a detector has looked at all that was pushed, and its events were taken: it doesn't tell so itself."""
    for _ in range(2):  # a detector that keeps up needs one round of the loop, and whoever takes its events another
        await asyncio.sleep(0)
    heard, told = vad_stream._input_ch, vad_stream._event_ch
    while not (told.closed or (heard.empty() and told.empty())):  # noqa: ASYNC110 - a channel doesn't tell that it ran dry
        await asyncio.sleep(_LOOK_INTERVAL)
