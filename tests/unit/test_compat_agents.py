"""Files written for LiveKit Agents are found, loaded and run unchanged."""

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from agent_runtime import Agent, compat
from agent_runtime.agent_loader import COMPAT_NOTE, LoadedAgent, load_agent, parse_target
from agent_runtime.compat.source import started_agents, uses_livekit_agents
from agent_runtime.errors import AgentLoadError
from agent_runtime.project import short_path
from agent_runtime.testing import Answer, UserSpeech, run_virtual, scripted_session

FILES = Path(__file__).parents[1] / "support" / "livekit_agents"


@pytest.fixture(autouse=True)
def _uninstalled(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(FILES))
    yield
    compat.uninstall()


def load(name: str, agent: str = "") -> LoadedAgent:
    target = str(FILES / f"{name}.py")
    return load_agent(parse_target(f"{target}:{agent}" if agent else target))


@pytest.mark.parametrize(
    ("name", "agent"), [("order_line", "OrderLine"), ("front_desk", "FrontDesk"), ("own_nodes", "Parrot")]
)
def test_the_agent_is_found_without_running_the_entrypoint(name: str, agent: str):
    loaded = load(name)
    assert (loaded.name, loaded.kind) == (agent, "class")
    assert loaded.notes == (COMPAT_NOTE.format(short_path(loaded.path)),)


def test_a_file_of_our_own_has_no_note_and_installs_nothing(tmp_path: Path):
    file = tmp_path / "plain.py"
    file.write_text("from agent_runtime import Agent\n\nclass Plain(Agent):\n    def __init__(self): ...\n")
    assert load_agent(parse_target(str(file))).notes == ()
    assert not compat.is_installed()


async def talk(loaded: LoadedAgent, speeches: list[UserSpeech], answers: list[Answer], **options: Any) -> Any:
    agent, own = await loaded.build()
    assert own is None
    async with scripted_session(speeches, answers=answers, **options) as stage:
        await stage.session.start(agent)
        await stage.run_until(25.0)
        return stage, agent


def test_tools_of_an_agent_with_an_entrypoint():
    async def scenario() -> None:
        loaded = load("order_line")
        stage, _ = await talk(
            loaded,
            [UserSpeech(4.0, 5.0, "Two kettles, please.")],
            [
                Answer(tool_calls=[("in_stock", '{"item": "kettle"}'), ("in_stock", '{"item": "boat"}')]),
                Answer(tool_calls=[("order", '{"item": "kettle", "count": 2}')]),
                Answer("Done."),
            ],
        )
        outputs = [event.data.output for event in stage.of("tool_finished")]
        assert outputs == ['{"item":"kettle","count":3}', "we don't sell a boat", "2 kettle ordered"]
        assert stage.said() == [
            ("assistant", "Shop line, what can I get you?"),
            ("user", "Two kettles, please."),
            ("assistant", "Done."),
        ]
        assert loaded.module.STOCK["kettle"] == 1

    run_virtual(scenario())


def test_two_agents_hand_over_and_share_userdata():
    async def scenario() -> None:
        loaded = load("front_desk", "FrontDesk")
        module: ModuleType = loaded.module
        stage, _ = await talk(
            loaded,
            [UserSpeech(1.0, 2.0, "I am Ada."), UserSpeech(8.0, 9.0, "Yes.")],
            [
                Answer(tool_calls=[("checked_in", '{"name": "Ada"}')]),
                Answer("Thank you, Ada."),
                Answer("Would you like room 12?"),
                Answer(tool_calls=[("take_room", '{"number": 12}')]),
                Answer("Here you are."),
            ],
            userdata=module.Visit(),
        )
        assert stage.session.userdata == module.Visit("Ada", 12)
        assert type(stage.session.current_agent) is module.Concierge
        spoken = [text for role, text in stage.said() if role == "assistant"]
        assert spoken == ["Thank you, Ada.", "Would you like room 12?", "Here you are."]
        outputs = [event.data.output for event in stage.of("tool_finished")]
        assert outputs == ["Ada is checked in", "room 12 is Ada's"]
        assert module.server._entrypoint_fnc is module.visit
        assert module.server._agent_name == "front-desk"

    run_virtual(scenario())


def test_nodes_that_are_overridden():
    async def scenario() -> None:
        stage, parrot = await talk(
            load("own_nodes"),
            [UserSpeech(0.5, 1.5, "I like LifeKit."), UserSpeech(10.0, 11.0, "Oh, never mind.")],
            [Answer("You like LiveKit.")],
            turn_handling={"preemptive_generation": {"enabled": False}},
        )
        assert stage.said() == [
            ("user", "I like LiveKit."),
            ("assistant", "Hm. You like LiveKit."),
        ]
        assert parrot.heard.recv_nowait() == "I like LifeKit."
        assert "".join(stage.tts.texts) == "HM. YOU LIKE LIVEKIT."
        assert parrot.seconds == pytest.approx(len("HM. YOU LIKE LIVEKIT.") * 0.06, abs=0.1)
        assert "".join(parrot.shown) == "Hm. You like LiveKit."
        assert stage.llm.requests[0].messages()[-1].text_content == "Squawk."
        assert len(stage.llm.requests) == 1

    run_virtual(scenario())


