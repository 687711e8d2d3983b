"""The speaker's samples that go with the microphone's."""

from __future__ import annotations

import numpy as np
import pytest

from agent_runtime.devices.echo import FarEnd, Mark, Reference

FRAME, BLOCK = 480, 192


class Playing:
    """A speaker that plays 1, 2, 3 … in blocks of 192, and a microphone's marks after each 480."""

    def __init__(self, rate: int = 48000) -> None:
        self.reference = Reference(rate, latency=0.012, block=BLOCK)
        self.near = 0

    def advance(self, frames: int = 1) -> Mark:
        self.near += FRAME * frames
        ring = self.reference.ring
        while ring.written + BLOCK <= self.near:
            ring.write(np.arange(ring.written + 1, ring.written + 1 + BLOCK).astype(np.int16))
        return Mark(self.near, self.reference, ring.written)


def test_the_speakers_signal_comes_in_one_piece() -> None:
    far, playing = FarEnd(48000), Playing()
    frames = [far.take(playing.advance()) for _ in range(20)]
    samples = np.concatenate([frame for frame in frames[1:] if frame is not None])
    assert {len(frame) for frame in frames if frame is not None} == {FRAME}
    assert (np.diff(samples) == 1).all()
    assert samples[-1] == pytest.approx(playing.near, abs=2 * FRAME)
    assert far.delay == pytest.approx(0.016)


def test_a_microphone_that_lost_audio_goes_on_beside_the_newest() -> None:
    far, playing = FarEnd(48000), Playing()
    for _ in range(5):
        far.take(playing.advance())
    frame = far.take(playing.advance(frames=20))
    assert frame is not None
    assert frame[-1] == playing.reference.ring.written - BLOCK


def test_a_speaker_that_stalls_is_silent_and_one_that_is_gone_is_none() -> None:
    far, playing = FarEnd(48000), Playing()
    mark = playing.advance()
    for _ in range(4):
        frame = far.take(mark)
    assert frame is not None
    assert not frame.any()
    assert far.take(Mark(0, None, 0)) is None
    assert far.take(None) is None
    assert far.delay == 0.0


def test_a_speaker_of_another_rate_is_converted() -> None:
    far, playing = FarEnd(16000), Playing()
    frames = [far.take(playing.advance()) for _ in range(20)]
    samples = np.concatenate([frame for frame in frames[5:] if frame is not None]).astype(int)
    assert len(samples) == 15 * 160
    assert np.abs(np.diff(samples) - 3).max() <= 2
