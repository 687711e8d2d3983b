"""A session is recorded by its host, replayed, run again, and made a test of: each by the command that people use."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from agent_console.arguments import run_arguments
from agent_runtime.agent_loader import load_agent, parse_target
from agent_runtime.bundle import Bundle, recorded_turns
from agent_runtime.bundle.comparison import Comparison
from agent_runtime.bundle.rerun import rerun
from agent_runtime.errors import AgentConsoleError, BundleError
from agent_runtime.events import (
    DeviceChanged,
    PlayoutFinished,
    PlayoutStarted,
    RecordingChanged,
    SessionStarted,
    TurnMarked,
    UserTranscribed,
)
from agent_runtime.host import RuntimeHost
from agent_runtime.media.wav import read_wav, write_wav
from agent_runtime.settings_layers import load_settings
from tests.integration.test_runtime_host import Console
from tests.support.openai_server import DONE, KEY, OpenAIServer, Reply, answer, chunk, tool_call

ROOT = Path(__file__).resolve().parents[2]

AGENT = '''
from livekit.rtc import AudioFrame
from agent_runtime import Agent, AgentSession, function_tool
from agent_runtime.testing import Answer, ScriptedLLM, ScriptedTTS

class Boss(Agent):
    def __init__(self):
        super().__init__(instructions="You decide.")

    async def on_enter(self):
        self.session.say("The boss speaks.")

class Desk(Agent):
    def __init__(self):
        super().__init__(instructions="Be brief.")

    async def on_enter(self):
        self.session.say("Welcome.")

    async def tts_node(self, text, model_settings):
        async for _ in text:
            pass
        yield AudioFrame(b"\\x10\\x10" * 9600, 24000, 1, 9600)

    @function_tool
    async def status(self, number: str, api_key: str = "") -> str:
        """Where an order is."""
        return f"order {number} is on its way"

    @function_tool
    async def hand_over(self) -> Agent:
        """Ask the boss."""
        return Boss()

def session() -> AgentSession:
    look = Answer("One moment.", tool_calls=[("status", '{"number": "1042", "api_key": "hush-4711"}')], duration=0.1)
    answers = {
        "where is it?": look,
        "order 1042 is on its way": Answer("It comes tomorrow.", duration=0.1),
        "the boss": Answer(tool_calls=[("hand_over", "{}")], duration=0.1),
    }
    return AgentSession(llm=ScriptedLLM(by_input=answers), tts=ScriptedTTS([0.4], ttfb=0.0), stt=None, vad=None), Desk()
'''


class Desk(Console):
    """A host of that agent, as a console has it."""

    def __init__(self, folder: Path, **flags: object) -> None:
        super().__init__(folder)
        (folder / "desk.py").write_text(AGENT)
        flags = {"recordings": folder / "recordings", **flags}
        resolved = load_settings(flags, folder=folder, environ={}, user_file=folder / "none.toml")
        self.host = RuntimeHost(lambda: resolved.settings, lambda: load_agent(parse_target(str(folder / "desk.py"))))
        self.host.start(self.sink)

    def finished(self, folder: Path) -> Bundle:
        """The bundle, once the host has stopped."""
        assert self.host.stop(10)
        (bundle,) = (folder / "recordings").iterdir()
        return Bundle.open(bundle)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder that is a project of its own."""
    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("desk", None)


@pytest.fixture
def recorded(project) -> Bundle:
    """A typed conversation: a greeting, a tool, a handoff; the second turn is marked."""
    desk = Desk(project, text=True, record=True)
    desk.said("assistant", "Welcome.")
    desk.host.send_text("where is it?")
    answer = desk.said("assistant", "It comes tomorrow.")
    desk.host.mark_turn(answer.turn_id or "")
    desk.of(TurnMarked)
    desk.host.send_text("the boss")
    desk.said("assistant", "The boss speaks.")
    return desk.finished(project)


