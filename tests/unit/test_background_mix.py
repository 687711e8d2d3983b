"""Background sound sample by sample: volumes, fades, loops, ducking, rates, and the sounds themselves."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from agent_runtime.devices.underlay import Underlay
from agent_runtime.errors import MediaError
from agent_runtime.media import load_clip as clips
from agent_runtime.media.background_mix import RATE, BackgroundMix, Clip, Feed, Voice
from agent_runtime.media.load_clip import load_clip
from agent_runtime.media.soundscapes import MAKERS, soundscape
from agent_runtime.media.wav import write_wav

LOUD = np.full(RATE, 10000, np.int16)


def tone(rate: int, seconds: float, frequency: float = 440.0, level: float = 8000) -> np.ndarray:
    return np.rint(level * np.sin(2 * np.pi * frequency * np.arange(round(rate * seconds)) / rate)).astype(np.int16)


def in_pieces(read, total: int, sizes=(1, 191, 7, 480, 192)) -> np.ndarray:
    got, k = [], 0
    while sum(map(len, got)) < total:
        piece = read(min(sizes[k % len(sizes)], total - sum(map(len, got))))
        if not len(piece):
            break
        got.append(piece)
        k += 1
    return np.concatenate(got)


def test_volume_and_fade_in_to_the_sample():
    voice = Voice(Clip(LOUD), volume=0.5, fade_in=0.1)
    heard = in_pieces(voice.read, RATE)
    phase = np.minimum(np.arange(RATE) / 4800, 1)
    assert np.allclose(heard, 10000 * 0.5 * np.sin(phase * np.pi / 2), atol=0.01)


def test_fade_out_to_the_sample():
    over = []
    voice = Voice(Clip(LOUD), fade_out=0.1, on_over=lambda: over.append(True))
    before = in_pieces(voice.read, 1000)
    voice.stop()
    tail = in_pieces(voice.read, RATE)
    assert (before == 10000).all()
    assert np.allclose(tail, 10000 * np.cos(np.arange(4800) / 4800 * np.pi / 2), atol=0.01)
    assert over == [True]
    assert len(voice.read(10)) == 0


def test_a_fade_out_during_the_fade_in_has_no_jump():
    voice = Voice(Clip(LOUD), fade_in=0.2, fade_out=0.1)
    heard = in_pieces(voice.read, 4800)
    voice.stop()
    heard = np.concatenate((heard, in_pieces(voice.read, RATE)))
    assert np.abs(np.diff(heard)).max() < 4
    assert len(heard) == 4800 + 4800


def test_a_cut_takes_five_milliseconds():
    voice = Voice(Clip(LOUD))
    voice.read(100)
    voice.stop()
    tail = voice.read(RATE)
    assert len(tail) == RATE * 0.005
    assert np.abs(np.diff(tail, prepend=10000, append=0)).max() < 10000 * np.pi / 2 / 240 * 1.1


def test_a_clip_that_ends_is_over_once():
    over = []
    voice = Voice(Clip(LOUD[:500]), on_over=lambda: over.append(True))
    assert len(voice.read(400)) == 400
    assert over == []
    assert len(voice.read(400)) == 100
    assert len(voice.read(400)) == 0
    assert over == [True]


@pytest.mark.parametrize("length", [1, 50, 480, 1000])
def test_a_loop_has_no_gap_on_any_chunking(length):
    samples = np.arange(1, length + 1).astype(np.int16)
    heard = in_pieces(Clip(samples, loop=True).read, 5000)
    assert (heard == np.resize(samples, 5000)).all()


def test_an_empty_clip_is_over_and_never_hangs():
    over = []
    voice = Voice(Clip(np.zeros(0, np.int16), loop=True), on_over=lambda: over.append(True))
    assert len(voice.read(100)) == 0
    assert over == [True]


def test_a_feed_that_runs_dry_is_silent_and_goes_on():
    feed, mix = Feed(), BackgroundMix()
    mix.add(Voice(feed))
    feed.push(LOUD[:100])
    first = mix.read(200)
    feed.push(LOUD[:100])
    feed.finish()
    second = mix.read(200)
    assert [(part != 0).sum() for part in (first, second)] == [100, 100]
    assert feed.ended


def test_a_dry_feed_that_is_stopped_is_over():
    over = []
    voice = Voice(Feed(), fade_out=1.0, on_over=lambda: over.append(True))
    voice.stop()
    voice.read(10)
    assert over == [True]


def test_voices_are_added_and_taken_out():
    mix = BackgroundMix()
    assert mix.read(10) is None
    one, two = Voice(Clip(LOUD)), Voice(Clip(LOUD), volume=0.5)
    mix.add(one)
    mix.add(two)
    assert (mix.read(10) == 15000).all()
    mix.remove(one)
    assert (mix.read(10) == 5000).all()
    mix.remove(two)
    assert mix.read(10) is None


def test_the_background_never_gets_louder_while_the_agent_speaks():
    with pytest.raises(ValueError, match="ducking is 0 or below"):
        BackgroundMix(ducking=3.0)


# --- under the speech ----------------------------------------------------------------------------------------------


def underlay(rate: int = RATE, samples: np.ndarray = LOUD, **options: float) -> Underlay:
    mix = BackgroundMix(**options)
    mix.add(Voice(Clip(samples, loop=True)))
    return Underlay(mix, rate)


def run(under: Underlay, speech: list[tuple[int, int]], block: int = 192) -> np.ndarray:
    """The background's part of blocks of which so many samples are speech (which is silent here)."""
    return np.concatenate([under.mix(np.zeros(block, np.int16), k) for times, k in speech for _ in range(times)])


