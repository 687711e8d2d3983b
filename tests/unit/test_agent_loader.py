"""Finding an agent in a module, and what is said where that can't be done."""

import sys
from pathlib import Path
from textwrap import dedent

import pytest

from agent_runtime import compat
from agent_runtime.agent_loader import LoadedAgent, load_agent, parse_target
from agent_runtime.errors import AgentLoadError

CLASS = """
from agent_runtime import Agent

class Greeter(Agent):
    def __init__(self):
        super().__init__(instructions="Say hello.")
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = dict(sys.modules)
    yield
    compat.uninstall()
    for name in set(sys.modules) - set(before):
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


def write(name: str, text: str) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text))
    return path


def load(target: str = "my_agent.py") -> LoadedAgent:
    return load_agent(parse_target(target))


async def test_a_class_is_found_and_made():
    write("my_agent.py", CLASS)
    loaded = load()
    assert (loaded.name, loaded.kind) == ("Greeter", "class")
    agent, session = await loaded.build()
    assert agent.instructions == "Say hello."
    assert session is None


async def test_an_instance_goes_before_classes():
    write("my_agent.py", CLASS + "\nhost = Greeter()\nsame = host\n")
    loaded = load()
    assert (loaded.name, loaded.kind) == ("host", "instance")
    agent, _ = await loaded.build()
    assert type(agent).__name__ == "Greeter"


@pytest.mark.parametrize("returned", ["(AgentSession(), Greeter())", "AgentSession()"])
@pytest.mark.parametrize("kind", ["", "async "])
async def test_a_function_that_makes_a_session_goes_first(returned, kind):
    write(
        "my_agent.py",
        f"from __future__ import annotations\nfrom agent_runtime import AgentSession\n{CLASS.strip()}\n"
        f"{kind}def session() -> AgentSession:\n    return {returned}\n",
    )
    loaded = load()
    assert (loaded.name, loaded.kind) == ("session", "factory")
    agent, session = await loaded.build()
    assert type(agent).__name__ == "Greeter"
    assert session is not None
    await session.aclose()


def test_classes_that_are_imported_private_or_need_arguments_are_not_candidates():
    write("other.py", CLASS.replace("Greeter", "Imported"))
    write(
        "my_agent.py",
        "from other import Imported\n" + CLASS + "\nclass _Base(Greeter): ...\n"
        "class Needy(Greeter):\n    def __init__(self, city): ...\n",
    )
    assert load().name == "Greeter"


def test_a_name_chooses_among_several():
    write("my_agent.py", CLASS + CLASS.replace("Greeter", "Second"))
    with pytest.raises(AgentLoadError) as caught:
        load()
    assert str(caught.value) == "my_agent.py has 2 agents: say which, my_agent.py:Greeter or my_agent.py:Second"
    assert load("my_agent.py:Second").name == "Second"


def test_a_module_is_found_by_its_dotted_name():
    write("team/__init__.py", "")
    write("team/helper.py", "WORD = 'hello'")
    write("team/greeter.py", "from .helper import WORD\n" + CLASS)
    loaded = load("team.greeter")
    assert loaded.module.__name__ == "team.greeter"
    assert loaded.path == Path("team/greeter.py").absolute()
    assert load("team.greeter:Greeter").name == "Greeter"


def test_a_file_imports_its_neighbours_and_keeps_its_name_off_the_standard_library():
    write("neighbour.py", "WORD = 'hello'")
    write("random.py", "from neighbour import WORD\n" + CLASS)
    import random

    loaded = load("random.py")
    assert loaded.module.WORD == "hello"
    assert sys.modules["random"] is random


def test_each_load_is_a_new_module_with_the_present_source():
    write("my_agent.py", CLASS)
    first = load()
    write("my_agent.py", CLASS.replace("hello", "goodbye") + "# longer\n")
    second = load()
    assert second.module is not first.module
    assert sys.modules["my_agent"] is second.module
    assert first.module.Greeter is not second.module.Greeter


def test_a_failed_load_leaves_the_old_module_in_place():
    write("my_agent.py", CLASS)
    first = load()
    write("my_agent.py", CLASS + "\nraise RuntimeError('not yet')\n")
    with pytest.raises(AgentLoadError):
        load()
    assert sys.modules["my_agent"] is first.module


def test_a_module_sees_itself_while_it_runs():
    write(
        "my_agent.py",
        "from __future__ import annotations\nimport dataclasses, typing\n"
        "@dataclasses.dataclass\nclass Order:\n    dish: typing.ClassVar[str] = 'soup'\n    count: int = 1\n"
        "assert [f.name for f in dataclasses.fields(Order)] == ['count']\n" + CLASS,
    )
    assert load().name == "Greeter"


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        ("\nfoo()\n", 2, "my_agent.py:2: can't be loaded: NameError: name 'foo' is not defined"),
        ("x = (\n", 1, "my_agent.py:1: can't be loaded: SyntaxError: '(' was never closed"),
        ("import nowhere_to_be_found\n", 1, "there is no module nowhere_to_be_found: install it in this Python"),
        ('P = open("no_prompt.md").read()\n', 1, "there is no file no_prompt.md"),
        ("import livekit.agents.ipc\n", 1, "livekit.agents.ipc isn't available here: jobs run in"),
        ("import sys\nsys.exit(1)\n", 2, 'put that under `if __name__ == "__main__":`'),
        ("def f():\n    raise ValueError('first\\nsecond')\nf()\n", 2, "ValueError: first"),
    ],
)
def test_a_broken_file_is_named_with_line_and_traceback(source, line, message):
    write("my_agent.py", source)
    with pytest.raises(AgentLoadError) as caught:
        load()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.line == line
    assert "my_agent.py" in caught.value.details or "nowhere" in caught.value.details
    assert "agent_runtime" not in caught.value.details
    assert "importlib" not in caught.value.details


def test_a_failure_in_a_neighbour_names_the_neighbour():
    write("neighbour.py", "\n\n1 / 0\n")
    write("my_agent.py", "import neighbour\n")
    with pytest.raises(AgentLoadError, match=r"neighbour\.py:3: can't be loaded: ZeroDivisionError") as caught:
        load()
    assert caught.value.path == str(Path("neighbour.py").absolute())


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("my_agnet.py", "there is no file my_agnet.py: did you mean my_agent.py?"),
        ("gone/agent.py", "there is no file gone/agent.py, nor a folder gone: check the path"),
        ("folder", "folder is a folder: name the agent's file in it"),
        ("notes.txt", "notes.txt is not a Python file: name one that ends in .py"),
        ("not an agent", "'not an agent' is no agent: give file.py, file.py:Name or package.module"),
        ("no_such_module", "there is no module no_such_module: check the name"),
        ("my_agent.py:Greter", "my_agent.py has nothing named Greter: did you mean Greeter?"),
        ("my_agent.py:Agent2", "my_agent.py has nothing named Agent2: it has Greeter"),
        ("my_agent.py:NUMBER", "NUMBER in my_agent.py is no agent: name an Agent class"),
        ("my_agent.py:Needy", "Needy in my_agent.py needs city: give defaults, or make an instance in the file"),
        ("empty.py", "there is no agent in empty.py: write a class that extends agent_runtime.Agent"),
        ("needy.py", "Needy in needy.py needs city: give defaults, or make an instance in the file"),
        ("room.py", "room.py has an entrypoint that nothing runs: give it to cli.run_app, or @server.rtc_session()"),
        ("idle.py", "idle.py makes an AgentServer without an entrypoint: put @server.rtc_session() above"),
    ],
)
def test_what_cannot_be_run_is_said_in_one_line(target, message):
    needy = "class Needy(Agent):\n    def __init__(self, city): ...\n"
    write("my_agent.py", CLASS + "NUMBER = 1\n" + needy)
    write("needy.py", "from agent_runtime import Agent\n" + needy)
    write("empty.py", "x = 1\n")
    write("room.py", "async def entrypoint(ctx): ...\n")
    write("idle.py", "from agent_runtime import AgentServer\nserver = AgentServer()\n")
    write("notes.txt", "")
    Path("folder").mkdir()
    with pytest.raises(AgentLoadError) as caught:
        load(target)
    assert str(caught.value).startswith(message)


async def test_a_constructor_that_fails_is_named_with_its_line():
    write("my_agent.py", CLASS.replace('super().__init__(instructions="Say hello.")', "self.x = 1 / 0"))
    with pytest.raises(AgentLoadError, match=r"my_agent\.py:6: Greeter can't be made: ZeroDivisionError") as caught:
        await load().build()
    assert caught.value.line == 6


async def test_a_factory_that_makes_something_else_is_refused():
    write("my_agent.py", CLASS + "\ndef make() -> 'AgentSession':\n    return 3\n")
    with pytest.raises(AgentLoadError, match=r"make in my_agent\.py made int: return an AgentSession and an Agent"):
        await load().build()
