"""Several voices in one, in virtual time."""

from __future__ import annotations

import asyncio

import numpy as np
from livekit import rtc

from agent_runtime.media.frames import frame_from_array, to_array
from agent_runtime.room.streams import LATEST, STEP, Key, Mixer
from agent_runtime.testing import run_virtual

RATE = 16000
ANN: Key = ("ann", rtc.TrackSource.SOURCE_MICROPHONE)
BOB: Key = ("bob", rtc.TrackSource.SOURCE_MICROPHONE)


def tone(value: int, frames: int = 1) -> rtc.AudioFrame:
    return frame_from_array(np.full(round(frames * STEP * RATE), value, np.int16), RATE)


async def levels(mixer: Mixer, count: int) -> list[int]:
    return [int(to_array(await mixer.__anext__())[0, 0]) for _ in range(count)]


def test_voices_are_added_and_missing_ones_are_silent() -> None:
    async def run() -> list[int]:
        mixer = Mixer(sample_rate=RATE)
        mixer.push(ANN, tone(100, 3))
        mixer.push(BOB, tone(20, 2))
        return await levels(mixer, 4)

    assert run_virtual(run()) == [120, 120, 100, 0]


def test_frames_come_in_the_clocks_pace() -> None:
    async def run() -> float:
        mixer = Mixer(sample_rate=RATE)
        began = asyncio.get_running_loop().time()
        await levels(mixer, 51)
        return asyncio.get_running_loop().time() - began

    assert abs(run_virtual(run()) - 50 * STEP) < 1e-6


def test_a_voice_that_is_behind_catches_up() -> None:
    async def run() -> list[int]:
        mixer = Mixer(sample_rate=RATE)
        for value in range(LATEST + 3):
            mixer.push(ANN, tone(value))
        return await levels(mixer, LATEST + 1)

    assert run_virtual(run()) == [*range(3, LATEST + 3), 0]


def test_a_voice_that_ends_leaves_nothing_behind() -> None:
    async def run() -> tuple[list[int], tuple[Key, ...]]:
        mixer = Mixer(sample_rate=RATE)
        mixer.push(ANN, tone(100, 3))
        mixer.push(BOB, tone(20, 3))
        mixer.end(ANN)
        return await levels(mixer, 1), mixer.voices

    assert run_virtual(run()) == ([20], (BOB,))


def test_after_a_stop_the_pace_begins_anew() -> None:
    async def run() -> float:
        mixer = Mixer(sample_rate=RATE)
        await levels(mixer, 3)
        await asyncio.sleep(60.0)
        began = asyncio.get_running_loop().time()
        await levels(mixer, 3)
        return asyncio.get_running_loop().time() - began

    assert abs(run_virtual(run()) - 2 * STEP) < 1e-6


def test_it_ends_when_it_is_closed() -> None:
    async def run() -> int:
        mixer = Mixer(sample_rate=RATE)
        asyncio.get_running_loop().call_later(0.1, mixer.close)
        return len([frame async for frame in mixer])

    assert run_virtual(run()) == 5
