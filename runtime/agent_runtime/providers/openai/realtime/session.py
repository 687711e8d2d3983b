"""One conversation with a realtime model of OpenAI's, over as many connections as it takes."""

from __future__ import annotations

import asyncio
import base64
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal

from livekit.rtc import AudioFrame, VideoFrame

from agent_runtime import llm
from agent_runtime.errors import APIConnectionError, APIError
from agent_runtime.llm.chat_context import ChatContext
from agent_runtime.llm.chat_items import ChatMessage
from agent_runtime.llm.content import ImageContent
from agent_runtime.llm.tool_context import ToolChoice, ToolContext
from agent_runtime.media.frames import to_array
from agent_runtime.media.mix import to_mono
from agent_runtime.media.resample import Resampler
from agent_runtime.metrics import Metadata, STTMetrics
from agent_runtime.providers.openai.json_values import as_count, as_dict, as_text
from agent_runtime.providers.openai.realtime.answers import Answers, Modalities
from agent_runtime.providers.openai.realtime.connection import Socket
from agent_runtime.providers.openai.realtime.conversation import Conversation
from agent_runtime.providers.openai.realtime.items import confidence, to_wire
from agent_runtime.providers.openai.realtime.options import SAMPLE_RATE, changes, tool_choice_json
from agent_runtime.types import NOT_GIVEN, NotGiven, NotGivenOr, is_given
from agent_runtime.utils import aio
from agent_runtime.utils.audio import AudioByteStream
from agent_runtime.utils.ids import shortuuid
from agent_tools import Tool

if TYPE_CHECKING:
    from agent_runtime.providers.openai.realtime.model import RealtimeModel

logger = logging.getLogger(__name__)

_CHUNK: Final = 0.05
"""Seconds of sound in one event."""
_LEAST_COMMIT: Final = 0.1
"""Seconds of sound that the API wants in a message."""
_FATAL: Final = frozenset(
    {"insufficient_quota", "credit_balance_exhausted", "invalid_api_key", "account_deactivated"}
    | {"billing_hard_limit_reached"}
)
"""Codes of errors that come again with every answer, so that connecting anew doesn't help."""


