"""Docstrings of every style that is in use."""

import pytest

from agent_tools.docstrings import parse_docstring

GOOGLE = """Look up the weather.

More about it.

Args:
    city (str): the city
        to look up
    days (Optional[int], optional): how many: at most 7
    **rest: ignored

Returns:
    str: a forecast

Raises:
    ToolError: no such city

Note:
    It is cached.
"""

NUMPY = """Look up the weather.

More about it.

Parameters
----------
city : str
    the city
    to look up
days, nights : int, optional
    how many

    at most 7

Returns
-------
str
    a forecast

Notes
-----
It is cached.
"""

REST = """Look up the weather.

More about it.

:param str city: the city
    to look up
:param days: how many
:type days: int
:returns: a forecast
:raises ToolError: no such city
"""

EPYDOC = """Look up the weather.

More about it.

@param city: the city to look up
@type city: str
@param days: how many
@return: a forecast
"""


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        (GOOGLE, {"city": "the city to look up", "days": "how many: at most 7", "rest": "ignored"}),
        (NUMPY, {"city": "the city to look up", "days": "how many at most 7", "nights": "how many at most 7"}),
        (REST, {"city": "the city to look up", "days": "how many"}),
        (EPYDOC, {"city": "the city to look up", "days": "how many"}),
    ],
)
def test_styles(text, parameters):
    found = parse_docstring(text)
    assert found.parameters == parameters
    description = "Look up the weather.\n\nMore about it."
    assert found.description.removesuffix("\n\nNote:\n    It is cached.") == description


@pytest.mark.parametrize("text", [None, "", "  \n "])
def test_nothing(text):
    assert parse_docstring(text).description == ""


@pytest.mark.parametrize(
    "text",
    ["Rates: how much it costs.", "Use it for:\n\n- weather\n- wind", "See https://example.com: a page.", "a\n---\nb"],
)
def test_text_that_looks_like_a_section_is_kept(text):
    found = parse_docstring(text)
    assert (found.description, found.parameters) == (text, {})


def test_an_indented_docstring_and_an_empty_section():
    found = parse_docstring("""Do it.

        Args:

        Returns:
            nothing
        """)
    assert (found.description, found.parameters) == ("Do it.", {})
