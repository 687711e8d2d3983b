"""Compressed audio: whatever way it is cut, the same sound comes out."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from agent_runtime.errors import MediaError, MissingDependencyError
from agent_runtime.media import compressed
from agent_runtime.media.decoding import Decoder, make_decoder
from agent_runtime.utils.codecs import AudioStreamDecoder
from tests.support.encoding import encoded

RATE = 24000
SECONDS = 1.5
FORMATS = {
    "audio/mpeg": ("mp3", "libmp3lame"),
    "audio/aac": ("adts", "aac"),
    "audio/ogg": ("ogg", "libopus"),
    "audio/opus": ("webm", "libopus"),
    "audio/webm;codecs=opus": ("webm", "libopus"),
    "audio/flac": ("flac", "flac"),
}


def sweep() -> NDArray[np.int16]:
    """A tone that rises, so that a piece that is lost or moved shows."""
    t = np.arange(round(SECONDS * RATE)) / RATE
    return (9000 * np.sin(2 * np.pi * (200 + 400 * t) * t)).astype(np.int16)


FILES = {mime: encoded(sweep(), RATE, *kind) for mime, kind in FORMATS.items()}


def decoder_of(mime: str) -> Decoder:
    decoder = make_decoder(mime, RATE, 1, "Acme")
    assert decoder is not None
    return decoder


def decoded(mime: str, pieces: list[bytes]) -> NDArray[np.int16]:
    decoder = decoder_of(mime)
    data = b"".join(decoder.push(piece) for piece in pieces)
    return np.frombuffer(data + decoder.flush(), np.int16)


def assert_is_the_sweep(samples: NDArray[np.int16]) -> None:
    """It may begin and end with what the codec adds, at most a tenth of a second."""
    wanted = sweep().astype(np.float64)
    assert abs(len(samples) - len(wanted)) < RATE / 10
    size = 1 << 17
    cross = np.fft.irfft(np.fft.rfft(samples.astype(np.float64), size) * np.conj(np.fft.rfft(wanted, size)), size)
    lag = int(np.argmax(cross))
    lag -= size if lag > size // 2 else 0
    assert abs(lag) < RATE / 10
    heard, meant = (samples[lag:], wanted) if lag >= 0 else (samples, wanted[-lag:])
    count = min(len(heard), len(meant))
    assert np.corrcoef(heard[:count], meant[:count])[0, 1] > 0.99


@pytest.mark.parametrize("mime", FORMATS)
def test_a_file_that_comes_at_once(mime: str) -> None:
    assert_is_the_sweep(decoded(mime, [FILES[mime]]))


@settings(max_examples=8, deadline=None)
@given(size=st.integers(1, 5000))
@pytest.mark.parametrize("mime", FORMATS)
def test_how_it_is_cut_makes_no_difference(mime: str, size: int) -> None:
    data = FILES[mime]
    pieces = [data[i : i + size] for i in range(0, len(data), size)]
    assert np.array_equal(decoded(mime, pieces), decoded(mime, [data]))


def test_mp3_sounds_before_it_is_all_there() -> None:
    decoder, data = decoder_of("audio/mpeg"), FILES["audio/mpeg"]
    assert len(decoder.push(data[: len(data) // 2])) > RATE * 2 * SECONDS / 3


@pytest.mark.parametrize("mime", FORMATS)
def test_after_one_file_comes_another(mime: str) -> None:
    decoder = decoder_of(mime)
    for _ in range(2):
        data = decoder.push(FILES[mime]) + decoder.flush()
        assert_is_the_sweep(np.frombuffer(data, np.int16))


@pytest.mark.parametrize("mime", FORMATS)
def test_a_file_that_breaks_off_gives_what_there_is(mime: str) -> None:
    samples = decoded(mime, [FILES[mime][: len(FILES[mime]) * 2 // 3]])
    assert RATE * SECONDS / 3 < len(samples) < RATE * SECONDS


@pytest.mark.parametrize("mime", FORMATS)
def test_garbage_is_told(mime: str) -> None:
    with pytest.raises(MediaError, match="Acme sent"):
        decoded(mime, [b"garbage " * 500])


@pytest.mark.parametrize("mime", FORMATS)
def test_nothing_gives_nothing(mime: str) -> None:
    assert len(decoded(mime, [])) == 0


def test_closing_ends_the_thread_that_waits_for_more() -> None:
    before = set(threading.enumerate())
    decoder = decoder_of("audio/webm")
    decoder.push(FILES["audio/webm;codecs=opus"][:2000])
    (thread,) = set(threading.enumerate()) - before
    decoder.close()
    thread.join(5)
    assert not thread.is_alive()


def test_without_pyav_the_command_that_gets_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'agent-console\[codecs\]'"):
        make_decoder("audio/mpeg", RATE, 1, "Acme")


def test_a_whole_file_of_any_kind() -> None:
    for data in FILES.values():
        assert_is_the_sweep(np.frombuffer(compressed.decode(data, RATE, 1, "Acme"), np.int16))


@pytest.mark.parametrize("mime", [*FORMATS, None])
async def test_frames_of_a_stream(mime: str | None) -> None:
    stream = AudioStreamDecoder(sample_rate=RATE, format=mime)
    data = FILES[mime or "audio/ogg"]
    frames = []

    async def read() -> None:
        frames.extend([frame async for frame in stream])

    reading = asyncio.create_task(read())
    for start in range(0, len(data), 700):
        stream.push(data[start : start + 700])
        await asyncio.sleep(0)
    stream.end_input()
    async with asyncio.timeout(10):
        await reading
    assert {frame.sample_rate for frame in frames} == {RATE}
    assert_is_the_sweep(np.concatenate([np.frombuffer(frame.data, np.int16) for frame in frames]))


@pytest.mark.parametrize("mime", ["audio/mpeg", "audio/ogg"])
async def test_a_stream_of_garbage_raises_where_it_is_read(mime: str) -> None:
    stream = AudioStreamDecoder(format=mime)
    stream.push(b"garbage " * 500)
    stream.end_input()
    with pytest.raises(MediaError):
        async with asyncio.timeout(10):
            await anext(stream)


async def test_a_stream_that_is_closed_ends() -> None:
    stream = AudioStreamDecoder(format="audio/ogg")
    stream.push(FILES["audio/ogg"][:1000])
    await stream.aclose()
    stream.push(b"more")
    assert [frame async for frame in stream] == []
