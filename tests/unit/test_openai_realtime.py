"""OpenAI's realtime model: what the server is told, and what a session hears of its answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from livekit.rtc import AudioFrame

from agent_runtime.errors import APIConnectionError, APIStatusError, ConfigError
from agent_runtime.llm import ChatContext, FunctionCall, FunctionCallOutput, RealtimeError, function_tool
from agent_runtime.providers.openai.realtime import RealtimeModel, RealtimeSession
from agent_runtime.testing import in_virtual_time
from agent_runtime.types import APIConnectOptions
from tests.support.openai_realtime import FakeModel, FakeSocket

EVENTS = (
    "input_speech_started",
    "input_speech_stopped",
    "input_audio_transcription_completed",
    "generation_created",
    "session_reconnected",
    "metrics_collected",
    "remote_item_added",
    "error",
)


@function_tool
async def bring(what: str) -> str:
    """Bring something.

    Args:
        what: a thing.
    """
    return what


class Talk:
    """A session, its server's side, and what it told."""

    def __init__(self, model: FakeModel, session: RealtimeSession) -> None:
        self.model = model
        self.session = session
        self.told: list[tuple[str, Any]] = []
        for name in EVENTS:
            session.on(name, lambda event, name=name: self.told.append((name, event)))

    @property
    def socket(self) -> FakeSocket:
        return self.model.sockets[-1]

    def of(self, name: str) -> list[Any]:
        return [event for told, event in self.told if told == name]


@asynccontextmanager
async def talking(*, disabled: bool = False, **options: Any) -> AsyncIterator[Talk]:
    model = FakeModel(**options)
    session = model.session(turn_detection_disabled=disabled)
    talk = Talk(model, session)
    try:
        await settle()
        yield talk
    finally:
        await session.aclose()


async def settle() -> None:
    await asyncio.sleep(0.01)


async def heard(generation: Any) -> tuple[list[str], int, list[str]]:
    """The words of an answer's messages, the samples of their sound, and the names of its calls."""
    texts, samples = [], 0
    async for message in generation.message_stream:
        texts.append("".join([text async for text in message.text_stream]))
        samples += sum([frame.samples_per_channel async for frame in message.audio_stream])
    return texts, samples, [call.name async for call in generation.function_stream]


# --- how it is set up ------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_the_session_begins_with_its_settings():
    async with talking(voice="cedar", input_audio_noise_reduction="near_field") as talk:
        (update,) = talk.socket.of("session.update")
    audio = update["session"]["audio"]
    assert update["session"]["model"] == "gpt-realtime"
    assert update["session"]["output_modalities"] == ["audio"]
    assert audio["input"] == {
        "format": {"type": "audio/pcm", "rate": 24000},
        "noise_reduction": {"type": "near_field"},
        "transcription": {"model": "gpt-4o-mini-transcribe"},
        "turn_detection": {
            "type": "semantic_vad",
            "create_response": True,
            "eagerness": "medium",
            "interrupt_response": True,
        },
    }
    assert audio["output"]["voice"] == "cedar"
    assert update["session"]["tool_choice"] == "auto"
    assert "instructions" not in update["session"]


@in_virtual_time
async def test_a_session_whose_turns_are_ours():
    async with talking(disabled=True) as talk:
        (update,) = talk.socket.of("session.update")
        assert update["session"]["audio"]["input"]["turn_detection"] is None
        assert not talk.session.capabilities.turn_detection
        assert talk.model.capabilities.turn_detection


@in_virtual_time
async def test_options_are_sent_only_where_they_change():
    async with talking() as talk:
        talk.session.update_options(tool_choice="auto")
        talk.session.update_options(tool_choice={"type": "function", "function": {"name": "bring"}})
        talk.model.update_options(voice="marin", speed=1.2)
        talk.model.update_options(turn_detection=None, reasoning={"effort": "low"})
        await settle()
        changed = [event["session"] for event in talk.socket.of("session.update")[1:]]
        assert not talk.model.capabilities.turn_detection
        assert not talk.session.capabilities.turn_detection
    assert changed == [
        {"type": "realtime", "tool_choice": {"type": "function", "name": "bring"}},
        {"type": "realtime", "audio": {"output": {"speed": 1.2}}},
        {"type": "realtime", "audio": {"input": {"turn_detection": None}}, "reasoning": {"effort": "low"}},
    ]


