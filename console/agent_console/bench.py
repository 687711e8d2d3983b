"""What the command `bench` does: a conversation held for the sake of its waits, and where they came from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final, Literal

from agent_console.drawing.latency import LABELS
from agent_console.drawing.timeline import advice
from agent_console.reports import table
from agent_console.start import budgets_of, loader, resolve
from agent_console.state import WHOLE, ConsoleState, Histogram, reduce
from agent_console.state.advice import savings
from agent_console.state.budgets import Budgets
from agent_console.state.percentiles import add_turn
from agent_runtime.errors import AgentConsoleError
from agent_runtime.evals.runner import RunOptions, run_scenario
from agent_runtime.evals.scenario import Scenario
from agent_runtime.events import AnyEvent, TurnMeasured, TurnPart
from agent_runtime.records import record

LINES: Final = (
    "Hello, how are you?",
    "What can you do for me?",
    "Please tell me a bit more about that.",
    "Can you give me an example?",
    "Thank you. Is there anything else that I should know?",
)
"""What the user says where nothing is given: it asks for no tool by name."""
SLOWER: Final = 1.1
"""From this times the earlier median on an answer counts as slower …"""
NOTICED: Final = 0.05
"""… if it is so many seconds more besides."""
FAILED: Final = 1
"""Exit code when an answer didn't come, took longer than it may, or longer than before."""


@record(frozen=True, slots=True)
class Plan:
    """What is measured, and what it is held to."""

    turns: int = 10
    """How many are counted. One more goes before them: the first loads what is loaded late."""
    says: Sequence[str] = ()
    by: Literal["text", "speech"] = "speech"
    output: Path | None = None
    """Where the figures are written as JSON."""
    against: Path | None = None
    """Figures written earlier."""
    budget: float | None = None
    """Seconds for 95 answers in 100; those of the settings are shown, but nothing fails by them."""


def bench(agent: str | None, plan: Plan, flags: Mapping[str, Any], config_file: Path | None) -> int:
    """Talk to the agent and print where the time went; 0 if all was answered, and in time.

    Raises AgentConsoleError, before anything is said, for what can't be used.
    """
    _check(plan)
    before = None if plan.against is None else _read(plan.against, plan.by)
    resolved, target = resolve(agent, flags, config_file)
    loaded = loader(target)()
    limits = budgets_of(resolved.settings)
    limits = limits if plan.budget is None else replace(limits, answer=plan.budget)
    measured = Measured(plan.turns)
    says = islice(cycle(plan.says or LINES), plan.turns + 1)
    scenario = Scenario.model_validate({"name": "bench", "by": plan.by, "steps": [{"say": words} for words in says]})
    print(f"{loaded.path.name}: {plan.turns} turns by {plan.by}, and one before them that isn't counted", flush=True)
    result = run_scenario(scenario, loaded, RunOptions(resolved.settings), on_event=measured.take)
    print(f"\n{report(measured, limits, before)}" if measured.waits else "\nno turn was measured")
    if plan.output is not None:
        plan.output.write_text(json.dumps(measured.as_json(loaded.path.name, plan.by), indent=2) + "\n", "utf-8")
    problems = [result.problem] if result.problem else []
    if not problems and measured.count < plan.turns:
        problems.append(f"{plan.turns - measured.count} of {plan.turns} turns had no answer that was heard")
    problems += _too_slow(measured.waits, plan.budget, before)
    for problem in problems:
        print(f"✗ {problem}")
    return FAILED if problems else 0


def _check(plan: Plan) -> None:
    if not 1 <= plan.turns <= 1000:
        raise AgentConsoleError(f"--turns {plan.turns}: say how many, from 1 to 1000")
    if plan.budget is not None and plan.budget <= 0:
        raise AgentConsoleError(f"--budget {plan.budget:g}: say the seconds that an answer may take")
    if plan.output is not None and not plan.output.absolute().parent.is_dir():
        raise AgentConsoleError(f"there is no folder {plan.output.absolute().parent}: make it first")


