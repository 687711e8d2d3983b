"""The registry, its rules for names that are taken, and toolsets."""

from typing import Any

import pytest

from agent_tools import ProviderTool, ToolConflictError, ToolRegistry, Toolset, function_tool


def named(name: str, result: str = "") -> Any:
    @function_tool(name=name)
    def tool() -> str:
        return result or name

    return tool


async def call(registry: ToolRegistry, name: str) -> str:
    return (await registry.execute(name, "{}")).output


def test_tools_by_name():
    search = ProviderTool(id="web_search")
    a, b = named("a"), named("b")
    registry = ToolRegistry([a, Toolset(id="set", tools=[b]), search])
    assert registry.names() == ["a", "b", "web_search"]
    assert registry.function_tools == {"a": a, "b": b}
    assert registry.provider_tools == [search]
    assert [toolset.id for toolset in registry.toolsets] == ["set"]
    assert registry.get("b") is b
    assert registry.get("c") is None
    assert "a" in registry
    assert len(registry) == 3
    assert registry.find(lambda tool: tool.id < "b") == [a]
    assert [tool["function"]["name"] for tool in registry.to_openai()] == ["a", "b"]


def test_the_same_tool_twice_is_no_conflict():
    class Agent:
        @function_tool
        def greet(self) -> str:
            return "hello"

    agent, shared = Agent(), Toolset(id="set", tools=[named("x")])
    assert ToolRegistry([agent.greet, agent.greet, shared, shared]).names() == ["greet", "x"]


def test_duplicates_are_refused_and_nothing_is_added():
    registry = ToolRegistry([named("a")])
    with pytest.raises(
        ToolConflictError, match=r"duplicate function name: a is both .*named.*tool and .*of toolset 'set'"
    ):
        registry.register(named("b"), Toolset(id="set", tools=[named("c"), named("a")]))
    assert registry.names() == ["a"]
    assert registry.toolsets == []
    with pytest.raises(ValueError, match="duplicate function name: a"):
        ToolRegistry([named("a"), named("a")])


async def test_replace_and_keep():
    registry = ToolRegistry([named("a", "first"), named("b")], on_conflict="replace")
    registry.register(named("a", "second"))
    assert await call(registry, "a") == "second"
    assert registry.names() == ["a", "b"]
    registry.register(named("a", "third"), named("c"), on_conflict="keep")
    assert await call(registry, "a") == "second"
    assert registry.names() == ["a", "b", "c"]


async def test_namespace():
    registry = ToolRegistry([named("search", "web")], on_conflict="namespace")
    registry.register(Toolset(id="mail", tools=[named("search", "mail"), named("send")]))
    assert registry.names() == ["search", "mail__search", "send"]
    assert await call(registry, "mail__search") == "mail"
    assert await call(registry, "search") == "web"
    with pytest.raises(ToolConflictError):
        registry.register(named("search"))
    with pytest.raises(ToolConflictError):
        registry.register(Toolset(id="mail", tools=[]))


async def test_toolsets_of_one_id():
    first, second = (Toolset(id="set", tools=[named("a", which)]) for which in ("first", "second"))
    registry = ToolRegistry([first], on_conflict="keep")
    registry.register(second)
    assert registry.toolsets == [first]
    registry.register(second, on_conflict="replace")
    assert registry.toolsets == [second]
    assert await call(registry, "a") == "second"
    with pytest.raises(ToolConflictError, match="set is both a toolset and another toolset"):
        registry.register(first, on_conflict="error")


def test_unregister():
    inner = Toolset(id="inner", tools=[named("c")])
    outer = Toolset(id="outer", tools=[named("b"), inner])
    a, d = named("a"), named("d")
    registry = ToolRegistry([a, outer, d])
    registry.unregister("a")
    registry.unregister(d)
    assert registry.names() == ["b", "c"]
    registry.unregister(outer)
    assert (registry.names(), registry.toolsets) == ([], [])
    for gone in ("a", d, outer):
        with pytest.raises(KeyError, match="no tool"):
            registry.unregister(gone)


async def test_an_unknown_name_is_told_with_those_there_are():
    registry = ToolRegistry([named("get_weather"), named("get_time"), ProviderTool(id="web_search")])
    outcome = await registry.execute("get_wether", "{}")
    assert outcome.is_error
    assert outcome.output == (
        "Unknown function: get_wether - available tools: get_weather, get_time. Did you mean get_weather?"
    )
    assert (await registry.execute("web_search", "{}")).is_error
    assert await call(ToolRegistry(), "x") == "Unknown function: x - no tools are available."


def test_what_isnt_a_tool():
    with pytest.raises(TypeError, match="is not a tool: decorate it"):
        ToolRegistry([print])  # type: ignore[list-item]


async def test_toolsets_hold_their_methods_and_others():
    log: list[str] = []

    class Inner(Toolset):
        async def setup(self) -> "Inner":
            await super().setup()
            log.append(f"open {self.id}")
            return self

        async def aclose(self) -> None:
            log.append(f"close {self.id}")
            await super().aclose()

    class Broken(Toolset):
        async def aclose(self) -> None:
            raise RuntimeError("stuck")

    class Mail(Toolset):
        @function_tool
        def send(self, to: str) -> str:
            return f"{self.id} to {to}"

    mail = Mail(id="mail", tools=[named("read"), Broken(id="broken"), Inner(id="a"), Inner(id="b")])
    assert await mail.setup() is mail
    assert log == ["open a", "open b"]
    registry = ToolRegistry([mail])
    assert registry.names() == ["read", "send"]
    assert (await registry.execute("send", {"to": "Ada"})).output == "mail to Ada"
    with pytest.raises(ExceptionGroup, match="closing the toolsets inside 'mail' failed") as caught:
        await mail.aclose()
    assert [str(error) for error in caught.value.exceptions] == ["stuck"]
    assert log[2:] == ["close a", "close b"]


async def test_a_stand_in_keeps_name_and_schema():
    @function_tool
    def weather(city: str) -> str:
        return f"rain in {city}"

    stand_in = weather.with_function(lambda city: f"sun in {city}")
    assert stand_in.parameters_schema() is weather.parameters_schema()
    assert (await stand_in.execute({"city": "Oslo"})).output == "sun in Oslo"
    assert (await weather.execute({"city": "Oslo"})).output == "rain in Oslo"
