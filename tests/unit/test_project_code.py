"""A new version of a project's modules beside the one in use: which are loaded, and that it is all of them or none."""

from __future__ import annotations

import gc
import os
import sys
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pytest

from agent_runtime import keep
from agent_runtime.errors import AgentLoadError
from agent_runtime.project import CodeVersion, Superseded, load_code
from agent_runtime.project.finder import EntryPoint, entry_of_file, entry_of_module


class Project:
    """A folder with modules, and the version of them in use."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entry: EntryPoint | None = None
        self.version: CodeVersion | None = None

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
        return path

    def start(self, target: str = "main.py") -> CodeVersion:
        file = target.endswith(".py")
        self.entry = entry_of_file(self.folder / target) if file else entry_of_module(target)
        self.version = load_code(self.entry)
        self.version.exchange.settle()
        return self.version

    def load(self, *, everything: bool = False) -> CodeVersion:
        """A new version, not in place."""
        assert self.entry is not None
        return load_code(self.entry, self.version, everything=everything)

    def reload(self) -> list[str]:
        """The names of what was loaded again, in order; the new version is in place."""
        self.version = self.load()
        self.version.exchange.settle()
        return list(self.version.loaded)

    def modules(self) -> dict[str, ModuleType]:
        here = str(self.folder)
        return {n: m for n, m in sys.modules.items() if str(getattr(m, "__file__", None) or "").startswith(here)}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    made = Project(tmp_path)
    yield made
    for name in made.modules():
        del sys.modules[name]


# --- which modules ---------------------------------------------------------------------------------------------------


def test_a_changed_module_and_its_importers_are_loaded_again_and_others_stay(project: Project) -> None:
    project.write("low.py", "VALUE = 1\n")
    project.write("middle.py", "from low import VALUE\n")
    project.write("aside.py", "import json\n")
    project.write("main.py", "import aside\nimport middle\nfrom middle import VALUE\n")
    project.start()
    before = project.modules()
    project.write("low.py", "VALUE = 2\n")
    assert project.reload() == ["main", "middle", "low"]
    assert project.version is not None
    assert project.version.module.VALUE == sys.modules["middle"].VALUE == 2  # type: ignore[attr-defined]
    assert sys.modules["aside"] is before["aside"]
    assert all(sys.modules[name] is not before[name] for name in ("main", "middle", "low"))


def test_a_save_that_changes_nothing_loads_the_agents_module_alone(project: Project) -> None:
    project.write("other.py", "")
    project.write("main.py", "import other\n")
    project.start()
    assert project.reload() == ["main"]
    assert set(project.load(everything=True).loaded) == {"main", "other"}


def test_the_same_length_in_the_same_second_is_a_change(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = project.write("other.py", "VALUE = 1\n")
    project.write("main.py", "import other\n")
    project.start()
    times = path.stat()
    project.write("other.py", "VALUE = 2\n")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert project.reload() == ["main", "other"]
    assert sys.modules["other"].VALUE == 2  # type: ignore[attr-defined]


def test_a_decorator_that_changes_is_applied_anew(project: Project) -> None:
    project.write("marks.py", "def mark(function):\n    function.mark = 'old'\n    return function\n")
    project.write("tools.py", "from marks import mark\n@mark\ndef look(): ...\n")
    project.write("main.py", "from tools import look\n")
    project.start()
    project.write("marks.py", "def mark(function):\n    function.mark = 'new'\n    return function\n")
    assert project.reload() == ["main", "tools", "marks"]
    assert sys.modules["main"].look.mark == "new"  # type: ignore[attr-defined]


def test_a_repository_at_home_does_not_make_everything_the_project(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(project.folder))
    project.write("elsewhere/other.py", "")
    project.write("agents/main.py", "")
    version = project.start("agents/main.py")
    assert version.project.top == project.folder / "agents"
    assert project.folder / "elsewhere/other.py" not in version.project


def test_packages_relative_imports_and_siblings(project: Project) -> None:
    project.write("shop/__init__.py", "NAME = 'shop'\n")
    project.write("shop/prices.py", "SOUP = 4\n")
    project.write("shop/agents/__init__.py", "")
    project.write("shop/agents/waiter.py", "from .. import NAME\nfrom ..prices import SOUP\nimport common.words\n")
    project.write("common/words.py", "HELLO = 'hello'\n")
    version = project.start("shop.agents.waiter")
    assert (version.module.NAME, version.module.SOUP) == ("shop", 4)
    shop, common = sys.modules["shop"], sys.modules["common"]
    project.write("shop/prices.py", "SOUP = 5\n")
    assert project.reload() == ["shop.agents.waiter", "shop.prices"]
    assert sys.modules["shop"] is shop
    assert shop.prices is sys.modules["shop.prices"]  # type: ignore[attr-defined]
    project.write("common/words.py", "HELLO = 'good morning'\n")
    assert project.reload() == ["shop.agents.waiter", "common.words"]
    assert common.words.HELLO == "good morning"  # type: ignore[attr-defined]
    project.write("shop/__init__.py", "NAME = 'bar'\n")
    assert set(project.reload()) == {"shop", "shop.agents", "shop.agents.waiter", "shop.prices"}


def test_a_file_that_imports_relatively_is_a_module_of_its_package(project: Project) -> None:
    project.write("shop/__init__.py", "")
    project.write("shop/prices.py", "SOUP = 4\n")
    project.write("shop/waiter.py", "from .prices import SOUP\n")
    assert project.start("shop/waiter.py").module.__name__ == "shop.waiter"


def test_circular_imports(project: Project) -> None:
    project.write("main.py", "import left\nVALUE = left.both()\n")
    project.write("left.py", "import right\ndef both(): return right.VALUE\n")
    project.write("right.py", "import left\nVALUE = 1\n")
    project.start()
    project.write("right.py", "import left\nVALUE = 2\n")
    assert project.reload() == ["main", "left", "right"]
    assert sys.modules["main"].VALUE == 2  # type: ignore[attr-defined]


def test_what_a_function_imports_is_loaded_with_the_rest(project: Project) -> None:
    project.write("late.py", "VALUE = 1\n")
    project.write("main.py", "def value():\n    import late\n    return late.VALUE\n")
    version = project.start()
    assert version.module.value() == 1
    project.write("late.py", "VALUE = (\n")
    with pytest.raises(AgentLoadError, match=r"late\.py:1: can't be loaded: SyntaxError"):
        project.load()
    project.write("late.py", "VALUE = 2\n")
    assert project.reload() == ["main", "late"]
    assert sys.modules["main"].value() == 2  # type: ignore[attr-defined]


def test_what_is_imported_by_a_name_that_is_made_up_counts_too(project: Project) -> None:
    project.write("plugins/one.py", "VALUE = 1\n")
    project.write("main.py", "import importlib\nVALUE = importlib.import_module('plugins.' + 'one').VALUE\n")
    version = project.start()
    assert project.folder / "plugins/one.py" in version.watch_list
    project.write("plugins/one.py", "VALUE = 2\n")
    assert project.reload() == ["main", "plugins.one"]
    project.write("plugins/one.py", "VALUE = 3\n")
    project.reload()
    assert sys.modules["main"].VALUE == 3  # type: ignore[attr-defined]


def test_new_renamed_and_deleted_modules(project: Project) -> None:
    old = project.write("helper.py", "VALUE = 1\n")
    project.write("main.py", "from helper import VALUE\n")
    version = project.start()
    old.rename(project.folder / "helpers.py")
    with pytest.raises(AgentLoadError, match="there is no module helper"):
        project.load()
    assert sys.modules["helper"] is version.modules["helper"]
    project.write("main.py", "from helpers import VALUE\n")
    assert project.reload() == ["main", "helpers"]
    assert "helper" not in sys.modules
    assert project.folder / "helpers.py" in project.version.watch_list  # type: ignore[union-attr]


def test_installed_packages_and_other_folders_are_not_the_projects(project: Project, tmp_path: Path) -> None:
    project.write(".venv/pyvenv.cfg", "")
    project.write(".venv/lib/site-packages/installed.py", "")
    project.write("vendor/node_modules/odd.py", "")
    sys.path += [str(project.folder / ".venv/lib/site-packages"), str(project.folder / "vendor/node_modules")]
    project.write("main.py", "import installed, odd, json\n")
    assert set(project.start().modules) == {"main"}
    assert project.reload() == ["main"]


# --- all or none -----------------------------------------------------------------------------------------------------

BROKEN = {
    "syntax error": "VALUE = (\n",
    "import error": "import nowhere_to_be_found\n",
    "name that isn't there": "from low import MISSING\n",
    "exception": "VALUE = 1 / 0\n",
    "exit": "raise SystemExit(1)\n",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=list(BROKEN))
def test_what_fails_leaves_everything_as_it_was(project: Project, text: str) -> None:
    project.write("pack/__init__.py", "")
    project.write("pack/low.py", "VALUE = 1\n")
    project.write("low.py", "VALUE = 1\n")
    project.write("high.py", "import low\nfrom pack import low as deep\n")
    project.write("main.py", "import low\nimport pack.low\nimport high\n")
    project.start()
    before, attributes = project.modules(), dict(vars(sys.modules["pack"]))
    project.write("low.py", "VALUE = 2\n")
    project.write("pack/low.py", "VALUE = 2\n")
    project.write("new.py", "")
    project.write("main.py", "import new, low, pack.low, high\n")
    project.write("high.py", "import low\n" + text)
    with pytest.raises(AgentLoadError) as caught:
        project.load()
    assert caught.value.path == str(project.folder / "high.py")
    assert project.modules() == before
    assert vars(sys.modules["pack"]) == attributes
    assert not [finder for finder in sys.meta_path if type(finder).__name__ == "ProjectFinder"]
    project.write("high.py", "import low\n")
    assert set(project.reload()) == {"main", "new", "low", "pack.low", "high"}


def test_a_version_is_beside_the_one_in_use_until_it_is_put_in_place(project: Project) -> None:
    project.write("low.py", "VALUE = 1\n")
    project.write("main.py", "import low\n")
    project.start()
    before = project.modules()
    project.write("low.py", "VALUE = 2\n")
    version = project.load()
    assert project.modules() == before
    version.exchange.put_in_place()
    assert sys.modules["low"].VALUE == 2  # type: ignore[attr-defined]
    version.exchange.put_back()
    assert project.modules() == before


def test_a_version_that_is_not_wanted_any_more_does_not_run(project: Project) -> None:
    ran = project.write("main.py", "import os\nos.environ['RAN_BY_A_TEST'] = 'yes'\n")
    with pytest.raises(Superseded):
        load_code(entry_of_file(ran), wanted=lambda: False)
    assert "RAN_BY_A_TEST" not in os.environ


def test_imports_of_other_threads_are_not_answered_meanwhile(project: Project) -> None:
    project.write("other.py", "")
    project.write("main.py", "import sys\nsys.loading_test()\n")
    loaders: list[str] = []

    def look() -> None:
        import other  # type: ignore[import-not-found]

        loaders.append(type(other.__spec__.loader).__name__)

    def go() -> None:
        thread = threading.Thread(target=look)
        thread.start()
        thread.join(5)

    sys.loading_test = go  # type: ignore[attr-defined]
    try:
        project.start()
    finally:
        del sys.loading_test  # type: ignore[attr-defined]
    assert loaders == ["SourceFileLoader"]


def test_nothing_holds_on_to_old_versions(project: Project) -> None:
    project.write("low.py", "class Thing: ...\n")
    project.write("main.py", "import low\nclass Agent: ...\nthing = low.Thing()\n")
    project.start()
    old = [weakref.ref(sys.modules["main"]), weakref.ref(sys.modules["low"].Thing)]  # type: ignore[attr-defined]
    project.write("low.py", "class Thing: ...\nNEW = 1\n")
    project.reload()
    gc.collect()
    assert [ref() for ref in old] == [None, None]


# --- what else counts ------------------------------------------------------------------------------------------------


def test_a_file_that_is_read_at_import_is_watched_and_brings_its_reader_again(project: Project) -> None:
    prompt = project.write("prompts/hello.md", "Say hello.")
    project.write("prompts/unread.md", "x")
    project.write("texts.py", "from pathlib import Path\nTEXT = Path('prompts/hello.md').read_text()\n")
    project.write("aside.py", "")
    project.write("main.py", "import aside\nfrom texts import TEXT\nopen('written.txt', 'w').close()\n")
    version = project.start()
    assert prompt in version.watch_list
    assert project.folder / "prompts/unread.md" not in version.watch_list
    assert project.folder / "written.txt" not in version.watch_list
    prompt.write_text("Say good morning.")
    assert project.reload() == ["main", "texts"]
    assert sys.modules["main"].TEXT == "Say good morning."  # type: ignore[attr-defined]
    project.write("main.py", "import aside\nfrom texts import TEXT\n")
    assert project.reload() == ["main"]
    prompt.write_text("Say nothing at all.")
    assert project.reload() == ["main", "texts"]


def test_a_module_declares_what_it_reads_later(project: Project) -> None:
    project.write("prompts/one.md", "1")
    project.write("data.json", "{}")
    project.write("later.py", "__watch__ = ['prompts/*.md', 'data.json']\n")
    project.write("main.py", "import later\n")
    version = project.start()
    assert project.folder / "prompts/one.md" in version.watch_list
    assert project.folder / "prompts" in version.watch_list.folders()
    project.write("prompts/two.md", "2")
    assert project.folder / "prompts/two.md" in version.watch_list
    assert project.reload() == ["main", "later"]
    project.write("data.json", "{'a': 1}")
    assert project.reload() == ["main", "later"]
    assert project.reload() == ["main"]


def test_variables_follow_the_env_file_unless_the_shell_set_them(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FROM_FILE", "FROM_SHELL", "NEW_NAME", "GONE"):
        monkeypatch.delenv(name, raising=False)
    project.write(".env", "FROM_FILE=1\nFROM_SHELL=1\nGONE=1\n")
    project.write("main.py", "import os\nFROM_FILE = os.environ['FROM_FILE']\n")
    monkeypatch.setenv("FROM_FILE", "1")
    monkeypatch.setenv("GONE", "1")
    monkeypatch.setenv("FROM_SHELL", "mine")
    version = project.start()
    assert project.folder / ".env" in version.watch_list
    project.write(".env", "FROM_FILE=2\nFROM_SHELL=2\nNEW_NAME=2\n")
    beside = project.load()
    assert beside.module.FROM_FILE == "2"
    assert os.environ["FROM_FILE"] == "1"
    beside.exchange.settle()
    assert [os.environ.get(n) for n in ("FROM_FILE", "FROM_SHELL", "NEW_NAME", "GONE")] == ["2", "mine", "2", None]


def test_variables_start_anew_but_for_what_is_kept(project: Project) -> None:
    project.write(
        "main.py",
        """
        from agent_runtime import keep
        plain = []
        kept = keep("test orders", list)
        """,
    )
    version = project.start()
    version.module.plain.append(1)
    version.module.kept.append(1)
    project.reload()
    assert sys.modules["main"].plain == []  # type: ignore[attr-defined]
    assert sys.modules["main"].kept == [1]  # type: ignore[attr-defined]


def test_a_factory_that_raises_keeps_nothing() -> None:
    with pytest.raises(ZeroDivisionError):
        keep("test broken", lambda: 1 // 0)
    assert keep("test broken", lambda: 2) == 2
    assert keep("test broken", lambda: 3) == 2
