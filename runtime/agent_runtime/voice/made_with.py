"""What an object was made with, so that another one can be made the same way by new code."""

from __future__ import annotations

from typing import Any, Self


class RemembersArguments:
    """Keeps the arguments of its constructor.

    They are taken in a base class, since what stands first in the order of classes is the signature that `inspect` shows.
    """

    _made_with: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *arguments: Any, **named: Any) -> Self:
        made = super().__new__(cls)
        made._made_with = (arguments, named)
        return made