def test_ducking_is_twelve_decibels_over_two_tenths_of_a_second():
    heard = run(underlay(), [(10, 0), (100, 192), (100, 0)])
    start, ramp, end = 10 * 192, 9600, 110 * 192
    floor = 10000 * 10 ** (-12 / 20)
    assert (heard[:start] == 10000).all()
    down = 10000 - (10000 - floor) * np.arange(1, ramp + 1) / ramp
    assert np.abs(heard[start : start + ramp] - down).max() <= 1
    assert np.abs(heard[start + ramp : end] - floor).max() <= 1
    assert np.abs(heard[end : end + ramp] - down[::-1]).max() <= 2
    assert (heard[end + ramp :] == 10000).all()


def test_it_ducks_from_the_first_sample_of_speech_and_returns_after_the_last():
    heard = run(underlay(duck_fade=0.0), [(1, 0), (1, 192), (1, 50), (1, 0)])
    floor = round(10000 * 10 ** (-12 / 20))
    assert (heard[:192] == 10000).all()
    assert (heard[192 : 192 + 192 + 50] == floor).all()
    assert (heard[192 + 192 + 50 :] == 10000).all()


def test_a_gap_in_the_speech_is_no_jump():
    heard = run(underlay(), [(100, 192), (3, 0), (100, 192)])
    assert np.abs(np.diff(heard.astype(int))).max() <= 2


def test_speech_is_added_as_it_is():
    speech = tone(RATE, 1.0, level=9000)
    under, silent = underlay(), underlay()
    mixed = np.concatenate([under.mix(speech[k : k + 192], 192) for k in range(0, RATE, 192)])
    alone = np.concatenate([silent.mix(np.zeros(192, np.int16), 192) for _ in range(0, RATE, 192)])
    assert np.abs(mixed.astype(int) - speech - alone).max() <= 1


def test_without_a_sound_the_speech_is_untouched():
    speech = np.full(192, 32767, np.int16)
    assert Underlay(BackgroundMix(), RATE).mix(speech, 192) is speech


def test_what_gets_too_loud_is_limited_and_does_not_wrap():
    mixed = underlay(ducking=0.0, samples=np.full(RATE, 32000, np.int16)).mix(np.full(192, 32000, np.int16), 192)
    assert mixed.min() > 30000


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 44100, 48000])
def test_every_rate_gets_its_samples_in_full_on_any_chunking(rate):
    under = underlay(rate, samples=tone(RATE, 1.0))
    sizes = [1, 37, 441, 160, 80]
    heard = np.concatenate([under.mix(np.zeros(sizes[k % 5], np.int16), 0) for k in range(200)])
    wanted = tone(rate, len(heard) / rate)[: len(heard)]
    edge = rate // 100
    assert len(heard) == sum(sizes) * 40
    assert np.abs(heard[edge:-edge].astype(int) - wanted[edge:-edge]).max() < 8000 * 0.02


