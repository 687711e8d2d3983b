"""Settings: which layer wins, where a value came from, and what is said about a wrong one."""

from pathlib import Path

import pytest

from agent_runtime.errors import ConfigError
from agent_runtime.settings_layers import (
    ResolvedSettings,
    load_settings,
    setting_descriptions,
    setting_fields,
)
from agent_runtime.settings_places import anything_is_set, find_project_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()  # the search for a project file ends here
    return tmp_path


def load(folder: Path, flags=None, environ=None, user: str | None = None) -> ResolvedSettings:
    user_file = folder / "user.toml"
    if user is not None:
        user_file.write_text(user)
    return load_settings(flags, folder=folder, environ=environ or {}, user_file=user_file)


def test_defaults_stand_where_nothing_is_said(folder):
    resolved = load(folder)
    assert resolved.settings.llm == "auto"
    assert resolved.settings.reload is True
    assert {row.origin for row in resolved.rows()} == {"default"}


def test_each_layer_wins_over_those_below(folder, monkeypatch):
    monkeypatch.chdir(folder)
    user = 'profile = "prod"\nlog_level = "error"\ntheme = "user"\nstt = "none"\ntts = "none"\nvad = "none"\n'
    (folder / "agent-console.toml").write_text('theme = "project"\nstt = "none"\ntts = "none"\nvad = "none"\n')
    (folder / ".env").write_text('AGENT_CONSOLE_STT="embedded"\nAGENT_CONSOLE_TTS=none\nAGENT_CONSOLE_VAD=none\n')
    environ = {"AGENT_CONSOLE_TTS": "embedded", "AGENT_CONSOLE_VAD": "none"}
    resolved = load(folder, {"vad": "embedded", "llm": None}, environ, user)
    got = {row.name: (row.value, row.origin) for row in resolved.rows()}
    assert got["vad"] == ("embedded", "--vad")
    assert got["tts"] == ("embedded", "AGENT_CONSOLE_TTS")
    assert got["stt"] == ("embedded", ".env:1: AGENT_CONSOLE_STT")
    assert got["theme"] == ("project", "agent-console.toml:1")
    assert got["log_level"] == ("error", "user.toml:2")
    assert got["reload"] == ("false", "profile prod")
    assert got["llm"] == ("auto", "default")


def test_conventional_variables_fill_their_settings_and_ours_win(folder):
    environ = {"OPENAI_API_KEY": "sk-conventional", "OPENAI_BASE_URL": "http://one/v1", "LIVEKIT_URL": "ws://here"}
    resolved = load(folder, environ=environ | {"AGENT_CONSOLE_OPENAI_BASE_URL": "http://two/v1"})
    key = resolved.settings.openai.api_key
    assert key is not None
    assert key.get_secret_value() == "sk-conventional"
    assert resolved.settings.openai.base_url == "http://two/v1"
    assert resolved.settings.livekit.url == "ws://here"
    assert resolved.origins["openai.api_key"] == "OPENAI_API_KEY"


def test_an_empty_variable_is_not_set(folder):
    assert load(folder, environ={"OPENAI_API_KEY": ""}).settings.openai.api_key is None


def test_secrets_are_masked(folder):
    resolved = load(folder, environ={"OPENAI_API_KEY": "sk-very-secret"})
    assert "sk-very-secret" not in repr(resolved)
    assert "sk-very-secret" not in str(resolved.rows())


def test_paths_in_a_file_are_relative_to_it(folder):
    (folder / "agent-console.toml").write_text('[audio]\ninput_wav = "speech.wav"\n')
    below = folder / "agents"
    below.mkdir()
    assert load(below).settings.audio.input_wav == folder / "speech.wav"


