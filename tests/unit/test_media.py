from __future__ import annotations

import sys

import numpy as np
import pytest

from agent_runtime.errors import MissingDependencyError
from agent_runtime.media import g711
from agent_runtime.media.fade import fade_in, fade_length, fade_out
from agent_runtime.media.framing import Framer
from agent_runtime.media.levels import SILENCE, LevelMeter, measure
from agent_runtime.media.mix import gain, limit, mix, to_channels, to_mono
from agent_runtime.media.processing import AudioProcessor, ProcessingOptions
from agent_runtime.media.resample import Resampler, resample
from agent_runtime.media.ring import AudioRing


def sine(frequency: float, rate: int, seconds: float = 1.0, amplitude: float = 32767) -> np.ndarray:
    return np.rint(amplitude * np.sin(2 * np.pi * frequency * np.arange(round(rate * seconds)) / rate)).astype(np.int16)


def test_a_ring_drops_the_oldest_and_counts_it() -> None:
    ring = AudioRing(10)
    ring.write(np.arange(7, dtype=np.int16))
    assert ring.read(3)[:, 0].tolist() == [0, 1, 2]
    ring.write(np.arange(7, 20, dtype=np.int16))
    assert (len(ring), ring.written) == (10, 20)
    assert ring.read(4)[:, 0].tolist() == [10, 11, 12, 13]
    assert ring.dropped == 7
    ring.clear()
    assert (len(ring), ring.position, ring.dropped) == (0, 20, 7)


def test_a_ring_keeps_the_end_of_a_write_that_is_longer_than_it() -> None:
    ring = AudioRing(4, channels=2)
    ring.write(np.arange(20, dtype=np.int16).reshape(10, 2))
    assert ring.read(100).tolist() == [[12, 13], [14, 15], [16, 17], [18, 19]]
    assert ring.dropped == 6


def test_a_reader_that_is_overtaken_while_it_copies_takes_newer_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = AudioRing(8)
    ring.write(np.arange(8, dtype=np.int16))
    concatenate = np.concatenate

    def overtaken(parts: tuple[np.ndarray, ...]) -> np.ndarray:
        monkeypatch.setattr(np, "concatenate", concatenate)
        ring.write(np.arange(8, 13, dtype=np.int16))  # as another thread would, in the middle of the copy
        return concatenate(parts)

    monkeypatch.setattr(np, "concatenate", overtaken)
    assert ring.read(4)[:, 0].tolist() == [5, 6, 7, 8]
    assert ring.dropped == 5


def test_skipping_goes_forward_only() -> None:
    ring = AudioRing(10)
    ring.write(np.arange(6, dtype=np.int16))
    ring.skip_to(4)
    ring.skip_to(2)
    assert ring.read(1)[0, 0] == 4
    ring.skip_to(99)
    assert ring.position == 6
    with pytest.raises(ValueError, match="can't hold anything"):
        AudioRing(0)


def test_a_framer_fills_the_last_frame_with_silence() -> None:
    framer = Framer.of_duration(0.01, 400)
    assert framer.size == 4
    assert [f.tolist() for f in framer.push(np.arange(1, 7, dtype=np.int16))] == [[1, 2, 3, 4]]
    assert len(framer) == 2
    last = framer.flush()
    assert last is not None
    assert last.tolist() == [5, 6, 0, 0]
    assert framer.flush() is None


def test_a_missing_resampler_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "samplerate", None)
    assert Resampler(16000, 16000).push(np.ones(3, np.int16)).tolist() == [1, 1, 1]
    with pytest.raises(MissingDependencyError, match="pip install samplerate"):
        Resampler(16000, 8000).push(np.zeros(160, np.int16))


