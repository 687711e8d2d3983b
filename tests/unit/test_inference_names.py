"""Hosted models by name, what each kind needs and tells, and the bundled detectors under the hosted ones' names."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

import pytest
from livekit.rtc import AudioFrame

from agent_runtime import Agent, AgentSession, APIConnectOptions, inference, stand_ins
from agent_runtime.errors import ConfigError
from agent_runtime.inference import stt_models, tts_models
from agent_runtime.inference.by_name import hosted_part
from agent_runtime.stt import SpeechEvent, SpeechEventType
from agent_runtime.testing import run_virtual
from agent_runtime.utils import http_context
from agent_runtime.vad import VAD, VADCapabilities, VADEvent, VADEventType, VADStream
from tests.support.gateway import HEARD, KEY, SECRET, Gateway


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch):
    for name in ("LIVEKIT_INFERENCE_URL", "LIVEKIT_INFERENCE_API_KEY", "LIVEKIT_INFERENCE_API_SECRET", "LIVEKIT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LIVEKIT_API_KEY", KEY)
    monkeypatch.setenv("LIVEKIT_API_SECRET", SECRET)


def test_a_session_and_an_agent_take_names():
    async def scenario() -> None:
        session = AgentSession(stt="deepgram/nova-3:de", llm="openai/gpt-4.1-mini", tts="cartesia/sonic-3:a-voice")
        agent = Agent(instructions="", tts="inworld/inworld-tts-2", llm="google/gemini-3-flash")
        stt, llm, tts = session.stt, session.llm, session.tts
        assert isinstance(stt, inference.STT)
        assert isinstance(tts, inference.TTS)
        assert isinstance(llm, inference.LLM)
        assert (stt.model, stt._options.language, llm.model) == ("deepgram/nova-3", "de", "openai/gpt-4.1-mini")
        assert (tts.model, tts._options.voice) == ("cartesia/sonic-3", "a-voice")
        assert (agent.tts.model, agent.llm.model) == ("inworld/inworld-tts-2", "google/gemini-3-flash")  # type: ignore[union-attr]
        assert session._left_open == {"vad"}

    run_virtual(scenario())


@pytest.mark.parametrize(
    ("kind", "name", "says"),
    [
        ("llm", "openai/gpt-realtime-mini", "use openai.realtime.RealtimeModel"),
        ("llm", "openai/gpt-live-1", "use openai.realtime.RealtimeModel"),
        ("vad", "silero", "only stt, llm and tts can be named"),
    ],
)
def test_a_name_that_stands_for_nothing(kind: str, name: str, says: str):
    with pytest.raises(ConfigError, match=says):
        hosted_part(kind, name)


def test_the_key_of_a_server_on_this_machine_is_not_the_gateways(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LIVEKIT_URL", "ws://localhost:7880")
    assert inference.LLM("openai/gpt-4.1").model == "openai/gpt-4.1"  # whoever runs it may know better
    stand_ins.allow()
    with pytest.raises(ConfigError, match="doesn't know the key of LIVEKIT_URL: set LIVEKIT_INFERENCE_API_KEY"):
        inference.LLM("openai/gpt-4.1")
    assert inference.LLM("openai/gpt-4.1", api_key=KEY, api_secret=SECRET).model
    monkeypatch.setenv("LIVEKIT_INFERENCE_API_KEY", KEY)
    assert inference.LLM("openai/gpt-4.1").model


def test_what_recognisers_can():
    def can(model: str, **options: Any) -> tuple[Any, ...]:
        found = inference.STT(model, **options).capabilities
        return found.aligned_transcript, found.keyterms, found.chat_context, found.diarization

    assert can("deepgram/nova-3", extra_kwargs={"diarize": True}) == ("word", True, False, True)
    assert can("deepgram/nova-3", fallback="cartesia/ink-2") == (False, True, False, False)
    assert can("assemblyai/u3-rt-pro") == ("word", True, True, False)
    assert can("speechmatics/linden-1", extra_kwargs={"diarization": "none"}) == (False, True, False, False)
    assert can("auto") == (False, False, False, False)


def test_what_recognisers_need(caplog: pytest.LogCaptureFixture):
    listening = inference.STT("openai/gpt-live-transcribe")
    assert (listening._options.sample_rate, listening._vad is None) == (24_000, False)
    listening.update_options(model="deepgram/nova-3")
    assert (listening._options.sample_rate, listening._vad) == (16_000, None)
    inference.STT("openai", sample_rate=16_000)
    assert "openai takes audio of 24000 Hz only, and sample_rate is 16000" in caplog.text


def test_terms_of_the_user_and_of_the_session():
    given = {"keyterm": "LiveKit", "additional_vocab": [{"content": "Oslo", "sounds_like": ["oz lo"]}]}
    assert stt_models.with_terms("deepgram/nova-3", given, ["Oslo", "LiveKit"]) == {"keyterm": ["LiveKit", "Oslo"]}
    [sounding, plain] = stt_models.with_terms("speechmatics/enhanced", given, ["Oslo", "Rome"])["additional_vocab"]
    assert (sounding["sounds_like"], plain) == (["oz lo"], {"content": "Rome"})
    assert stt_models.with_terms("cartesia/ink-2", given, ["Oslo"]) == {}


def test_what_voices_can():
    assert not inference.TTS("cartesia/sonic-3").capabilities.aligned_transcript
    voice = inference.TTS("inworld/inworld-tts-2", extra_kwargs={"timestamp_type": "WORD"})
    assert voice.capabilities.aligned_transcript
    assert "laugh" in str(voice.markup.llm_instructions())
    voice.update_options(model="inworld/inworld-tts-1", voice="Ashley", language="english")
    assert voice.markup.llm_instructions() is None
    assert (voice._options.voice, voice._options.language) == ("Ashley", "en")
    assert [tts_models.markup_of(name) for name in ("fishaudio/drama-3", "fishaudio", "xai/tts-1")] == [
        "fishaudio_drama",
        "fishaudio",
        "xai",
    ]


class Pauses(VAD):
    """Finds a pause after 0.1 s of audio."""

    def __init__(self) -> None:
        super().__init__(capabilities=VADCapabilities(update_interval=0.02))

    def stream(self) -> VADStream:
        return PauseStream(self)


class PauseStream(VADStream):
    async def _main_task(self) -> None:
        heard = 0
        async for item in self._input_ch:
            heard += item.samples_per_channel if isinstance(item, AudioFrame) else 0
            if heard == 1600:
                self._event_ch.send_nowait(VADEvent(VADEventType.END_OF_SPEECH, heard, 0.1, 0.1, 0.0))


async def until_final(stream: AsyncIterable[SpeechEvent]) -> AsyncIterator[SpeechEvent]:
    async for event in stream:
        if event.alternatives:
            yield event
        if event.type is SpeechEventType.FINAL_TRANSCRIPT:
            return


async def test_models_that_find_no_pauses_are_told_of_them(monkeypatch: pytest.MonkeyPatch):
    async with Gateway() as gateway, http_context.open():
        monkeypatch.setenv("LIVEKIT_INFERENCE_URL", gateway.url)
        stt = inference.STT("speechmatics/enhanced", vad=Pauses())
        async with stt.stream(conn_options=APIConnectOptions(max_retry=0)) as stream:
            stream.push_frame(AudioFrame(bytes(3200), 16_000, 1, 1600))
            async with asyncio.timeout(5):
                texts = [event.alternatives[0].text async for event in until_final(stream)]
        assert texts[-1] == HEARD


async def test_the_bundled_detectors_have_the_hosted_ones_options():
    vad = inference.VAD(activation_threshold=0.6)
    vad.update_options(min_silence_duration=0.4)
    assert (vad.min_silence_duration, vad.options.activation_threshold) == (0.4, 0.6)
    with pytest.raises(ValueError, match="the only one is 'silero'"):
        inference.VAD(model="other")  # type: ignore[arg-type]
    detector = inference.TurnDetector(version="v1", unlikely_threshold={"en": 0.3, "de": 0.4})
    stream = detector.stream()
    assert [await stream.unlikely_threshold(tag) for tag in ("en-US", "german", "fr", "xx")] == [0.3, 0.4, 0.5, None]
    detector.update_options(unlikely_threshold=0.7)
    assert await detector.unlikely_threshold("en") == 0.7
    await stream.aclose()


def test_importing_it_loads_nothing_heavy():
    code = "import sys, agent_runtime.inference; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"aiohttp", "onnxruntime", "openai", "httpx2", "textual"} & set(done.stdout.split())