@in_virtual_time
async def test_instructions_tools_and_one_answers_own():
    async with talking() as talk:
        await talk.session.update_instructions("Serve.")
        await talk.session.update_tools([bring])
        asked = talk.session.generate_reply(instructions="Greet.", tool_choice="none", tools=[])
        await settle()
        instructions, tools = [event["session"] for event in talk.socket.of("session.update")[1:]]
        (create,) = talk.socket.of("response.create")
        asked.cancel()
        assert list(talk.session.tools.function_tools) == ["bring"]
    assert instructions["instructions"] == "Serve."
    (tool,) = tools["tools"]
    assert (tool["type"], tool["name"], tool["description"]) == ("function", "bring", "Bring something.")
    assert tool["parameters"]["required"] == ["what"]
    assert create["response"]["instructions"] == "Serve.\nGreet."
    assert (create["response"]["tool_choice"], create["response"]["tools"]) == ("none", [])


def test_without_a_key(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        RealtimeModel()


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ({}, "wss://api.openai.com/v1/realtime?model=gpt-realtime"),
        ({"base_url": "http://localhost:8000/v1/"}, "ws://localhost:8000/v1/realtime?model=gpt-realtime"),
        ({"base_url": "wss://api.x.ai/v1/realtime", "model": "grok"}, "wss://api.x.ai/v1/realtime?model=grok"),
        (
            {"base_url": "https://a.openai.azure.com/openai", "azure_deployment": "mine"},
            "wss://a.openai.azure.com/openai/v1/realtime?model=mine",
        ),
    ],
)
def test_where_it_connects(monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], url: str):
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    model = RealtimeModel(api_key="sk-secret", **options)
    assert model._options.endpoint() == url
    key = {"api-key": "sk-secret"} if "azure_deployment" in options else {"Authorization": "Bearer sk-secret"}
    assert model._options.headers() == key
    assert "sk-secret" not in repr(model._options)


def test_azure_by_its_own_names(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AZURE_OPENAI_API_KEY", raising=False)
    with pytest.raises(ConfigError, match="AZURE_OPENAI_API_KEY"):
        RealtimeModel.with_azure(azure_deployment="mine", azure_endpoint="https://a.azure.com")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "az")
    model = RealtimeModel.with_azure(azure_deployment="mine", azure_endpoint="https://a.azure.com/", voice="alloy")
    assert model._options.endpoint() == "wss://a.azure.com/openai/v1/realtime?model=mine"
    assert model.provider == "a.azure.com"
    with pytest.raises(ValueError, match="give one"):
        RealtimeModel.with_azure(azure_deployment="m", azure_endpoint="https://a", base_url="https://b")
    with pytest.raises(ValueError, match="api_version"):
        RealtimeModel(azure_deployment="mine", api_version="2024-10-01-preview")


# --- speech in and out -----------------------------------------------------------------------------------------------


def frame(seconds: float, rate: int) -> AudioFrame:
    samples = int(seconds * rate)
    return AudioFrame(bytes(2 * samples), rate, 1, samples)


@in_virtual_time
async def test_what_the_model_hears_comes_in_pieces_of_its_own_rate():
    async with talking() as talk:
        for _ in range(50):
            talk.session.push_audio(frame(0.01, 48000))
        await settle()
        pieces = talk.socket.of("input_audio_buffer.append")
        assert len(pieces) == 9  # of 50 ms; the resampler holds back 3 ms of the tenth
        talk.session.commit_audio()
        talk.session.commit_audio()
        talk.session.clear_audio()
        await settle()
        kinds = [event["type"].rpartition(".")[2] for event in talk.socket.sent[-3:]]
        assert kinds == ["append", "commit", "clear"]


