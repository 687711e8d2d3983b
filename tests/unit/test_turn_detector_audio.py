"""Turn detectors that listen: how the session uses one, and what the bundled one does without its model."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent_runtime.media.frames import frame_from_array
from agent_runtime.providers.embedded.turn_audio import AudioTurnDetector, SmartTurn
from agent_runtime.providers.loading import Weights
from agent_runtime.testing import Answer, UserSpeech
from agent_runtime.voice.turn import TurnDetectionEvent
from tests.support.play import HELLO, causes, play


@dataclass
class Ear:
    """One stream: says `probability`, and remembers how much it was shown before."""

    probability: float
    heard: float = 0.0
    asked: list[float] = field(default_factory=list)
    forgotten: list[str | None] = field(default_factory=list)
    timeouts: int = 0
    closed: bool = False
    model, provider, is_fallback, prediction_timeout = "ear", "tests", False, 0.25

    async def unlikely_threshold(self, language: str | None) -> float | None:
        return 0.5

    async def backchannel_threshold(self, language: str | None) -> float | None:
        return None

    async def supports_language(self, language: str | None) -> bool:
        return True

    def predict(self) -> asyncio.Future[TurnDetectionEvent]:
        self.asked.append(round(self.heard, 2))
        answer: asyncio.Future[TurnDetectionEvent] = asyncio.get_running_loop().create_future()
        if self.probability >= 0:
            answer.set_result(TurnDetectionEvent("eot_prediction", self.probability, 0.0))
        return answer

    def cancel_inference(self, *, timed_out: bool = False) -> None:
        self.timeouts += timed_out

    def flush(self, reason: str | None = None) -> None:
        self.heard = 0.0
        self.forgotten.append(reason)

    def push_audio(self, frame: Any) -> None:
        self.heard += frame.duration

    def end_input(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


class Listening:
    """A detector with one `Ear` for each stream."""

    model, provider = "ear", "tests"

    def __init__(self, probability: float) -> None:
        self.probability = probability
        self.ears: list[Ear] = []

    def stream(self, **_: Any) -> Ear:
        self.ears.append(Ear(self.probability))
        return self.ears[-1]


OK = Answer("OK")


def test_a_sure_one_ends_the_turn_as_soon_as_silence_is_known() -> None:
    detector = Listening(0.9)
    stage = play(6.0, HELLO, answers=[OK], turn_handling={"turn_detection": detector})
    assert stage.times("turn_committed") == [3.0]
    (waiting,) = stage.of("endpointing_started")
    assert (waiting.data.end_of_turn_probability, waiting.data.threshold, waiting.data.delay) == (0.9, 0.5, 0.3)
    assert stage.of("error_occurred") == []
    (ear,) = detector.ears
    assert ear.asked == [3.05]  # with the frame that is just being heard
    assert ear.forgotten == ["turn committed"]
    assert ear.closed


def test_a_doubting_one_ends_it_after_its_own_longest_wait() -> None:
    stage = play(9.0, HELLO, answers=[OK], turn_handling={"turn_detection": Listening(0.1)})
    assert stage.times("turn_committed") == [5.0]
    assert causes(stage, "turn_committed") == ["endpointing.max_delay"]


def test_what_the_user_set_wins_over_its_waits() -> None:
    handling: Any = {"turn_detection": Listening(0.1), "endpointing": {"max_delay": 1.0}}
    stage = play(9.0, HELLO, answers=[OK], turn_handling=handling)
    assert stage.times("turn_committed") == [3.5]


def test_one_that_takes_too_long_is_told_so_and_done_without() -> None:
    detector = Listening(-1)
    stage = play(9.0, HELLO, answers=[OK], turn_handling={"turn_detection": detector})
    assert stage.times("turn_committed") == [3.25]
    assert [e.data.source for e in stage.of("error_occurred")] == ["turn_detector"]
    assert detector.ears[0].timeouts == 1


def test_each_turn_is_judged_by_what_was_heard_in_it() -> None:
    detector = Listening(0.9)
    again = UserSpeech(5.0, 6.0, "And again")
    play(9.0, HELLO, again, answers=[OK, OK], turn_handling={"turn_detection": detector})
    assert detector.ears[0].asked == [3.05, 3.5]


def loudness(signal: Any, samples: Any) -> float:
    """In place of the model: how much it was given."""
    return float(len(samples) / 16000)


@pytest.fixture
def detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AudioTurnDetector:
    monkeypatch.setattr(SmartTurn, "__init__", lambda self, path: None)
    monkeypatch.setattr(SmartTurn, "probability", loudness)
    return AudioTurnDetector(model=tmp_path / "some-turn.onnx", threshold=0.4)


async def test_it_hears_the_last_seconds_at_any_rate_until_it_forgets(detector: AudioTurnDetector) -> None:
    stream = detector.stream()
    assert (stream.model, stream.provider) == ("some-turn", "embedded")
    assert (await stream.predict()).end_of_turn_probability == 1.0  # nothing was heard: nobody goes on
    for _ in range(100):
        stream.push_audio(frame_from_array(np.zeros(160, np.int16), 16000))
    event = await stream.predict()
    assert event.end_of_turn_probability == 1.0
    assert event.inference_duration is not None
    assert event.detection_delay is not None
    for _ in range(50):
        stream.push_audio(frame_from_array(np.zeros((480, 2), np.int16), 48000))
    assert (await stream.predict()).end_of_turn_probability == pytest.approx(1.5, abs=0.01)
    for _ in range(1000):
        stream.push_audio(frame_from_array(np.zeros(160, np.int16), 16000))
    assert (await stream.predict()).end_of_turn_probability == 8.0
    stream.flush()
    stream.push_audio(frame_from_array(np.zeros(1600, np.int16), 16000))
    assert (await stream.predict()).end_of_turn_probability == 0.1
    await stream.aclose()
    stream.push_audio(frame_from_array(np.zeros(1600, np.int16), 16000))
    assert (await stream.predict()).end_of_turn_probability == 1.0


async def test_the_order_of_what_was_heard_is_kept(
    detector: AudioTurnDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(SmartTurn, "probability", lambda self, samples: float(seen.append(samples) or 0))
    stream = detector.stream()
    sound = (np.arange(200_000) % 30_000).astype(np.int16)
    for start in range(0, len(sound), 777):
        stream.push_audio(frame_from_array(sound[start : start + 777], 16000))
    await stream.predict()
    assert np.array_equal(seen[0], sound[-8 * 16000 :])
    await stream.aclose()


async def test_a_new_question_and_a_cancel_answer_the_old_one(
    detector: AudioTurnDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(SmartTurn, "probability", lambda self, samples: float(go_on.wait(5)))
    stream = detector.stream()
    stream.push_audio(frame_from_array(np.zeros(1600, np.int16), 16000))
    first = stream.predict()
    await asyncio.sleep(0)
    second = stream.predict()
    assert (await first).end_of_turn_probability == 0.0
    go_on.set()
    assert (await second).end_of_turn_probability == 1.0
    third = stream.predict()
    stream.cancel_inference()
    assert (await third).end_of_turn_probability == 0.0
    await stream.aclose()


async def test_a_model_that_cant_be_loaded_fails_the_question(
    detector: AudioTurnDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(self: Any, on_progress: Any = None) -> Any:
        raise RuntimeError("not a model")

    monkeypatch.setattr(Weights, "get", broken)
    stream = detector.stream()
    stream.push_audio(frame_from_array(np.zeros(1600, np.int16), 16000))
    with pytest.raises(RuntimeError, match="not a model"):
        await stream.predict()
    await stream.aclose()


async def test_it_knows_its_languages(detector: AudioTurnDetector) -> None:
    stream = detector.stream()
    for language in (None, "en", "de-DE", "zh_CN"):
        assert await stream.unlikely_threshold(language) == 0.4
    assert await stream.unlikely_threshold("xx") is None
    assert await stream.backchannel_threshold("en") is None
    await stream.aclose()
