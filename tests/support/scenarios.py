"""A project's scenarios as a console draws them, without a project: what is asked of them is written down."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from agent_console.scenario_runs import Pick, ScenarioRuns
from agent_console.state.scenarios import ScenarioBook, ScenarioFileSeen, ScenarioSeen, StepSeen

FILE = "/project/scenarios/weather.yaml"
LOOKS_UP = (
    StepSeen("say", "What's the weather in Paris?", 3.0),
    StepSeen("expect", "tool, arguments, text, latency"),
)
CUT = (
    StepSeen("say", "How will it be in Oslo?"),
    StepSeen("interrupt", "No, in Paris"),
    StepSeen("expect", "interrupted, text"),
)
LINES = (
    {"type": "begins", "file": FILE, "name": "it looks the weather up"},
    {"type": "said", "line": "user: What's the weather in Paris?"},
    {"type": "said", "line": 'tool: get_weather({"city": "Paris"})'},
    {"type": "said", "line": "agent: It is raining in Paris."},
    {"type": "answered", "step": 1, "latency": 3.4},
    {"type": "checked", "step": 2, "what": "tool get_weather(city='Paris')", "problem": ""},
    {"type": "checked", "step": 2, "what": "text 'degrees'", "problem": "the agent said 'It is raining in Paris.'"},
    {"type": "checked", "step": 2, "what": "latency 3 s", "problem": "it took 3.40 s"},
    {"type": "ends", "passed": False, "problem": "", "seconds": 4.12},
    {"type": "begins", "file": FILE, "name": "it stops when the user cuts in"},
    {"type": "answered", "step": 2, "latency": 0.4},
    {"type": "checked", "step": 3, "what": "interrupted true", "problem": ""},
    {"type": "checked", "step": 3, "what": "text 'Paris then'", "problem": ""},
    {"type": "ends", "passed": True, "problem": "", "seconds": 0.08},
    {"type": "begins", "file": FILE, "name": "it understands a spoken question"},
)


def weather_book() -> ScenarioBook:
    """One failed, one passed, one runs, one is new; a file can't be used."""
    spoken = ScenarioSeen(FILE, "it understands a spoken question", LOOKS_UP)
    good = ScenarioFileSeen(
        FILE,
        "scenarios/weather.yaml",
        (
            ScenarioSeen(FILE, "it looks the weather up", LOOKS_UP),
            ScenarioSeen(FILE, "it stops when the user cuts in", CUT),
            spoken,
            ScenarioSeen(FILE, "it says goodbye", CUT),
        ),
        agent="weather_agent.py",
    )
    problem = "line 7: scenarios.0.steps.1.expct: there is no such field"
    bad = ScenarioFileSeen("/project/scenarios/hours.yaml", "scenarios/hours.yaml", problem=problem)
    book = ScenarioBook((bad, good), looked=True, repeats=True)
    for line in LINES:
        book = book.told(line)
    return book


class StillScenarios(ScenarioRuns):
    """Runs nothing; `calls` has what was asked."""

    def __init__(self, book: ScenarioBook) -> None:
        super().__init__(Path("/project"))
        self.book = book
        self.calls: list[object] = []

    def look(self) -> None:
        self.calls.append("look")

    def run(self, picks: Iterable[Pick]) -> None:
        self.calls.append(list(picks))

    def repeat(self, on: bool) -> None:
        self.calls.append(("repeat", on))

    def tell(self, book: ScenarioBook) -> None:
        """Another book, as from a run."""
        self.book = book
        self.on_change()