@in_virtual_time
async def test_an_answer_that_was_asked_for():
    async with talking() as talk:
        asked = talk.session.generate_reply()
        await settle()
        (create,) = talk.socket.of("response.create")
        await asyncio.sleep(0.2)
        talk.socket.begin(asked=create["event_id"])
        await asyncio.sleep(0.3)
        talk.socket.speak("Hello ")
        talk.socket.speak("you.")
        call = {"id": "f1", "type": "function_call", "call_id": "c1", "name": "bring", "arguments": '{"what": "tea"}'}
        talk.socket.tell("response.output_item.done", response_id="r1", item=call)
        usage = {
            "total_tokens": 30,
            "input_tokens": 20,
            "output_tokens": 10,
            "input_token_details": {"audio_tokens": 15, "text_tokens": 5, "cached_tokens": 4},
            "output_token_details": {"audio_tokens": 8, "text_tokens": 2},
        }
        await asyncio.sleep(0.5)
        talk.socket.finish(usage=usage)
        generation = await asked
        assert await heard(generation) == (["Hello you."], 4800, ["bring"])
        assert (generation.user_initiated, generation.response_id) == (True, "r1")
        assert talk.of("generation_created") == [generation]
        (metrics,) = [m for m in talk.of("metrics_collected") if m.request_id]
        assert (metrics.request_id, metrics.cancelled, metrics.total_tokens) == ("r1", False, 30)
        assert metrics.ttft == pytest.approx(0.3, abs=0.02)
        assert metrics.duration == pytest.approx(0.8, abs=0.02)
        assert metrics.tokens_per_second == pytest.approx(10 / metrics.duration)
        assert metrics.input_token_details.audio_tokens == 15
        assert [m.text_content for m in talk.session.chat_ctx.messages()] == ["Hello you."]


@in_virtual_time
async def test_an_answer_to_what_the_user_said():
    async with talking() as talk:
        socket = talk.socket
        socket.tell("input_audio_buffer.speech_started", item_id="u1")
        socket.tell("input_audio_buffer.speech_stopped", item_id="u1")
        sound = {"id": "u1", "type": "message", "role": "user", "content": [{"type": "input_audio"}]}
        socket.tell("conversation.item.added", previous_item_id=None, item=sound)
        socket.begin()
        for delta in ("Good ", "day"):
            socket.tell("conversation.item.input_audio_transcription.delta", item_id="u1", delta=delta)
        socket.tell(
            "conversation.item.input_audio_transcription.completed",
            item_id="u1",
            event_id="e1",
            transcript="Good day.",
            logprobs=[{"logprob": -0.1}, {"logprob": -0.3}],
            usage={"type": "tokens", "input_tokens": 7, "output_tokens": 3, "total_tokens": 10},
        )
        await settle()
        assert not talk.of("generation_created")[0].user_initiated
        transcripts = talk.of("input_audio_transcription_completed")
        assert [(t.transcript, t.is_final) for t in transcripts] == [
            ("Good ", False),
            ("Good day", False),
            ("Good day.", True),
        ]
        assert transcripts[-1].confidence == pytest.approx(0.8187, abs=1e-4)
        assert transcripts[-1].turn_started_at is not None
        assert talk.of("input_speech_stopped")[0].user_transcription_enabled
        (recognised,) = [m for m in talk.of("metrics_collected") if m.type == "stt_metrics"]
        assert (recognised.request_id, recognised.total_tokens) == ("e1", 10)
        assert recognised.metadata.model_name == "gpt-4o-mini-transcribe"
        assert talk.session.chat_ctx.messages()[-1].text_content == "Good day."


@in_virtual_time
async def test_a_transcript_that_fails_ends_with_what_there_is():
    async with talking() as talk:
        talk.socket.tell("conversation.item.input_audio_transcription.delta", item_id="u1", delta="Good")
        talk.socket.tell("conversation.item.input_audio_transcription.failed", item_id="u1", error={"message": "no"})
        await settle()
        last = talk.of("input_audio_transcription_completed")[-1]
        assert (last.transcript, last.is_final) == ("Good", True)


@in_virtual_time
async def test_a_model_that_writes():
    async with talking(modalities=["text"]) as talk:
        assert talk.socket.of("session.update")[0]["session"]["output_modalities"] == ["text"]
        talk.socket.begin()
        talk.socket.tell("response.output_text.delta", response_id="r1", item_id="m1", delta="Hi.")
        talk.socket.finish()
        await settle()
        (generation,) = talk.of("generation_created")
        message = await anext(generation.message_stream)
        assert await message.modalities == ["text"]
        assert [text async for text in message.text_stream] == ["Hi."]
        assert [sound async for sound in message.audio_stream] == []


