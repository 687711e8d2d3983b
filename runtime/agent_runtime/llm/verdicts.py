"""Asks a language model for one verdict, given as the call of a tool."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from agent_runtime.llm.chat_context import ChatContext
from agent_runtime.types import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions
from agent_tools import FunctionTool, InvalidArgumentsError

if TYPE_CHECKING:
    from agent_runtime.llm import LLM, CollectedResponse

_REFUSES_TEMPERATURE: Final = re.compile(r"(^|/)(gpt-5|o\d)")
"""Models that answer a request that sets the temperature with an error."""


class NoVerdictError(ValueError):
    """Raised when a model was asked and gave no verdict; it says what it answered."""


async def ask_for_verdict(
    llm: LLM[Any],
    give: FunctionTool[Any, Any],
    *,
    instructions: str,
    question: str,
    conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
) -> Any:
    """What `give` returns for the arguments that the model calls it with, or writes as JSON.

    Raises NoVerdictError for any other answer, ValueError for the embedded model, which is too small, and what the
    request fails with.
    """
    if llm.provider == "embedded":
        # Of six messages that did what they should and six that did the opposite it got seven right.
        raise ValueError(f"{llm.model} is too small to judge: it agrees with nearly everything; use a larger model")
    context = ChatContext.empty()
    context.add_message(role="system", content=instructions)
    context.add_message(role="user", content=question)
    stream = llm.chat(
        chat_ctx=context,
        tools=[give],
        tool_choice="required",
        extra_kwargs={} if _REFUSES_TEMPERATURE.search(llm.model) else {"temperature": 0.0},
        conn_options=conn_options,
    )
    return _read(await stream.collect(), give, llm.model)


def _read(response: CollectedResponse, give: FunctionTool[Any, Any], model: str) -> Any:
    written = re.search(r"\{.*\}", response.text, re.DOTALL)
    if response.tool_calls:
        arguments = response.tool_calls[0].arguments
    elif written is not None:
        arguments = written[0]
    else:
        raise NoVerdictError(f"no verdict: {model} called no tool and answered {response.text!r}")
    try:
        return give(**give.validate_arguments(arguments))
    except InvalidArgumentsError as error:
        raise NoVerdictError(f"no verdict: {model} answered {arguments} ({error})") from error
