"""Which microphones and speakers there are, and what to open for an id."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, field
from typing import Any

from agent_runtime.devices.backend import DEFAULT, DeviceInfo, Kind
from agent_runtime.devices.library import load_portaudio
from agent_runtime.errors import DeviceError, MissingDependencyError
from agent_runtime.records import record

_PULSE = "pulse:"
_TIMEOUT = 10.0
_ALSA_ALIASES = (
    "default", "sysdefault", "pulse", "pipewire", "jack", "front", "rear", "center_lfe", "side", "surround", "iec958",
    "spdif", "hdmi", "dmix", "dsnoop", "modem", "phoneline", "samplerate", "speexrate", "lavrate", "upmix", "vdownmix",
)  # fmt: skip
"""ALSA's names for the same cards again, which nobody means to pick."""


@record(frozen=True, slots=True)
class Target:
    """What PortAudio is asked to open."""

    index: int
    name: str
    hostapi: str
    default_rate: int
    max_channels: int
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables that must be set while it is opened."""

    def rates(self, preferred: int) -> list[int]:
        """Hz to try, in order."""
        # ALSA says 44100 for whatever converts by itself; a real card that can't do better refuses.
        first, second = (preferred, self.default_rate) if self.hostapi == "ALSA" else (self.default_rate, preferred)
        return list(dict.fromkeys((first, second)))

    @property
    def channel_counts(self) -> list[int]:
        """Numbers of channels to try, in order."""
        return list(dict.fromkeys(n for n in (1, 2, self.max_channels) if n <= self.max_channels))


def noun(kind: Kind) -> str:
    """What people call it."""
    return "microphone" if kind == "input" else "speaker"


def list_devices() -> list[DeviceInfo]:
    """What is there at this moment. Takes a few tenths of a second.

    PortAudio looks for devices once in a process's life, so another process is asked: streams that are open here go
    on undisturbed.

    Raises:
        MissingDependencyError: PortAudio isn't there.
        DeviceError: the system's sound can't be asked.
    """
    load_portaudio()
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__], capture_output=True, text=True, timeout=_TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        raise DeviceError(f"the sound devices can't be listed: {e}") from e
    if done.returncode:
        reason = done.stderr.strip().rpartition("\n")[2] or "no answer"
        raise DeviceError(f"the sound devices can't be listed: {reason}")
    return [DeviceInfo(**entry) for entry in json.loads(done.stdout)]


def resolve(sd: Any, kind: Kind, device_id: str) -> Target:
    """What to open for an id, among the devices that PortAudio knows.

    Raises:
        DeviceError: there is no such device.
    """
    infos = list(_usable(sd, kind))
    pulse = next((d for d in infos if d["name"] == "pulse"), None)
    if pulse is not None and (device_id == DEFAULT or device_id.startswith(_PULSE)):
        return _resolve_pulse(sd, kind, device_id, pulse)
    if device_id == DEFAULT:
        index = _default_index(sd, kind)
        if index < 0:
            raise DeviceError(f"there is no {noun(kind)}: plug one in, or go on by typing")
        return _target(sd, sd.query_devices(index), kind)
    for info, name in _with_ids(sd, infos):
        if name == device_id:
            return _target(sd, info, kind)
    raise DeviceError(f"{noun(kind)} {device_id} isn't there: plug it in, or pick another")


def _resolve_pulse(sd: Any, kind: Kind, device_id: str, info: dict[str, Any]) -> Target:
    known = _pulse_devices(kind)
    if device_id == DEFAULT:
        # Opened without a name, it follows the system's default when that changes.
        return _target(sd, info, kind, name=next((d.name for d in known if d.is_default), None))
    for device in known:
        if device.id == device_id:
            variable = "PULSE_SOURCE" if kind == "input" else "PULSE_SINK"
            return _target(sd, info, kind, {variable: device_id.removeprefix(_PULSE)}, device.name)
    raise DeviceError(f"{noun(kind)} {device_id.removeprefix(_PULSE)} isn't there: plug it in, or pick another")


def _scan() -> list[DeviceInfo]:
    """Everything a person may pick, as this process sees it."""
    sd = load_portaudio()
    return [*_scan_kind(sd, "input"), *_scan_kind(sd, "output")]


def _scan_kind(sd: Any, kind: Kind) -> list[DeviceInfo]:
    infos = list(_usable(sd, kind))
    pulse = next((d for d in infos if d["name"] == "pulse"), None)
    found = _pulse_devices(kind) if pulse is not None else []
    if not found:
        default = _default_index(sd, kind)
        found = [
            DeviceInfo(id_, info["name"], kind, info["index"] == default, round(info["default_samplerate"]),
                       info[f"max_{kind}_channels"])
            for info, id_ in _with_ids(sd, infos)
            if _hostapi(sd, info) != "ALSA" or info["name"].split(":")[0] not in _ALSA_ALIASES
        ]  # fmt: skip
    if not found and not infos:
        return []
    current = next((d.name for d in found if d.is_default), None)
    name = f"System default ({current})" if current else "System default"
    return [DeviceInfo(DEFAULT, name, kind, True, 0, 0), *found]


def _usable(sd: Any, kind: Kind) -> Iterator[dict[str, Any]]:
    windows = platform.system() == "Windows"
    for info in sd.query_devices():
        # Windows lists each device once for each of its four sound systems; WASAPI is the one that isn't old.
        if info[f"max_{kind}_channels"] > 0 and (not windows or _hostapi(sd, info) == "Windows WASAPI"):
            yield info


def _with_ids(sd: Any, infos: Iterable[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], str]]:
    """Each device with its id: sound system and name, and a number where two have the same."""
    seen: dict[str, int] = {}
    for info in infos:
        base = f"{_hostapi(sd, info)}:{info['name']}"
        seen[base] = seen.get(base, 0) + 1
        yield info, base if seen[base] == 1 else f"{base}#{seen[base]}"


def _default_index(sd: Any, kind: Kind) -> int:
    if platform.system() == "Windows":
        for api in sd.query_hostapis():
            if api["name"] == "Windows WASAPI":
                return int(api[f"default_{kind}_device"])
    return int(sd.default.device[0 if kind == "input" else 1])


def _hostapi(sd: Any, info: dict[str, Any]) -> str:
    return str(sd.query_hostapis(info["hostapi"])["name"])


def _target(
    sd: Any, info: dict[str, Any], kind: Kind, environment: Mapping[str, str] | None = None, name: str | None = None
) -> Target:
    return Target(
        index=info["index"],
        name=name or info["name"],
        hostapi=_hostapi(sd, info),
        default_rate=round(info["default_samplerate"]),
        max_channels=info[f"max_{kind}_channels"],
        environment=environment or {},
    )


def _pulse_devices(kind: Kind) -> list[DeviceInfo]:
    """The devices of PulseAudio (or PipeWire in its place), which PortAudio shows as a single one."""
    what = "sources" if kind == "input" else "sinks"
    entries = _pactl("list", what)
    info = _pactl("info")
    if not isinstance(entries, list) or not isinstance(info, dict):
        return []
    default = info.get("default_source_name" if kind == "input" else "default_sink_name")
    return [
        DeviceInfo(
            id=_PULSE + entry["name"],
            name=entry.get("description") or entry["name"],
            kind=kind,
            is_default=entry["name"] == default,
            sample_rate=_pulse_rate(entry),
            channels=len(entry.get("channel_map", "mono").split(",")),
        )
        for entry in entries
        # What a speaker plays can be recorded too, but nobody speaks into it.
        if kind == "output" or (not entry.get("monitor_source") and not entry["name"].endswith(".monitor"))
    ]


def _pulse_rate(entry: dict[str, Any]) -> int:
    # "s16le 2ch 48000Hz"
    rate = str(entry.get("sample_specification", "")).rpartition(" ")[2].removesuffix("Hz")
    return int(rate) if rate.isdigit() else 0


def _pactl(*arguments: str) -> Any:
    """What `pactl` says, parsed; None where there is no `pactl`, no server, or no JSON (before version 15)."""
    command = shutil.which("pactl")
    if command is None:
        return None
    try:
        done = subprocess.run(
            [command, "--format=json", *arguments], capture_output=True, text=True, timeout=_TIMEOUT, check=False
        )
        return json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return None


if __name__ == "__main__":
    try:
        print(json.dumps([asdict(device) for device in _scan()]))
    except MissingDependencyError as e:
        raise SystemExit(str(e)) from e