@in_virtual_time
async def test_an_answer_that_is_stopped():
    async with talking() as talk:
        talk.session.interrupt()
        talk.socket.begin()
        talk.socket.speak("Well, ")
        await settle()
        talk.session.interrupt()
        talk.session.truncate(message_id="m1", modalities=["audio", "text"], audio_end_ms=60)
        talk.session.truncate(message_id="m2", modalities=["audio"], audio_end_ms=0)
        talk.socket.finish(status="cancelled")
        await settle()
        assert len(talk.socket.of("response.cancel")) == 1
        (cut,) = talk.socket.of("conversation.item.truncate")
        assert (cut["item_id"], cut["audio_end_ms"], cut["content_index"]) == ("m1", 60, 0)
        assert [event["item_id"] for event in talk.socket.of("conversation.item.delete")] == ["m2"]
        assert talk.of("metrics_collected")[-1].cancelled


@in_virtual_time
async def test_an_answer_that_is_called_off_before_it_begins():
    async with talking() as talk:
        asked = talk.session.generate_reply()
        await settle()
        asked.cancel()
        await settle()
        (create,) = talk.socket.of("response.create")
        talk.socket.begin(asked=create["event_id"])
        talk.socket.speak("Too late.")
        talk.socket.finish()
        talk.socket.begin("r2", "m2")
        await settle()
        assert [event.get("response_id") for event in talk.socket.of("response.cancel")] == [None, "r1"]
        assert [generation.response_id for generation in talk.of("generation_created")] == ["r2"]


@in_virtual_time
async def test_an_answer_that_never_begins():
    async with talking() as talk:
        with pytest.raises(RealtimeError, match="within 10 s"):
            await talk.session.generate_reply()
        assert not talk.of("error")


# --- the conversation ------------------------------------------------------------------------------------------------


def said() -> ChatContext:
    context = ChatContext.empty()
    context.add_message(role="user", content="Tea?", id="u1")
    context.insert([FunctionCall(id="f1", call_id="c" * 40, name="bring", arguments="{}")])
    context.insert([FunctionCallOutput(id="o1", call_id="c" * 40, name="bring", output="here", is_error=False)])
    context.add_message(role="assistant", content="Here it is.", id="a1")
    return context


def confirm(socket: FakeSocket) -> None:
    for event in socket.of("conversation.item.create"):
        before = event.get("previous_item_id")
        socket.tell(
            "conversation.item.added", previous_item_id=None if before == "root" else before, item=event["item"]
        )
    for event in socket.of("conversation.item.delete"):
        socket.tell("conversation.item.deleted", item_id=event["item_id"])
    socket.sent.clear()


@in_virtual_time
async def test_the_model_is_given_a_conversation_and_then_what_changes():
    async with talking() as talk:
        change = asyncio.create_task(talk.session.update_chat_ctx(said()))
        await settle()
        items = [event["item"] for event in talk.socket.of("conversation.item.create")]
        assert not change.done()
        confirm(talk.socket)
        await change
        assert [item["type"] for item in items] == ["message", "function_call", "function_call_output", "message"]
        assert items[1]["call_id"] == items[2]["call_id"]
        assert len(items[1]["call_id"]) == 32
        assert items[0]["content"] == [{"type": "input_text", "text": "Tea?"}]
        assert items[3]["content"] == [{"type": "output_text", "text": "Here it is."}]
        assert [item.id for item in talk.session.chat_ctx.items] == ["u1", "f1", "o1", "a1"]

        shorter = said()
        shorter.items[:] = [item for item in shorter.items if item.id in ("u1", "a1")]
        shorter.items[-1] = shorter.items[-1].model_copy(update={"content": ["Here."]})
        change = asyncio.create_task(talk.session.update_chat_ctx(shorter))
        await settle()
        assert [event["item_id"] for event in talk.socket.of("conversation.item.delete")] == ["f1", "o1", "a1"]
        assert [event["item"]["id"] for event in talk.socket.of("conversation.item.create")] == ["a1"]
        for item_id in ("f1", "o1", "a1"):
            talk.socket.tell("conversation.item.deleted", item_id=item_id)
        (create,) = talk.socket.of("conversation.item.create")
        talk.socket.tell("conversation.item.added", previous_item_id="u1", item=create["item"])
        await change
        assert [m.text_content for m in talk.session.chat_ctx.messages()] == ["Tea?", "Here."]