def test_the_nearest_project_file_is_found_up_to_the_repository(tmp_path):
    inner = tmp_path / "repo" / "agents"
    inner.mkdir(parents=True)
    (tmp_path / "agent-console.toml").write_text("")
    assert find_project_file(inner) == tmp_path / "agent-console.toml"
    (tmp_path / "repo" / ".git").mkdir()
    assert find_project_file(inner) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('llmm = "embedded"', "agent-console.toml:1: llmm: there is no such setting; did you mean 'llm'?"),
        (
            '\n[audio]\ninput_devise = "x"',
            "agent-console.toml:3: audio.input_devise: there is no such setting; did you mean 'audio.input_device'?",
        ),
        ('input_wav = "x"', "agent-console.toml:1: input_wav: there is no such setting; did you mean"),
        ('audio = "x"', "agent-console.toml:1: audio: this is a section: write [audio] and lines in it"),
        ('theme = "x"\nllm = [', "agent-console.toml:2: isn't TOML: Invalid value"),
        (
            '# one\n\nprofile = "devel"',
            "agent-console.toml:3: profile: 'devel': input should be 'dev', 'prod' or 'test'",
        ),
        (
            'llm = "opnai:gpt"',
            "agent-console.toml:1: llm: 'opnai:gpt' is not a provider of llm: use 'auto', 'embedded', ",
        ),
        ('llm = "openai:"', "agent-console.toml:1: llm: a model's name is missing after the colon"),
        ('tts = "embedded:x"', "agent-console.toml:1: tts: 'embedded' takes no model"),
        ("[endpointing]\nmin_delay = -1", "agent-console.toml:2: endpointing.min_delay: -1: input should be greater"),
        (
            '[openai]\nbase_url = "localhost"',
            "agent-console.toml:2: openai.base_url: 'localhost': begin it with https://",
        ),
        (
            '[livekit]\nurl = "a.example"',
            "agent-console.toml:2: livekit.url: 'a.example': begin it with wss:// or ws://",
        ),
    ],
)
def test_a_wrong_line_is_named_with_what_would_be_right(folder, monkeypatch, text, message):
    monkeypatch.chdir(folder)
    (folder / "agent-console.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(folder)
    assert str(caught.value).startswith(message)


WRONG = """
theme = "paper"
llmm = "embedded"
profile = ["dev"]
log_level = "loud"
keys = 3
[budgets]
answer = -1
llm = 0.8
[audio]
high_pass = "perhaps"
[endpointing]
min_delay = 0.2
"""


def test_a_wrong_line_is_left_out_and_the_rest_counts(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "agent-console.toml").write_text(WRONG)
    (folder / ".env").write_text("# ours\nexport AGENT_CONSOLE_STT=whisper\nAGENT_CONSOLE_LMM=x\nOPENAI_API_KEY=sk-1\n")
    user = 'log_level = "error"\ntheme = '
    resolved = load_settings({}, folder=folder, environ={}, user_file=write_user(folder, user), lenient=True)
    settings = resolved.settings
    assert (settings.theme, settings.budgets.llm, settings.endpointing.min_delay) == ("paper", 0.8, 0.2)
    assert (settings.budgets.answer, settings.log_level, settings.audio.high_pass) == (1.0, "info", True)
    assert resolved.dotenv["OPENAI_API_KEY"] == "sk-1"
    told = [str(problem).split(": ")[:2] for problem in resolved.problems]
    assert sorted(told) == [
        [".env:2", "AGENT_CONSOLE_STT"],
        [".env:3", "AGENT_CONSOLE_LMM"],
        ["agent-console.toml:11", "audio.high_pass"],
        ["agent-console.toml:3", "llmm"],
        ["agent-console.toml:4", "profile"],
        ["agent-console.toml:5", "log_level"],
        ["agent-console.toml:6", "keys"],
        ["agent-console.toml:8", "budgets.answer"],
        ["user.toml:2", "isn't TOML"],
    ]
    assert "sk-1" not in repr(resolved)


def write_user(folder: Path, text: str) -> Path:
    (folder / "user.toml").write_text(text)
    return folder / "user.toml"


def test_what_a_lower_place_says_counts_where_a_higher_one_is_wrong(folder):
    (folder / "agent-console.toml").write_text('profile = "devel"\nlog_level = "loud"\n')
    user = write_user(folder, 'profile = "prod"\nlog_level = "error"\n')
    resolved = load_settings({}, folder=folder, environ={}, user_file=user, lenient=True)
    assert (resolved.settings.log_level, resolved.settings.reload) == ("error", False)
    assert resolved.origins["log_level"].endswith("user.toml:2")
    assert len(resolved.problems) == 2


def test_flags_and_variables_are_refused_all_the_same(folder):
    (folder / "agent-console.toml").write_text("[budgets]\nanswer = -1\n")
    with pytest.raises(ConfigError, match="--log-level: 'loud'"):
        load_settings({"log_level": "loud"}, folder=folder, environ={}, user_file=folder / "no", lenient=True)
    environ = {"AGENT_CONSOLE_LOG_LEVEL": "loud"}
    with pytest.raises(ConfigError, match="AGENT_CONSOLE_LOG_LEVEL: log_level: 'loud'"):
        load_settings(folder=folder, environ=environ, user_file=folder / "no", lenient=True)


def test_a_value_that_turns_out_wrong_later_gives_way_to_the_default(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "agent-console.toml").write_text('[audio]\ninput_wav = "gone.wav"\n')
    resolved = load(folder, {"theme": "dusk"}).without("audio.input_wav", "gone")
    assert resolved.settings.audio.input_wav is None
    assert "audio.input_wav" not in resolved.origins
    assert list(map(str, resolved.problems)) == ["agent-console.toml:2: audio.input_wav: gone"]
    with pytest.raises(ConfigError, match=r"^--theme: there is none$"):
        resolved.without("theme", "there is none")


def test_a_near_match_of_a_provider_is_offered(folder):
    with pytest.raises(ConfigError, match=r"--llm: .*did you mean 'openai'\?"):
        load(folder, {"llm": "opnai:gpt"})


def test_an_unknown_variable_is_refused(folder):
    with pytest.raises(ConfigError, match=r"AGENT_CONSOLE_LMM: .*did you mean 'AGENT_CONSOLE_LLM'\?"):
        load(folder, environ={"AGENT_CONSOLE_LMM": "embedded"})


def test_a_wrong_secret_is_not_shown(folder):
    (folder / "agent-console.toml").write_text('[openai]\napi_key = ["sk-hidden"]')
    with pytest.raises(ConfigError) as caught:
        load(folder)
    assert "openai.api_key" in str(caught.value)
    assert "sk-hidden" not in str(caught.value)


def test_a_config_file_that_is_asked_for_must_exist(folder):
    with pytest.raises(ConfigError, match="check --config"):
        load_settings(folder=folder, environ={}, project_file=folder / "gone.toml")


def test_every_setting_says_what_it_is():
    assert list(setting_descriptions()) == list(setting_fields())
    assert [name for name, text in setting_descriptions().items() if not text] == []
    assert setting_descriptions()["text"] == "No microphone and no speaker: the conversation is typed."


def test_nothing_is_set_on_a_fresh_machine_and_any_place_changes_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    project = tmp_path / "project"
    (project / ".git").mkdir(parents=True)
    assert not anything_is_set(project, {"PATH": "/bin"})
    assert anything_is_set(project, {"AGENT_CONSOLE_THEME": "paper"})
    assert anything_is_set(project, {"OPENAI_API_KEY": "sk-1"})
    for place in (project / ".env", project / "agent-console.toml"):
        place.write_text("")
        assert anything_is_set(project, {})
        place.unlink()
    assert not anything_is_set(project, {})
