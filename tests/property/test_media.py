"""Audio keeps its length and its level however it is cut into pieces."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from agent_runtime.media import g711
from agent_runtime.media.framing import Framer
from agent_runtime.media.levels import measure
from agent_runtime.media.mix import mix, to_channels, to_mono
from agent_runtime.media.resample import Resampler, resample
from agent_runtime.media.ring import AudioRing

RATES = st.sampled_from([8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000])
CUTS = st.lists(st.integers(0, 997), min_size=1, max_size=12)
PCM = st.integers(0, 400).flatmap(lambda n: hnp.arrays(np.int16, n))


def pieces(samples: np.ndarray, cuts: list[int]) -> list[np.ndarray]:
    """Cut into pieces of these sizes, over and over."""
    if not any(cuts):
        return [samples]
    out, start, i = [], 0, 0
    while start < len(samples):
        out.append(samples[start : start + cuts[i % len(cuts)]])
        start += cuts[i % len(cuts)]
        i += 1
    return out


def voice(rate: int, seconds: float) -> np.ndarray:
    t = np.arange(round(rate * seconds)) / rate
    return (9000 * np.sin(2 * np.pi * 440 * t) + 5000 * np.sin(2 * np.pi * 1300 * t)).astype(np.int16)


@given(RATES, RATES, CUTS, st.sampled_from([1, 2]))
def test_resampling_keeps_length_and_level_on_any_chunking(a: int, b: int, cuts: list[int], channels: int) -> None:
    mono = voice(a, 0.15)
    signal = mono if channels == 1 else to_channels(mono, 2)
    resampler = Resampler(a, b, channels)
    out = np.concatenate([*(resampler.push(piece) for piece in pieces(signal, cuts)), resampler.flush()])
    assert len(out) == round(len(signal) * b / a)
    assert np.array_equal(out, resample(signal, a, b))
    assert abs(measure(out).rms - measure(signal).rms) < 0.3
    assert abs(out[len(out) // 4 : -len(out) // 4].astype(int) - voice_like(out, b)).max() < 40


def voice_like(out: np.ndarray, rate: int) -> np.ndarray:
    """The same voice made at `rate`, in the shape and for the middle of `out`."""
    ideal = voice(rate, 0.2)[: len(out)].astype(int)
    ideal = ideal if out.ndim == 1 else np.stack([ideal, ideal], axis=1)
    return ideal[len(out) // 4 : -len(out) // 4]


@given(RATES, RATES, CUTS)
def test_a_resampler_is_as_new_after_a_flush(a: int, b: int, cuts: list[int]) -> None:
    signal, resampler = voice(a, 0.05), Resampler(a, b)
    first = np.concatenate((resampler.push(signal), resampler.flush()))
    second = np.concatenate([*(resampler.push(piece) for piece in pieces(signal, cuts)), resampler.flush()])
    assert np.array_equal(first, second)


@given(PCM, CUTS, st.integers(1, 200))
def test_framing_loses_and_invents_nothing(samples: np.ndarray, cuts: list[int], size: int) -> None:
    framer = Framer(size)
    frames = [frame for piece in pieces(samples, cuts) for frame in framer.push(piece)]
    last = framer.flush()
    out = np.concatenate([np.zeros(0, np.int16), *frames, *([] if last is None else [last])])
    assert {len(f) for f in frames} <= {size}
    assert np.array_equal(out[: len(samples)], samples)
    assert not out[len(samples) :].any()
    assert 0 <= len(out) - len(samples) < size


@given(PCM, st.integers(1, 9))
def test_mono_comes_back_from_any_number_of_channels(samples: np.ndarray, channels: int) -> None:
    wide = to_channels(samples, channels)
    assert wide.shape == (len(samples), channels)
    assert np.array_equal(to_mono(wide), samples)


@given(st.lists(PCM, max_size=5))
def test_a_mix_is_as_long_as_the_longest_and_never_wraps(streams: list[np.ndarray]) -> None:
    out = mix(streams)
    assert len(out) == max((len(s) for s in streams), default=0)
    total = np.zeros(len(out), np.int64)
    for stream in streams:
        total[: len(stream)] += stream
    quiet = np.abs(total) < 26000
    assert np.array_equal(out[quiet], total[quiet])
    assert (np.sign(out[~quiet]) == np.sign(total[~quiet])).all()
    assert (np.abs(out[~quiet].astype(int)) >= 25999).all()


@given(hnp.arrays(np.int16, 300), CUTS)
def test_g711_keeps_level_and_is_stable_on_any_chunking(samples: np.ndarray, cuts: list[int]) -> None:
    for encode, decode in ((g711.ulaw_encode, g711.ulaw_decode), (g711.alaw_encode, g711.alaw_decode)):
        code = b"".join(encode(piece) for piece in pieces(samples, cuts))
        assert code == encode(samples)
        out = decode(code).astype(int)
        # A segment's step is a sixteenth of its size, so half of one is the most that a sample is off; 644 is the top.
        assert (np.abs(out - samples) <= np.maximum(8, np.minimum(np.abs(samples.astype(int)) / 31, 644) + 4)).all()
        assert decode(encode(out.astype(np.int16))).tolist() == out.tolist()


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 40)), max_size=40))
def test_a_ring_gives_what_went_in_in_order_and_counts_the_rest(steps: list[tuple[bool, int]]) -> None:
    ring, written, got = AudioRing(32), 0, 0
    for is_write, count in steps:
        if is_write:
            ring.write(np.arange(written, written + count).astype(np.int16))
            written += count
        else:
            taken = ring.read(count)[:, 0]
            assert np.array_equal(taken, np.arange(ring.position - len(taken), ring.position).astype(np.int16))
            got += len(taken)
    got += len(ring.read(32))
    assert got + ring.dropped == written
