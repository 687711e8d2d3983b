from typing import Literal

import pytest
from pydantic import BaseModel, Field

from agent_runtime.errors import MediaError, MissingDependencyError
from agent_runtime.llm import (
    AgentHandoff,
    CacheBreakpoint,
    ChatContext,
    ChatMessage,
    FunctionCall,
    FunctionCallOutput,
    ImageContent,
    ProviderTool,
    ToolContext,
    Toolset,
    function_tool,
)
from agent_runtime.llm.gemini_schema import gemini_schema

PNG = "data:image/png;base64,aGVsbG8="


def message(role, *content, **fields):
    return ChatMessage(role=role, content=list(content), **fields)


def call(call_id, arguments='{"city": "Oslo"}', **fields):
    return FunctionCall(call_id=call_id, name="weather", arguments=arguments, **fields)


def output(call_id, text="sunny", *, is_error=False):
    return FunctionCallOutput(call_id=call_id, name="weather", output=text, is_error=is_error)


def formatted(format, *items, **options):
    return ChatContext(list(items)).to_provider_format(format, **options)


TURN = [
    message("system", "Be brief."),
    message("user", "Weather in Oslo?"),
    message("assistant", "Let me see.", id="item_1"),
    call("c1", id="item_1/fnc_0"),
    call("c2", id="item_1/fnc_1"),
    AgentHandoff(new_agent_id="b"),
    output("c2", "rainy"),
    message("user", "Hello?"),
    output("c1"),
]


def test_openai():
    messages, rest = formatted("openai", *TURN)
    function = {"name": "weather", "arguments": '{"city": "Oslo"}'}
    assert rest is None
    assert messages == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Weather in Oslo?"},
        {
            "role": "assistant",
            "content": "Let me see.",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": function},
                {"id": "c2", "type": "function", "function": function},
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
        {"role": "tool", "tool_call_id": "c2", "content": "rainy"},
        {"role": "user", "content": "Hello?"},
    ]


def test_openai_responses():
    items, _ = formatted("openai.responses", *TURN)
    assert [item.get("type", item.get("role")) for item in items] == [
        "system",
        "user",
        "assistant",
        "function_call",
        "function_call",
        "function_call_output",
        "function_call_output",
        "user",
    ]
    assert items[3] == {
        "type": "function_call",
        "call_id": "c1",
        "name": "weather",
        "arguments": '{"city": "Oslo"}',
    }
    assert items[5] == {"type": "function_call_output", "call_id": "c1", "output": "sunny"}


def test_openai_responses_phase():
    items, _ = formatted("openai.responses", message("assistant", "Hm.", extra={"openai": {"phase": "commentary"}}))
    assert items == [{"role": "assistant", "content": "Hm.", "phase": "commentary"}]