@in_virtual_time
async def test_an_item_that_is_refused_holds_up_nothing(caplog: pytest.LogCaptureFixture):
    async with talking() as talk:
        change = asyncio.create_task(talk.session.update_chat_ctx(said()))
        await settle()
        for event in talk.socket.of("conversation.item.create"):
            talk.socket.tell("error", error={"event_id": event["event_id"], "message": "odd", "code": "x"})
        await change
        assert not talk.of("error")
        assert caplog.messages == ["the model refused an item of the conversation: odd"] * 4


@in_virtual_time
async def test_an_item_that_is_there_already_is_as_wanted(caplog: pytest.LogCaptureFixture):
    async with talking() as talk:
        change = asyncio.create_task(talk.session.update_chat_ctx(said()))
        await settle()
        known, *others = talk.socket.of("conversation.item.create")
        there = {"event_id": known["event_id"], "message": "odd", "code": "item_create_duplicate_item_id"}
        talk.socket.tell("error", error=there)
        for event in others:
            talk.socket.tell("conversation.item.added", previous_item_id=None, item=event["item"])
        await change
        assert not caplog.messages


@in_virtual_time
async def test_items_that_a_lost_connection_did_not_confirm_are_sent_again():
    async with talking() as talk:
        change = asyncio.create_task(talk.session.update_chat_ctx(said()))
        await settle()
        sent = talk.socket.of("conversation.item.create")
        first = sent[0]
        talk.socket.tell("conversation.item.added", previous_item_id=None, item=first["item"])
        await settle()
        talk.socket.lose()
        await asyncio.sleep(0.2)
        again = talk.socket.of("conversation.item.create")
        assert [event["item"]["id"] for event in again] == ["u1", "f1", "o1", "a1"]
        assert again[1:] == sent[1:]
        confirm(talk.socket)
        await change


@in_virtual_time
async def test_a_conversation_that_is_never_confirmed():
    async with talking() as talk:
        with pytest.raises(RealtimeError, match="within 5 s"):
            await talk.session.update_chat_ctx(said())


@in_virtual_time
async def test_an_item_after_one_that_is_gone_comes_last():
    async with talking() as talk:
        for item_id, before in (("u1", None), ("u2", "gone")):
            content = [{"type": "input_text", "text": item_id}]
            item = {"id": item_id, "type": "message", "role": "user", "content": content}
            talk.socket.tell("conversation.item.added", previous_item_id=before, item=item)
        await settle()
        assert [item.id for item in talk.session.chat_ctx.items] == ["u1", "u2"]
        assert [added.previous_item_id for added in talk.of("remote_item_added")] == [None, "u1"]


# --- when it fails ---------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_lost_connection_is_made_again_with_everything_that_was_said():
    async with talking() as talk:
        await talk.session.update_instructions("Serve.")
        await talk.session.update_tools([bring])
        change = asyncio.create_task(talk.session.update_chat_ctx(said()))
        await settle()
        confirm(talk.socket)
        await change
        talk.socket.begin(item_id="m1")
        talk.socket.speak("I am")
        asked = talk.session.generate_reply()
        await settle()
        talk.socket.lose()
        await asyncio.sleep(0.2)
        assert len(talk.model.sockets) == 2
        first, tools, *rest = talk.socket.sent
        assert first["session"]["instructions"] == "Serve."
        assert tools["session"]["tools"][0]["name"] == "bring"
        assert [event["item"]["id"] for event in rest] == ["m1", "u1", "f1", "o1", "a1"][1:]
        assert len(talk.of("session_reconnected")) == 1
        assert await heard(talk.of("generation_created")[0]) == (["I am"], 2400, [])
        with pytest.raises(RealtimeError, match="the connection was made anew"):
            await asked
        (error,) = talk.of("error")
        assert error.recoverable
        assert isinstance(error.error, APIConnectionError)


