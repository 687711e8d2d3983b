"""The table of prices that a user keeps: what each model costs, for the usage panel.

A TOML file, a table for each model by the name that the usage panel shows; what isn't charged for is left out:

    currency = "$"

    ["gpt-4.1-mini"]
    input = 0.40        # a million tokens
    cached = 0.10
    output = 1.60

    ["tts-1"]
    characters = 15.0   # a million; `minute` is for those that charge for time
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any, Final

from agent_console.state.spending import Price, Prices
from agent_runtime.toml_lines import TomlFileError, at_line, place, read_toml

FILE: Final = "prices.toml"
FIELDS: Final = tuple(field.name for field in dataclasses.fields(Price))


def load_prices(file: Path) -> tuple[Prices, list[str]]:
    """The table, and what is wrong with it by file, line and field. A bad price is left out and the rest counts."""
    empty = Prices(file=str(file))
    if not file.exists():
        return empty, []
    try:
        text, table = read_toml(file)
    except TomlFileError as error:
        return empty, [f"{at_line(file.name, error.line)}: {error.problem}"]
    problems: list[str] = []
    currency = table.pop("currency", "$")
    if not isinstance(currency, str):
        problems.append(f'{place(file.name, text, "", "currency")}: currency: must be a text, like "$"')
        currency = "$"
    models = {name: _price(name, value, file.name, text, problems) for name, value in table.items()}
    known = {name: price for name, price in models.items() if price is not None}
    return Prices(currency, known, str(file)), problems


def _price(model: str, values: Any, file: str, text: str, problems: list[str]) -> Price | None:
    if not isinstance(values, dict):
        problems.append(f'{place(file, text, "", model)}: {model}: must be a table: ["{model}"]')
        return None
    good: dict[str, float] = {}
    for name, value in values.items():
        where = f"{place(file, text, model, name)}: {model}.{name}"
        if name not in FIELDS:
            problems.append(f"{where}: isn't known; there are {', '.join(FIELDS)}")
        elif isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            problems.append(f"{where}: {value!r} isn't a price: write a number")
        else:
            good[name] = float(value)
    return Price(**good) if good else None