def _read(path: Path, by: str) -> Mapping[str, float]:
    """The medians that were written earlier, by part."""
    try:
        told = json.loads(path.read_text("utf-8"))
        medians = {str(name): float(figures["p50"]) for name, figures in told["parts"].items()}
        if told["by"] != by:
            raise AgentConsoleError(f"{path}: these were measured by {told['by']}: add --by {told['by']}")
        return medians
    except OSError as exc:
        raise AgentConsoleError(f"{path}: it can't be read: {exc.strerror}") from exc
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise AgentConsoleError(f"{path}: no figures of `agent-console bench --json`") from exc


class Measured:
    """The waits as they are measured, each of them printed.

    Args:
        of: how many are to come after the first.
    """

    def __init__(self, of: int) -> None:
        self.first: float | None = None
        """Seconds of the answer that isn't counted."""
        self.waits: Mapping[str, Histogram] = {}
        self.turns: list[TurnMeasured] = []
        self._of = of
        self._state = ConsoleState()

    @property
    def count(self) -> int:
        """How many were counted."""
        return len(self.turns)

    def advice(self, width: int) -> list[str]:
        """What would have saved time on these turns, as the console's timeline says it."""
        counted = [turn for turn in self._state.turns if turn.is_measured][1:]
        return ["".join(text for text, _ in line) for line in advice(savings(counted), width)]

    def take(self, event: AnyEvent) -> None:
        """Note an event of the session's."""
        self._state = reduce(self._state, event)
        turn = event.data
        if not isinstance(turn, TurnMeasured):
            return
        seconds = turn.end - turn.start
        if self.first is None:
            self.first = seconds
            print(f"  first  {seconds:.2f} s", flush=True)
        elif self.count < self._of:
            self.turns.append(turn)
            self.waits = add_turn(self.waits, turn)
            print(f"  {self.count:>5}  {seconds:.2f} s", flush=True)

    def as_json(self, agent: str, by: str) -> dict[str, Any]:
        """The figures in seconds."""
        parts = {
            name: {f"p{share}": waits.percentile(share / 100) for share in (50, 95, 99)} | {"turns": waits.size}
            for name, waits in self.waits.items()
        }
        turns = [[_part_as_json(part) for part in turn.parts] for turn in self.turns]
        return {"agent": agent, "by": by, "first": self.first, "parts": parts, "turns": turns}


def _part_as_json(part: TurnPart) -> dict[str, object]:
    return {"name": part.name, "setting": part.setting, "seconds": part.end - part.start}


def report(measured: Measured, limits: Budgets, before: Mapping[str, float] | None) -> str:
    """The parts of the wait as a table, what is over its budget marked, and what would have saved time."""
    earlier = () if before is None else ("BEFORE", "CHANGE")
    rows: list[tuple[str, ...]] = [("SECONDS", "P50", "P95", "P99", "TURNS", *earlier, "")]
    for name in (*(part for part in LABELS if part in measured.waits), WHOLE):
        rows.append(_row(name, measured.waits[name], limits, before))
    return "\n".join([table(rows), *(["", *told] if (told := measured.advice(100)) else [])])


def _row(name: str, waits: Histogram, limits: Budgets, before: Mapping[str, float] | None) -> tuple[str, ...]:
    shares = [waits.percentile(share) for share in (0.5, 0.95, 0.99)]
    over = f"✗ more than {limits.of(name):g}" if limits.is_over(name, shares[1]) else ""
    cells = [LABELS[name][0] if name in LABELS else "last word to first sound", *(f"{value:.2f}" for value in shares)]
    cells.append(str(waits.size))
    if before is not None:
        known = before.get(name)
        cells += ["-", "-"] if known is None else [f"{known:.2f}", f"{shares[0] - known:+.2f}"]
    return (*cells, over)


def _too_slow(
    waits: Mapping[str, Histogram], budget: float | None, before: Mapping[str, float] | None
) -> Iterator[str]:
    whole = waits.get(WHOLE)
    if whole is None:
        return
    usual, nearly_all = whole.percentile(0.5), whole.percentile(0.95)
    if budget is not None and nearly_all > budget:
        yield f"95 of 100 answers came within {nearly_all:.2f} s; they may take {budget:g}"
    known = None if before is None else before.get(WHOLE)
    if known is not None and usual > known * SLOWER and usual - known >= NOTICED:
        yield f"half of the answers took {usual:.2f} s or more; before it was {known:.2f}"