class RealtimeSession(llm.RealtimeSession[Literal["openai_server_event_received", "openai_client_event_queued"]]):
    """A session of `RealtimeModel`. Two events of its own carry what the server sends and is sent, as dicts."""

    def __init__(self, realtime_model: RealtimeModel, *, turn_detection_disabled: bool = False) -> None:
        super().__init__(realtime_model)
        self._model = realtime_model
        self._options = replace(realtime_model._options)
        if turn_detection_disabled:
            self._options.turn_detection = None
        self._instructions: str | None = None
        self._tools = ToolContext.empty()
        self._queue: aio.Chan[dict[str, Any]] = aio.Chan()
        self._answers: Answers = Answers(self.send_event, speaks=realtime_model.capabilities.audio_output)
        self._conversation = Conversation(self.send_event)
        self._partials: dict[str, str] = {}
        self._speech_began: dict[str, float] = {}
        self._resampler: Resampler | None = None
        self._chunks = AudioByteStream(SAMPLE_RATE, 1, int(SAMPLE_RATE * _CHUNK))
        self._heard = 0.0
        self._closing = False
        self._connected = False
        self._failures = 0
        self._update(self._settings())
        self._task = asyncio.create_task(self._run(), name="openai-realtime")

    # --- what a session asks of a model ------------------------------------------------------------------------------

    @property
    def capabilities(self) -> llm.RealtimeCapabilities:
        """Those of the model, as far as this session uses them."""
        abilities = self._model.capabilities
        transcribes = self._options.transcription is not None
        return replace(abilities, turn_detection=self._options.server_answers, user_transcription=transcribes)

    @property
    def chat_ctx(self) -> ChatContext:
        """The conversation as the server has it."""
        return self._conversation.to_chat_ctx()

    @property
    def tools(self) -> ToolContext:
        """What the model may call."""
        return self._tools.copy()

    def send_event(self, event: dict[str, Any]) -> None:
        """Send an event of the API, as soon as there is a connection; after the end nothing is sent."""
        if not self._queue.closed:
            self._queue.send_nowait(event)

    async def update_instructions(self, instructions: str) -> None:
        """Tell the model something else from now on."""
        self._instructions = instructions
        self._update({"instructions": instructions})

    async def update_chat_ctx(self, chat_ctx: ChatContext) -> None:
        """Give the model another conversation; what it has already isn't sent. Raises RealtimeError."""
        await self._conversation.change(chat_ctx)

    async def update_tools(self, tools: list[Tool]) -> None:
        """Give the model other tools."""
        self._tools = ToolContext(tools)
        self._update({"model": self._settings()["model"], "tools": _tools_json(self._tools)})

    def update_options(self, *, tool_choice: NotGivenOr[ToolChoice | None] = NOT_GIVEN, **more: Any) -> None:
        """Change options of this session alone; see `RealtimeModel.update_options`."""
        before = self._options.session()
        self._model._apply(self._options, tool_choice=tool_choice, **more)
        if changed := changes(before, self._options.session()):
            self._update(changed)

    def push_audio(self, frame: AudioFrame) -> None:
        """Let the model hear a frame."""
        samples = to_mono(to_array(frame))
        if frame.sample_rate != SAMPLE_RATE:
            if self._resampler is None or self._resampler.in_rate != frame.sample_rate:
                self._resampler = Resampler(frame.sample_rate, SAMPLE_RATE)
            samples = self._resampler.push(samples)
        self._append(self._chunks.push(samples.tobytes()))

    def push_video(self, frame: VideoFrame) -> None:
        """Let the model see a frame, as a picture in a message of the user's."""
        item = to_wire(ChatMessage(role="user", content=[ImageContent(image=frame)]))
        self.send_event({"type": "conversation.item.create", "event_id": shortuuid("video_"), "item": item})

    def commit_audio(self) -> None:
        """What the model heard so far is the user's message; less than 0.1 s is none."""
        self._append(self._chunks.flush())
        if self._heard > _LEAST_COMMIT:
            self.send_event({"type": "input_audio_buffer.commit"})
            self._heard = 0.0

    def clear_audio(self) -> None:
        """Forget what the model heard since the last message."""
        self._chunks.clear()
        self.send_event({"type": "input_audio_buffer.clear"})
        self._heard = 0.0

    def generate_reply(
        self,
        *,
        instructions: NotGivenOr[str] = NOT_GIVEN,
        tool_choice: NotGivenOr[ToolChoice] = NOT_GIVEN,
        tools: NotGivenOr[list[Tool]] = NOT_GIVEN,
    ) -> asyncio.Future[llm.GenerationCreatedEvent]:
        """Have the model answer. The future ends when it begins to, or fails with RealtimeError."""
        response: dict[str, Any] = {}
        if is_given(instructions) and instructions:
            # Those of an answer stand in place of the session's.
            response["instructions"] = "\n".join(filter(None, (self._instructions, instructions)))
        if not isinstance(tool_choice, NotGiven):
            response["tool_choice"] = tool_choice_json(tool_choice)
        if is_given(tools):
            response["tools"] = _tools_json(ToolContext(tools))
        return self._answers.ask(response)

    def interrupt(self) -> None:
        """Have the model stop its answer, if it is making one."""
        if self._answers.are_awaited:
            self.send_event({"type": "response.cancel"})

    def truncate(
        self,
        *,
        message_id: str,
        modalities: Modalities,
        audio_end_ms: int,
        audio_transcript: NotGivenOr[str] = NOT_GIVEN,
    ) -> None:
        """Have the model forget what of its message wasn't heard."""
        if "audio" in modalities and audio_end_ms > 0:
            cut = {"item_id": message_id, "content_index": 0, "audio_end_ms": audio_end_ms}
            self.send_event({"type": "conversation.item.truncate", **cut})
        elif "audio" in modalities:
            event_id = shortuuid("chat_ctx_delete_")
            self.send_event({"type": "conversation.item.delete", "event_id": event_id, "item_id": message_id})
        elif is_given(audio_transcript):
            heard = self.chat_ctx
            for index, item in enumerate(heard.items):
                if item.id == message_id and isinstance(item, ChatMessage):
                    heard.items[index] = item.model_copy(update={"content": [audio_transcript]})
            for event in self._conversation.changes(heard):
                self.send_event(event)

    async def aclose(self) -> None:
        """End the conversation."""
        self._closing = True
        self._answers.drop("the session is closed")
        self._queue.close()
        await aio.cancel_and_wait(self._task)

    def _append(self, frames: list[AudioFrame]) -> None:
        for frame in frames:
            sound = base64.b64encode(frame.data).decode("ascii")
            self.send_event({"type": "input_audio_buffer.append", "audio": sound})
            self._heard += frame.duration

    def _settings(self) -> dict[str, Any]:
        instructions = {} if self._instructions is None else {"instructions": self._instructions}
        return self._options.session() | instructions

    def _update(self, session: dict[str, Any]) -> None:
        self.send_event(_update_event(session))

    # --- the connection ----------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        """Connect, and again when the connection is lost or old, until the session ends or nothing helps."""
        retries = self._options.conn_options
        try:
            while not self._closing:
                try:
                    await self._converse()
                except APIError as error:
                    again = error.retryable and self._failures < retries.max_retry
                    self._report(error, recoverable=again)
                    if not again:
                        return
                    await asyncio.sleep(retries.interval_for(self._failures))
                    self._failures += 1
        finally:
            self._queue.close()
            self._answers.drop("the session is closed")

    async def _converse(self) -> None:
        """One connection, from its beginning to its end; one that is old enough ends between two answers."""
        clock = asyncio.get_running_loop().time
        started = clock()
        socket = await self._model._connect(self._options)
        self._report_connection_acquired(clock() - started)
        tasks: list[asyncio.Task[Any]] = []
        try:
            if self._connected:
                await self._resume(socket)
            self._connected = True
            tasks = [asyncio.create_task(self._send_all(socket)), asyncio.create_task(self._receive_all(socket))]
            ended = await _first(tasks, self._options.max_session_duration)
            if not ended and (answer := self._answers.current) is not None:
                tasks.append(asyncio.create_task(answer.done.wait()))
                ended = await _first(tasks)
            for task in ended:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await socket.aclose()

    async def _resume(self, socket: Socket) -> None:
        """Tell a new connection everything that the one before knew."""
        self._partials.clear()
        self._speech_began.clear()
        events = [_update_event(self._settings())]
        if self._tools.function_tools:
            events.append(_update_event({"model": self._settings()["model"], "tools": _tools_json(self._tools)}))
        for event in events + self._conversation.replay():
            await self._send(socket, event)
        self._answers.drop("the connection was made anew")
        self.emit("session_reconnected", llm.RealtimeSessionReconnectedEvent())

    async def _send(self, socket: Socket, event: dict[str, Any]) -> None:
        self.emit("openai_client_event_queued", event)
        await socket.send(event)
        self._conversation.sent(event)

    async def _send_all(self, socket: Socket) -> None:
        async for event in self._queue:
            await self._send(socket, event)

    async def _receive_all(self, socket: Socket) -> None:
        while (event := await socket.receive()) is not None:
            kind = as_text(event.get("type"))
            if kind not in ("session.created", "error"):
                self._failures = 0  # the server doesn't only take calls, it also talks
            self.emit("openai_server_event_received", event)
            if (handle := _HANDLERS.get(kind)) is None:
                continue
            try:
                handle(self, event)
            except ValueError:
                logger.exception("an event %s of the model can't be read", kind)
        raise APIConnectionError(f"{self._model.provider} closed the realtime connection")

    # --- what the server tells ---------------------------------------------------------------------------------------

    def _speech_started(self, event: dict[str, Any]) -> None:
        self._speech_began[as_text(event.get("item_id"))] = time.time()
        self.emit("input_speech_started", llm.InputSpeechStartedEvent())

    def _speech_stopped(self, event: dict[str, Any]) -> None:
        transcribes = self._options.transcription is not None
        self.emit("input_speech_stopped", llm.InputSpeechStoppedEvent(user_transcription_enabled=transcribes))

    def _transcript_grew(self, event: dict[str, Any]) -> None:
        item_id = as_text(event.get("item_id"))
        if delta := as_text(event.get("delta")):
            self._partials[item_id] = self._partials.get(item_id, "") + delta
            self._tell_transcript(item_id, self._partials[item_id], final=False)

    def _transcript_completed(self, event: dict[str, Any]) -> None:
        item_id, transcript = as_text(event.get("item_id")), as_text(event.get("transcript"))
        sure = confidence(event.get("logprobs"))
        self._partials.pop(item_id, None)
        self._conversation.said(item_id, transcript, sure)
        self._tell_transcript(item_id, transcript, final=True, confidence=sure)
        if usage := as_dict(event.get("usage")):
            self.emit("metrics_collected", self._transcription_metrics(as_text(event.get("event_id")), usage))

    def _transcript_failed(self, event: dict[str, Any]) -> None:
        item_id = as_text(event.get("item_id"))
        logger.error("the model's recogniser failed: %s", as_text(as_dict(event.get("error")).get("message")))
        if (partial := self._partials.pop(item_id, None)) is not None:
            self._tell_transcript(item_id, partial, final=True)  # who waits for the end gets what there is
        self._speech_began.pop(item_id, None)

    def _tell_transcript(self, item_id: str, text: str, *, final: bool, confidence: float | None = None) -> None:
        began = self._speech_began.pop(item_id, None) if final else None
        told = llm.InputTranscriptionCompleted(item_id, text, final, confidence, began)
        self.emit("input_audio_transcription_completed", told)

    def _transcription_metrics(self, request_id: str, usage: dict[str, Any]) -> STTMetrics:
        details = as_dict(usage.get("input_token_details"))
        seconds = usage.get("seconds")
        return STTMetrics(
            request_id=request_id,
            timestamp=time.time(),
            duration=0.0,
            label=self._model.label,
            audio_duration=float(seconds) if isinstance(seconds, int | float) else 0.0,
            streamed=True,
            input_tokens=as_count(usage.get("input_tokens")),
            output_tokens=as_count(usage.get("output_tokens")),
            total_tokens=as_count(usage.get("total_tokens")),
            input_audio_tokens=as_count(details.get("audio_tokens")),
            metadata=Metadata(
                model_name=(self._options.transcription or {}).get("model"), model_provider=self._model.provider
            ),
        )

    def _item_added(self, event: dict[str, Any]) -> None:
        if (added := self._conversation.added(event)) is not None:
            self.emit("remote_item_added", llm.RemoteItemAddedEvent(previous_item_id=added[0], item=added[1]))

    def _item_deleted(self, event: dict[str, Any]) -> None:
        item_id = as_text(event.get("item_id"))
        self._partials.pop(item_id, None)
        self._speech_began.pop(item_id, None)
        self._conversation.deleted(item_id)

    def _answer_began(self, event: dict[str, Any]) -> None:
        if (begun := self._answers.begin(as_dict(event.get("response")))) is not None:
            self.emit("generation_created", begun)

    def _part_added(self, event: dict[str, Any]) -> None:
        if (message := self._answers.message(event)) is not None:
            written = as_dict(event.get("part")).get("type") in ("text", "output_text")
            message.is_made_of(["text"] if written else ["audio", "text"])

    def _item_done(self, event: dict[str, Any]) -> None:
        self._conversation.called(as_dict(event.get("item")))
        self._answers.end_item(event)

    def _answer_done(self, event: dict[str, Any]) -> None:
        if (answer := self._answers.of(event)) is None:
            return
        response = as_dict(event.get("response"))
        for message_id, message in answer.messages.items():
            self._conversation.said(message_id, message.said)
        self._answers.end_current()
        self.emit("metrics_collected", answer.metrics(response, self._model))
        if response.get("status") == "failed":
            self._fail(as_dict(as_dict(response.get("status_details")).get("error")), "an answer failed")

    def _failed(self, event: dict[str, Any]) -> None:
        error = as_dict(event.get("error"))
        message, code = as_text(error.get("message")), as_text(error.get("code")) or None
        event_id = as_text(error.get("event_id"))
        refused = llm.RealtimeError(message, code=code)
        expected = self._conversation.refused(event_id, refused)
        self._answers.refuse(event_id, refused)
        # A cancel that comes too late, and a commit of what the server's own detector has committed.
        expected = expected or message.startswith("Cancellation failed")
        expected = expected or (code == "input_audio_buffer_commit_empty" and self._options.turn_detection is not None)
        if not expected or _is_fatal(error):
            self._fail(error, "the server refused something")

    def _fail(self, error: dict[str, Any], what: str) -> None:
        """Report an error; one that connecting anew doesn't help ends the session."""
        said = as_text(error.get("message")) or as_text(error.get("code")) or "no reason given"
        failure = APIError(f"{self._model.provider}: {what}: {said}", body=error, retryable=not _is_fatal(error))
        if not failure.retryable:
            raise failure
        self._report(failure, recoverable=True)

    def _report(self, error: Exception, *, recoverable: bool) -> None:
        label = self._model.label
        told = llm.RealtimeModelError(timestamp=time.time(), label=label, error=error, recoverable=recoverable)
        self.emit("error", told)


