"""Every error that tools raise on purpose.

    ToolError                    the model is told: the text reaches it as written
    └── InvalidArgumentsError    … because its arguments don't fit: the text says how to repair the call
    StopResponse                 not a failure: no reply to this call
    ToolConflictError            two tools share a name: a ValueError, for the person who writes the agent

A function that can't be a tool raises TypeError where it is decorated.
"""

from __future__ import annotations

from collections.abc import Sequence


class ToolError(Exception):
    """Raised by a tool to tell the model what went wrong, in words that it can act on.

    The message reaches the model as it is written, so name what to do next: "No city is called Pari. Did you mean
    Paris?". Any other exception reaches the model as "An internal error occurred" only.
    """

    def __init__(self, message: str) -> None:
        self._message = message
        super().__init__(message)

    @property
    def message(self) -> str:
        """The text that the model reads."""
        return self._message


class InvalidArgumentsError(ToolError):
    """Raised when a model's arguments don't fit a tool's parameters.

    Args:
        tool: the tool's name.
        problems: one line for each wrong argument, beginning with its dotted path.
    """

    def __init__(self, tool: str, problems: Sequence[str]) -> None:
        self.tool = tool
        self.problems = tuple(problems)
        super().__init__(f"Invalid arguments for {tool}: " + "; ".join(self.problems))


class StopResponse(Exception):
    """Raised by a tool that wants no reply to be generated for its call."""

    def __init__(self) -> None:
        super().__init__()


class ToolConflictError(ValueError):
    """Raised when two different tools would answer to the same name."""

    def __init__(self, name: str, first: str, second: str) -> None:
        self.name = name
        super().__init__(
            f"duplicate function name: {name} is both {first} and {second}; "
            "give one of them another name with @function_tool(name=...)"
        )
