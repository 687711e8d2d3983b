"""Outputs that people subclass with LiveKit's names: what was heard of them is known as well as from our own."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from livekit.rtc import AudioFrame

from agent_runtime import Agent, FlushSentinel, compat
from agent_runtime.io import AudioInput
from agent_runtime.testing import Answer, ScriptedAudioInput, Stage, UserSpeech, run_virtual, scripted_session
from tests.support.play import HELLO

FILE = Path(__file__).parents[1] / "support" / "livekit_agents" / "own_devices.py"
STORY = Answer("One two three four five six seven eight nine ten")
OK = Answer("OK")
STOP = UserSpeech(5.0, 6.0, "Stop!")


@pytest.fixture
def own() -> Iterator[ModuleType]:
    compat.install()
    spec = importlib.util.spec_from_file_location("own_devices", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    compat.uninstall()


def talk(until: float, speaker: Any, page: Any, *speeches: UserSpeech, layered: bool = False, **options: Any) -> Stage:
    """The agent tells its story from 3.2 to 13.21 through `speaker`, unless something stops it."""

    async def scenario() -> Stage:
        async with scripted_session([HELLO, *speeches], answers=[STORY, OK], durations=[10.0, 1.0], **options) as stage:
            if layered:
                from livekit.agents.voice import TranscriptSynchronizer

                both = TranscriptSynchronizer(next_in_chain_audio=speaker, next_in_chain_text=page)
                stage.session.output.audio, stage.session.output.transcription = both.audio_output, both.text_output
            else:
                stage.session.output.audio, stage.session.output.transcription = speaker, page
            await stage.session.start(Agent(instructions="Tell stories."))
            await stage.run_until(until)
        return stage

    return run_virtual(scenario())


def starts(stage: Stage) -> list[float]:
    return [round(time, 6) for time in stage.times("playout_started")]


@pytest.mark.parametrize("layered", [False, True])
def test_its_segments_are_played_and_written(own: ModuleType, layered: bool) -> None:
    speaker, page = own.Loudspeaker(), own.Page()
    heard: list[float] = []
    speaker.on("playback_finished", lambda event: heard.append(event.playback_position))
    stage = talk(15.0, speaker, page, layered=layered)
    assert starts(stage) == [3.2]
    assert heard == [pytest.approx(10.01)], "each answer ends with 10 ms of silence"
    assert [line.strip() for line in page.lines] == [STORY.text]
    assert stage.session.history.messages()[-1].text_content == STORY.text


@pytest.mark.parametrize("layered", [False, True])
def test_a_cut_leaves_what_was_heard(own: ModuleType, layered: bool) -> None:
    stage = talk(9.0, own.Loudspeaker(), own.Page(), STOP, layered=layered)
    assert [round(e.data.position, 6) for e in stage.of("playout_finished")][:1] == [2.3]
    message = next(m for m in stage.session.history.messages() if m.role == "assistant")
    assert message.interrupted
    assert message.text_content == "One two"


def test_two_stretches_are_played_one_after_the_other(own: ModuleType) -> None:
    class TwoStretches(Agent):
        async def llm_node(self, chat_ctx: Any, tools: Any, model_settings: Any) -> Any:
            yield "Hello there. "
            yield FlushSentinel()
            yield "How are you?"

    speaker = own.Loudspeaker()

    async def scenario() -> Stage:
        async with scripted_session([HELLO], durations=[1.0, 1.0]) as stage:
            stage.session.output.audio = speaker
            await stage.session.start(TwoStretches(instructions="x"))
            await stage.run_until(8.0)
        return stage

    ended = [(round(e.time, 6), round(e.data.position, 6)) for e in run_virtual(scenario()).of("playout_finished")]
    assert ended == [(4.21, 1.01), (5.22, 1.01)]


def test_words_are_written_as_they_are_heard_though_it_tells_no_position(own: ModuleType) -> None:
    page = own.Page()
    stage = talk(6.0, own.Loudspeaker(), page)
    assert stage.of("agent_heard")
    spoken = [(round(e.time, 1), e.data.text) for e in stage.of("agent_heard") if e.time < 6.0]
    assert len(spoken) >= 2
    assert all(words in STORY.text for _, words in spoken)


def test_a_pause_does_not_count_as_heard(own: ModuleType) -> None:
    speaker = own.Loudspeaker(can_pause=True)
    stage = talk(20.0, speaker, own.Page(), UserSpeech(5.0, 5.8, ""))
    (paused,) = stage.of("playout_paused")
    assert (round(paused.time, 6), round(paused.data.position, 6)) == (5.5, 2.3)
    assert stage.times("playout_resumed") == [8.3]
    finished = stage.of("playout_finished")[0]
    assert (round(finished.time, 6), round(finished.data.position, 6)) == (16.01, 10.01)
    before = [e.data.text for e in stage.of("agent_heard") if e.time < 8.3]
    assert "ten" not in before[-1]


def test_a_layer_waits_for_what_is_below_it(own: ModuleType) -> None:
    class Counting(own.Loudspeaker):  # type: ignore[name-defined,misc]  # the file is loaded by its path
        pass

    async def scenario() -> None:
        speaker = Counting()
        frame = AudioFrame(bytes(48000), 24000, 1, 24000)
        await speaker.capture_frame(frame)
        await speaker.capture_frame(frame)
        speaker.flush()
        assert speaker.captured_playout_segments == 1
        event = await asyncio.wait_for(speaker.wait_for_playout(), 3.0)
        assert (event.playback_position, event.interrupted) == (2.0, False)
        await speaker.capture_frame(frame)
        asyncio.get_running_loop().call_later(0.5, speaker.clear_buffer)
        assert (await speaker.wait_for_playout()).playback_position == pytest.approx(0.5)
        await speaker.capture_frame(frame)
        assert speaker.captured_playout_segments == 3
        speaker.clear_buffer()

    run_virtual(scenario())


def test_the_end_of_a_chain_can_be_changed(own: ModuleType) -> None:
    first, second, page = own.Loudspeaker(), own.Loudspeaker(), own.Page()

    async def scenario() -> Stage:
        answers = {"answers": [STORY, OK], "durations": [10.0, 1.0]}
        async with scripted_session([HELLO, UserSpeech(8.0, 9.0, "And?")], **answers) as stage:
            from livekit.agents.voice import TranscriptSynchronizer

            both = TranscriptSynchronizer(next_in_chain_audio=first, next_in_chain_text=page)
            stage.session.output.audio = both.audio_output
            await stage.session.start(Agent(instructions="Tell stories."))
            await stage.run_until(5.2)
            stage.session.output.replace_audio_tail(second)
            await stage.run_until(12.0)
        return stage

    stage = run_virtual(scenario())
    assert first.captured_playout_segments == second.captured_playout_segments == 1
    ended = [(round(e.data.position, 6), e.data.interrupted) for e in stage.of("playout_finished")]
    assert ended == [(2.0, True), (1.01, False)]


def test_an_input_may_be_a_layer_over_another() -> None:
    class Louder(AudioInput):
        """Only its name differs."""

    async def scenario() -> None:
        layer = Louder(label="louder", source=ScriptedAudioInput(latency=0.02))
        frame = await anext(layer)
        assert (layer.label, layer.latency, frame.duration) == ("louder", 0.02, 0.05)
        with pytest.raises(NotImplementedError, match="Louder"):
            await anext(Louder(label="nothing"))

    run_virtual(scenario())
