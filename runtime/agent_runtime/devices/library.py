"""Loading PortAudio without a word on the terminal, and the one command that installs it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import sys
from collections.abc import Mapping
from typing import Any

from agent_runtime.errors import MissingDependencyError

_INSTALL = {
    "debian": "apt-get install libportaudio2",
    "ubuntu": "apt-get install libportaudio2",
    "fedora": "dnf install portaudio",
    "rhel": "dnf install portaudio",
    "arch": "pacman -S portaudio",
    "alpine": "apk add portaudio",
    "suse": "zypper install libportaudio2",
}
"""By a distribution's ID in os-release, or one that it says it is like."""


def load_portaudio() -> Any:
    """The `sounddevice` module, with PortAudio started.

    Raises:
        MissingDependencyError: naming the one command that installs what isn't there.
    """
    if "sounddevice" not in sys.modules:
        _silence_libraries()
    try:
        import sounddevice
    except ImportError as e:
        raise MissingDependencyError("sounddevice", "pip install sounddevice") from e
    except OSError as e:
        raise MissingDependencyError("PortAudio, the library for sound devices,", install_command()) from e
    return sounddevice


def restart_portaudio() -> None:
    """Let PortAudio look for devices again. No stream may be open."""
    sounddevice = load_portaudio()
    # It has no public call for this; these two are what it runs when it is imported and at exit.
    sounddevice._terminate()
    sounddevice._initialize()


def install_command(
    system: str | None = None, os_release: Mapping[str, str] | None = None, *, is_root: bool | None = None
) -> str:
    """The command that installs PortAudio here.

    Args:
        system: `platform.system()`.
        os_release: the fields of /etc/os-release.
        is_root: whether `sudo` isn't needed.
    """
    system = platform.system() if system is None else system
    if system == "Darwin":
        return "brew install portaudio"
    if system == "Windows":
        return "pip install --force-reinstall sounddevice"
    if os_release is None:
        os_release = {}
        with contextlib.suppress(OSError):  # a system without the file says nothing about itself
            os_release = platform.freedesktop_os_release()
    if is_root is None:
        is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    names = [os_release.get("ID", ""), *os_release.get("ID_LIKE", "").split()]
    command = next((_INSTALL[name.split("-")[0]] for name in names if name.split("-")[0] in _INSTALL), None)
    if command is None:
        return "conda install -c conda-forge portaudio"
    return command if is_root else f"sudo {command}"


def _silence_libraries() -> None:
    """Keep PortAudio, ALSA and JACK from writing on the terminal, where an interface may be drawn.

    They report every device that they fail to open to C's `stderr`, some from the audio thread, and PortAudio can't be
    told not to. So C gets a `stderr` of its own that goes nowhere; Python's, which writes to the file descriptor, stays
    as it is. Where stderr isn't a terminal it is left alone: in a log file the complaints may help.
    """
    os.environ.setdefault("JACK_NO_START_SERVER", "1")
    symbol = "__stderrp" if platform.system() == "Darwin" else "stderr" if platform.libc_ver()[0] == "glibc" else None
    if symbol is None or not os.isatty(2):
        return
    libc = ctypes.CDLL(None)
    libc.fopen.restype = ctypes.c_void_p
    nowhere = libc.fopen(os.devnull.encode(), b"w")
    if nowhere is not None:
        ctypes.c_void_p.in_dll(libc, symbol).value = nowhere
