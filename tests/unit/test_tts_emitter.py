import asyncio
import io
import wave

import numpy as np
import pytest

from agent_runtime.errors import MediaError
from agent_runtime.media.frames import frame_from_array, to_array
from agent_runtime.testing import run_virtual
from agent_runtime.tts import AudioEmitter, SynthesizedAudio
from agent_runtime.types import (
    USERDATA_TIMED_TRANSCRIPT,
    TimedString,
)
from agent_runtime.utils import aio


class Emission:
    """An emitter at 1 kHz, where a sample is a millisecond, and what came out of it."""

    def __init__(self, *, mime_type="audio/pcm", stream=True, rate=1000, channels=1):
        self.channel = aio.Chan[SynthesizedAudio]()
        self.emitter = AudioEmitter(label="fake", dst_ch=self.channel)
        self.emitter.initialize(
            request_id="r", sample_rate=rate, num_channels=channels, mime_type=mime_type, stream=stream
        )
        if stream:
            self.emitter.start_segment(segment_id="s")

    def take(self):
        return [self.channel.recv_nowait() for _ in range(self.channel.qsize())]

    def lengths(self):
        return [audio.frame.samples_per_channel for audio in self.take()]


def pcm(count, start=0):
    return np.arange(start, start + count, dtype=np.int16).tobytes()


def samples(audios):
    return np.concatenate([to_array(audio.frame)[:, 0] for audio in audios])


def in_loop(check):
    async def main():
        check()

    run_virtual(main())


def test_frames_grow_and_the_last_one_is_marked():
    def check():
        out = Emission()
        out.emitter.push(pcm(1000))
        out.emitter.end_segment()
        audios = out.take()
        assert [a.frame.samples_per_channel for a in audios] == [20, 40, 80, 160, 200, 200, 200, 100]
        assert [a.is_final for a in audios] == [False] * 7 + [True]
        assert {(a.request_id, a.segment_id) for a in audios} == {("r", "s")}
        assert (samples(audios) == np.arange(1000)).all()
        assert out.emitter.pushed_duration() == pytest.approx(1.0)

    in_loop(check)


@pytest.mark.parametrize("size", [1, 3, 7, 64, 999])
def test_bytes_may_be_cut_anywhere(size):
    def check():
        out = Emission()
        data = pcm(500)
        for start in range(0, len(data), size):
            out.emitter.push(data[start : start + size])
        out.emitter.end_segment()
        assert (samples(out.take()) == np.arange(500)).all()

    in_loop(check)


def test_half_a_sample_at_the_end_is_dropped():
    def check():
        out = Emission()
        out.emitter.push(pcm(50) + b"\x01")
        out.emitter.end_segment()
        assert (samples(out.take()) == np.arange(50)).all()

    in_loop(check)


def test_held_back_audio_goes_out_before_the_listener_runs_dry():
    async def main():
        out = Emission()
        out.emitter.push(pcm(30))
        assert out.lengths() == [20]
        out.emitter.push(pcm(35))
        assert out.lengths() == []
        await asyncio.sleep(0.0199)  # 20 ms are being heard; the rest is due 20 ms before their end: now
        assert out.lengths() == [45]
        out.emitter.end_segment()
        (marker,) = out.take()
        assert (marker.is_final, samples([marker]).any()) == (True, False)
        assert out.emitter.pushed_duration() == pytest.approx(0.065)

    run_virtual(main())


def test_flush_lets_everything_go_and_starts_small_again():
    def check():
        out = Emission()
        out.emitter.push(pcm(25))
        out.emitter.flush()
        assert out.lengths() == [25]
        out.emitter.push(pcm(100))
        assert out.lengths() == [20, 40]

    in_loop(check)


def test_words_come_with_the_audio_after_them():
    def check():
        out = Emission()
        out.emitter.push_timed_transcript([TimedString("one ", 0.0, 0.1), TimedString("two ", 0.1, 0.2)])
        out.emitter.push(pcm(50))
        out.emitter.push_timed_transcript(TimedString("three", 0.2, 0.3))
        out.emitter.end_segment()
        words = [a.frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, []) for a in out.take()]
        assert words == [["one ", "two "], ["three"]]

    in_loop(check)


def test_frames_of_another_rate_are_resampled():
    def check():
        out = Emission(rate=8000)
        tone = (np.sin(np.arange(16000) * 2 * np.pi * 200 / 16000) * 9000).astype(np.int16)
        for start in range(0, 16000, 160):
            out.emitter.push_frame(frame_from_array(tone[start : start + 160], 16000))
        out.emitter.end_segment()
        audios = out.take()
        assert {a.frame.sample_rate for a in audios} == {8000}
        heard = samples(audios)
        assert len(heard) == 8000
        assert np.abs(heard[50:-50] - np.sin(np.arange(8000) * 2 * np.pi * 200 / 8000)[50:-50] * 9000).max() < 200

    in_loop(check)


