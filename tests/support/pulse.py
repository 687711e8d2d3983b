"""A sound card made of nothing: a PulseAudio server of our own.

    mic       a source; what is played into the sink `micin` comes out of it
    speaker   a sink; what it plays can be recorded from `speaker.monitor`

The server has its own socket and folder and no D-Bus, so it neither sees nor disturbs the machine's own sound.
"""

from __future__ import annotations

import contextlib
import ctypes.util
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent_runtime.media.wav import write_wav

RATE = 48000
_PATIENCE = 10.0
_CHUNKS = 500
"""Pieces of a recording by which it is told when it began: some seconds."""


def missing() -> str | None:
    """What a machine lacks to run these tests, with the command that gets it; None if it has everything."""
    for command, package in (("pulseaudio", "pulseaudio"), ("pactl", "pulseaudio-utils")):
        if shutil.which(command) is None:
            return f"{command} is not installed: apt-get install {package}"
    if ctypes.util.find_library("portaudio") is None:
        return "libportaudio2 is not installed: apt-get install libportaudio2"
    if not any(Path("/usr/lib").glob("**/alsa-lib/libasound_module_pcm_pulse.so")):
        return "ALSA's way to PulseAudio is not installed: apt-get install libasound2-plugins"
    return None


class PulseServer:
    """One PulseAudio server, which can be killed and started again.

    Args:
        rate: Hz of both devices.
        channels: of both devices.
    """

    def __init__(self, *, rate: int = RATE, channels: int = 1) -> None:
        self.rate = rate
        self.channels = channels
        self._folder = Path(tempfile.mkdtemp(prefix="pulse-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._players: list[subprocess.Popen[bytes]] = []

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables with which a program finds this server."""
        folder = self._folder
        return {"PULSE_SERVER": f"unix:{folder / 'native'}", "PULSE_RUNTIME_PATH": str(folder)}

    def start(self) -> None:
        """Start it and wait until it answers."""
        shape = f"rate={self.rate} channels={self.channels} norewinds=1"
        modules = (
            f"module-native-protocol-unix auth-anonymous=1 socket={self._folder / 'native'}",
            f"module-null-sink sink_name=speaker {shape}",
            f"module-null-sink sink_name=micin {shape}",
            "module-remap-source master=micin.monitor source_name=mic",
        )
        command = [
            "pulseaudio",
            "-n",
            "--daemonize=no",
            "--exit-idle-time=-1",
            "--use-pid-file=no",
            "--disable-shm=yes",
        ]
        for module in modules:
            command += ["-L", module]
        self._process = subprocess.Popen(
            command, env=self._env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        deadline = time.monotonic() + _PATIENCE
        while subprocess.run(["pactl", "info"], env=self._env(), capture_output=True, check=False).returncode:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the test's PulseAudio server doesn't start")
            time.sleep(0.02)
        self.pactl("set-default-sink", "speaker")
        self.pactl("set-default-source", "mic")

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """End everything that was started."""
        for player in self._players:
            if player.poll() is None:
                player.terminate()
            player.wait()
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def pactl(self, *arguments: str) -> str:
        """Run `pactl` on this server."""
        return subprocess.run(
            ["pactl", *arguments], env=self._env(), capture_output=True, text=True, check=True
        ).stdout.strip()

    def play(self, source: Path | NDArray[np.int16], *, device: str = "micin", rate: int = RATE) -> None:
        """Start to play a WAV file, or samples at `rate`, into the microphone; returns at once."""
        if not isinstance(source, Path):
            path = self._folder / f"play{len(self._players)}.wav"
            write_wav(path, source, rate)
            source = path
        self._players.append(
            subprocess.Popen(["paplay", f"--device={device}", str(source)], env=self._env(), stderr=subprocess.DEVNULL)
        )

    @contextlib.contextmanager
    def recording(self, device: str = "speaker.monitor") -> Iterator[Recording]:
        """Record a source while the block runs."""
        command = ["parec", f"--device={device}", "--raw", "--format=s16le", f"--rate={RATE}", "--channels=1"]
        process = subprocess.Popen(
            [*command, "--latency-msec=5"], env=self._env(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        recording = Recording(process)
        try:
            recording.wait_until_running()
            yield recording
        finally:
            process.terminate()
            recording.join()
            process.wait()

    def _env(self) -> dict[str, str]:
        return {**os.environ, **self.environment}


class Recording:
    """What was recorded so far, mono at `RATE`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._data = bytearray()
        self._beginnings: deque[float] = deque(maxlen=_CHUNKS)
        self._running = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @property
    def samples(self) -> NDArray[np.int16]:
        """`int16[samples]` since the recording began."""
        return self.between(0)

    @property
    def began_at(self) -> float:
        """When the first sample was in the air, by `time.monotonic`: by the chunk that came with the least delay."""
        return min(self._beginnings.copy())

    @property
    def last_at(self) -> float:
        """When the newest sample was in the air, by `time.monotonic`."""
        return self.began_at + len(self._data) // 2 / RATE

    def between(self, first: int, end: int | None = None) -> NDArray[np.int16]:
        """`int16[samples]` from number `first` up to `end`, or as far as it is recorded."""
        whole = len(self._data) // 2
        stop = whole if end is None else min(end, whole)
        return np.frombuffer(self._data[2 * first : 2 * stop], np.int16)

    def wait_until_running(self) -> None:
        """Until the first sample came."""
        if not self._running.wait(_PATIENCE):
            raise RuntimeError("nothing can be recorded from the test's PulseAudio server")

    def join(self) -> None:
        """Until the recorder has ended."""
        self._thread.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        while chunk := os.read(self._process.stdout.fileno(), 4096):
            now = time.monotonic()
            self._data += chunk
            self._beginnings.append(now - len(self._data) / 2 / RATE)
            self._running.set()


@contextlib.contextmanager
def pulse_server(*, rate: int = RATE, channels: int = 1) -> Iterator[PulseServer]:
    """A running server that ends with the block."""
    server = PulseServer(rate=rate, channels=channels)
    try:
        server.start()
        yield server
    finally:
        server.close()
