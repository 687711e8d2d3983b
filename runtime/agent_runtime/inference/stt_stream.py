"""A recognition over a WebSocket to LiveKit's gateway."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
from typing import TYPE_CHECKING, Any, Final

from livekit.rtc import AudioFrame

from agent_runtime.errors import APIConnectionError
from agent_runtime.inference import stt_models
from agent_runtime.inference.model_names import provider_of, split_model
from agent_runtime.inference.socket import GatewaySocket, open_socket
from agent_runtime.language import LanguageCode
from agent_runtime.stt import RecognitionUsage, RecognizeStream, SpeechData, SpeechEvent, SpeechEventType
from agent_runtime.types import NOT_GIVEN, APIConnectOptions, NotGivenOr, TimedString, is_given
from agent_runtime.utils import aio, shortuuid
from agent_runtime.utils.audio import AudioByteStream
from agent_runtime.vad import VAD, VADEventType, VADStream

if TYPE_CHECKING:
    import aiohttp

    from agent_runtime.inference.stt import STT, STTOptions

logger = logging.getLogger(__name__)

_FIRST_WAIT: Final = 30.0
"""Seconds that the rest of a transcript is waited for when all audio is sent."""
_LAST_WAIT: Final = 3.0
"""The same when a final has come: often it is the last."""

_FINALIZE: Final = {"type": "session.finalize"}


class SpeechStream(RecognizeStream):
    """See `RecognizeStream`."""

    def __init__(
        self,
        *,
        stt: STT,
        options: STTOptions,
        conn_options: APIConnectOptions,
        vad: VAD | None,
        http_session: aiohttp.ClientSession | None,
    ) -> None:
        super().__init__(stt=stt, conn_options=conn_options, sample_rate=options.sample_rate)
        self._hosted = stt
        self._options = options
        self._vad = vad
        self._http_session = http_session
        self._request_id = shortuuid("stt_request_")
        self._speaking = False
        self._audio_sent = 0.0
        """Seconds since usage was last told."""
        self._all_sent = False
        self._over = False
        """Whether the gateway has ended it."""
        self._patience: asyncio.Timeout | None = None
        self._wait = _FIRST_WAIT
        self._changes: aio.Chan[dict[str, Any]] | None = None
        """Settings to tell the gateway; None while there is no connection, whose beginning tells them all."""
        self._later: dict[str, Any] = {}
        """Options that wait for the end of what is being said: a change may cost the gateway its connection."""

    def update_options(
        self,
        *,
        model: NotGivenOr[str] = NOT_GIVEN,
        language: NotGivenOr[str] = NOT_GIVEN,
        extra: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
    ) -> None:
        """Change what is given, as far as the gateway can while it listens.

        It stays with the model that it began with. Options and a language that come with a model of another provider
        are that one's, and are left to streams begun later.
        """
        settings: dict[str, Any] = {}
        another = False
        if is_given(model):
            settings["model"], named_language = split_model(model)
            another = provider_of(settings["model"]) != provider_of(self._options.model)
            needed = stt_models.needed_rate(settings["model"])
            if needed not in (None, self._options.sample_rate):
                logger.warning("this stream goes on with %s: %s takes %s Hz", self._options.model, model, needed)
            elif named_language and not is_given(language) and not another:
                language = named_language
        if is_given(language):
            self._options.language = LanguageCode(language)
            settings["language"] = str(self._options.language)
        if is_given(extra) and not another:
            self._options.extra_kwargs |= extra
            settings["extra"] = dict(extra)
            if stt_models.terms_option(self._options.model) in extra:
                self._later = {}
                settings["extra"] |= self._with_terms()
        self._tell(settings)

    def _terms_changed(self) -> None:
        # The STT calls it when the session has other terms to listen for.
        if self._speaking:
            self._later = self._with_terms()
        else:
            self._tell({"extra": self._with_terms()})

    def _with_terms(self) -> dict[str, Any]:
        return stt_models.with_terms(self._options.model, self._options.extra_kwargs, self._hosted._terms)

    def _tell(self, settings: dict[str, Any]) -> None:
        if settings and self._changes is not None:
            self._changes.send_nowait({"type": "session.update", "settings": settings})

    async def _run(self) -> None:
        timeout = self._conn_options.timeout
        socket = await open_socket(
            self._options.gateway, "stt", self._options.model, timeout=timeout, http=self._http_session
        )
        self._request_id = socket.session_id or self._request_id
        self._all_sent, self._over, self._wait = False, False, _FIRST_WAIT
        self._changes = changes = aio.Chan[dict[str, Any]]()
        pauses = self._vad.stream() if self._vad is not None else None
        tasks: list[asyncio.Task[None]] = []
        try:
            await socket.send(self._beginning())
            tasks = [
                asyncio.create_task(self._receive(socket), name="gateway stt receive"),
                asyncio.create_task(self._send(socket, pauses), name="gateway stt send"),
                asyncio.create_task(_send_all(socket, changes), name="gateway stt update"),
            ]
            if pauses is not None:
                tasks.append(asyncio.create_task(_finalize_at_pauses(socket, pauses), name="gateway stt pauses"))
            await _until_first(tasks)
        finally:
            self._changes = None
            await aio.gracefully_cancel(*tasks)
            if pauses is not None:
                await pauses.aclose()
            if not self._over:
                with contextlib.suppress(APIConnectionError):  # it is closing by itself
                    await socket.send({"type": "session.close"})
            await socket.aclose()

    def _beginning(self) -> dict[str, Any]:
        options = self._options
        settings: dict[str, Any] = {
            "sample_rate": str(options.sample_rate),
            "encoding": options.encoding,
            "extra": {**options.extra_kwargs, **self._with_terms()},
        }
        if options.language:
            settings["language"] = str(options.language)
        said: dict[str, Any] = {"type": "session.create", "settings": settings}
        if options.model and options.model != "auto":
            said["model"] = options.model
        if options.fallback:
            models = [{"model": one["model"], "extra": one.get("extra_kwargs")} for one in options.fallback]
            said["fallback"] = {"models": models}
        said["connection"] = {"timeout": options.conn_options.timeout, "retries": options.conn_options.max_retry}
        return said

    async def _send(self, socket: GatewaySocket, pauses: VADStream | None) -> None:
        rate = self._options.sample_rate
        pieces = AudioByteStream(sample_rate=rate, num_channels=1, samples_per_channel=rate // 20)
        async for item in self._input_ch:
            if isinstance(item, AudioFrame):
                if pauses is not None:
                    pauses.push_frame(item)
                frames = pieces.push(item.data)
            else:
                frames = pieces.flush()
            for frame in frames:
                self._audio_sent += frame.duration
                await socket.send({"type": "input_audio", "audio": base64.b64encode(frame.data).decode()})
        if pauses is not None:
            pauses.end_input()
        self._all_sent = True
        self._wait_for_more()
        with contextlib.suppress(APIConnectionError):  # whoever receives finds that out, and what it means by now
            await socket.send(_FINALIZE)

    async def _receive(self, socket: GatewaySocket) -> None:
        try:
            async with asyncio.timeout(None) as self._patience:
                while await self._take(socket, await socket.receive()):
                    pass
        except TimeoutError:
            logger.debug("no transcript came any more")
        finally:
            self._patience = None

    def _wait_for_more(self) -> None:
        """Begin to wait anew, once there is nothing else to wait for."""
        if self._all_sent and self._patience is not None and not self._patience.expired():
            self._patience.reschedule(asyncio.get_running_loop().time() + self._wait)

    async def _take(self, socket: GatewaySocket, message: dict[str, Any] | None) -> bool:
        """Work a message off; False at the end."""
        kind = message.get("type") if message is not None else "session.closed"
        if message is None or kind == "session.closed":
            self._over = True
            if not self._all_sent:
                raise socket.lost()
            return False
        if kind == "error":
            model = self._options.model or "auto"
            raise socket.failure(message, model=model, retryable=not self._all_sent)
        if kind == "start_of_speech":
            self._speech_began()
        elif kind in _TRANSCRIPTS:
            self._wait = _LAST_WAIT if kind == "final_transcript" else _FIRST_WAIT
            self._wait_for_more()
            self._take_transcript(_TRANSCRIPTS[kind], message)
        return True

    def _take_transcript(self, kind: SpeechEventType, message: dict[str, Any]) -> None:
        is_final = kind is SpeechEventType.FINAL_TRANSCRIPT
        if not message.get("transcript") and not is_final:
            return
        if kind is SpeechEventType.PREFLIGHT_TRANSCRIPT and not self._speaking:
            return
        self._speech_began()
        request_id = message.get("request_id") or self._request_id
        if is_final and self._audio_sent:
            usage, self._audio_sent = RecognitionUsage(audio_duration=self._audio_sent), 0.0
            self._event_ch.send_nowait(
                SpeechEvent(SpeechEventType.RECOGNITION_USAGE, request_id, recognition_usage=usage)
            )
        self._event_ch.send_nowait(SpeechEvent(kind, request_id, [self._reading(message)]))
        if is_final:
            self._speaking = False
            self._event_ch.send_nowait(SpeechEvent(SpeechEventType.END_OF_SPEECH))
            if self._later:
                self._tell({"extra": self._later})
                self._later = {}

    def _speech_began(self) -> None:
        if not self._speaking:
            self._speaking = True
            self._event_ch.send_nowait(SpeechEvent(SpeechEventType.START_OF_SPEECH))

    def _reading(self, message: dict[str, Any]) -> SpeechData:
        offset = self.start_time_offset
        start = offset + (message.get("start") or 0.0)
        extra = message.get("extra")
        return SpeechData(
            language=LanguageCode(message.get("language") or self._options.language or "en"),
            text=message.get("transcript") or "",
            start_time=start,
            end_time=start + (message.get("duration") or 0.0),
            confidence=message.get("confidence", 1.0),
            speaker_id=message.get("speaker_id"),
            words=[
                TimedString(
                    word.get("word", ""),
                    start_time=(word.get("start") or 0.0) + offset,
                    end_time=(word.get("end") or 0.0) + offset,
                    start_time_offset=offset,
                    confidence=word.get("confidence", 0.0),
                    speaker_id=word.get("speaker_id"),
                )
                for word in message.get("words") or []
            ],
            metadata=extra if isinstance(extra, dict) and extra else None,
        )


_TRANSCRIPTS: Final = {
    "interim_transcript": SpeechEventType.INTERIM_TRANSCRIPT,
    "preflight_transcript": SpeechEventType.PREFLIGHT_TRANSCRIPT,
    "final_transcript": SpeechEventType.FINAL_TRANSCRIPT,
}


async def _until_first(tasks: list[asyncio.Task[None]]) -> None:
    """Until the first of them is done; the others may end before it, and fail."""
    pending = set(tasks)
    while tasks[0] in pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()


async def _send_all(socket: GatewaySocket, messages: aio.Chan[dict[str, Any]]) -> None:
    async for message in messages:
        await socket.send(message)


async def _finalize_at_pauses(socket: GatewaySocket, pauses: VADStream) -> None:
    async for event in pauses:
        if event.type is VADEventType.END_OF_SPEECH:
            await socket.send(_FINALIZE)
