"""A speech over a WebSocket to LiveKit's gateway."""

from __future__ import annotations

import asyncio
import base64
import binascii
from typing import TYPE_CHECKING, Any

from agent_runtime import tts
from agent_runtime.errors import APIError
from agent_runtime.inference import tts_models
from agent_runtime.inference.model_names import provider_of
from agent_runtime.inference.socket import GatewaySocket
from agent_runtime.tokenize import SentenceStream
from agent_runtime.tokenize.blingfire import SentenceTokenizer
from agent_runtime.tts import AudioEmitter
from agent_runtime.types import APIConnectOptions, TimedString
from agent_runtime.utils import ConnectionPool, aio, shortuuid

if TYPE_CHECKING:
    from agent_runtime.inference.tts import TTS, TTSOptions


class SynthesizeStream(tts.SynthesizeStream):
    """See `tts.SynthesizeStream`. Text is sent sentence by sentence."""

    def __init__(
        self,
        *,
        tts: TTS,
        options: TTSOptions,
        conn_options: APIConnectOptions,
        pool: ConnectionPool[GatewaySocket],
        expressive: bool,
    ) -> None:
        super().__init__(tts=tts, conn_options=conn_options)
        self._hosted = tts
        self._options = options
        self._pool = pool
        self._expressive = expressive

    async def _run(self, output_emitter: AudioEmitter) -> None:
        async with self._pool.connection(timeout=self._conn_options.timeout) as socket:
            self._acquire_time = self._pool.last_acquire_time
            self._connection_reused = self._pool.last_connection_reused
            session = socket.session_id
            output_emitter.initialize(
                request_id=shortuuid(f"{session}_tts_" if session else "tts_request_"),
                sample_rate=self._options.sample_rate,
                num_channels=1,
                mime_type="audio/pcm",
                stream=True,
            )
            try:
                await self._speak(socket, output_emitter)
            except BaseException:
                self._hosted._hang_up(socket)
                raise

    async def _speak(self, socket: GatewaySocket, emitter: AudioEmitter) -> None:
        sentences = self._sentences()
        asked = asyncio.Event()
        tasks = [
            asyncio.create_task(self._cut(sentences), name="gateway tts sentences"),
            asyncio.create_task(self._send(socket, sentences, asked), name="gateway tts send"),
            asyncio.create_task(self._receive(socket, emitter, asked), name="gateway tts receive"),
        ]
        try:
            await asyncio.gather(*tasks)
        finally:
            await aio.gracefully_cancel(*tasks)
            await sentences.aclose()

    def _sentences(self) -> SentenceStream:
        longest = tts_models.LONGEST.get(provider_of(self._options.model))
        # Directions of how to speak hold within what is sent at once, so that is made as long as it may be.
        return SentenceTokenizer(
            max_token_len=longest, min_token_len=longest if self._expressive else None, xml_aware=self._expressive
        ).stream()

    async def _cut(self, sentences: SentenceStream) -> None:
        async for item in self._input_ch:
            if isinstance(item, str):
                sentences.push_text(item)
            else:
                sentences.flush()
        sentences.end_input()

    async def _send(self, socket: GatewaySocket, sentences: SentenceStream, asked: asyncio.Event) -> None:
        from agent_runtime.inference.tts import spoken_by

        speaker = spoken_by(self._options)
        async for sentence in sentences:
            self._mark_started()
            await socket.send(
                {
                    "type": "input_transcript",
                    "transcript": f"{sentence.token} ",
                    "generation_config": speaker,
                    "extra": self._options.extra_kwargs,
                }
            )
            asked.set()
        await socket.send({"type": "session.flush"})
        asked.set()

    async def _receive(self, socket: GatewaySocket, emitter: AudioEmitter, asked: asyncio.Event) -> None:
        await asked.wait()
        segment = ""
        while True:
            message = await socket.receive(self._conn_options.timeout)
            if message is None:
                raise socket.lost()
            kind = message.get("type")
            if not segment and (message.get("session_id") or kind == "output_audio"):
                segment = message.get("session_id") or shortuuid("tts_segment_")
                emitter.start_segment(segment_id=segment)
            if kind == "output_audio":
                emitter.push(_decoded(message))
            elif kind == "output_alignment":
                emitter.push_timed_transcript(self._timed(message))
            elif kind == "error":
                raise socket.failure(message, model=self._options.model)
            elif kind == "done":
                emitter.end_input()
                return

    def _timed(self, message: dict[str, Any]) -> list[TimedString]:
        # Cartesia leaves out the space after each word.
        after = " " if provider_of(self._options.model) == "cartesia" else ""
        if words := message.get("words"):
            pieces = [(f"{word['word']}{after}", word) for word in words]
        else:
            pieces = [(letter["char"], letter) for letter in message.get("chars") or []]
        return [TimedString(text, start_time=times["start"], end_time=times["end"]) for text, times in pieces]


def _decoded(message: dict[str, Any]) -> bytes:
    try:
        return base64.b64decode(message["audio"], validate=True)
    except (KeyError, TypeError, binascii.Error):
        raise APIError("LiveKit Inference TTS sent audio that can't be read") from None
