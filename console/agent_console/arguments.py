"""The command line's arguments and commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, CycloptsError, Group, Parameter, UnusedCliTokensError

from agent_runtime.errors import AgentConsoleError

_PARTS = Group("Parts", sort_key=1)
_AUDIO = Group("Audio", sort_key=2)
_CONSOLE = Group("Console", sort_key=3)
_ROOM = Group("LiveKit", sort_key=4)
_SERVING = Group("Serving", sort_key=5)
_SCENARIOS = Group("For scenarios", sort_key=4)
_BUNDLES = Group("For a bundle", sort_key=5)

_arguments: list[str] = []
"""As they were written: what is served in a browser is a console with the same ones."""


def _version() -> str:
    from importlib.metadata import version

    return f"agent-console {version('agent-console')}"


@Parameter(name="*")
@dataclass(frozen=True)
class Serving:
    """Where others reach the agent."""

    serve: Annotated[bool, Parameter(negative="")] = False
    """show the console in a browser; sound stays this machine's."""
    headless: Annotated[bool, Parameter(negative="")] = False
    """take jobs from the LiveKit server that LIVEKIT_URL names, each in a process of its own, without a console."""
    agent_name: str | None = None
    """with --headless, come where the agent is asked for by this name instead of to every room."""
    drain_timeout: int | None = None
    """with --headless, the seconds that jobs get to end by themselves when it is told to stop; 3600 if left out."""
    idle_processes: int | None = None
    """with --headless, how many processes are kept ready for a job; one for each core if left out."""
    load_threshold: float | None = None
    """with --headless, the share of the processor, 0 to 1, from which on no job is taken; 0.7 if left out."""
    host: str | None = None
    """the address to listen at: of the browser's page, or of health and metrics; this machine alone if left out."""
    port: int | None = None
    """the port there; 8000 with --serve, 8081 with --headless if left out."""

    @property
    def somewhere(self) -> bool:
        """Whether it isn't a console in this terminal."""
        return self.serve or self.headless

    @property
    def of_workers(self) -> dict[str, Any]:
        """The options that only a worker has."""
        names = ("agent_name", "drain_timeout", "idle_processes", "load_threshold")
        return {name: getattr(self, name) for name in names}


@Parameter(name="*")
@dataclass(frozen=True)
class Rooms:
    """The LiveKit room to begin in, and the server that has it."""

    room: str | None = None
    """Begin in this room instead of at this machine's microphone; ctrl+o goes from the one to the other."""
    url: str | None = None
    """The server; LIVEKIT_URL if left out."""
    api_key: str | None = None
    """Its key; LIVEKIT_API_KEY if left out."""
    api_secret: str | None = None
    """Its secret, which others on this machine can read here; LIVEKIT_API_SECRET if left out."""

    @property
    def flags(self) -> dict[str, Any]:
        """As settings."""
        values = {"room": self.room, "url": self.url, "api_key": self.api_key, "api_secret": self.api_secret}
        return {f"livekit.{name}": value for name, value in values.items()}


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
    record: Annotated[bool | None, Parameter(group=_CONSOLE, negative="")] = None,
    recordings: Annotated[Path | None, Parameter(group=_CONSOLE)] = None,
    theme: Annotated[str | None, Parameter(group=_CONSOLE)] = None,
    log_level: Annotated[Literal["debug", "info", "warning", "error"] | None, Parameter(group=_CONSOLE)] = None,
    reload: Annotated[bool | None, Parameter(group=_CONSOLE)] = None,
    profile: Annotated[Literal["dev", "prod", "test"] | None, Parameter(group=_CONSOLE)] = None,
    config: Annotated[Path | None, Parameter(group=_CONSOLE)] = None,
    plain: Annotated[bool, Parameter(group=_CONSOLE, negative="")] = False,
    rooms: Annotated[Rooms, Parameter(group=_ROOM)] = Rooms(),
    serving: Annotated[Serving, Parameter(group=_SERVING)] = Serving(),
) -> int:
    """Talk to an agent, or serve it.

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
        record: record the session into a bundle from its first moment.
        recordings: the folder for bundles; one of the user's own if left out.
        theme: the console's colours.
        log_level: the least severe lines of the log.
        reload: swap in new code when the agent's file is saved.
        profile: a set of defaults.
        config: use this file instead of the nearest agent-console.toml.
        plain: lines of text instead of a screen, for a screen reader or a pipe.
        rooms: the LiveKit room to begin in.
        serving: where others reach it.
    """
    parts = {"llm": llm, "stt": stt, "tts": tts, "vad": vad, "turn_detection": turn_detection}
    devices = {"audio.input_device": input_device, "audio.output_device": output_device, "text": text}
    files = {"audio.input_wav": input_wav, "audio.output_wav": output_wav, "events": events, "recordings": recordings}
    rest = {"record": record, "theme": theme, "log_level": log_level, "reload": reload, "profile": profile}
    flags = {**parts, **devices, **files, **rest, **rooms.flags}
    return _serve(agent, flags, config, serving) if serving.somewhere else _open(agent, flags, config, plain, serving)


