from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from agent_runtime.errors import MediaError
from agent_runtime.media import g711
from agent_runtime.media.wav import WavReader, WavWriter, read_wav, write_wav

RAMP = np.array([[0, 1000], [-32768, 32767], [12345, -12345], [-1, 1]], np.int16)


def wav(code: int, bits: int, channels: int, data: bytes, *, extensible: bool = False, extra: bytes = b"") -> bytes:
    block = channels * bits // 8
    form = struct.pack("<HHIIHH", 0xFFFE if extensible else code, channels, 22050, 22050 * block, block, bits)
    if extensible:
        guid = struct.pack("<H", code) + bytes.fromhex("0000000010008000 00aa00389b71")
        form += struct.pack("<HHI", 22, bits, 0) + guid
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + extra + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def pcm24(samples: np.ndarray) -> bytes:
    wide = (samples.astype(np.int32).ravel() << 8).astype("<i4")
    return wide.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()


ENCODINGS = {
    "8 bit": (1, 8, ((RAMP.astype(np.int32) >> 8) + 128).astype(np.uint8).tobytes(), 256),
    "16 bit": (1, 16, RAMP.tobytes(), 0),
    "24 bit": (1, 24, pcm24(RAMP), 0),
    "32 bit": (1, 32, (RAMP.astype("<i4") << 16).tobytes(), 0),
    "float": (3, 32, (RAMP / 32768).astype("<f4").tobytes(), 0),
    "double": (3, 64, (RAMP / 32768).astype("<f8").tobytes(), 0),
    "μ-law": (7, 8, g711.ulaw_encode(RAMP.ravel()), 1024),
    "A-law": (6, 8, g711.alaw_encode(RAMP.ravel()), 1024),
}


@pytest.mark.parametrize("extensible", [False, True])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_reads_every_common_encoding(encoding: str, extensible: bool, tmp_path: Path) -> None:
    code, bits, data, tolerance = ENCODINGS[encoding]
    path = tmp_path / "a.wav"
    path.write_bytes(wav(code, bits, 2, data, extensible=extensible, extra=b"LIST\x03\x00\x00\x00abc\x00"))
    samples, rate = read_wav(path)
    assert rate == 22050
    assert samples.shape == (4, 2)
    assert np.abs(samples.astype(int) - RAMP).max() <= tolerance


def test_wide_samples_are_rounded_and_never_wrap(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(1, 32, 1, np.array([0x7FFFFFFF, 0x00018000, 0x00017FFF, -1], "<i4").tobytes()))
    assert read_wav(path)[0].ravel().tolist() == [32767, 2, 1, 0]
    path.write_bytes(wav(3, 32, 1, np.array([2.0, -2.0, np.nan, np.inf], "<f4").tobytes()))
    assert read_wav(path)[0].ravel().tolist() == [32767, -32768, 0, 32767]


def test_reads_piece_by_piece(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", RAMP, 8000)
    with WavReader(tmp_path / "a.wav") as reader:
        assert (reader.frames, reader.channels, reader.duration) == (4, 2, 4 / 8000)
        pieces = [reader.read(3), reader.read(3), reader.read(3)]
    assert [len(piece) for piece in pieces] == [3, 1, 0]
    assert np.array_equal(np.concatenate(pieces), RAMP)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is not a WAV file"),
        (b"ID3\x03 this is an mp3 by another name", "is not a WAV file"),
        (wav(1, 16, 2, RAMP.tobytes())[:-3], "is truncated: 13 of 16 bytes of audio are there"),
        (wav(1, 16, 2, RAMP.tobytes())[:36], "has no audio in it: the file is truncated"),
        (wav(1, 16, 2, RAMP.tobytes())[:24], "is truncated in its format"),
        (
            wav(0x55, 16, 1, b"\0\0"),
            "has encoding 0x0055 with 16 bits, which isn't supported: convert it to 16-bit PCM",
        ),
        (wav(1, 12, 1, b"\0\0"), "has PCM of 12 bits, which isn't supported: convert it to 16-bit PCM"),
        (wav(1, 16, 0, b"\0\0"), "has 0 channels at 22050 Hz in blocks of 0 bytes: the file is damaged"),
        (b"RIFF\0\0\0\0WAVEdata\0\0\0\0", "has audio before its format: the file is damaged"),
    ],
)
def test_a_bad_file_is_named_with_what_is_wrong(content: bytes, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "voice.wav"
    path.write_bytes(content)
    with pytest.raises(MediaError) as e:
        WavReader(path)
    assert str(e.value) == f"{path}: {problem}"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"nope\.wav: can't be read: No such file or directory"):
        WavReader(tmp_path / "nope.wav")
    with pytest.raises(MediaError, match=r"out\.wav: can't be written: No such file or directory"):
        WavWriter(tmp_path / "no" / "out.wav", 8000)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_a_size_that_was_never_filled_in_means_to_the_end(size: int, tmp_path: Path) -> None:
    content = bytearray(wav(1, 16, 2, RAMP.tobytes()))
    content[40:44] = struct.pack("<I", size)
    (tmp_path / "a.wav").write_bytes(content)
    assert np.array_equal(read_wav(tmp_path / "a.wav")[0], RAMP)


def test_a_writer_that_is_killed_leaves_a_valid_file(tmp_path: Path) -> None:
    code = """
import os, sys, numpy as np
from agent_runtime.media.wav import WavWriter
writer = WavWriter(sys.argv[1], 8000)
for i in range(17):
    writer.write(np.full(800, i, np.int16))
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.wav")], check=False)
    assert done.returncode == -9
    samples, rate = read_wav(tmp_path / "a.wav")
    assert rate == 8000
    assert len(samples) == 12000  # the header was put right at 0.5, 1.0 and 1.5 s; 0.2 s are the most that it misses
    assert samples[-1, 0] == 14


def test_silence_and_closing_twice(tmp_path: Path) -> None:
    writer = WavWriter(tmp_path / "a.wav", 8000, 2)
    writer.write(RAMP)
    writer.write_silence(100_000)
    assert writer.duration == 100_004 / 8000
    writer.close()
    writer.close()
    samples = read_wav(tmp_path / "a.wav")[0]
    assert samples.shape == (100_004, 2)
    assert not samples[4:].any()