def test_anthropic():
    messages, rest = formatted("anthropic", *TURN)
    assert rest.system_messages == ["Be brief."]
    assert messages == [
        {"role": "user", "content": [{"type": "text", "text": "Weather in Oslo?"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Let me see."},
                {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Oslo"}},
                {"type": "tool_use", "id": "c2", "name": "weather", "input": {"city": "Oslo"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": "sunny", "is_error": False},
                {"type": "tool_result", "tool_use_id": "c2", "content": "rainy", "is_error": False},
                {"type": "text", "text": "Hello?"},
            ],
        },
    ]


def test_google():
    turns, rest = formatted("google", *TURN, thought_signatures={"c2": b"sig"})
    assert rest.system_messages == ["Be brief."]
    assert [turn["role"] for turn in turns] == ["user", "model", "user", "user"]
    function = {"name": "weather", "args": {"city": "Oslo"}}
    assert turns[1]["parts"] == [
        {"text": "Let me see."},
        {"function_call": {"id": "c1", **function}},
        {"function_call": {"id": "c2", **function}, "thought_signature": b"sig"},
    ]
    assert turns[2]["parts"][0] == {
        "function_response": {"id": "c1", "name": "weather", "response": {"output": "sunny"}}
    }
    assert turns[3]["parts"] == [{"text": "Hello?"}]


def test_aws():
    messages, data = formatted("aws", *TURN)
    assert data.system_messages == ["Be brief."]
    uses = [{"toolUse": {"toolUseId": c, "name": "weather", "input": {"city": "Oslo"}}} for c in ("c1", "c2")]
    results = [
        {"toolResult": {"toolUseId": c, "content": [{"text": text}], "status": "success"}}
        for c, text in (("c1", "sunny"), ("c2", "rainy"))
    ]
    assert messages == [
        {"role": "user", "content": [{"text": "Weather in Oslo?"}]},
        {"role": "assistant", "content": [{"text": "Let me see."}, *uses]},
        {"role": "user", "content": [*results, {"text": "Hello?"}]},
    ]
    picture = formatted("aws", message("user", ImageContent(image=PNG)))[0][0]["content"]
    assert picture == [{"image": {"format": "png", "source": {"bytes": b"hello"}}}]
    with pytest.raises(ValueError, match=r"no picture by its URL \(https://x/y.png\)"):
        formatted("aws", message("user", ImageContent(image="https://x/y.png")))
    failed = formatted("aws", call("c1"), output("c1", "no", is_error=True))[0]
    assert failed[0] == {"role": "user", "content": [{"text": "(empty)"}]}
    assert failed[2]["content"][0]["toolResult"]["status"] == "error"


def test_mistralai():
    entries, data = formatted("mistralai", *TURN)
    assert data.instructions == "Be brief."
    assert entries == [
        {"type": "message.input", "role": "user", "content": "Weather in Oslo?"},
        {"type": "message.output", "role": "assistant", "content": "Let me see."},
        {"type": "function.call", "tool_call_id": "c1", "name": "weather", "arguments": '{"city": "Oslo"}'},
        {"type": "function.call", "tool_call_id": "c2", "name": "weather", "arguments": '{"city": "Oslo"}'},
        {"type": "function.result", "tool_call_id": "c1", "result": "sunny"},
        {"type": "function.result", "tool_call_id": "c2", "result": "rainy"},
        {"type": "message.input", "role": "user", "content": "Hello?"},
    ]
    shown, _ = formatted("mistralai", message("user", "Look", ImageContent(image=PNG)), message("assistant", "Nice."))
    assert shown[0]["content"] == [{"type": "image_url", "image_url": PNG}, {"type": "text", "text": "Look"}]
    assert shown[2] == {"type": "message.input", "role": "user", "content": "(empty)"}
    assert len(formatted("mistralai", message("assistant", "Hi."), inject_dummy_user_message=False)[0]) == 1


def test_an_unknown_format_names_the_known_ones():
    with pytest.raises(ValueError, match=r"'cohere' is no provider format: use openai, openai\.responses"):
        formatted("cohere")
    with pytest.raises(ValueError, match="'cohere' is no provider format"):
        ToolContext([]).parse_function_tools("cohere")


# --- what vendors refuse --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["openai", "openai.responses", "anthropic", "google"])
def test_a_call_without_an_output_is_left_out_and_so_is_an_output_without_a_call(format, caplog):
    alone, _ = formatted(format, message("user", "Hi"))
    items, _ = formatted(format, message("user", "Hi"), call("c1"), output("c2"))
    assert items == alone
    assert "the call c1 of weather has no output" in caplog.text
    assert "the output of c2 has no call" in caplog.text


def test_a_call_that_is_there_twice_is_told_once(caplog):
    messages, _ = formatted("openai", call("c1"), call("c1"), output("c1"))
    assert [m["role"] for m in messages] == ["assistant", "tool"]
    assert "is there twice" in caplog.text


def test_calls_of_one_answer_go_together_by_their_group():
    messages, _ = formatted("openai", call("c1", group_id="g"), call("c2", group_id="g"), output("c1"), output("c2"))
    assert [m["role"] for m in messages] == ["assistant", "tool", "tool"]


def test_text_that_comes_after_its_calls_goes_before_them():
    messages, _ = formatted("openai", call("c1", id="x/0"), message("assistant", "Let me see.", id="x"), output("c1"))
    assert [(m["role"], m["content"]) for m in messages] == [("assistant", "Let me see."), ("tool", "sunny")]


def test_two_messages_of_the_same_id_stay_two():
    messages, _ = formatted("openai", message("assistant", "a", id="x"), message("assistant", "b", id="x"))
    assert [m["content"] for m in messages] == ["a", "b"]


@pytest.mark.parametrize(("arguments", "sent"), [("", {}), ("[1]", {}), ("{oops", {}), ('{"a": 1}', {"a": 1})])
def test_arguments_as_objects(arguments, sent, caplog):
    messages, _ = formatted("anthropic", message("user", "x"), call("c1", arguments), output("c1"))
    assert messages[1]["content"][0]["input"] == sent
    assert ("are no JSON object" in caplog.text) == (arguments in ("[1]", "{oops"))


def test_vendors_that_want_a_user_get_one():
    items = [message("system", "Be brief."), message("assistant", "Hello.")]
    assert formatted("anthropic", *items)[0][0] == {"role": "user", "content": [{"type": "text", "text": "(empty)"}]}
    assert formatted("anthropic", *items, inject_dummy_user_message=False)[0][0]["role"] == "assistant"
    assert formatted("anthropic", *items, inject_trailing_user_message=True)[0][-1]["role"] == "user"
    assert formatted("google", *items)[0][-1] == {"role": "user", "parts": [{"text": "."}]}
    assert len(formatted("google", *items, inject_dummy_user_message=False)[0]) == 1
    assert len(formatted("openai", *items, inject_dummy_user_message=True)[0]) == 2


def test_later_instructions_keep_their_place_with_vendors_of_one_system_text():
    items = [message("system", "Be brief."), message("user", "Hi"), message("developer", "Ask their name.")]
    for format, text_of in (("anthropic", lambda m: m["content"]), ("google", lambda m: m["parts"])):
        messages, rest = formatted(format, *items)
        assert rest.system_messages == ["Be brief."]
        assert text_of(messages[0])[-1]["text"] == "<instructions>\nAsk their name.\n</instructions>"


def test_instructions_of_the_first_reply_count_as_the_user():
    messages, rest = formatted("anthropic", message("system", "Be brief."), message("system", "Greet."))
    assert rest.system_messages == ["Be brief."]
    assert messages == [
        {"role": "user", "content": [{"type": "text", "text": "<instructions>\nGreet.\n</instructions>"}]}
    ]


def test_empty_instructions_vanish():
    messages, rest = formatted("google", message("system"), message("user", "Hi"), message("system"))
    assert (rest.system_messages, len(messages)) == ([], 1)


def test_dynamic_instructions_are_part_of_the_system_text():
    items = [
        message("system", "Be brief."),
        message("system", "It is noon.", id="lk.agent_task.instructions.dynamic"),
        message("user", "Hi"),
    ]
    assert formatted("anthropic", *items)[1].system_messages == ["Be brief.\nIt is noon."]
    assert formatted("openai", *items)[0][0] == {"role": "system", "content": "Be brief.\nIt is noon."}
    assert len(formatted("openai", *items, prompt_cache_breakpoints=True)[0]) == 3


# --- content --------------------------------------------------------------------------------------------------------


def test_dynamic_instructions_are_a_turn_where_the_system_text_is_in_a_cache():
    items = [message("system", "Be brief."), message("system", "It's noon.", id="lk.agent_task.instructions.dynamic")]
    turns, rest = formatted("google", *items, message("user", "Hi"), merge_dynamic_instructions=False)
    assert rest.system_messages == ["Be brief."]
    assert turns == [
        {"role": "user", "parts": [{"text": "<instructions>\nIt's noon.\n</instructions>"}, {"text": "Hi"}]}
    ]


def test_pictures():
    picture = message("user", ImageContent(image=PNG, inference_detail="low"), "What is it?")
    assert formatted("openai", picture)[0][0]["content"] == [
        {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}},
        {"type": "text", "text": "What is it?"},
    ]
    assert formatted("openai.responses", picture)[0][0]["content"] == [
        {"type": "input_image", "image_url": PNG, "detail": "low"},
        {"type": "input_text", "text": "What is it?"},
    ]
    assert formatted("anthropic", picture)[0][0]["content"][0] == {
        "type": "image",
        "source": {"type": "base64", "data": "aGVsbG8=", "media_type": "image/png"},
    }
    assert formatted("google", picture)[0][0]["parts"][0] == {
        "inline_data": {"data": b"hello", "mime_type": "image/png"}
    }


def test_pictures_by_url():
    picture = message("user", ImageContent(image="https://x/y.jpg"))
    assert formatted("openai", picture)[0][0]["content"] == [
        {"type": "image_url", "image_url": {"url": "https://x/y.jpg", "detail": "auto"}}
    ]
    assert formatted("anthropic", picture)[0][0]["content"][0]["source"] == {"type": "url", "url": "https://x/y.jpg"}
    assert formatted("google", picture)[0][0]["parts"] == [
        {"file_data": {"file_uri": "https://x/y.jpg", "mime_type": "image/jpeg"}}
    ]


@pytest.mark.parametrize(
    ("url", "problem"),
    [("data:image/tiff;base64,aaaa", "type 'image/tiff' can't be sent"), ("data:image/png;base64,!", "isn't base64")],
)
def test_pictures_that_cannot_be_sent(url, problem):
    with pytest.raises(MediaError, match=problem):
        formatted("openai", message("user", ImageContent(image=url)))


def test_a_video_frame_needs_pillow(monkeypatch):
    from livekit.rtc import VideoBufferType, VideoFrame

    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr("importlib.import_module", missing)
    frame = VideoFrame(width=2, height=2, type=VideoBufferType.RGBA, data=b"\x07" * 16)
    with pytest.raises(MissingDependencyError, match=r"pip install 'agent-console\[video\]'"):
        formatted("openai", message("user", ImageContent(image=frame)))


def test_marks_for_the_cache():
    marked = message("system", "Long.", CacheBreakpoint(), "Short.", CacheBreakpoint())
    assert formatted("openai", marked)[0][0]["content"] == "Long.\nShort."
    mark = {"prompt_cache_breakpoint": {"mode": "explicit"}}
    assert formatted("openai", marked, prompt_cache_breakpoints=True)[0][0]["content"] == [
        {"type": "text", "text": "Long.", **mark},
        {"type": "text", "text": "\nShort.", **mark},
    ]
    seen = message("user", CacheBreakpoint(), "", ImageContent(image=PNG), CacheBreakpoint(), "Look.")
    assert formatted("openai", seen, prompt_cache_breakpoints=True)[0][0]["content"] == [
        {"type": "image_url", "image_url": {"url": PNG, "detail": "auto"}, **mark},
        {"type": "text", "text": "Look."},
    ]
    said = message("assistant", "Hi.", CacheBreakpoint())
    assert formatted("openai.responses", said, prompt_cache_breakpoints=True)[0][0]["content"] == "Hi."
    assert formatted("anthropic", marked)[1].system_messages == ["Long.\nShort."]


def test_what_other_vendors_want_to_see_again():
    extra = {"google": {"thought_signature": "s"}, "mine": 1}
    messages, _ = formatted("openai", message("assistant", "a", extra=extra), call("c1", extra=extra), output("c1"))
    assert messages[0]["extra_content"] == {"google": {"thought_signature": "s"}}
    assert messages[1]["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": "s"}}


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ('[{"type": "text", "text": "a"}]', [{"type": "text", "text": "a"}]),
        ("[1, 2]", "[1, 2]"),
        ("[not json", "[not json"),
        ("[]", "[]"),
        ('{"a": 1}', '{"a": 1}'),
    ],
)
def test_blocks_as_a_tools_output(text, content):
    messages, _ = formatted("anthropic", message("user", "x"), call("c1"), output("c1", text, is_error=True))
    result = messages[-1]["content"][0]
    assert (result["content"], result["is_error"]) == (content, True)