def test_what_is_missing_is_named_with_its_line(tmp_path: Path):
    file = tmp_path / "wants_more.py"
    file.write_text("from livekit.agents import Agent\nfrom livekit.agents import inferrence\n")
    with pytest.raises(
        AgentLoadError, match=r"wants_more\.py:2: can.t be loaded: ImportError: livekit\.agents\.inferrence"
    ):
        load_agent(parse_target(str(file)))
    file.write_text(
        "from livekit.agents import Agent\nfrom livekit.plugins import deepgram\n\nclass A(Agent):\n"
        "    def __init__(self):\n        super().__init__(instructions='', stt=deepgram.STT())\n"
    )
    loaded = load_agent(parse_target(str(file)))

    async def build() -> None:
        with pytest.raises(AgentLoadError, match=r"wants_more\.py:6: A can.t be made: .*deepgram\.STT isn.t available"):
            await loaded.build()

    run_virtual(build())


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import livekit.agents", True),
        ("import livekit.agents.llm as llm", True),
        ("from livekit import agents, rtc", True),
        ("from livekit import rtc, api", False),
        ("from livekit.plugins import silero", True),
        ("def f():\n    from livekit.agents import Agent", True),
        ("from agent_runtime import Agent", False),
        ("import livekit.agents_extra", False),
        ("from team.helper import *", True),
        ("import team.helper", True),
        ("from .team import helper", True),
        ("import team", False),
        ("from team import other", False),
        ("from team import deep", True),
        ("(", False),
    ],
)
def test_what_imports_livekit_agents(tmp_path: Path, source: str, found: bool):
    team = tmp_path / "team"
    team.mkdir()
    (team / "__init__.py").write_text("from . import other")
    (team / "helper.py").write_text("from livekit.agents import llm")
    (team / "deep.py").write_text("from . import helper")
    (team / "other.py").write_text("import json\nfrom .. import main")
    (tmp_path / "main.py").write_text(source)
    assert uses_livekit_agents(tmp_path / "main.py") is found


def test_an_agent_of_a_neighbour_that_imports_livekit_agents(tmp_path: Path):
    (tmp_path / "shop_base.py").write_text("from livekit.agents import Agent\n")
    file = tmp_path / "shop_main.py"
    file.write_text(
        "import shop_base\n\nclass Shop(shop_base.Agent):\n"
        "    def __init__(self):\n        super().__init__(instructions='Sell.')\n"
    )
    assert load_agent(parse_target(str(file))).name == "Shop"


def test_of_several_agents_the_one_that_the_entrypoint_starts_is_run(tmp_path: Path):
    file = tmp_path / "two_of_them.py"
    source = (
        "from livekit.agents import Agent, AgentSession\n\n"
        "class First(Agent):\n    def __init__(self): super().__init__(instructions='')\n\n"
        "class Second(Agent):\n    def __init__(self): super().__init__(instructions='')\n\n"
        "async def entrypoint(ctx):\n    await AgentSession().start({}, room=ctx.room)\n"
    )
    file.write_text(source.format("Second()"))
    assert load_agent(parse_target(str(file))).name == "Second"
    file.write_text(source.format("make()"))
    with pytest.raises(AgentLoadError, match=r"has 2 agents: say which, .*:First or .*:Second"):
        load_agent(parse_target(str(file)))


def test_the_agents_that_an_entrypoint_starts(tmp_path: Path):
    file = tmp_path / "starts.py"
    file.write_text(
        "async def entrypoint(ctx):\n    second = Second(1)\n    await s.start(agent=First(), room=ctx.room)\n"
        "    await s.start(second)\n    await s.start(room=ctx.room)\n    thread.start()\n    s.start(agent=unknown)\n"
        "async def other():\n    s.say(Third())\n"
    )
    assert started_agents(file) == ["First", "Second"]
    assert started_agents(tmp_path / "gone.py") == []


async def test_the_examples_of_the_guide_run(tmp_path: Path):
    guide = (FILES.parents[2] / "docs" / "livekit.md").read_text("utf-8")
    agent_file, *_, own_program = re.findall(r"```python\n(.*?)```", guide, flags=re.DOTALL)
    file = tmp_path / "counter.py"
    file.write_text(agent_file)
    loaded = load_agent(parse_target(str(file)))
    assert loaded.kind == "factory"
    agent, session = await loaded.build()
    assert type(agent).__name__ == "Counter"
    assert session is not None
    assert session.userdata == {"count": 0}
    await session.aclose()
    compat.uninstall()
    found: dict[str, object] = {}
    exec(own_program, found)
    assert found["Agent"] is Agent
