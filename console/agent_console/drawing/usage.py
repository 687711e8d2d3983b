"""The usage panel: what each model was given and gave, and what it cost."""

from __future__ import annotations

from typing import Final

from agent_console.drawing.text import Line, clean, fit, justify, wrap_spans
from agent_console.state import ConsoleState
from agent_console.state.paths import from_home
from agent_console.state.spending import BUNDLED, Kind, ModelUsage, Prices

ABOUT: Final = "≈"
"""Before a number that is an estimate."""
_WORDS: dict[Kind, str] = {"llm": "LANGUAGE MODELS", "tts": "VOICES", "stt": "RECOGNITION"}


def usage_lines(state: ConsoleState, prices: Prices, width: int) -> list[Line]:
    """A block for each kind of model, the total, and what tools and interruptions there were."""
    lines: list[Line] = []
    total, unpriced, about = 0.0, 0, ""
    for kind, heading in _WORDS.items():
        models = [(model, usage) for (own, model), usage in state.spending.items() if own == kind]
        if not models:
            continue
        lines += [(), ((heading, "heading"),)] if lines else [((heading, "heading"),)]
        for model, usage in models:
            cost = prices.cost(model, usage)
            total, unpriced = total + (cost or 0.0), unpriced + (cost is None and model not in BUNDLED)
            about = ABOUT if usage.estimated and cost else about
            lines += _model(model, usage, cost, prices.currency, width)
    lines += (
        _total(about + money(total, prices.currency), unpriced, prices, width)
        if state.spending
        else [(("nothing was used yet", "faint"),)]
    )
    session = state.usage
    failed: Line = ((f" · {session.tool_errors} failed", "error"),) if session.tool_errors else ()
    lines += [
        (),
        justify((("tool calls", "muted"),), ((f"{session.tool_calls:,}", "value"), *failed), width),
        justify((("interruptions", "muted"),), ((f"{session.interruptions:,}", "value"),), width),
    ]
    return lines


def _model(model: str, usage: ModelUsage, cost: float | None, currency: str, width: int) -> list[Line]:
    shown = "runs here" if model in BUNDLED else "no price"
    if cost is not None:
        shown = (ABOUT if usage.estimated and cost else "") + money(cost, currency)
    name = fit(clean(model) or "unnamed", max(8, width - len(shown) - 2))
    rows: list[Line] = [justify(((name, "text bold"),), ((shown, "value" if cost is not None else "faint"),), width)]
    facts = [f"{usage.requests:,} request{'' if usage.requests == 1 else 's'}"] if usage.requests else []
    if usage.input or usage.output:
        about = ABOUT if usage.estimated else ""
        cached = f" ({usage.cached:,} cached)" if usage.cached else ""
        facts += [f"{about}{usage.input:,} tokens in{cached}", f"{about}{usage.output:,} out"]
    if usage.characters:
        facts.append(f"{usage.characters:,} characters")
    if usage.seconds:
        facts.append(f"{usage.seconds:,.1f} s of audio")
    if usage.estimated:
        facts.append("partly estimated: the provider didn't tell")
    return rows + [(("  ", ""), *line) for line in wrap_spans([(" · ".join(facts), "muted")], width - 2)]


def _total(total: str, unpriced: int, prices: Prices, width: int) -> list[Line]:
    lines: list[Line] = [()] if prices.models or unpriced else []
    if prices.models:
        lines.append(justify((("TOTAL", "heading"),), ((total, "value bold"),), width))
    if unpriced:
        models, it = ("1 model has", "it") if unpriced == 1 else (f"{unpriced} models have", "them")
        where = f"{models} no price: add {it} to {from_home(prices.file)}" if prices.file else f"{models} no price"
        lines += wrap_spans([(clean(where), "faint")], width)
    return lines


def money(amount: float, currency: str) -> str:
    """Cents where there are some, else as many digits as it takes to see the first two."""
    if amount == 0 or amount >= 0.1:
        return f"{currency}{amount:,.2f}"
    return f"{currency}{amount:.2g}" if amount >= 0.0001 else f"{currency}{amount:.6f}"
