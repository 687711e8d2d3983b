"""What the documentation promises: links lead somewhere, commands and flags exist, pages are up to date."""

import re
import shlex
from pathlib import Path

import pytest

from agent_console.arguments import app
from tests.support import settings_page

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = [target for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_two_commands_are_each_one_line():
    assert "\npip install uv && uv run agent-console\n" in README
    assert "\npip install uv && uv run pytest\n" in README


def test_every_command_in_the_readme_is_understood():
    known = set(app)
    for line in re.findall(r"`(agent-console [^`]+)`", README):
        words = shlex.split(line)[1:]
        assert words[0] in known or re.fullmatch(r"[\w.]+(:\w+)?", words[0]), line


def test_every_flag_in_the_readme_exists_and_every_flag_is_in_the_readme():
    mentioned = set(re.findall(r"--[a-z][a-z-]+", README)) - {"--no-deps"}
    flags = {name for argument in app.assemble_argument_collection() for name in argument.names if name[:2] == "--"}
    positive = {flag for flag in flags if not flag.startswith("--no-")}
    assert mentioned <= flags
    assert positive - mentioned - {"--reload"} == set()


def test_the_agent_in_the_readme_runs(tmp_path, monkeypatch):
    from agent_runtime.agent_loader import load_agent, parse_target

    code = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert len(code) == 1
    (tmp_path / "order_desk.py").write_text(code[0], encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert load_agent(parse_target(str(tmp_path / "order_desk.py"))).name == "OrderDesk"


def test_the_page_of_settings_is_up_to_date():
    assert settings_page.PAGE.read_text(encoding="utf-8") == settings_page.page(), (
        "run `python -m tests.support.settings_page`"
    )
