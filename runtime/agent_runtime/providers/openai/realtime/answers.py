"""Answers of a realtime model: asked for, begun, streamed and done, or discarded."""

from __future__ import annotations

import asyncio
import base64
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from livekit.rtc import AudioFrame

from agent_runtime.llm.chat_items import FunctionCall
from agent_runtime.llm.realtime import GenerationCreatedEvent, MessageGeneration, RealtimeError
from agent_runtime.metrics import Metadata, RealtimeModelMetrics
from agent_runtime.providers.openai.json_values import as_count, as_dict, as_text
from agent_runtime.providers.openai.realtime.options import SAMPLE_RATE
from agent_runtime.types import TimedString
from agent_runtime.utils.aio import Chan
from agent_runtime.utils.ids import shortuuid

if TYPE_CHECKING:
    from agent_runtime.providers.openai.realtime.model import RealtimeModel

logger = logging.getLogger(__name__)

Modalities: TypeAlias = list[Literal["text", "audio"]]
Send: TypeAlias = Callable[[dict[str, Any]], None]

_BEGIN_TIMEOUT: Final = 10.0
"""Seconds that the server has to begin an answer."""


class Message:
    """One message of an answer."""

    def __init__(self, message_id: str, *, speaks: bool) -> None:
        self.text: Chan[str] = Chan()
        self.audio: Chan[AudioFrame] = Chan()
        self.modalities: asyncio.Future[Modalities] = asyncio.get_running_loop().create_future()
        self.said = ""
        self.generation = MessageGeneration(message_id, self.text, self.audio, self.modalities)
        if not speaks:
            self.audio.close()
            self.is_made_of(["text"])

    def is_made_of(self, modalities: Modalities) -> None:
        """Tell what it is made of, unless that is known."""
        if not self.modalities.done():
            self.modalities.set_result(modalities)

    def add_text(self, text: str) -> None:
        """Add words."""
        self.said += text
        if not self.text.closed:
            self.text.send_nowait(text)

    def add_audio(self, data: bytes) -> None:
        """Add sound: PCM16, mono."""
        self.is_made_of(["audio", "text"])
        if not self.audio.closed:
            self.audio.send_nowait(AudioFrame(data, SAMPLE_RATE, 1, len(data) // 2))

    def close(self, modalities: Modalities) -> None:
        """No more comes."""
        self.is_made_of(modalities)
        self.text.close()
        self.audio.close()


class Answer:
    """One response of the server's."""

    def __init__(self, response_id: str) -> None:
        self.id = response_id
        self.messages: dict[str, Message] = {}
        self.message_stream: Chan[MessageGeneration] = Chan()
        self.function_stream: Chan[FunctionCall] = Chan()
        self.done = asyncio.Event()
        self.timestamp = time.time()
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock()
        self._first: float | None = None

    def hears(self) -> None:
        """The first of it is there."""
        if self._first is None:
            self._first = self._clock()

    def close(self, modalities: Modalities) -> None:
        """No more comes of it."""
        for message in self.messages.values():
            message.close(modalities)
        self.message_stream.close()
        self.function_stream.close()
        self.done.set()

    def metrics(self, response: dict[str, Any], model: RealtimeModel) -> RealtimeModelMetrics:
        """What it took."""
        usage = as_dict(response.get("usage"))
        came, went = as_dict(usage.get("input_token_details")), as_dict(usage.get("output_token_details"))
        cached = as_dict(came.get("cached_tokens_details"))
        duration = self._clock() - self._began
        written = as_count(usage.get("output_tokens"))
        return RealtimeModelMetrics(
            timestamp=self.timestamp,
            request_id=as_text(response.get("id")),
            ttft=-1 if self._first is None else self._first - self._began,
            duration=duration,
            cancelled=response.get("status") == "cancelled",
            label=model.label,
            input_tokens=as_count(usage.get("input_tokens")),
            output_tokens=written,
            total_tokens=as_count(usage.get("total_tokens")),
            tokens_per_second=written / duration if duration > 0 else 0.0,
            input_token_details=RealtimeModelMetrics.InputTokenDetails(
                **_by_kind(came),
                cached_tokens=as_count(came.get("cached_tokens")),
                cached_tokens_details=RealtimeModelMetrics.CachedTokenDetails(**_by_kind(cached)),
            ),
            output_token_details=RealtimeModelMetrics.OutputTokenDetails(**_by_kind(went)),
            metadata=Metadata(model_name=model.model, model_provider=model.provider),
        )


class Answers:
    """Which answers were asked for, and the one that the server makes at present.

    Args:
        send: takes an event for the server.
        speaks: whether the model has a voice.
    """

    def __init__(self, send: Send, *, speaks: bool) -> None:
        self._send = send
        self._speaks = speaks
        self._asked: dict[str, asyncio.Future[GenerationCreatedEvent]] = {}
        self._unwanted: set[str] = set()
        self.current: Answer | None = None

    @property
    def modalities(self) -> Modalities:
        """What an answer is made of that doesn't tell."""
        return ["audio", "text"] if self._speaks else ["text"]

    @property
    def are_awaited(self) -> bool:
        """Whether one is asked for or in making."""
        return self.current is not None or bool(self._asked)

    def ask(self, response: dict[str, Any]) -> asyncio.Future[GenerationCreatedEvent]:
        """Have the server answer. The future ends when it begins to; one that is cancelled calls the answer off."""
        loop = asyncio.get_running_loop()
        event_id = shortuuid("response_create_")
        begun: asyncio.Future[GenerationCreatedEvent] = loop.create_future()
        self._asked[event_id] = begun
        response = {**response, "metadata": {"client_event_id": event_id}}
        self._send({"type": "response.create", "event_id": event_id, "response": response})
        timer = loop.call_later(_BEGIN_TIMEOUT, self._give_up, event_id)

        def settled(future: asyncio.Future[GenerationCreatedEvent]) -> None:
            timer.cancel()
            self._asked.pop(event_id, None)
            if future.cancelled():
                # It may not have begun: then it is called off when it does.
                self._unwanted.add(event_id)
                self._send({"type": "response.cancel"})

        begun.add_done_callback(settled)
        return begun

    def begin(self, response: dict[str, Any]) -> GenerationCreatedEvent | None:
        """The server begins an answer; None if nobody wants it any more."""
        answer_id = as_text(response.get("id"))
        event_id = as_text(as_dict(response.get("metadata")).get("client_event_id"))
        if event_id in self._unwanted:
            self._unwanted.discard(event_id)
            self._send({"type": "response.cancel", "response_id": answer_id})
            logger.info("an answer that nobody waits for any more was called off")
            return None
        self.end_current()
        answer = self.current = Answer(answer_id)
        begun = self._asked.pop(event_id, None)
        wanted = begun is not None and not begun.done()
        event = GenerationCreatedEvent(answer.message_stream, answer.function_stream, wanted, answer_id)
        if begun is not None and wanted:
            begun.set_result(event)
        return event

    def of(self, event: dict[str, Any]) -> Answer | None:
        """The answer that an event belongs to; None if that isn't the present one."""
        response_id = event.get("response_id") or as_dict(event.get("response")).get("id")
        current = self.current
        return current if current is not None and response_id in (None, current.id) else None

    def message(self, event: dict[str, Any]) -> Message | None:
        """The message of the present answer that an event belongs to."""
        answer = self.of(event)
        return answer.messages.get(as_text(event.get("item_id"))) if answer is not None else None

    def add_item(self, event: dict[str, Any]) -> None:
        """The answer has one more item."""
        answer, item = self.of(event), as_dict(event.get("item"))
        if answer is not None and item.get("type") == "message":
            message_id = as_text(item.get("id"))
            message = answer.messages[message_id] = Message(message_id, speaks=self._speaks)
            answer.message_stream.send_nowait(message.generation)

    def add_text(self, event: dict[str, Any]) -> None:
        """Words that are written, or spoken: those may tell when, in seconds."""
        message, answer = self.message(event), self.of(event)
        if message is None or answer is None:
            return
        if message.audio.closed:
            answer.hears()
        at = event.get("start_time")
        delta = as_text(event.get("delta"))
        message.add_text(TimedString(delta, start_time=at) if isinstance(at, int | float) else delta)

    def add_audio(self, event: dict[str, Any]) -> None:
        """Sound."""
        message, answer = self.message(event), self.of(event)
        if message is not None and answer is not None:
            answer.hears()
            message.add_audio(base64.b64decode(as_text(event.get("delta"))))

    def end_item(self, event: dict[str, Any]) -> None:
        """An item is complete: a message, or a tool call."""
        answer, item = self.of(event), as_dict(event.get("item"))
        if answer is None:
            return
        item_id = as_text(item.get("id"))
        if message := answer.messages.get(item_id):
            message.close(self.modalities)
        elif item.get("type") == "function_call":
            call_id, name = as_text(item.get("call_id")), as_text(item.get("name"))
            call = FunctionCall(id=item_id, call_id=call_id, name=name, arguments=as_text(item.get("arguments")))
            answer.function_stream.send_nowait(call)

    def end_current(self) -> Answer | None:
        """The answer in making ends here."""
        answer, self.current = self.current, None
        if answer is not None:
            answer.close(self.modalities)
        return answer

    def refuse(self, event_id: str, error: RealtimeError) -> None:
        """The server doesn't make an answer that was asked for."""
        begun = self._asked.pop(event_id, None)
        if begun is not None and not begun.done():
            begun.set_exception(error)

    def drop(self, reason: str) -> None:
        """The connection is gone, and with it every answer."""
        if self.end_current() is not None:
            logger.warning("an answer was cut: %s", reason)
        for event_id in list(self._asked):
            self.refuse(event_id, RealtimeError(f"no answer came: {reason}"))
        self._unwanted.clear()

    def _give_up(self, event_id: str) -> None:
        self._unwanted.add(event_id)
        self.refuse(event_id, RealtimeError(f"the model didn't begin to answer within {_BEGIN_TIMEOUT:g} s"))


def _by_kind(tokens: dict[str, Any]) -> dict[str, int]:
    return {kind: as_count(tokens.get(kind)) for kind in ("audio_tokens", "text_tokens", "image_tokens")}
