"""Whether there is an echo: told soon and rightly, whatever the room, its noise and whoever talks."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from agent_runtime.devices.echo_path import EchoPath
from agent_runtime.media.processing import AudioProcessor, ProcessingOptions

RATE = 48000
FRAME = RATE // 100
SILENCE = 2.0
"""Seconds before the agent speaks."""


def speech(seconds: float, seed: int, rms: float = 1800.0) -> NDArray[np.float64]:
    """Noise of speech's band in words of 0.2 to 0.7 s, with short gaps and soft beginnings and ends."""
    rng = np.random.default_rng(seed)
    count = round(seconds * RATE)
    spectrum = np.fft.rfft(rng.standard_normal(count))
    frequency = np.fft.rfftfreq(count, 1 / RATE)
    spectrum[(frequency < 200) | (frequency > 3500)] = 0
    noise = np.fft.irfft(spectrum, count)
    envelope = np.full(count, 0.003)
    at = 0
    while at < count:
        length, gap = round(rng.uniform(0.2, 0.7) * RATE), round(rng.uniform(0.04, 0.25) * RATE)
        word = envelope[at : at + length]
        word += np.sin(np.pi * np.arange(len(word)) / length) ** 0.5 * rng.uniform(0.4, 1.0)
        at += length + gap
    signal = noise * envelope
    return signal / np.sqrt((signal**2).mean()) * rms


def echo_of(far: NDArray[np.float64], loss: float, delay: float = 0.03) -> NDArray[np.float64]:
    """The speaker's sound in a small room, `loss` dB quieter."""
    rng = np.random.default_rng(0)
    tail = np.arange(round(0.12 * RATE)) / RATE
    room = rng.standard_normal(len(tail)) * np.exp(-tail / 0.03) * 0.05
    room[0] = 1.0
    size = 1 << (len(far) + len(room)).bit_length()
    heard = np.fft.irfft(np.fft.rfft(far, size) * np.fft.rfft(room, size), size)[: len(far)]
    heard = np.concatenate((np.zeros(round(delay * RATE)), heard))[: len(far)]
    return heard * 10 ** (-loss / 20) * np.sqrt((far**2).mean() / (heard**2).mean())


def frames(signal: NDArray[np.float64]) -> NDArray[np.int16]:
    return np.clip(signal, -32768, 32767).astype(np.int16)[: len(signal) // FRAME * FRAME].reshape(-1, FRAME)


def scene(
    *, loss: float | None, noise: float, near: NDArray[np.float64] | None = None, seconds: float = 12.0, seed: int = 1
) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """What the microphone hears and what the speaker plays; the agent begins after `SILENCE`."""
    far = np.concatenate((np.zeros(round(SILENCE * RATE)), speech(seconds - SILENCE, seed)))
    heard = np.random.default_rng(seed + 100).standard_normal(len(far)) * noise
    if loss is not None:
        heard += echo_of(far, loss)
    if near is not None:
        heard[: len(near)] += near
    return frames(heard), frames(far)


def told(near: NDArray[np.int16], far: NDArray[np.int16], path: EchoPath | None = None) -> NDArray[np.bool_]:
    """Frame by frame, whether there is none."""
    path = path or EchoPath()
    out = []
    for heard, played in zip(near, far, strict=True):
        path.add(heard, played)
        out.append(path.is_absent)
    return np.array(out)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
@pytest.mark.parametrize("noise", [0.0, 3.0, 30.0, 100.0])
def test_a_headset_is_known_within_two_seconds_of_the_first_speech(noise: float, seed: int) -> None:
    absent = told(*scene(loss=None, noise=noise, seed=seed))
    assert np.argmax(absent) / 100 - SILENCE < 2.0
    assert absent[round((SILENCE + 2) * 100) :].all()


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
@pytest.mark.parametrize(("loss", "noise"), [(-6, 3), (0, 3), (0, 100), (10, 3), (10, 30), (20, 3), (20, 10), (30, 3)])
def test_an_echo_that_can_be_heard_is_never_taken_for_none(loss: float, noise: float, seed: int) -> None:
    assert not told(*scene(loss=loss, noise=noise, seed=seed)).any()


def test_nothing_is_concluded_before_the_agent_speaks() -> None:
    path = EchoPath()
    assert not told(frames(speech(10, 5)), np.zeros((1000, FRAME), np.int16), path).any()


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_two_seconds_of_talking_over_the_agent_change_nothing(seed: int) -> None:
    near = np.concatenate((np.zeros(5 * RATE), speech(2.0, seed + 50)))
    absent = told(*scene(loss=None, noise=10.0, near=near, seed=seed))
    assert absent[500:].all()


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_an_echo_that_comes_up_is_found_within_six_seconds_of_speech(seed: int) -> None:
    near, far = scene(loss=None, noise=10.0, seconds=12.0)
    later_near, later_far = scene(loss=10, noise=10.0, seconds=12.0, seed=seed)
    path = EchoPath()
    assert told(near, far, path)[-1]
    absent = told(later_near, later_far, path)
    assert not absent[round((SILENCE + 6) * 100) :].any()


def test_another_speaker_is_listened_to_anew() -> None:
    path = EchoPath()
    assert told(*scene(loss=None, noise=10.0), path)[-1]
    path.forget(0.2)
    assert not path.is_absent


def test_webrtc_alone_hides_who_talks_over_the_first_words() -> None:
    """Why all this: if a newer WebRTC lets them through, `EchoPath` can go."""
    near = np.concatenate((np.zeros(4 * RATE), speech(2.0, 50)))
    heard, far = scene(loss=None, noise=3.0, near=near)
    processor = AudioProcessor(RATE, ProcessingOptions())
    clean = np.stack([processor.process(a, b) for a, b in zip(heard, far, strict=True)]).astype(np.float64)
    talking = slice(400, 600)
    kept = 10 * np.log10((clean[talking] ** 2).mean() / (heard[talking].astype(np.float64) ** 2).mean())
    assert kept < -6
