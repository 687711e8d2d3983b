"""What an object was made with, so that another one can be made the same way by new code."""

from __future__ import annotations

from typing import Any, Self


class RemembersArguments:
    """Keeps the arguments of its constructor.

    It is a base class because `inspect` shows the signature of what comes first among `__new__` and `__init__`.
    """

    _made_with: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *arguments: Any, **named: Any) -> Self:
        """Make it, and note what with."""
        made = super().__new__(cls)
        made._made_with = (arguments, named)
        return made