def test_an_error_for_google():
    turns, _ = formatted("google", call("c1"), output("c1", "no such city", is_error=True))
    assert turns[-1]["parts"][0]["function_response"]["response"] == {"error": "no such city"}


# --- tools ----------------------------------------------------------------------------------------------------------


@function_tool
async def weather(city: str, days: int = 1) -> str:
    """Look up the weather.

    Args:
        city: Where.
    """
    return city


@function_tool
async def now() -> str:
    """Tell the time."""
    return "noon"


RAW = {"name": "raw", "description": "A raw one.", "parameters": {"type": "object", "properties": {"x": {}}}}


@function_tool(raw_schema=RAW)
async def raw(raw_arguments: dict) -> str:
    return "raw"


TOOLS = ToolContext([weather, Toolset(id="more", tools=[now, raw])])


def test_tools_for_openai():
    strict, loose = TOOLS.parse_function_tools("openai"), TOOLS.parse_function_tools("openai", strict=False)
    assert [tool["function"]["name"] for tool in strict] == ["weather", "now", "raw"]
    assert strict[0]["function"]["strict"] is True
    assert strict[0]["function"]["parameters"]["required"] == ["city", "days"]
    assert "strict" not in loose[0]["function"]
    assert loose[0]["function"]["parameters"]["required"] == ["city"]
    assert loose[2] == {"type": "function", "function": RAW}