def test_a_frame_goes_on_in_one_piece_but_for_what_may_be_the_end():
    def check():
        out = Emission()
        out.emitter.push_frame(frame_from_array(np.arange(500, dtype=np.int16), 1000))
        assert [a.frame.samples_per_channel for a in out.take()] == [490]
        out.emitter.push_frame(frame_from_array(np.arange(500, 540, dtype=np.int16), 1000))
        out.emitter.end_segment()
        audios = out.take()
        assert [(a.frame.samples_per_channel, a.is_final) for a in audios] == [(40, False), (10, True)]
        assert list(samples(audios)) == list(range(490, 540))

    in_loop(check)


def test_a_frame_between_segments_is_an_error():
    def check():
        out = Emission()
        out.emitter.end_segment()
        with pytest.raises(RuntimeError, match="before start_segment"):
            out.emitter.push_frame(frame_from_array(np.zeros(10, np.int16), 1000))

    in_loop(check)


def test_frames_of_other_channels_are_an_error_that_names_the_provider():
    def check():
        out = Emission()
        with pytest.raises(ValueError, match="fake gave a frame of 2 channels, having promised 1"):
            out.emitter.push_frame(frame_from_array(np.zeros((10, 2), np.int16), 1000))

    in_loop(check)


def wav_bytes(data, rate, channels=1):
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(data)
    return file.getvalue()


@pytest.mark.parametrize("size", [1, 10, 43, 5000])
def test_a_wav_file_is_decoded_while_it_comes(size):
    def check():
        out = Emission(mime_type="audio/wav; codecs=1")
        data = wav_bytes(pcm(300), 1000)
        for start in range(0, len(data), size):
            out.emitter.push(data[start : start + size])
        out.emitter.end_segment()
        assert (samples(out.take()) == np.arange(300)).all()

    in_loop(check)


def test_a_stereo_wav_of_another_rate_becomes_what_was_promised():
    def check():
        out = Emission(mime_type="audio/x-wav", rate=8000)
        left_right = np.stack([np.full(16000, 1000), np.full(16000, 3000)], axis=1).astype(np.int16)
        out.emitter.push(wav_bytes(left_right.tobytes(), 16000, 2))
        out.emitter.end_segment()
        heard = samples(out.take())
        assert len(heard) == 8000
        assert np.abs(heard[100:-100] - 2000).max() < 20

    in_loop(check)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"<html>Bad gateway</html>", "fake sent something that isn't a WAV file"),
        (wav_bytes(pcm(10), 1000).replace(b"\x10\x00data", b"\x18\x00data"), "with 24 bits"),
    ],
)
def test_what_is_not_such_a_wav_file_names_the_provider(data, problem):
    def check():
        out = Emission(mime_type="audio/wav")
        with pytest.raises(MediaError, match=problem):
            out.emitter.push(data)

    in_loop(check)


def test_audio_that_cannot_be_decoded_says_what_to_ask_for():
    def check():
        with pytest.raises(MediaError, match="fake sends audio/speex: ask it for audio/pcm or audio/wav"):
            Emission(mime_type="audio/speex")

    in_loop(check)


def test_misuse_is_told():
    def check():
        emitter = AudioEmitter(label="fake", dst_ch=aio.Chan())
        with pytest.raises(RuntimeError, match="call initialize"):
            emitter.push(b"")
        out = Emission()
        with pytest.raises(RuntimeError, match="initialized already"):
            out.emitter.initialize(request_id="r", sample_rate=1, num_channels=1, mime_type="audio/pcm")
        with pytest.raises(RuntimeError, match="'t' is started before segment 's' was ended"):
            out.emitter.start_segment(segment_id="t")
        out.emitter.end_segment()
        with pytest.raises(RuntimeError, match="before start_segment"):
            out.emitter.push(b"00")
        plain = Emission(stream=False)
        for call in (lambda: plain.emitter.start_segment(segment_id="x"), plain.emitter.end_segment):
            with pytest.raises(RuntimeError, match="stream=True"):
                call()

    in_loop(check)


def test_after_the_end_everything_is_ignored():
    def check():
        out = Emission(stream=False)
        out.emitter.push(pcm(10))
        out.emitter.end_input()
        out.emitter.push(pcm(10))
        out.emitter.flush()
        out.emitter.end_input()
        assert [a.is_final for a in out.take()] == [True]

    in_loop(check)
