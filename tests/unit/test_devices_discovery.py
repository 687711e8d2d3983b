"""Which device is meant, and what a person is told when it can't be had."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from agent_runtime.devices import discovery, library, portaudio
from agent_runtime.devices.backend import Captured, Wanted
from agent_runtime.devices.discovery import resolve
from agent_runtime.devices.library import install_command, load_portaudio
from agent_runtime.errors import DeviceError, MissingDependencyError


class PortAudioError(Exception):
    pass


class CallbackAbort(Exception):
    pass


class FakeSoundDevice:
    """The parts of `sounddevice` that are used, on made-up devices."""

    PortAudioError = PortAudioError
    CallbackAbort = CallbackAbort

    def __init__(self, devices: list[tuple[str, str, int, int]], default: tuple[int, int] = (-1, -1)) -> None:
        apis = list(dict.fromkeys(api for _, api, _, _ in devices))
        self._apis = [{"name": api, "default_input_device": -1, "default_output_device": -1} for api in apis]
        self.devices = [
            {
                "index": i,
                "name": name,
                "hostapi": apis.index(api),
                "max_input_channels": ins,
                "max_output_channels": outs,
                "default_samplerate": 44100.0,
            }
            for i, (name, api, ins, outs) in enumerate(devices)
        ]
        self.default = SimpleNamespace(device=default)
        self.accepts: Callable[[int, int], bool] = lambda rate, channels: True
        self.attempts: list[tuple[int, int, int, str | None]] = []
        self.open: list[FakeRaw] = []

    def query_devices(self, index: int | None = None) -> Any:
        return self.devices if index is None else self.devices[index]

    def query_hostapis(self, index: int | None = None) -> Any:
        return self._apis if index is None else self._apis[index]

    def RawInputStream(self, **options: Any) -> FakeRaw:
        return self._open(options, os.environ.get("PULSE_SOURCE"))

    def RawOutputStream(self, **options: Any) -> FakeRaw:
        return self._open(options, os.environ.get("PULSE_SINK"))

    def _open(self, options: dict[str, Any], wanted: str | None) -> FakeRaw:
        self.attempts.append((options["device"], options["samplerate"], options["channels"], wanted))
        if not self.accepts(options["samplerate"], options["channels"]):
            raise PortAudioError("Invalid sample rate", -9997)
        self.open.append(FakeRaw(options))
        return self.open[-1]


class FakeRaw:
    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        self.latency = 0.02
        self.active = True

    def start(self) -> None:
        pass

    def close(self, ignore_errors: bool) -> None:
        self.active = False


USB = [("Built-in", "Core Audio", 1, 0), ("USB Mic", "Core Audio", 2, 0), ("Speakers", "Core Audio", 0, 6)]


@pytest.fixture(autouse=True)
def no_pulse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "_pactl", lambda *arguments: None)
    monkeypatch.setattr("platform.system", lambda: "Linux")


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[FakeSoundDevice], FakeSoundDevice]:
    def use(fake: FakeSoundDevice) -> FakeSoundDevice:
        monkeypatch.setattr(portaudio, "load_portaudio", lambda: fake)
        monkeypatch.setattr(discovery, "load_portaudio", lambda: fake)
        monkeypatch.setattr(portaudio, "restart_portaudio", lambda: None)
        monkeypatch.setattr(portaudio, "_open_streams", set())
        return fake

    return use


@pytest.mark.parametrize(
    ("system", "release", "root", "command"),
    [
        ("Linux", {"ID": "debian"}, True, "apt-get install libportaudio2"),
        ("Linux", {"ID": "linuxmint", "ID_LIKE": "ubuntu debian"}, False, "sudo apt-get install libportaudio2"),
        ("Linux", {"ID": "fedora"}, False, "sudo dnf install portaudio"),
        ("Linux", {"ID": "rocky", "ID_LIKE": "rhel centos fedora"}, True, "dnf install portaudio"),
        ("Linux", {"ID": "manjaro", "ID_LIKE": "arch"}, False, "sudo pacman -S portaudio"),
        ("Linux", {"ID": "alpine"}, True, "apk add portaudio"),
        ("Linux", {"ID": "opensuse-tumbleweed", "ID_LIKE": "opensuse suse"}, True, "zypper install libportaudio2"),
        ("Linux", {}, False, "conda install -c conda-forge portaudio"),
        ("Darwin", {}, False, "brew install portaudio"),
        ("Windows", {}, False, "pip install --force-reinstall sounddevice"),
    ],
)
def test_the_command_that_installs_portaudio(system: str, release: dict[str, str], root: bool, command: str) -> None:
    assert install_command(system, release, is_root=root) == command


@pytest.mark.parametrize(
    ("error", "words"),
    [(OSError("PortAudio library not found"), "libportaudio2|portaudio"), (ImportError(), "pip install sounddevice")],
)
def test_a_missing_library_is_told_with_its_command(
    error: Exception, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Finder:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            if name == "sounddevice":
                raise error

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    monkeypatch.setattr(library, "_silence_libraries", lambda: None)
    with pytest.raises(MissingDependencyError, match=words):
        load_portaudio()


def test_the_default_is_the_systems() -> None:
    sd = FakeSoundDevice(USB, default=(1, 2))
    assert resolve(sd, "input", "default").name == "USB Mic"
    assert resolve(sd, "output", "default").name == "Speakers"
    with pytest.raises(DeviceError, match="there is no microphone: plug one in, or go on by typing"):
        resolve(FakeSoundDevice(USB), "input", "default")


def test_two_devices_of_one_name_are_told_apart() -> None:
    sd = FakeSoundDevice([("Mic", "ALSA", 1, 0), ("Mic", "ALSA", 1, 0), ("Mic", "JACK", 1, 0)])
    assert [resolve(sd, "input", i).index for i in ("ALSA:Mic", "ALSA:Mic#2", "JACK:Mic")] == [0, 1, 2]
    with pytest.raises(DeviceError, match=r"microphone ALSA:Mic#3 isn't there"):
        resolve(sd, "input", "ALSA:Mic#3")
    with pytest.raises(DeviceError, match="speaker ALSA:Mic isn't there"):
        resolve(sd, "output", "ALSA:Mic")


def test_windows_shows_each_device_once() -> None:
    sd = FakeSoundDevice([("Mic", "MME", 1, 0), ("Mic", "Windows WASAPI", 1, 0)])
    sd.query_hostapis()[1]["default_input_device"] = 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("platform.system", lambda: "Windows")
        assert resolve(sd, "input", "default").index == 1
        with pytest.raises(DeviceError):
            resolve(sd, "input", "MME:Mic")


def pactl(*arguments: str) -> Any:
    if arguments == ("info",):
        return {"default_source_name": "headset", "default_sink_name": "headset"}
    return [
        {"name": "headset", "description": "Headset", "sample_specification": "s16le 1ch 16000Hz",
         "channel_map": "mono"},
        {"name": "card", "description": "Card", "sample_specification": "s16le 2ch 48000Hz",
         "channel_map": "front-left,front-right"},
        {"name": "card.monitor", "description": "Monitor of Card", "sample_specification": "s16le 2ch 48000Hz"},
    ]  # fmt: skip


def test_pulse_devices_are_picked_by_its_own_names(
    monkeypatch: pytest.MonkeyPatch, use: Callable[[FakeSoundDevice], FakeSoundDevice]
) -> None:
    monkeypatch.setattr(discovery, "_pactl", pactl)
    sd = use(FakeSoundDevice([("hw:0", "ALSA", 2, 2), ("pulse", "ALSA", 32, 32)], default=(0, 0)))
    listed = [(d.id, d.name, d.is_default, d.sample_rate, d.channels) for d in discovery._scan() if d.kind == "input"]
    assert listed == [
        ("default", "System default (Headset)", True, 0, 0),
        ("pulse:headset", "Headset", True, 16000, 1),
        ("pulse:card", "Card", False, 48000, 2),
    ]
    assert resolve(sd, "input", "default").name == "Headset"
    assert not resolve(sd, "input", "default").environment
    stream = portaudio.PortAudioBackend().open_input("pulse:card", print, print)
    assert (stream.name, sd.attempts) == ("Card", [(1, 48000, 1, "card")])
    assert "PULSE_SOURCE" not in os.environ
    with pytest.raises(DeviceError, match="microphone gone isn't there: plug it in, or pick another"):
        resolve(sd, "input", "pulse:gone")
    stream.close()


def test_without_pulse_the_cards_themselves_are_listed(use: Callable[[FakeSoundDevice], FakeSoundDevice]) -> None:
    use(FakeSoundDevice([("HDA Intel: ALC257 (hw:0,0)", "ALSA", 2, 2), ("dmix", "ALSA", 0, 2)], default=(0, 0)))
    assert [(d.kind, d.id) for d in discovery._scan()] == [
        ("input", "default"),
        ("input", "ALSA:HDA Intel: ALC257 (hw:0,0)"),
        ("output", "default"),
        ("output", "ALSA:HDA Intel: ALC257 (hw:0,0)"),
    ]
    use(FakeSoundDevice([]))
    assert discovery._scan() == []


def test_listing_asks_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {"id": "a", "name": "A", "kind": "input", "is_default": True, "sample_rate": 1, "channels": 1}
    done = SimpleNamespace(returncode=0, stdout=json.dumps([entry]), stderr="")
    monkeypatch.setattr(discovery, "load_portaudio", lambda: None)
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: done)
    assert [d.id for d in discovery.list_devices()] == ["a"]
    done.returncode, done.stderr = 1, "Traceback\nboom"
    with pytest.raises(DeviceError, match="the sound devices can't be listed: boom"):
        discovery.list_devices()


def test_a_device_is_opened_in_the_first_form_that_it_takes(use: Callable[[FakeSoundDevice], FakeSoundDevice]) -> None:
    sd = use(FakeSoundDevice([("card", "ALSA", 2, 6)], default=(0, 0)))
    sd.accepts = lambda rate, channels: rate == 44100 and channels == 6
    stream = portaudio.PortAudioBackend().open_output("default", print, print, block=0.004)
    assert [(rate, channels) for _, rate, channels, _ in sd.attempts] == [
        (48000, 1), (48000, 2), (48000, 6), (44100, 1), (44100, 2), (44100, 6),
    ]  # fmt: skip
    assert (stream.sample_rate, stream.channels, stream.alive) == (44100, 6, True)
    assert sd.open[0].options["blocksize"] == 176
    stream.close()
    stream.close()
    assert not stream.alive
    sd.accepts = lambda rate, channels: False
    with pytest.raises(DeviceError, match=r"speaker card can't be opened \(Invalid sample rate\): close the program"):
        portaudio.PortAudioBackend().open_output("default", print, print, block=0.004)


def test_callbacks_pass_samples_and_believable_times(use: Callable[[FakeSoundDevice], FakeSoundDevice]) -> None:
    sd = use(FakeSoundDevice([("card", "ALSA", 1, 1)], default=(0, 0)))
    heard: list[tuple[list[int], float, bool]] = []

    def on_audio(block: Captured) -> None:
        heard.append((block.samples[:, 0].tolist(), block.latency, block.overflowed))

    def fill(block: Wanted) -> None:
        block.samples[:] = 7

    backend = portaudio.PortAudioBackend()
    streams = [
        backend.open_input("default", on_audio, print), backend.open_output("default", fill, print, block=0.01)
    ]  # fmt: skip
    time = SimpleNamespace(currentTime=10.0, inputBufferAdcTime=9.75, outputBufferDacTime=10.25)
    status = SimpleNamespace(input_overflow=1, output_underflow=0)
    callback = sd.open[0].options["callback"]
    callback(np.array([1, 2], np.int16).tobytes(), 2, time, status)
    time.inputBufferAdcTime = 0.0  # a driver that doesn't know: the stream's own latency is taken
    status.input_overflow = 0
    callback(np.array([3], np.int16).tobytes(), 1, time, status)
    assert heard == [([1, 2], 0.25, True), ([3], 0.02, False)]
    out = bytearray(4)
    sd.open[1].options["callback"](out, 2, time, status)
    assert np.frombuffer(out, np.int16).tolist() == [7, 7]
    for stream in streams:
        stream.close()


def test_a_callback_that_fails_ends_its_stream_and_is_logged(
    use: Callable[[FakeSoundDevice], FakeSoundDevice], caplog: pytest.LogCaptureFixture
) -> None:
    sd = use(FakeSoundDevice([("card", "ALSA", 1, 1)], default=(0, 0)))

    def fails(block: Captured) -> None:
        raise ValueError("boom")

    stream = portaudio.PortAudioBackend().open_input("default", fails, print)
    time = SimpleNamespace(currentTime=1.0, inputBufferAdcTime=1.0)
    with pytest.raises(CallbackAbort):
        sd.open[0].options["callback"](b"", 0, time, SimpleNamespace(input_overflow=0))
    assert "the audio callback failed" in caplog.text
    stream.close()


def test_a_device_that_is_back_is_found_by_looking_again(
    monkeypatch: pytest.MonkeyPatch, use: Callable[[FakeSoundDevice], FakeSoundDevice]
) -> None:
    sd = use(FakeSoundDevice(USB, default=(0, 2)))
    back = dict(sd.devices[1], name="New Mic")
    monkeypatch.setattr(portaudio, "restart_portaudio", lambda: sd.devices.append(back))
    backend = portaudio.PortAudioBackend()
    stopped: list[str] = []
    speaker = backend.open_output("default", print, lambda: stopped.append("speaker"), block=0.01)
    # While the speaker plays, it is only disturbed for a device that is really there.
    monkeypatch.setattr(discovery, "list_devices", list)
    with pytest.raises(DeviceError, match="isn't there"):
        backend.open_input("Core Audio:New Mic", print, print)
    assert (speaker.alive, stopped) == (True, [])
    there = discovery.DeviceInfo("Core Audio:New Mic", "New Mic", "input", False, 48000, 1)
    monkeypatch.setattr(discovery, "list_devices", lambda: [there])
    microphone = backend.open_input("Core Audio:New Mic", print, print)
    assert microphone.alive
    assert (speaker.alive, stopped) == (False, ["speaker"])  # who has it opens it again
    microphone.close()