def test_tools_for_openai_responses():
    strict, loose = (TOOLS.parse_function_tools("openai.responses", strict=strict)[0] for strict in (True, False))
    assert TOOLS.parse_function_tools("openai.responses")[0] == strict
    assert (strict["type"], strict["name"], strict["strict"], loose["strict"]) == ("function", "weather", True, False)


def test_a_providers_own_tools_describe_themselves_where_they_are_asked_for():
    class Search(ProviderTool):
        def to_dict(self):
            return {"type": "web_search"}

    class Other(ProviderTool): ...

    tools = ToolContext([Search(id="search"), Other(id="other")])
    assert tools.parse_function_tools("openai.responses", provider_tool_type=Search) == [{"type": "web_search"}]
    assert tools.parse_function_tools("openai.responses", provider_tool_type=None) == []


def test_tools_for_aws():
    @function_tool
    def rain(city: str) -> str:
        """Whether it rains."""
        return city

    @function_tool
    def now() -> str:
        return "now"

    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    first, second = ToolContext([rain, now]).parse_function_tools("aws")
    assert first == {
        "toolSpec": {"name": "rain", "description": "Whether it rains.", "inputSchema": {"json": parameters}}
    }
    assert "description" not in second["toolSpec"]


def test_tools_for_anthropic():
    strict, loose = (TOOLS.parse_function_tools("anthropic", strict=strict) for strict in (True, False))
    assert TOOLS.parse_function_tools("anthropic") == strict
    assert strict[0]["strict"] is True
    assert loose[0]["description"] == "Look up the weather."
    assert loose[0]["input_schema"]["properties"]["city"] == {"type": "string", "description": "Where."}
    assert loose[2] == {"name": "raw", "description": "A raw one.", "input_schema": RAW["parameters"]}