_HANDLERS: Final[dict[str, Callable[[RealtimeSession, dict[str, Any]], None]]] = {
    "input_audio_buffer.speech_started": RealtimeSession._speech_started,
    "input_audio_buffer.speech_stopped": RealtimeSession._speech_stopped,
    "conversation.item.input_audio_transcription.delta": RealtimeSession._transcript_grew,
    "conversation.item.input_audio_transcription.completed": RealtimeSession._transcript_completed,
    "conversation.item.input_audio_transcription.failed": RealtimeSession._transcript_failed,
    "conversation.item.added": RealtimeSession._item_added,
    "conversation.item.deleted": RealtimeSession._item_deleted,
    "response.created": RealtimeSession._answer_began,
    "response.output_item.added": lambda session, event: session._answers.add_item(event),
    "response.content_part.added": RealtimeSession._part_added,
    "response.output_text.delta": lambda session, event: session._answers.add_text(event),
    "response.output_audio_transcript.delta": lambda session, event: session._answers.add_text(event),
    "response.output_audio.delta": lambda session, event: session._answers.add_audio(event),
    "response.output_item.done": RealtimeSession._item_done,
    "response.done": RealtimeSession._answer_done,
    "error": RealtimeSession._failed,
}
"""What is done about each event of the server's; others are of no interest."""


async def _first(tasks: list[asyncio.Task[Any]], timeout: float | None = None) -> set[asyncio.Task[Any]]:
    done, _ = await asyncio.wait(tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    return done


def _update_event(session: dict[str, Any]) -> dict[str, Any]:
    event_id = shortuuid("session_update_")
    return {"type": "session.update", "event_id": event_id, "session": {"type": "realtime", **session}}


def _tools_json(tools: ToolContext) -> list[dict[str, Any]]:
    """Functions as this API takes them: without strict mode, and with the type beside the name."""
    described = [tool.to_openai(strict=False)["function"] for tool in tools.function_tools.values()]
    return [
        {"type": "function", **{key: value for key, value in tool.items() if key not in ("strict", "meta")}}
        for tool in described
    ]


def _is_fatal(error: dict[str, Any]) -> bool:
    return bool(_FATAL & {as_text(error.get("code")), as_text(error.get("type"))})
