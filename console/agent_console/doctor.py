"""`agent-console doctor`: what works here, what doesn't, and the one thing to do about it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import locale
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from agent_console.problems import console_problems
from agent_console.reports import table
from agent_runtime.errors import AgentConsoleError, ConfigError
from agent_runtime.providers.registry import EMBEDDED_PACKAGES, Part, install_command
from agent_runtime.records import record
from agent_runtime.settings_layers import ResolvedSettings, load_settings

Verdict = Literal["ok", "note", "bad"]

_SIGNS: Final[dict[Verdict, str]] = {"ok": "✓", "note": "·", "bad": "✗"}
_ASCII_SIGNS: Final[dict[Verdict, str]] = {"ok": "ok", "note": "-", "bad": "!!"}

_PARTS: Final[dict[Part, str]] = {"vad": "VAD", "stt": "STT", "llm": "LLM", "tts": "TTS"}
_SMALLEST: Final = (80, 24)


@record(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `advice` is what to do; empty where nothing needs doing."""

    verdict: Verdict
    subject: str
    found: str
    advice: str = ""


def print_doctor() -> int:
    """Look at everything and print it; 1 if something keeps the console from its full work."""
    signs = _SIGNS if _speaks_utf8() else _ASCII_SIGNS
    findings = list(examine())
    rows = [(signs[f.verdict], f.subject, f.found + (f" → {f.advice}" if f.advice else "")) for f in findings]
    text = table(rows)
    print(text if _speaks_utf8() else text.encode("ascii", "replace").decode())
    return 1 if any(finding.verdict == "bad" for finding in findings) else 0


def examine() -> Iterator[Finding]:
    """Every finding, in the order of a conversation: terminal, sound, models, keys."""
    yield Finding("ok", "python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield from _terminal()
    yield from _sound()
    yield from _embedded_models()
    try:
        resolved = load_settings(lenient=True)
    except ConfigError as exc:
        yield Finding("bad", "settings", str(exc), "put that right")
    else:
        for problem in (*map(str, resolved.problems), *console_problems(resolved)):
            yield Finding("bad", "settings", problem, "put that right; it is left out until then")
        yield from _keys(resolved)


def _terminal() -> Iterator[Finding]:
    if not sys.stdout.isatty():
        yield Finding("note", "terminal", "this output is not a terminal", "run it in one to have it checked")
    else:
        size = shutil.get_terminal_size()
        small = size < _SMALLEST
        advice = f"make it at least {_SMALLEST[0]} by {_SMALLEST[1]}" if small else ""
        yield Finding("bad" if small else "ok", "terminal", f"{size.columns} by {size.lines}, {_colors()}", advice)
    if not _speaks_utf8():
        encoding = locale.getpreferredencoding(False)
        yield Finding("note", "characters", f"{encoding}: plain signs are drawn", "set LANG=C.UTF-8 for better ones")


def _colors() -> str:
    if os.environ.get("NO_COLOR"):
        return "no colours (NO_COLOR is set)"
    if os.environ.get("COLORTERM") in ("truecolor", "24bit"):
        return "16 million colours"
    return f"TERM={os.environ.get('TERM', '')}"


def _sound() -> Iterator[Finding]:
    from agent_runtime.devices import DEFAULT, list_devices

    try:
        devices = list_devices()
    except AgentConsoleError as exc:
        yield Finding("bad", "sound", str(exc))
        return
    for kind, name in (("input", "microphone"), ("output", "speaker")):
        there = [device for device in devices if device.kind == kind and device.id != DEFAULT]
        default = next((device for device in there if device.is_default), None)
        if default is not None:
            yield Finding("ok", name, f"{default.name}, {default.sample_rate} Hz, one of {len(there)}")
        elif there:
            yield Finding("note", name, f"none is the default of {len(there)}", f"name one with --{kind}-device")
        else:
            yield Finding("bad", name, "none", "connect one or start the sound server; until then, type")


def _embedded_models() -> Iterator[Finding]:
    seen: set[str] = set()
    for part, name in _PARTS.items():
        for module, package in EMBEDDED_PACKAGES[part]:
            if package in seen:
                continue
            seen.add(package)
            if importlib.util.find_spec(module) is None:
                yield Finding("bad", f"embedded {name}", f"{package} is missing", install_command(package))
            else:
                yield Finding("ok", f"embedded {name}", f"{package} {_installed(package)}")


def _installed(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "of an unknown version"


def _keys(resolved: ResolvedSettings) -> Iterator[Finding]:
    from agent_runtime.host.providers import llm_spec

    spec = llm_spec(resolved.settings)
    base_url = resolved.settings.openai.base_url
    where = f" at {base_url}" if spec.provider == "openai" and base_url else ""
    yield Finding("ok", "LLM in use", f"{spec.provider}{f':{spec.model}' if spec.model else ''}{where}")
    for name in ("openai.api_key", "openai.base_url", "livekit.url", "livekit.api_key", "livekit.api_secret"):
        origin = resolved.origins.get(name)
        yield Finding("ok" if origin else "note", name, f"set by {origin}" if origin else "not set")
    project = Path.cwd() / ".env"
    if project.is_file():
        yield Finding("ok", ".env", str(project))


def _speaks_utf8() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