@in_virtual_time
async def test_an_old_connection_is_changed_between_two_answers():
    async with talking(max_session_duration=60.0) as talk:
        await asyncio.sleep(59)
        talk.socket.begin()
        await asyncio.sleep(5)
        assert len(talk.model.sockets) == 1
        talk.socket.finish()
        await settle()
        assert len(talk.model.sockets) == 2
        assert talk.model.sockets[0].closed
        assert not talk.of("error")
        await asyncio.sleep(61)
        assert len(talk.model.sockets) == 3


@in_virtual_time
async def test_a_server_that_cannot_be_reached_is_asked_so_often():
    model = FakeModel(conn_options=APIConnectOptions(max_retry=2, retry_interval=3.0))
    model.refusals = [APIConnectionError("nobody")] * 3
    talk = Talk(model, model.session())
    asked = talk.session.generate_reply()
    await asyncio.sleep(3.0)
    assert [error.recoverable for error in talk.of("error")] == [True, True]
    await asyncio.sleep(0.2)
    assert [error.recoverable for error in talk.of("error")] == [True, True, False]
    with pytest.raises(RealtimeError, match="the session is closed"):
        await asked
    await talk.session.aclose()


@in_virtual_time
async def test_a_key_that_is_refused_is_final():
    model = FakeModel()
    model.refusals = [APIStatusError("refuses the API key", status_code=401)]
    talk = Talk(model, model.session())
    await asyncio.sleep(30)
    assert [error.recoverable for error in talk.of("error")] == [False]
    assert model.sockets == []
    await talk.session.aclose()


@in_virtual_time
async def test_an_answer_that_is_refused_fails_at_once():
    async with talking() as talk:
        asked = talk.session.generate_reply()
        await settle()
        (create,) = talk.socket.of("response.create")
        refused = {
            "event_id": create["event_id"],
            "message": "busy",
            "code": "conversation_already_has_active_response",
        }
        talk.socket.tell("error", error=refused)
        with pytest.raises(RealtimeError, match="busy") as error:
            await asked
        assert error.value.code == "conversation_already_has_active_response"
        assert talk.of("error")[0].recoverable


@in_virtual_time
async def test_what_comes_too_late_is_no_error():
    async with talking() as talk:
        talk.socket.tell("error", error={"message": "Cancellation failed: no active response", "code": "x"})
        talk.socket.tell("error", error={"message": "empty", "code": "input_audio_buffer_commit_empty"})
        await settle()
        assert not talk.of("error")


@in_virtual_time
async def test_an_answer_that_fails_and_one_that_always_would():
    async with talking() as talk:
        talk.socket.begin()
        talk.socket.finish(status="failed", status_details={"error": {"type": "server_error", "message": "oops"}})
        await settle()
        assert talk.of("error")[-1].recoverable
        assert "oops" in str(talk.of("error")[-1].error)
        talk.socket.begin("r2", "m2")
        talk.socket.finish("r2", "m2", status="failed", status_details={"error": {"type": "insufficient_quota"}})
        await asyncio.sleep(30)
        assert not talk.of("error")[-1].recoverable
        assert len(talk.model.sockets) == 1


@in_virtual_time
async def test_events_that_make_no_sense_are_passed_over():
    async with talking() as talk:
        for kind in (
            "response.output_audio.delta",
            "response.done",
            "conversation.item.added",
            "error",
            "what.is.this",
        ):
            talk.socket.tell(kind, item=7, response="no", delta={}, part=[], error={"message": "?"})
        talk.socket.begin()
        talk.socket.tell("response.output_audio.delta", response_id="r1", item_id="m1", delta="not base64 !")
        talk.socket.speak("Still here.")
        talk.socket.finish()
        await settle()
        assert (await heard(talk.of("generation_created")[0]))[0] == ["Still here."]


@in_virtual_time
async def test_closing_ends_what_is_under_way():
    async with talking() as talk:
        talk.socket.begin()
        asked = talk.session.generate_reply()
        await settle()
        await talk.session.aclose()
        assert talk.socket.closed
        assert await heard(talk.of("generation_created")[0]) == ([""], 0, [])
        with pytest.raises(RealtimeError, match="closed"):
            await asked
        talk.session.interrupt()
        assert not talk.of("error")
