"""How often the embedded model calls the right tool: `python -m tests.benchmarks.bench_tool_calls [--fit] [--misses]`.

The utterances are in tests/support/tool_utterances.jsonl, half of them (`dev`) for tuning, half (`held`) to tell how
well it does on what it was not tuned on; among those are two sets of tools that nothing was tuned on.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agent_runtime.llm import ChatContext
from agent_runtime.providers.embedded.llama import find_weights
from agent_runtime.providers.embedded.llm_calls import Call, CallPlanner
from agent_runtime.providers.embedded.llm_tools import ToolChooser, ToolSpec
from agent_runtime.providers.embedded.llm_words import WordVectors, stem, words_of
from tests.support.tool_sets import tool_sets

UTTERANCES = Path(__file__).parents[1] / "support" / "tool_utterances.jsonl"


@dataclass
class Score:
    """How many of how many were right."""

    total: int = 0
    names: int = 0
    calls: int = 0

    def __str__(self) -> str:
        return (
            f"tool {self.names}/{self.total} = {self.names / self.total:.1%}, "
            f"tool and arguments {self.calls}/{self.total} = {self.calls / self.total:.1%}"
        )


def utterances() -> list[dict[str, Any]]:
    """The lines of the file."""
    return [json.loads(line) for line in UTTERANCES.read_text(encoding="utf-8").splitlines()]


def specs() -> dict[str, list[ToolSpec]]:
    """The sets of tools as the model knows them."""
    return {
        name: [ToolSpec(tool.id, tool.description, tool.parameters_schema()) for tool in tools]
        for name, tools in tool_sets().items()
    }


def same(found: Any, wanted: Any) -> bool:
    """Whether a value is one of those wanted; of text, articles, case and forms of words don't matter."""
    if isinstance(wanted, list):
        return any(same(found, one) for one in wanted)
    if isinstance(found, str) and isinstance(wanted, str):
        plain = [[stem(word) for word in words_of(text) if word not in ("a", "an", "the")] for text in (found, wanted)]
        return plain[0] == plain[1]
    return bool(found == wanted)


def is_right(call: Call, tool: ToolSpec, wanted: dict[str, Any]) -> bool:
    """Whether a call's arguments are those wanted; one with its default may be left out or not."""
    names = {*call.arguments, *wanted}
    defaults = {name: schema.get("default") for name, schema in tool.properties.items()}
    return all(
        same(call.arguments.get(name, defaults.get(name)), wanted.get(name, defaults.get(name))) for name in names
    )


def evaluate(planner: CallPlanner, *, misses: bool = False) -> tuple[dict[str, Score], list[float]]:
    """Scores of each half, and how long each decision took, in milliseconds."""
    sets, scores, took = specs(), {"dev": Score(), "held": Score()}, []
    for line in utterances():
        chat_ctx = ChatContext.empty()
        chat_ctx.add_message(role="user", content=line["utterance"])
        began = time.perf_counter()
        answer = planner.plan(chat_ctx.items, sets[line["tools"]])
        took.append((time.perf_counter() - began) * 1000)
        score = scores[line["split"]]
        score.total += 1
        tools = {tool.name: tool for tool in sets[line["tools"]]}
        name = answer.name if isinstance(answer, Call) else "a question" if answer is not None else None
        right = name == line["tool"]
        whole = right and (not isinstance(answer, Call) or is_right(answer, tools[answer.name], line["arguments"]))
        score.names += right
        score.calls += whole
        if misses and not whole and line["split"] == "dev":  # looking at the other half would be tuning on it
            print(f"  {line['utterance']!r}: {answer}, not {line['tool']} {line['arguments']}")
    return scores, took


def fit(chooser: ToolChooser, *, decay: float = 0.03, steps: int = 2500, rate: float = 0.3) -> list[float]:
    """Weights of the features by multinomial logistic regression on the half for tuning."""
    sets, data = specs(), []
    for line in utterances():
        if line["split"] == "dev":
            tools = sets[line["tools"]]
            right = [tool.name for tool in tools].index(line["tool"]) if line["tool"] else len(tools)
            data.append((chooser.features(tools, line["utterance"]), right))
    scale = np.concatenate([rows for rows, _ in data]).std(axis=0) + 1e-6
    weights = np.zeros(len(scale))
    for _ in range(steps):
        gradient = decay * weights
        for rows, right in data:
            odds = np.exp(rows / scale @ weights)
            gradient += ((odds / odds.sum()) @ (rows / scale) - rows[right] / scale) / len(data)
        weights -= rate * gradient
    return [round(float(weight), 2) for weight in weights / scale]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fit", action="store_true", help="fit the weights of the features and print them")
    parser.add_argument("--misses", action="store_true", help="print what is wrong in the half for tuning")
    options = parser.parse_args()
    vectors = WordVectors(find_weights())
    if options.fit:
        print("weights", fit(ToolChooser(vectors)))
    scores, took = evaluate(CallPlanner(vectors), misses=options.misses)
    for half, score in scores.items():
        print(f"{half:5} {score}")
    print(f"decision: median {np.median(took):.1f} ms, p95 {np.percentile(took, 95):.1f} ms")


if __name__ == "__main__":
    main()