def test_a_session_with_sound_is_recorded_as_it_was_heard(project):
    tone = (8000 * np.sin(np.arange(16000) / 5)).astype(np.int16)
    write_wav(project / "in.wav", tone, 16000)
    files = {"audio.input_wav": project / "in.wav", "audio.output_wav": project / "out.wav"}
    desk = Desk(project, record=True, **files)
    desk.wait(lambda event: isinstance(event.data, PlayoutFinished), 20)
    began = desk.of(PlayoutStarted).time
    bundle = desk.finished(project)
    assert bundle.manifest.complete
    assert bundle.manifest.code[0].entry == "desk.py"
    user, rate = read_wav(bundle.user_wav)
    assert np.abs(user).max() > 7900
    agent, agent_rate = read_wav(bundle.agent_wav)
    assert len(agent) / agent_rate == pytest.approx(len(user) / rate, abs=0.01)
    first, last = np.flatnonzero(agent[:, 0])[[0, -1]] / agent_rate
    # The event tells of it a moment after it began.
    assert began - 0.3 < first <= began + 0.02
    assert last - first == pytest.approx(0.4, abs=0.01)
    assert [turn.replies for turn in recorded_turns(bundle.events())] == [["Welcome."]]


def test_recording_begins_and_ends_in_mid_session(project):
    desk = Desk(project, text=True)
    desk.of(SessionStarted)
    desk.said("assistant", "Welcome.")
    desk.host.record(True)
    folder = Path(desk.of(RecordingChanged).data.folder)
    desk.host.send_text("where is it?")
    desk.said("assistant", "It comes tomorrow.")
    desk.host.record(False)
    desk.wait(lambda event: isinstance(event.data, RecordingChanged) and event.data.state == "stopped")
    bundle = desk.finished(project)
    assert bundle.folder == folder
    assert bundle.manifest.complete
    assert bundle.manifest.begins > 0.0
    assert [turn.reply for turn in recorded_turns(bundle.events())] == ["Welcome.", "One moment. It comes tomorrow."]


def test_each_reload_s_code_is_in_the_bundle(project):
    desk = Desk(project, text=True, record=True)
    desk.said("assistant", "Welcome.")
    (project / "desk.py").write_text(AGENT.replace("Be brief.", "Be kind."))
    desk.host.reload()
    desk.wait(lambda event: event.data.type == "reload_finished", 20)
    bundle = desk.finished(project)
    first, second = [(bundle.folder / code.folder / code.entry).read_text() for code in bundle.code]
    assert "Be brief." in first
    assert "Be kind." in second


def test_a_folder_that_can_not_be_written_is_told_and_the_session_goes_on(project):
    (project / "recordings").write_text("a file")
    desk = Desk(project, text=True, record=True)
    assert desk.of(RecordingChanged).data.state == "failed"
    desk.host.send_text("where is it?")
    desk.said("assistant", "It comes tomorrow.")
    assert desk.host.stop(10)


def test_a_fault_while_recording_is_told_and_the_session_goes_on(project, monkeypatch):
    desk = Desk(project, text=True, record=True)
    desk.said("assistant", "Welcome.")

    def broken(*_: object) -> str:
        raise LookupError("no such thing")

    monkeypatch.setattr("agent_runtime.bundle.recorder.dumps", broken)
    desk.host.send_text("where is it?")
    failed = desk.wait(lambda event: isinstance(event.data, RecordingChanged) and event.data.state == "failed")
    assert failed.data.problem == "LookupError: no such thing"
    desk.said("assistant", "It comes tomorrow.")
    monkeypatch.undo()
    desk.host.record(True)
    desk.wait(lambda event: isinstance(event.data, RecordingChanged) and event.data.state == "started")
    assert desk.host.stop(10)


