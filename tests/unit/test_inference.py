"""Models behind LiveKit's gateway: what is sent, what comes of the answers, and what is said when it fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from livekit.rtc import AudioFrame

from agent_runtime import APIConnectionError, APIConnectOptions, APIError, APIStatusError, ChatContext, inference, llm
from agent_runtime.errors import ConfigError
from agent_runtime.inference.gateway import find_gateway
from agent_runtime.stt import SpeechEvent, SpeechEventType, STTError
from agent_runtime.testing.fake_job import fake_job_context
from agent_runtime.types import NOT_GIVEN, USERDATA_TIMED_TRANSCRIPT
from agent_runtime.utils import http_context
from agent_tools import function_tool
from tests.support.gateway import ANSWER, HEARD, KEY, SECRET, Gateway

AT_ONCE = APIConnectOptions(max_retry=1, retry_interval=0, timeout=5)
ONCE = APIConnectOptions(max_retry=0, timeout=5)


@pytest.fixture
async def gateway(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gateway]:
    async with Gateway() as gateway, http_context.open():
        monkeypatch.setenv("LIVEKIT_INFERENCE_URL", gateway.url)
        monkeypatch.setenv("LIVEKIT_API_KEY", KEY)
        monkeypatch.setenv("LIVEKIT_API_SECRET", SECRET)
        for name in ("LIVEKIT_INFERENCE_API_KEY", "LIVEKIT_INFERENCE_API_SECRET", "LIVEKIT_URL"):
            monkeypatch.delenv(name, raising=False)
        yield gateway
        assert gateway.complaints == []


async def heard(stt: inference.STT, options: APIConnectOptions = ONCE, seconds: float = 0.2) -> list[SpeechEvent]:
    async with stt.stream(conn_options=options) as stream:
        for _ in range(round(seconds * 50)):
            stream.push_frame(AudioFrame(bytes(640), 16_000, 1, 320))
        stream.end_input()
        return [event async for event in stream]


async def spoken(tts: inference.TTS, text: str, options: APIConnectOptions = ONCE) -> list[Any]:
    async with tts.stream(conn_options=options) as stream:
        stream.push_text(text)
        stream.end_input()
        return [audio async for audio in stream]


async def written(model: inference.LLM, options: APIConnectOptions = ONCE, **request: Any) -> list[llm.ChatChunk]:
    context = ChatContext.empty()
    context.add_message(role="user", content="hi")
    async with model.chat(chat_ctx=context, conn_options=options, **request) as stream:
        return [chunk async for chunk in stream]


async def test_what_is_heard(gateway: Gateway):
    stt = inference.STT("deepgram/nova-3:en", extra_kwargs={"keyterm": "LiveKit"}, fallback="cartesia/ink-whisper:en")
    measured: list[Any] = []
    stt.on("metrics_collected", measured.append)
    stt._update_session_keyterms(["Oslo"])
    gateway.finals.append("hello there")
    events = await heard(stt)
    kinds = SpeechEventType
    assert [event.type for event in events if event.type is not kinds.RECOGNITION_USAGE] == [
        kinds.START_OF_SPEECH,
        kinds.INTERIM_TRANSCRIPT,
        kinds.FINAL_TRANSCRIPT,
        kinds.END_OF_SPEECH,
        # A preflight outside of speech is worth nothing.
        kinds.START_OF_SPEECH,
        kinds.FINAL_TRANSCRIPT,
        kinds.END_OF_SPEECH,
    ]
    [final] = events[-2].alternatives
    assert (final.text, final.language, final.confidence, final.metadata) == (
        HEARD,
        "en",
        0.9,
        {"provider": "deepgram"},
    )
    assert [str(word) for word in final.words or []] == HEARD.split()
    assert events[-2].request_id == "heard"
    assert gateway.heard_bytes == 6400
    assert sum(each.audio_duration for each in measured) == pytest.approx(0.2)
    assert measured[0].metadata.model_dump() == {"model_name": "deepgram/nova-3", "model_provider": "livekit"}
    [beginning] = gateway.messages("session.create")
    assert beginning["model"] == "deepgram/nova-3"
    assert beginning["settings"] == {
        "sample_rate": "16000",
        "encoding": "pcm_s16le",
        "extra": {"keyterm": ["LiveKit", "Oslo"]},
        "language": "en",
    }
    assert beginning["fallback"] == {"models": [{"model": "cartesia/ink-whisper", "extra": None}]}
    assert beginning["connection"] == {"timeout": 10.0, "retries": 3}
    assert gateway.messages("session.close") == []


async def test_options_of_a_recogniser_change_while_it_listens(gateway: Gateway):
    stt = inference.STT("deepgram/nova-3")
    async with stt.stream(conn_options=ONCE) as stream:
        for _ in range(5):
            stream.push_frame(AudioFrame(bytes(640), 16_000, 1, 320))
        await anext(stream)  # it is speaking from here on
        stt._update_session_keyterms(["Oslo"])
        stt.update_options(language="de", extra={"numerals": True})
        stt.update_options(model="cartesia/ink-2:fr", extra={"min_volume": 0.1})
        stream.end_input()
        assert [event.type async for event in stream][-1] is SpeechEventType.END_OF_SPEECH
    updates = [message["settings"] for message in gateway.messages("session.update")]
    assert updates[:2] == [{"language": "de", "extra": {"numerals": True}}, {"model": "cartesia/ink-2"}]
    assert (stt.model, stt.stream()._options.language) == ("cartesia/ink-2", "fr")
    await stt.aclose()


async def test_a_recogniser_that_is_lost_connects_again(gateway: Gateway):
    stt = inference.STT("deepgram/nova-3")
    gateway.failures["stt"] = ["drop"]
    async with stt.stream(conn_options=AT_ONCE) as stream:
        end_when_it_failed(stt, stream)
        stream.push_frame(AudioFrame(bytes(3200), 16_000, 1, 1600))
        assert [event.alternatives[0].text async for event in stream if event.alternatives][-1] == HEARD
    assert gateway.opened["stt"] == 2


async def test_what_is_spoken(gateway: Gateway):
    tts = inference.TTS(
        "cartesia/sonic-3:a-voice", language="en", extra_kwargs={"add_timestamps": True}, fallback=["rime/coda:luna"]
    )
    measured: list[Any] = []
    tts.on("metrics_collected", measured.append)
    tts.prewarm()
    audio = await spoken(tts, "It is sunny in the city today. Shall I tell you of tomorrow?")
    assert sum(each.frame.duration for each in audio) == pytest.approx(0.4)
    assert [each.is_final for each in audio].count(True) == 1
    words = [str(word) for each in audio for word in each.frame.userdata[USERDATA_TIMED_TRANSCRIPT]]
    assert "".join(words) == "It is sunny in the city today. Shall I tell you of tomorrow? "
    await spoken(tts, "And another one that is long.")
    assert gateway.opened["tts"] == 1
    assert [each.connection_reused for each in measured] == [True, True]
    assert measured[0].metadata.model_dump() == {"model_name": "cartesia/sonic-3", "model_provider": "livekit"}
    [beginning] = gateway.messages("session.create")
    speaker = {"voice": "a-voice", "model": "cartesia/sonic-3", "language": "en"}
    assert beginning | speaker | {"sample_rate": "24000", "encoding": "pcm_s16le"} == beginning
    assert beginning["fallback"] == {"models": [{"model": "rime/coda", "voice": "luna", "extra": {}}]}
    asked = gateway.messages("input_transcript")
    assert [message["transcript"] for message in asked][:2] == [
        "It is sunny in the city today. ",
        "Shall I tell you of tomorrow? ",
    ]
    assert asked[0]["generation_config"] == speaker
    whole = await tts.synthesize("And a whole text at once.").collect()
    assert whole.duration == pytest.approx(0.2, abs=0.02)
    await tts.aclose()


async def test_a_speech_that_is_cut_ends_at_the_gateway(gateway: Gateway):
    gateway.silent = True
    tts = inference.TTS("deepgram/aura-2")
    stream = tts.stream(conn_options=ONCE)
    stream.push_text("A sentence that nobody wants to hear any more.")
    stream.end_input()
    await gateway.begun.wait()
    await stream.aclose()
    await asyncio.wait_for(gateway.hung_up["tts"].wait(), 5)
    await tts.aclose()


async def test_what_is_written(gateway: Gateway):
    model = inference.LLM("openai/gpt-4.1-mini", provider="azure", extra_kwargs={"temperature": 0.3})
    measured: list[Any] = []
    model.on("metrics_collected", measured.append)
    chunks = await written(model, inference_class="low", extra_kwargs={"extra_headers": {"X-Mine": "1"}})
    assert "".join(chunk.delta.content or "" for chunk in chunks if chunk.delta) == "".join(ANSWER)
    assert measured[0].prompt_cached_tokens == 8
    assert measured[0].metadata.model_dump() == {"model_name": "openai/gpt-4.1-mini", "model_provider": "livekit"}
    [request] = gateway.requests
    assert (request["model"], request["temperature"]) == ("openai/gpt-4.1-mini", 0.3)
    assert "inference_class" not in request
    [(_, headers)] = gateway.headers
    told = {"x-livekit-inference-provider": "azure", "x-livekit-inference-priority": "low", "x-mine": "1"}
    assert headers | told == headers
    model.update_options(model="openai/gpt-5", extra_kwargs={"temperature": 0.3, "reasoning_effort": "low"})
    await written(model)
    assert gateway.requests[-1] | {"model": "openai/gpt-5", "reasoning_effort": "low"} == gateway.requests[-1]
    assert "temperature" not in gateway.requests[-1]
    await model.aclose()


@function_tool
async def weather(city: str) -> str:
    """The weather.

    Args:
        city: where.
    """
    return "sunny"


async def test_tools_are_called(gateway: Gateway):
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}}
    gateway.answers.append([{"tool_calls": [call]}])
    async with inference.LLM("openai/gpt-4.1-mini") as model:
        chunks = await written(model, tools=[weather], tool_choice="required")
    [made] = [made for chunk in chunks if chunk.delta for made in chunk.delta.tool_calls]
    assert (made.name, made.arguments, made.call_id) == ("weather", '{"city":"Oslo"}', "c1")
    assert gateway.requests[0]["tools"][0]["function"]["strict"] is True
    assert gateway.requests[0]["tool_choice"] == "required"


async def test_an_answer_that_is_cut_ends_at_the_gateway(gateway: Gateway):
    gateway.failures["llm"] = ["wait"]
    async with inference.LLM("openai/gpt-4.1-mini") as model:
        context = ChatContext.empty()
        stream = model.chat(chat_ctx=context, conn_options=ONCE)
        await anext(stream)
        await stream.aclose()
        await asyncio.wait_for(gateway.hung_up["llm"].wait(), 5)


FAILURES = [
    (401, False, "refuses the (API )?key: set LIVEKIT_API_KEY.* LIVEKIT_API_SECRET"),
    (404, False, "no model 'openai/some'|no chat completions: check LIVEKIT_INFERENCE_URL"),
    (429, True, r"limits .*61 of 60 requests a minute"),
    (500, True, "refuse"),
]


@pytest.mark.parametrize("kind", ["stt", "tts", "llm"])
@pytest.mark.parametrize(("status", "retryable", "says"), FAILURES)
async def test_a_refusal(kind: str, status: int, retryable: bool, says: str, gateway: Gateway):
    gateway.failures[kind] = [status]
    with pytest.raises(APIStatusError, match=says) as caught:
        await ask(kind, ONCE)
    assert (caught.value.status_code, caught.value.retryable) == (status, retryable)
    assert caught.value.request_id == f"req-{kind}"
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("kind", ["stt", "tts", "llm"])
async def test_a_refusal_that_may_pass_is_tried_again(kind: str, gateway: Gateway):
    gateway.failures[kind] = [500]
    await ask(kind, AT_ONCE)
    assert gateway.opened[kind] == 2


@pytest.mark.parametrize("kind", ["stt", "tts", "llm"])
async def test_garbage(kind: str, gateway: Gateway):
    gateway.failures[kind] = ["garbage"]
    with pytest.raises(APIError, match="LIVEKIT_INFERENCE_URL"):
        await ask(kind, ONCE)


@pytest.mark.parametrize("kind", ["stt", "tts"])
async def test_an_error_in_the_middle(kind: str, gateway: Gateway):
    gateway.failures[kind] = [{"code": 400, "message": "no such voice", "request_id": "r7"}]
    with pytest.raises(APIStatusError, match=r"failed with 'openai/some': no such voice") as caught:
        await ask(kind, AT_ONCE)
    assert (caught.value.status_code, caught.value.request_id, caught.value.retryable) == (400, "r7", False)
    gateway.failures[kind] = [{"message": "busy"}]
    await ask(kind, AT_ONCE)
    gateway.failures[kind] = ["drop"]
    with pytest.raises(APIStatusError, match="closed the connection"):
        await ask(kind, ONCE)


async def test_no_gateway(gateway: Gateway, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int):
    monkeypatch.setenv("LIVEKIT_INFERENCE_URL", f"http://127.0.0.1:{unused_tcp_port}/v1")
    for kind in ("stt", "tts", "llm"):
        with pytest.raises(APIConnectionError, match=r"can't be reached .*LIVEKIT_INFERENCE_URL"):
            await ask(kind, ONCE)


async def ask(kind: str, options: APIConnectOptions) -> None:
    """Something of a service, of which audio is sent until it fails."""
    if kind == "llm":
        async with inference.LLM("openai/some") as model:
            await written(model, options)
    elif kind == "tts":
        async with inference.TTS("openai/some") as voice:
            await spoken(voice, "A sentence that is long enough.", options)
    else:
        stt = inference.STT("openai/some", sample_rate=16_000, vad=None)
        stt._vad = None  # its detector takes no part in this
        async with stt.stream(conn_options=options) as stream:
            end_when_it_failed(stt, stream)
            stream.push_frame(AudioFrame(bytes(3200), 16_000, 1, 1600))
            async for _ in stream:
                pass


def end_when_it_failed(stt: inference.STT, stream: Any) -> None:
    """Speak on and end once the recogniser has to connect again."""

    def finish(error: STTError) -> None:
        if error.recoverable:
            stream.push_frame(AudioFrame(bytes(6400), 16_000, 1, 3200))
            stream.end_input()

    stt.on("error", finish)


async def test_what_a_job_tells(gateway: Gateway):
    async with inference.LLM("openai/gpt-4.1-mini", inference_class="priority") as model:
        with fake_job_context(job_id="J7"):
            await written(model)
            await written(model)
    (_, first), (_, second) = gateway.headers
    assert (first["x-livekit-job-id"], first["x-livekit-inference-priority"]) == ("J7", "priority")
    assert first["x-livekit-session-id"].startswith("inference_")
    assert first["x-livekit-session-id"] != second["x-livekit-session-id"]


def test_where_the_key_comes_from(monkeypatch: pytest.MonkeyPatch):
    for name in ("KEY", "SECRET"):
        monkeypatch.setenv(f"LIVEKIT_API_{name}", f"plain-{name}")
        monkeypatch.setenv(f"LIVEKIT_INFERENCE_API_{name}", f"special-{name}")
    monkeypatch.delenv("LIVEKIT_INFERENCE_URL", raising=False)
    found = find_gateway(NOT_GIVEN, NOT_GIVEN, NOT_GIVEN)
    assert (found.url, found.key) == ("https://agent-gateway.livekit.cloud/v1", "special-KEY")
    assert "special-SECRET" not in repr(found)
    assert found.socket_url("stt", "a/b") == "wss://agent-gateway.livekit.cloud/v1/stt?model=a%2Fb"
    assert find_gateway("http://here/", "k", "s").url == "http://here"
    monkeypatch.setenv("LIVEKIT_URL", "wss://x.staging.livekit.cloud")
    assert "staging" in find_gateway(NOT_GIVEN, "k", "s").url
    with pytest.raises(ConfigError, match="'ftp://x' is no URL of a gateway"):
        find_gateway("ftp://x", "k", "s")
    for name in ("KEY", "SECRET"):
        monkeypatch.delenv(f"LIVEKIT_INFERENCE_API_{name}")
    assert find_gateway(NOT_GIVEN, NOT_GIVEN, NOT_GIVEN).key == "plain-KEY"
    monkeypatch.delenv("LIVEKIT_API_SECRET")
    with pytest.raises(ConfigError, match="needs a key: set LIVEKIT_API_KEY and LIVEKIT_API_SECRET"):
        inference.TTS("cartesia/sonic-3")


async def test_the_secret_is_not_logged(gateway: Gateway, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    gateway.failures["tts"] = [401]
    with pytest.raises(APIError):
        await ask("tts", ONCE)
    await ask("llm", ONCE)
    assert SECRET not in caplog.text
    assert "Bearer ey" not in caplog.text