def test_what_passes_unheard_is_gone():
    under = underlay(samples=np.arange(RATE).astype(np.int16) % 1000)
    under.skip(300)
    assert under.mix(np.zeros(10, np.int16), 0).tolist() == list(range(300, 310))


def test_a_sound_at_another_rate_ends_with_silence():
    mix = BackgroundMix()
    voice = Voice(Clip(LOUD[:4800]))
    mix.add(voice)
    under = Underlay(mix, 16000)
    heard = [under.mix(np.zeros(160, np.int16), 0) for _ in range(20)]
    mix.remove(voice)
    assert np.abs(heard[5]).max() > 9000
    assert not np.concatenate([under.mix(np.zeros(160, np.int16), 0) for _ in range(3)])[160:].any()


def test_nothing_of_one_sound_is_left_in_the_next():
    def after(first: bool) -> np.ndarray:
        mix = BackgroundMix()
        under = Underlay(mix, 16000)
        if first:
            voice = Voice(Clip(LOUD[:4800]))
            mix.add(voice)
            for _ in range(12):
                under.mix(np.zeros(160, np.int16), 0)
            mix.remove(voice)
            for _ in range(3):
                under.mix(np.zeros(160, np.int16), 0)
        mix.add(Voice(Clip(tone(RATE, 0.2))))
        return np.concatenate([under.mix(np.zeros(160, np.int16), 0) for _ in range(10)])

    assert (after(True) == after(False)).all()


# --- sounds ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MAKERS)
def test_every_sound_is_soft_the_same_each_time_and_goes_round(name):
    samples = soundscape(name)
    assert (MAKERS[name]() == samples).all()
    level = 20 * np.log10(np.sqrt(np.mean((samples / 32768) ** 2)))
    assert -50 < level < -20
    assert np.abs(samples).max() < 32767 * 0.25
    steps = np.abs(np.diff(samples.astype(int)))
    assert abs(int(samples[0]) - int(samples[-1])) <= np.quantile(steps, 0.9999)
    assert len({other for other in MAKERS if np.array_equal(soundscape(other), samples)}) == 1


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (11025, 1), (24000, 2), (44100, 1), (48000, 2)])
def test_a_file_becomes_a_clip_that_goes_round(tmp_path, rate, channels):
    mono = tone(rate, 1.0, frequency=440)  # whole cycles: the loop has no seam of its own
    write_wav(tmp_path / "a.wav", np.repeat(mono[:, None], channels, axis=1), rate)
    samples = asyncio.run(load_clip(tmp_path / "a.wav", RATE))
    twice = np.concatenate((samples, samples)).astype(int)
    wanted = np.tile(tone(RATE, 1.0), 2)
    assert len(samples) == RATE
    assert np.abs(twice - wanted).max() < 8000 * 0.01
    assert np.abs(np.diff(twice)[RATE - 5 : RATE + 5]).max() <= np.abs(np.diff(twice)[:RATE]).max()


def test_a_file_that_is_shorter_than_the_filter(tmp_path):
    write_wav(tmp_path / "a.wav", tone(16000, 0.001), 16000)
    assert len(asyncio.run(load_clip(tmp_path / "a.wav", RATE))) == 48
    write_wav(tmp_path / "b.wav", tone(16000, 0), 16000)
    assert len(asyncio.run(load_clip(tmp_path / "b.wav", RATE))) == 0


def test_a_file_too_long_for_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(clips, "LONGEST", 0.5)
    write_wav(tmp_path / "long.wav", tone(8000, 0.6), 8000)
    with pytest.raises(MediaError, match=r"long\.wav: is 1 s long.*async iterator"):
        asyncio.run(load_clip(tmp_path / "long.wav", RATE))
