"""The command line's arguments and commands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, CycloptsError, Group, Parameter

from agent_runtime.errors import AgentConsoleError

_PARTS = Group("Parts", sort_key=1)
_AUDIO = Group("Audio", sort_key=2)
_CONSOLE = Group("Console", sort_key=3)


def _version() -> str:
    from importlib.metadata import version

    return f"agent-console {version('agent-console')}"


app = App(
    name="agent-console",
    help="Build, hear, see and debug a voice agent in the terminal.",
    version=_version,
    help_format="plaintext",
    result_action="return_value",
)


@app.default
def run(
    agent: str | None = None,
    /,
    *,
    llm: Annotated[str | None, Parameter(group=_PARTS)] = None,
    stt: Annotated[str | None, Parameter(group=_PARTS)] = None,
    tts: Annotated[str | None, Parameter(group=_PARTS)] = None,
    vad: Annotated[str | None, Parameter(group=_PARTS)] = None,
    turn_detection: Annotated[str | None, Parameter(group=_PARTS)] = None,
    text: Annotated[bool | None, Parameter(group=_AUDIO, negative="")] = None,
    input_device: Annotated[str | None, Parameter(group=_AUDIO)] = None,
    output_device: Annotated[str | None, Parameter(group=_AUDIO)] = None,
    input_wav: Annotated[Path | None, Parameter(group=_AUDIO)] = None,
    output_wav: Annotated[Path | None, Parameter(group=_AUDIO)] = None,
    events: Annotated[Path | None, Parameter(group=_CONSOLE)] = None,
    theme: Annotated[str | None, Parameter(group=_CONSOLE)] = None,
    log_level: Annotated[Literal["debug", "info", "warning", "error"] | None, Parameter(group=_CONSOLE)] = None,
    reload: Annotated[bool | None, Parameter(group=_CONSOLE)] = None,
    profile: Annotated[Literal["dev", "prod", "test"] | None, Parameter(group=_CONSOLE)] = None,
    config: Annotated[Path | None, Parameter(group=_CONSOLE)] = None,
) -> int:
    """Talk to an agent.

    Args:
        agent: file.py, file.py:Name or package.module; the bundled assistant if left out.
        llm: embedded, openai or openai:MODEL.
        stt: embedded or none.
        tts: embedded or none.
        vad: embedded or none.
        turn_detection: embedded (by the words), audio (by the voice), vad, stt or manual.
        text: no microphone and no speaker: type.
        input_device: microphone, by id or part of its name (see `agent-console devices`).
        output_device: speaker, by id or part of its name.
        input_wav: play this file as the user's part instead of the microphone.
        output_wav: write the agent's speech to this file instead of the speaker.
        events: write every event to this file, a line of JSON each.
        theme: the console's colours.
        log_level: the least severe lines of the log.
        reload: swap in new code when the agent's file is saved.
        profile: a set of defaults.
        config: use this file instead of the nearest agent-console.toml.
    """
    from agent_console.start import start

    parts = {"llm": llm, "stt": stt, "tts": tts, "vad": vad, "turn_detection": turn_detection}
    devices = {"audio.input_device": input_device, "audio.output_device": output_device}
    files = {"audio.input_wav": input_wav, "audio.output_wav": output_wav, "events": events}
    rest = {"text": text, "theme": theme, "log_level": log_level, "reload": reload, "profile": profile}
    start(agent, {**parts, **devices, **files, **rest}, config)


@app.command
def devices() -> int:
    """List the microphones and speakers."""
    from agent_console.reports import print_devices

    return print_devices()


@app.command
def config(agent: str | None = None, /, *, config: Path | None = None) -> int:
    """Show each setting, its value and where it came from.

    Args:
        agent: the agent whose `.env` and project file count; those of the current folder if left out.
        config: use this file instead of the nearest agent-console.toml.
    """
    from agent_console.reports import print_config

    return print_config(agent, config)


@app.command
def doctor() -> int:
    """Check terminal, sound, models and keys, and say what to do about each."""
    from agent_console.doctor import print_doctor

    return print_doctor()


def run_arguments(arguments: Sequence[str]) -> int:
    """Do what the arguments say; the exit code. Raises AgentConsoleError where that can't be done."""
    try:
        code = app(arguments, exit_on_error=False, print_error=False)
    except CycloptsError as exc:
        raise AgentConsoleError(f"{' '.join(str(exc).split())} See `agent-console --help`.") from exc
    return code if isinstance(code, int) else 0
