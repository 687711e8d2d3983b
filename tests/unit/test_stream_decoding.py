"""Streams that keep their own rate and channels, WAV files one after another, and the buffer between two threads."""

import struct
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from agent_runtime.media.decoding import WavDecoder
from agent_runtime.utils.codecs import AudioStreamDecoder, StreamBuffer
from tests.support.encoding import encoded

TONE = np.arange(1, 2401, dtype=np.int16)


def wav(samples: np.ndarray, rate: int = 24000, channels: int = 1, *, size: int | None = None) -> bytes:
    data = samples.astype("<i2").tobytes()
    size = len(data) if size is None else size
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * channels * 2, channels * 2, 16)
    header = b"RIFF" + struct.pack("<I", (36 + size) & 0xFFFFFFFF) + b"WAVEfmt " + struct.pack("<I", 16) + form
    return header + b"data" + struct.pack("<I", size) + data


def decoded(pieces: list[bytes], rate: int | None = 24000, channels: int | None = 1) -> np.ndarray:
    decoder = WavDecoder(rate, channels, "Acme")
    return np.frombuffer(b"".join(map(decoder.push, pieces)) + decoder.flush(), np.int16)


@pytest.mark.parametrize("step", [1, 7, 44, 997, 100_000])
def test_wav_files_one_after_another_are_one_stream(step: int) -> None:
    data = wav(TONE) * 3
    pieces = [data[at : at + step] for at in range(0, len(data), step)]
    assert np.array_equal(decoded(pieces), np.tile(TONE, 3))


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0xFFFFFFFF])
def test_pieces_that_are_files_of_unknown_length_are_one_stream(size: int) -> None:
    assert np.array_equal(decoded([wav(TONE, size=size)] * 3), np.tile(TONE, 3))


def test_samples_past_a_length_that_was_wrong_are_heard() -> None:
    data = wav(TONE, size=100)
    assert np.array_equal(decoded([data[:500], data[500:]]), TONE)


def test_files_of_other_rates_take_the_rate_of_the_first() -> None:
    out = decoded([wav(TONE, 24000), wav(TONE, 48000)], None, None)
    assert len(out) == 2400 + 1200


async def test_a_stream_keeps_its_rate_and_channels() -> None:
    stream = AudioStreamDecoder(sample_rate=None, num_channels=None, format="audio/wav")
    stream.push(wav(TONE, 22050, 2))
    stream.end_input()
    frames = [frame async for frame in stream]
    assert {(frame.sample_rate, frame.num_channels) for frame in frames} == {(22050, 2)}
    assert sum(frame.samples_per_channel for frame in frames) == 1200


@pytest.mark.parametrize(
    ("mime", "container", "codec", "rate"),
    [("audio/mpeg", "mp3", "libmp3lame", 22050), ("audio/flac", "flac", "flac", 22050), (None, "flac", "flac", 8000)],
)
async def test_a_compressed_stream_keeps_its_rate(mime: str | None, container: str, codec: str, rate: int) -> None:
    stream = AudioStreamDecoder(sample_rate=None, num_channels=None, format=mime)
    stream.push(encoded(np.tile(TONE, 4), rate, container, codec))
    stream.end_input()
    frames = [frame async for frame in stream]
    assert {(frame.sample_rate, frame.num_channels) for frame in frames} == {(rate, 1)}
    assert abs(sum(frame.samples_per_channel for frame in frames) - 9600) < 2500  # MP3 pads with silence


def test_a_buffer_gives_its_bytes_in_order_to_another_thread() -> None:
    buffer = StreamBuffer()
    pieces = [bytes([n]) * 50 for n in range(100)]

    def read() -> bytes:
        return b"".join(iter(lambda: buffer.read(64), b""))

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        for piece in pieces:
            buffer.write(piece)
        buffer.end_input()
        assert reading.result(10) == b"".join(pieces)


def test_a_reader_that_waits_ends_when_the_buffer_is_closed() -> None:
    buffer = StreamBuffer()
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(buffer.read)
        buffer.close()
        assert reading.result(10) == b""


def test_what_is_closed_gives_and_takes_nothing() -> None:
    buffer = StreamBuffer()
    buffer.write(b"left")
    assert buffer.read(1) == b"l"
    buffer.close()
    buffer.write(b"more")
    assert buffer.read() == b""


def test_reading_no_bytes_waits_for_none() -> None:
    buffer = StreamBuffer()
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(buffer.read, 0)
        try:
            assert reading.result(10) == b""
        finally:
            buffer.close()