def test_tools_for_google():
    tools = TOOLS.parse_function_tools("google")
    assert tools[0]["parameters_json_schema"]["required"] == ["city"]
    assert tools[1] == {"name": "now", "description": "Tell the time.", "parameters_json_schema": None}
    assert TOOLS.parse_function_tools("google", tool_behavior="NON_BLOCKING")[1]["behavior"] == "NON_BLOCKING"


def test_tools_for_googles_live_models():
    class Where(BaseModel):
        city: str = Field(description="Its name.")
        spot: Literal["in", "out"] | None = None

    @function_tool
    def look(places: list[Where], note: str | None = None, kind: Literal["sky"] = "sky"):
        """Look at the sky."""

    @function_tool
    def wait():
        """Do nothing."""

    first, second = ToolContext([look, wait]).parse_function_tools("google", use_parameters_json_schema=False)
    assert second == {"name": "wait", "description": "Do nothing.", "parameters": None}
    properties = first["parameters"]["properties"]
    assert properties["places"]["items"] == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Its name."},
            "spot": {"type": "string", "enum": ["in", "out"], "nullable": True},
        },
        "required": ["city"],
    }
    assert properties["note"] == {"type": "string", "nullable": True}
    assert properties["kind"]["enum"] == ["sky"]
    assert first["parameters"]["required"] == ["places"]


def test_schemas_for_googles_live_models():
    assert gemini_schema({"type": ["string", "integer", "null"]}) == {
        "nullable": True,
        "anyOf": [{"type": "string"}, {"type": "integer"}],
    }
    branch = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Branch"}}}
    with pytest.raises(ValueError, match="Branch contains itself"):
        gemini_schema({"$ref": "#/$defs/Branch", "$defs": {"Branch": branch}})