def test_the_same_code_does_the_same_again(recorded, capsys):
    assert run_arguments(["replay", str(recorded.folder), "--run", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["same"]
    assert [exchange["after"]["user"] for exchange in report["exchanges"]] == ["", "where is it?", "the boss"]


def test_other_code_is_shown_beside_it_with_what_differs(recorded, project, capsys):
    changed = AGENT.replace('is on its way"', 'is lost"').replace('"order 1042 is on its way"', '"order 1042 is lost"')
    (project / "desk.py").write_text(changed)
    assert run_arguments(["replay", str(recorded.folder), "--run", "--output", str(project / "again")]) == 1
    printed = capsys.readouterr().out
    line = next(line for line in printed.splitlines() if "is lost" in line)
    assert line.startswith("! results")
    assert "order 1042 is on its way" in line
    assert "1 of 3 exchanges differ" in printed
    assert "hush-4711" not in printed
    again = next(path for path in (project / "again").iterdir() if path.is_dir())
    assert Bundle.open(again).manifest.complete


def run_pytest(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore", str(path)]
    return subprocess.run(command, capture_output=True, text=True, cwd=path.parent, timeout=120, check=False)


@pytest.mark.parametrize("which", [[], ["--turn", "3"], ["--turn", "2", "--real-tools"]])
def test_the_test_that_is_written_passes_now_and_fails_when_the_agent_changes(recorded, project, which):
    path = project / "tests" / "test_desk.py"
    assert run_arguments(["test", str(recorded.folder), "-o", str(path), *which]) == 0
    passes = run_pytest(path)
    assert passes.returncode == 0, passes.stdout
    text = path.read_text()
    assert "hush-4711" not in text
    assert ("mock_tools" in text) == ("--real-tools" not in which)
    change = ("return Boss()", "return self") if "3" in which else ("async def status", "async def where")
    (project / "desk.py").write_text(AGENT.replace(*change))
    assert run_pytest(path).returncode == 1


def test_without_a_turn_those_that_were_marked_are_tested(recorded, capsys):
    run_arguments(["test", str(recorded.folder)])
    printed = capsys.readouterr().out
    assert "async def test_turn_2_where_is_it()" in printed
    assert printed.count("async def ") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--turn", "9"], "--turn 9: the user's turns are 2, 3"),
        (["-o", "desk.py/test_x.py"], "can't be written: "),
        (["-o", "desk.py"], "is there already"),
    ],
)
def test_what_can_not_be_written_is_said(recorded, arguments, message):
    with pytest.raises(AgentConsoleError, match=message):
        run_arguments(["test", str(recorded.folder), *arguments])


def test_what_is_no_bundle_can_not_be_replayed(project):
    with pytest.raises(BundleError, match="no such bundle"):
        run_arguments(["replay", str(project / "none")])
    with pytest.raises(AgentConsoleError, match="--speed 20: it has to be from"):
        run_arguments(["replay", str(project), "--speed", "20"])


def test_a_schema_is_printed(capsys):
    assert run_arguments(["schema", "bundle"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Session bundle"


SPOKEN = AGENT.replace("import Answer", "import UserSpeech, ScriptedSTT, ScriptedVAD, Answer").replace(
    "stt=None, vad=None)",
    'stt=ScriptedSTT(SAID), vad=ScriptedVAD(SAID), turn_handling={"turn_detection": "vad"})',
)
SPOKEN += '\nSAID = [UserSpeech(1.0, 1.6, "where is it?")]\n'


def test_spoken_turns_go_through_the_audio_path_again(project, monkeypatch, capsys):
    monkeypatch.setattr(sys.modules[__name__], "AGENT", SPOKEN)
    write_wav(project / "in.wav", np.ones(16000 * 2, np.int16), 16000)
    files = {"audio.input_wav": project / "in.wav", "audio.output_wav": project / "out.wav"}
    desk = Desk(project, record=True, **files)
    desk.said("assistant", "It comes tomorrow.")
    bundle = desk.finished(project)
    assert [turn.by for turn in recorded_turns(bundle.events()) if turn.user] == ["speech"]
    assert run_arguments(["replay", str(bundle.folder), "--run", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    again = report["exchanges"][-1]["after"]
    assert (again["by"], again["user"]) == ("speech", "where is it?")
    assert again["reply"].endswith("It comes tomorrow.")


def test_a_turn_by_push_to_talk_is_taken_by_it_again(project, monkeypatch, capsys):
    monkeypatch.setattr(sys.modules[__name__], "AGENT", SPOKEN)
    write_wav(project / "in.wav", np.ones(16000 * 4, np.int16), 16000)
    files = {"audio.input_wav": project / "in.wav", "audio.output_wav": project / "out.wav"}
    desk = Desk(project, record=True, **files)
    desk.wait(lambda event: isinstance(event.data, DeviceChanged) and event.data.kind == "input", 20)
    desk.host.push_to_talk("press")
    desk.wait(lambda event: isinstance(event.data, UserTranscribed) and event.data.is_final, 20)
    desk.host.push_to_talk("send")
    desk.said("assistant", "It comes tomorrow.")
    bundle = desk.finished(project)
    assert [turn.by for turn in recorded_turns(bundle.events()) if turn.user] == ["push_to_talk"]
    run_arguments(["replay", str(bundle.folder), "--run", "--json"])
    report = json.loads(capsys.readouterr().out)
    again = report["exchanges"][-1]["after"]
    assert (again["by"], again["user"]) == ("push_to_talk", "where is it?")
    assert again["reply"].endswith("It comes tomorrow.")


def test_how_far_a_run_is_can_be_watched_and_it_can_be_given_up(recorded, project):
    resolved = load_settings({}, folder=project, environ={}, user_file=project / "none.toml")
    target = parse_target(str(project / "desk.py"))
    seen: list[Comparison] = []
    over = rerun(recorded, target, resolved, show=seen.append)
    assert over.same
    assert all(comparison.running and comparison.same for comparison in seen)
    reached = [sum(pair.after is not None for pair in comparison.pairs) for comparison in seen]
    assert reached == sorted(reached)
    assert (reached[0] < 3, reached[-1]) == (True, 3)
    assert "hush-4711" not in str(seen)
    sys.modules.pop("desk", None)
    given_up = rerun(recorded, target, resolved, show=seen.append, given_up=lambda: len(seen) > len(reached))
    assert given_up.notes == ("it was given up",)
    assert not given_up.same


@pytest.mark.parametrize(("seconds", "passes"), [("2", True), ("1", False)])
def test_a_budget_holds_the_agent_s_own_waiting(recorded, project, seconds, passes):
    slow = AGENT.replace("return f", "await asyncio.sleep(1.0)\n        return f").replace(
        "\nfrom", "import asyncio\nfrom", 1
    )
    path = project / "test_desk.py"
    arguments = ["test", str(recorded.folder), "--turn", "2", "--real-tools", "--latency", seconds, "-o", str(path)]
    assert run_arguments(arguments) == 0
    assert run_pytest(path).returncode == 0
    (project / "desk.py").write_text(slow)
    result = run_pytest(path)
    assert (result.returncode == 0) == passes, result.stdout
    assert ("took too long" in result.stdout) != passes


@pytest.mark.parametrize("success", [True, False])
async def test_a_judge_holds_the_meaning_with_a_model_in_the_recorded_one_s_place(recorded, project, success):
    path = project / "test_desk.py"
    arguments = ["test", str(recorded.folder), "--judge", "openai:judge-1", "-o", str(path)]
    assert await asyncio.to_thread(run_arguments, arguments) == 0
    text = path.read_text()
    assert 'openai.LLM(model="judge-1")' in text
    assert "says, maybe in other words: It comes tomorrow." in text
    assert "ScriptedLLM" not in text
    replies = [
        calls("status", number="1042"),
        answer("You will have it tomorrow."),
        calls("check_intent", success=success, reason="because"),
    ]
    async with OpenAIServer(*replies, models=["judge-1"]) as server:
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore", path.name],
            cwd=project,
            env={**os.environ, "OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": KEY},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        printed = (await process.communicate())[0].decode()
        assert len(server.requests) == 3, printed
    assert (process.returncode == 0) == success, printed
    assert ("judged" in printed) != success


def calls(name: str, **arguments: object) -> Reply:
    """An answer that calls a tool."""
    called = tool_call(0, id=f"call_{name}", name=name, arguments=json.dumps(arguments))
    return Reply([called, chunk(finish="tool_calls"), DONE])