def _open(agent: str | None, flags: Mapping[str, Any], config: Path | None, plain: bool, serving: Serving) -> int:
    """Open the console here."""
    from agent_console.start import start

    if serving.host is not None or serving.port is not None:
        raise AgentConsoleError("--host and --port are for --serve and --headless: add one of them")
    _refuse_flags(serving.of_workers, "for --headless")
    start(agent, flags, config, plain=plain)


def _serve(agent: str | None, flags: Mapping[str, Any], config: Path | None, serving: Serving) -> int:
    """Open it in browsers, or serve the agent without one."""
    host, port = serving.host, serving.port
    if serving.headless:
        from agent_console.headless import serve_headless

        _refuse_flags({"serve": serving.serve or None}, "for a console, and --headless is without one")
        return serve_headless(agent, flags, config, **serving.of_workers, host=host, port=port)
    from agent_console.serve import serve
    from agent_console.start import check_settings

    _refuse_flags(serving.of_workers, "for --headless")
    check_settings(agent, flags, config)
    return serve(_arguments, host or "localhost", 8000 if port is None else port)


@app.command
def new(name: str, /) -> int:
    """Make a folder with an agent, its tests, a scenario and a place for keys.

    Args:
        name: the folder's name.
    """
    from agent_console.new_project import new_project

    return new_project(name)


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


@app.command
def replay(
    bundle: Path | None = None,
    agent: str | None = None,
    /,
    *,
    run: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
    plain: Annotated[bool, Parameter(negative="")] = False,
    output: Path | None = None,
    llm: str | None = None,
    speed: float = 1.0,
    sound: bool = True,
    config: Path | None = None,
) -> int:
    """Play a recorded session, or give what its user said to the present code.

    Args:
        bundle: its folder, or a file that `--events` wrote; the newest ones are listed if left out.
        agent: with --run, the code; the recorded agent if left out.
        run: run it again against the present code and show where it differs; exit code 1 if it does.
        json: with --run, the report as JSON.
        plain: with --run, the report as text instead of a screen.
        output: with --run, record the new session into this folder; a temporary one if left out.
        llm: with --run, the language model; the configured one if left out.
        speed: 0.5 to 8.
        sound: play it through the speaker.
        config: use this file instead of the nearest agent-console.toml.
    """
    from agent_console.replay.command import list_newest, run_again, show

    if bundle is None:
        return list_newest(config)
    if run:
        shape = {"as_json": json, "plain": plain}
        return run_again(bundle, agent, **shape, output=output, flags={"llm": llm}, config_file=config)
    show(bundle, speed=speed, sound=sound, config_file=config)


@app.command(name="test")
def hold_to(
    source: Path,
    agent: str | None = None,
    /,
    *,
    output: Annotated[Path | None, Parameter(name=("--output", "-o"), group=_BUNDLES)] = None,
    turn: Annotated[int | None, Parameter(group=_BUNDLES)] = None,
    real_tools: Annotated[bool, Parameter(negative="", group=_BUNDLES)] = False,
    latency: Annotated[float | None, Parameter(group=_BUNDLES)] = None,
    judge: str | None = None,
    only: Annotated[str | None, Parameter(group=_SCENARIOS)] = None,
    by: Annotated[Literal["text", "speech"] | None, Parameter(group=_SCENARIOS)] = None,
    llm: Annotated[str | None, Parameter(group=_SCENARIOS)] = None,
    junit: Annotated[Path | None, Parameter(group=_SCENARIOS)] = None,
    json: Annotated[Path | None, Parameter(group=_SCENARIOS)] = None,
    lines: Annotated[bool, Parameter(negative="", group=_SCENARIOS)] = False,
    config: Annotated[Path | None, Parameter(group=_SCENARIOS)] = None,
) -> int:
    """Run scenarios against an agent, or write a pytest file that holds it to what it did in a recording.

    Args:
        source: a scenario file (.yaml), a folder of them, or a bundle's folder.
        agent: its code, file.py or file.py:Name; the one that the scenarios or the recording name if left out.
        output: the file to write; printed if left out.
        turn: this turn; those that were marked if left out, and the whole conversation if none was.
        real_tools: have the test run the tools themselves instead of giving their recorded answers.
        judge: have this model (openai or openai:MODEL) say whether a reply does what is meant, instead of comparing.
        latency: also hold each answer to so many seconds, from the user's words to the agent's first one.
        only: run the scenario of this name alone.
        by: text or speech, in place of what the scenarios say.
        llm: the language model; the configured one if left out.
        junit: also write the results to this file, as JUnit XML.
        json: also write them to this file, as JSON.
        lines: print a line of JSON for each thing as it happens, instead of text for people.
        config: use this file instead of the nearest agent-console.toml.
    """
    from agent_console.scenarios import Reports, has_scenarios, run_scenarios

    bundle_flags = {"output": output, "turn": turn, "real-tools": real_tools or None, "latency": latency}
    scenario_flags = {"only": only, "by": by, "llm": llm, "junit": junit, "json": json, "lines": lines or None}
    scenario_flags["config"] = config
    if has_scenarios(source):
        _refuse_flags(bundle_flags, "for a bundle")
        reports, how = Reports(junit, json, lines), {"llm": llm}
        return run_scenarios(
            source, agent, only=only, by=by, judge=judge, reports=reports, flags=how, config_file=config
        )
    _refuse_flags(scenario_flags, "for scenarios")
    from agent_console.replay.test_command import write_test
    from agent_runtime.bundle.as_test import Strictness

    return write_test(
        source, agent, output=output, turn=turn, style=Strictness(real_tools=real_tools, judge=judge, latency=latency)
    )


