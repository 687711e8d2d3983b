import pytest

from agent_runtime.llm import (
    FunctionToolCall,
    ProviderTool,
    ToolContext,
    ToolError,
    Toolset,
    execute_function_call,
    function_tool,
    utils,
)


@function_tool
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@function_tool
async def fail() -> None:
    """Fail."""
    raise ToolError("the shop is closed")


def test_tools_by_name():
    search = ProviderTool(id="web_search")
    inner = Toolset(id="inner", tools=[fail])
    outer = Toolset(id="outer", tools=[inner, search])
    context = ToolContext([add, outer])
    assert context.function_tools == {"add": add, "fail": fail}
    assert context.get_function_tool("fail") is fail
    assert context.get_function_tool("web_search") is None
    assert context.provider_tools == [search]
    assert context.toolsets == [inner, outer]
    assert context.flatten() == [add, fail, search]


def test_what_it_gives_are_copies():
    context = ToolContext([add])
    context.function_tools.clear()
    context.provider_tools.append(None)
    assert context.flatten() == [add]


def test_a_subclass_may_have_tools():
    class Shop(ToolContext):
        @function_tool
        async def order(self, what: str) -> str:
            """Order something."""
            return what

    assert list(Shop([add]).function_tools) == ["add", "order"]
    assert list(ToolContext.empty().function_tools) == []


def test_two_tools_of_one_name():
    @function_tool(name="add")
    async def other(a: int) -> int:
        """Another one."""
        return a

    with pytest.raises(ValueError, match="two tools are called 'add'"):
        ToolContext([add, Toolset(id="t", tools=[other])])
    assert ToolContext([add, Toolset(id="t", tools=[add])]).flatten() == [add]


def test_what_is_no_tool():
    def plain():
        pass

    with pytest.raises(ValueError, match="'plain' is no tool: decorate it with @function_tool"):
        ToolContext([plain])
    with pytest.raises(ValueError, match="7 is no tool: it is a int"):
        ToolContext([7])


def test_equality():
    search, toolset = ProviderTool(id="web_search"), Toolset(id="t", tools=[fail])
    context = ToolContext([add, search, toolset])
    assert context == context.copy()
    assert context != ToolContext([add, search])
    assert context != ToolContext([add, ProviderTool(id="web_search"), toolset])
    assert context != ToolContext([add, search, Toolset(id="t", tools=[fail])])
    assert context != [add]
    context.update_tools([])
    assert context == ToolContext.empty()


async def test_running_a_call():
    result = await execute_function_call(
        FunctionToolCall(name="add", arguments='{"a": 1, "b": 2}', call_id="c1"), ToolContext([add])
    )
    assert (result.raw_output, result.raw_exception) == (3, None)
    assert (result.fnc_call.call_id, result.fnc_call.name, result.fnc_call.arguments) == (
        "c1",
        "add",
        '{"a": 1, "b": 2}',
    )
    assert (result.fnc_call_out.call_id, result.fnc_call_out.output, result.fnc_call_out.is_error) == ("c1", "3", False)


async def test_running_a_call_that_fails():
    context = ToolContext([add, fail])
    result = await execute_function_call(FunctionToolCall(name="fail", arguments="", call_id="c1"), context)
    assert (result.fnc_call_out.output, result.fnc_call_out.is_error) == ("the shop is closed", True)
    assert isinstance(result.raw_exception, ToolError)
    result = await execute_function_call(FunctionToolCall(name="add", arguments="{}", call_id="c2"), context)
    assert result.fnc_call_out.is_error
    result = await execute_function_call(FunctionToolCall(name="sub", arguments="{}", call_id="c3"), context)
    assert result.fnc_call_out.output == "Unknown function: sub - available tools: add, fail"
    assert result.fnc_call_out.is_error
    assert isinstance(result.raw_exception, ValueError)


def test_schemas_of_one_tool():
    strict = utils.build_strict_openai_schema(add)
    assert (strict["type"], strict["function"]["strict"]) == ("function", True)
    loose = utils.build_legacy_openai_schema(add)
    assert loose["type"] == "function"
    assert "strict" not in loose["function"]
    tagged = utils.build_legacy_openai_schema(add, internally_tagged=True)
    assert tagged == {**loose["function"], "type": "function"}