def test_full_scale_does_not_wrap_round_in_the_resampler() -> None:
    square = np.where(np.arange(4800) // 100 % 2, 32767, -32768).astype(np.int16)
    resampler = Resampler(48000, 16000)
    out = np.concatenate((resampler.push(square), resampler.flush())).astype(int)
    # A wrapped sample would have the wrong sign in the middle of a half-wave.
    middles = out[16::33][:40]
    assert np.abs(middles).min() > 30000
    assert out.max() == 32767
    assert out.min() == -32768


def test_channels_are_mixed_without_losing_any() -> None:
    stereo = np.array([[100, 300], [-5, -6]], np.int16)
    assert to_mono(stereo).tolist() == [200, -6]
    assert to_channels(np.array([7, 8], np.int16), 3).tolist() == [[7, 7, 7], [8, 8, 8]]
    assert to_channels(stereo, 2) is stereo
    assert to_channels(stereo, 3).tolist() == [[100, 300, 200], [-5, -6, -6]]
    assert to_channels(np.array([[3, 6, 9]], np.int16), 2).tolist() == [[6, 6]]
    with pytest.raises(ValueError, match="at least one channel"):
        to_channels(stereo, 0)


def test_mixing_is_exact_below_the_knee_and_never_clips_hard() -> None:
    a, b = np.array([1000, 20000, -20000, 32767], np.int16), np.array([2000, 20000, -20000], np.int16)
    mixed = mix([a, b])
    assert mixed[0] == 3000
    assert 32767 > mixed[1] == -mixed[2] > 30000
    assert mixed[3] > 26214
    assert mix([]).size == 0
    loud = limit(np.linspace(-200000, 200000, 999, dtype=np.float32))
    assert (np.diff(loud.astype(int)) >= 0).all()
    assert gain(np.array([1000], np.int16), -6.0206).tolist() == [500]
    assert gain(a, 0) is a


def test_g711_matches_the_published_values() -> None:
    # ITU-T G.711: the ends and the zeros of both codes.
    assert g711.ulaw_decode(b"\x80\x00\xff\x7f").tolist() == [32124, -32124, 0, 0]
    assert g711.alaw_decode(b"\xaa\x2a\xd5\x55").tolist() == [32256, -32256, 8, -8]
    assert g711.ulaw_encode(np.zeros(2, np.int16)) == b"\xff\xff"
    assert g711.alaw_encode(np.zeros(2, np.int16)) == b"\xd5\xd5"


def test_levels_are_dbfs() -> None:
    level = measure(sine(1000, 48000))
    assert level.rms == pytest.approx(-3.01, abs=0.01)
    assert level.peak == pytest.approx(0.0, abs=0.01)
    assert not level.clipped
    assert measure(np.zeros(10, np.int16)) == measure(np.zeros(0, np.int16))
    assert measure(np.zeros(10, np.int16)).rms == SILENCE
    assert measure(np.clip(sine(1000, 48000).astype(int) * 2, -32768, 32767).astype(np.int16)).clipped
    assert measure(np.full((10, 2), -32768, np.int16)).clipped
    assert measure(sine(100, 8000, amplitude=3276.7)).rms == pytest.approx(-23.01, abs=0.01)


def test_a_peak_is_held_and_then_falls() -> None:
    meter = LevelMeter(hold=1.0, decay=20.0)
    meter.push(np.array([16384], np.int16), 10.0)
    meter.push(np.array([10], np.int16), 10.5)
    assert meter.held_peak(11.0) == pytest.approx(-6.02, abs=0.01)
    assert meter.held_peak(12.0) == pytest.approx(-26.02, abs=0.01)
    assert meter.held_peak(99.0) == SILENCE


def test_fades_end_in_nothing() -> None:
    assert fade_length(48000) == 240
    ones = np.full(100, 10000, np.int16)
    assert fade_out(ones)[0] == 10000
    assert fade_out(ones)[-1] == 100
    assert fade_in(ones)[0] == 0
    assert fade_in(np.full((4, 2), 100, np.int16)).tolist() == [[0, 0], [25, 25], [50, 50], [75, 75]]


def echo_left(processor: AudioProcessor, far: np.ndarray, *, hear_speaker: bool) -> float:
    """Sound pressure that is left of an echo of -12 dB after 60 ms, in dB, over the last second."""
    delay = processor.sample_rate * 60 // 1000
    near = (np.concatenate((np.zeros(delay, np.int16), far[:-delay])) * 0.25).astype(np.int16)
    size = processor.frame_size
    out = [
        processor.process(near[i : i + size], far[i : i + size] if hear_speaker else None)
        for i in range(0, len(far) - size + 1, size)
    ]
    after = np.concatenate(out)[-processor.sample_rate :].astype(float)
    before = near[-processor.sample_rate :].astype(float)
    return 10 * float(np.log10(max(1e-9, (after**2).mean()) / (before**2).mean()))


def test_the_speaker_is_taken_out_of_the_microphone() -> None:
    rng = np.random.default_rng(1)
    far = np.clip(rng.standard_normal(48000 * 4) * 4000, -32768, 32767).astype(np.int16)
    kept = far.copy()
    processor = AudioProcessor(48000)
    processor.set_delay(0.06)
    assert echo_left(processor, far, hear_speaker=True) < -25
    assert np.array_equal(far, kept)
    assert echo_left(AudioProcessor(48000), far, hear_speaker=False) > -6


def test_rumble_is_filtered_off_and_speech_is_kept() -> None:
    processor = AudioProcessor(16000, ProcessingOptions(echo_cancellation=False))
    for frequency, low, high in ((20, -120, -12), (1000, -1, 1)):
        signal = sine(frequency, 16000, amplitude=8000)
        out = np.concatenate([processor.process(signal[i : i + 160]) for i in range(0, 16000, 160)])
        change = measure(out[8000:]).rms - measure(signal[8000:]).rms
        assert low < change < high


def test_only_frames_of_10_ms_are_taken() -> None:
    processor = AudioProcessor(48000)
    with pytest.raises(ValueError, match=r"near has shape \(960,\); a frame of 10 ms is \(480,\)"):
        processor.process(np.zeros(960, np.int16))
    with pytest.raises(ValueError, match=r"far has shape"):
        processor.process(np.zeros(480, np.int16), np.zeros(100, np.int16))
    with pytest.raises(ValueError, match="44100"):
        AudioProcessor(44100)


def test_with_everything_off_nothing_is_touched() -> None:
    off = ProcessingOptions(echo_cancellation=False, high_pass=False)
    frame = np.arange(480, dtype=np.int16)
    assert AudioProcessor(48000, off).process(frame, frame) is frame


def test_one_channel_in_two_dimensions_is_resampled_as_such() -> None:
    samples = np.arange(160, dtype=np.int16)
    column = resample(samples[:, np.newaxis], 16000, 48000)
    assert column.shape == (480, 1)
    assert np.array_equal(column[:, 0], resample(samples, 16000, 48000))
