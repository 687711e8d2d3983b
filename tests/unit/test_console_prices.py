"""The table of prices: what it says, and what is wrong with it by file, line and field."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent_console.drawing.usage import money, usage_lines
from agent_console.prices import load_prices
from agent_console.state import ConsoleState, reduce_all
from agent_console.state.spending import BUNDLED, ModelUsage, Prices
from agent_runtime.providers.embedded.llm import SmolLM
from agent_runtime.providers.embedded.stt import MoonshineSTT
from agent_runtime.providers.embedded.tts import HibariTTS
from tests.support.conversation import STORIES

TABLE = """\
currency = "€"

["gpt-4.1-mini"]
input = 0.40
cached = 0.10
output = 1.60

["heart"]   # a voice
characters = 15
minute = 0.6
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "prices.toml"
    file.write_text(text, "utf-8")
    return file


def test_what_a_model_costs(tmp_path: Path) -> None:
    prices, problems = load_prices(write(tmp_path, TABLE))
    assert problems == []
    assert prices.currency == "€"
    used = ModelUsage(requests=2, input=3_000_000, cached=1_000_000, output=500_000)
    assert prices.cost("gpt-4.1-mini", used) == pytest.approx(2 * 0.40 + 0.10 + 0.80)
    assert prices.cost("heart", ModelUsage(characters=100_000, seconds=30)) == pytest.approx(1.5 + 0.3)
    assert prices.cost("other", used) is None


def test_without_a_price_for_them_cached_tokens_cost_what_others_do(tmp_path: Path) -> None:
    prices, _ = load_prices(write(tmp_path, "[m]\ninput = 1\n"))
    assert prices.cost("m", ModelUsage(input=2_000_000, cached=1_000_000)) == pytest.approx(2.0)


def test_no_file_is_no_problem(tmp_path: Path) -> None:
    assert load_prices(tmp_path / "prices.toml") == (Prices(file=str(tmp_path / "prices.toml")), [])


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("output = 1.60", "outptu = 1.60", "prices.toml:6: gpt-4.1-mini.outptu: isn't known; there are input"),
        ("output = 1.60", 'output = "1.60"', "prices.toml:6: gpt-4.1-mini.output: '1.60' isn't a price"),
        ("output = 1.60", "output = -1", "prices.toml:6: gpt-4.1-mini.output: -1 isn't a price"),
        ("output = 1.60", "output = nan", "prices.toml:6: gpt-4.1-mini.output: nan isn't a price"),
        ("output = 1.60", "output = true", "prices.toml:6: gpt-4.1-mini.output: True isn't a price"),
        ('currency = "€"', "currency = 3", "prices.toml:1: currency: must be a text"),
        ('currency = "€"', '"gpt-5" = 3', "prices.toml:1: gpt-5: must be a table"),
    ],
)
def test_a_bad_price_is_named_and_the_rest_counts(tmp_path: Path, before: str, after: str, problem: str) -> None:
    prices, problems = load_prices(write(tmp_path, TABLE.replace(before, after)))
    assert len(problems) == 1
    assert problems[0].startswith(problem)
    assert prices.cost("heart", ModelUsage(characters=1_000_000)) == 15


@pytest.mark.parametrize(
    ("content", "where"), [(b"[m]\ncurrency = ", "prices.toml:2: "), (b"\xff\xfe", "prices.toml: ")]
)
def test_a_file_that_is_not_toml_is_named(tmp_path: Path, content: bytes, where: str) -> None:
    file = tmp_path / "prices.toml"
    file.write_bytes(content)
    prices, (problem,) = load_prices(file)
    assert problem.startswith(where)
    assert prices.models == {}


def text_of(state: ConsoleState, prices: Prices) -> str:
    return "\n".join("".join(text for text, _ in line) for line in usage_lines(state, prices, 60))


def test_the_panel_shows_each_model_and_the_sum(tmp_path: Path) -> None:
    state = reduce_all(ConsoleState(), STORIES["interrupted"]().events)
    without = text_of(state, Prices(file="~/prices.toml"))
    assert "2 models have no price: add them to ~/prices.toml" in without
    assert "TOTAL" not in without
    prices, _ = load_prices(write(tmp_path, "[SmolLM2-135M]\ninput = 1000\n"))
    text = text_of(state, prices)
    tokens = state.spending["llm", "SmolLM2-135M"].input
    assert f"{tokens:,} tokens in" in text
    assert f"${tokens / 1000:,.2f}" in text
    assert "1 model has no price" in text


def test_models_that_run_here_need_no_price() -> None:
    spending = {("llm", "SmolLM2-135M-Instruct.Q4_1"): ModelUsage(1), ("tts", "elsewhere"): ModelUsage(1)}
    text = text_of(ConsoleState(spending=spending), Prices(file=str(Path.home() / "prices.toml")))
    assert re.search("SmolLM2-135M-Instruct.Q4_1 +runs here", text)
    assert re.search("elsewhere +no price", text)
    assert "1 model has no price: add it to ~/prices.toml" in text
    own = {("tts", "hibari-heart"): ModelUsage(1)}
    assert [line.strip() for line in text_of(ConsoleState(spending=own), Prices()).split("\n")].count("") == 1


def test_models_that_run_here_are_those_that_come_with_the_runtime() -> None:
    assert {SmolLM().model, HibariTTS().model, MoonshineSTT().model} == BUNDLED


def test_small_sums_keep_their_first_digits() -> None:
    assert [money(amount, "$") for amount in (0, 0.00001, 0.00123, 0.5, 1234.5)] == [
        "$0.00",
        "$0.000010",
        "$0.0012",
        "$0.50",
        "$1,234.50",
    ]