@app.command
def bench(
    agent: str | None = None,
    /,
    *,
    turns: int = 10,
    say: tuple[str, ...] = (),
    by: Literal["text", "speech"] = "speech",
    budget: float | None = None,
    json: Path | None = None,
    against: Path | None = None,
    llm: str | None = None,
    config: Path | None = None,
) -> int:
    """Talk to an agent by itself and show how long its answers take, and where the time goes.

    Args:
        agent: file.py, file.py:Name or package.module; the bundled assistant if left out.
        turns: how many are counted, after a first one that isn't.
        say: what the user says; may be given again and again, and is said in turn.
        by: speech, through recognition and voice in real time; or text.
        budget: seconds that 95 answers in 100 may take; exit code 1 if they take longer.
        json: also write the figures to this file.
        against: figures written before; exit code 1 if the answers are slower now by a tenth.
        llm: the language model; the configured one if left out.
        config: use this file instead of the nearest agent-console.toml.
    """
    from agent_console.bench import Plan
    from agent_console.bench import bench as run_bench

    plan = Plan(turns=turns, says=say, by=by, output=json, against=against, budget=budget)
    return run_bench(agent, plan, {"llm": llm}, config)


def _refuse_flags(flags: Mapping[str, object], why: str) -> None:
    given = next((name for name, value in flags.items() if value is not None), None)
    if given is not None:
        raise AgentConsoleError(f"--{given.replace('_', '-')} is {why}: leave it out")


@app.command
def attach(
    url: str | None = None,
    /,
    *,
    token: str | None = None,
    job: str | None = None,
    insecure: Annotated[bool, Parameter(negative="")] = False,
    config: Path | None = None,
) -> int:
    """Open the console on a job of a running worker.

    Args:
        url: the worker's address; http://127.0.0.1:8081 if left out.
        token: lets you in; AGENT_CONSOLE_ATTACH_TOKEN or, on its own machine, the worker's own if left out.
        job: the job's id; a list to pick from if left out.
        insecure: send the token to another machine without TLS.
        config: use this file instead of the nearest agent-console.toml.
    """
    from agent_console.attach.command import attach

    attach(url, token, job, insecure=insecure, config_file=config)


@app.command
def schema(name: Literal["event", "bundle", "config", "scenario", "worker"], /) -> int:
    """Print a JSON schema.

    Args:
        name: event (a line of events.jsonl), bundle, config, scenario (files) or worker (its answer at /worker).
    """
    from agent_runtime.bundle.schemas import schema_text

    print(schema_text(name), end="")
    return 0


def run_arguments(arguments: Sequence[str]) -> int:
    """Do what the arguments say; the exit code. Raises AgentConsoleError where that can't be done."""
    _arguments[:] = arguments
    try:
        code = app(arguments, exit_on_error=False, print_error=False)
    except UnusedCliTokensError as exc:
        extra = " ".join(exc.unused_tokens or ())
        raise AgentConsoleError(f"there is nothing to take {extra!r}: see `agent-console --help`") from exc
    except CycloptsError as exc:
        raise AgentConsoleError(f"{' '.join(str(exc).split())} See `agent-console --help`.") from exc
    return code if isinstance(code, int) else 0
