"""Writes docs/turn-machine.md and its two pictures from the tables of `agent_runtime.voice.turn_machine`.

python -m tests.support.turn_machine_page
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

from agent_runtime.voice import turn_inputs, turn_memory
from agent_runtime.voice.turn_machine import FLOOR, USER, Row, Table
from agent_runtime.voice.turn_memory import Floor, UserTurn
from tests.support.turn_machine_picture import FLOOR_PLACES, USER_PLACES, picture

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "turn-machine.md"

HEAD = """\
# The turn machine

Made by `uv run python -m tests.support.turn_machine_page` from the two tables of `agent_runtime.voice.turn_machine`; a
test compares.

One state machine decides whose turn it is. It has two halves: `USER` is the user's turn, `FLOOR` is the agent's speech.
Each input goes to `USER` first, then to `FLOOR`; inputs that a step raises itself follow after it. Of the rows for a
state and an input, the first whose condition holds is taken: its steps run, in order, and its state is entered. An
input without a row changes nothing. The machine waits for nothing and touches no device: it says what is to be done,
and `turn_driver` does it. So every row can be tried in virtual time, and all of them are.

"Any" stands for every state that has no rows of its own for the input, but for `CLOSED`.
"""


def main() -> None:
    """Write the page and the pictures."""
    for path, text in files().items():
        path.write_text(text, "utf-8")


def files() -> dict[Path, str]:
    """What belongs into each file."""
    return {
        PAGE: page(),
        DOCS / "images" / "turn-machine-user.svg": picture("The user's turn", edges(USER), USER_PLACES),
        DOCS / "images" / "turn-machine-floor.svg": picture("The agent's speech", edges(FLOOR), FLOOR_PLACES),
    }


def page() -> str:
    """The page."""
    parts = [
        HEAD,
        *_half("The user's turn", "user", UserTurn, USER),
        *_half("The agent's speech", "floor", Floor, FLOOR),
        *_inputs(),
    ]
    return "\n".join(parts)


def edges(table: Table) -> dict[tuple[str, str], list[str]]:
    """(from, to) to the inputs that lead there, in the order of the table."""
    found: dict[tuple[str, str], list[str]] = {}
    for state, kind, row in _rows(table):
        if row.to is not None and row.to is not state:
            inputs = found.setdefault((_name(state), row.to.name), [])
            if kind.__name__ not in inputs:
                inputs.append(kind.__name__)
    return found


def _rows(table: Table) -> Iterator[tuple[Enum | None, type, Row]]:
    for (state, kind), rows in table.items():
        for row in rows:
            yield state, kind, row


def _half(title: str, picture_name: str, states: type[Enum], table: Table) -> list[str]:
    lines = [
        f"## {title}\n",
        f"![{title}: states and what leads from one to another](images/turn-machine-{picture_name}.svg)\n",
    ]
    lines += ["| state | |", "|---|---|"]
    docs = _member_docs(states)
    lines += [f"| `{state.name}` | {docs[state.name]} |" for state in states]
    lines += ["", "```mermaid", "stateDiagram-v2"]
    lines += [f"    {source} --> {to}: {', '.join(inputs)}" for (source, to), inputs in edges(table).items()]
    lines += ["```\n", "| state | input | when | what is done | next |", "|---|---|---|---|---|"]
    for state in [*states, None]:
        lines += [_line(state, kind, row) for at, kind, row in _rows(table) if at is state]
    return [*lines, ""]


def _line(state: Enum | None, kind: type, row: Row) -> str:
    when = ""
    if row.when is not None:
        name = row.when.__name__
        when = f"The timer `{name.removeprefix('timer ')}` fires." if name.startswith("timer ") else _first(row.when)
    done = "<br>".join(_first(step) for step in row.do)
    to = f"`{row.to.name}`" if row.to is not None else ""
    return f"| `{_name(state)}` | `{kind.__name__}` | {when} | {done} | {to} |"


def _name(state: Enum | None) -> str:
    return state.name if state is not None else "Any"


def _first(documented: object) -> str:
    return (inspect.getdoc(documented) or "").split("\n\n")[0].replace("\n", " ").replace("|", "\\|")


def _member_docs(states: type[Enum]) -> dict[str, str]:
    (tree,) = [
        node
        for node in ast.parse(inspect.getsource(turn_memory)).body
        if isinstance(node, ast.ClassDef) and node.name == states.__name__
    ]
    docs: dict[str, str] = {}
    for member, text in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(member, ast.Assign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            target = member.targets[0]
            assert isinstance(target, ast.Name)
            docs[target.id] = str(text.value.value)
    return docs


def _inputs() -> list[str]:
    kinds = dict.fromkeys(kind for table in (USER, FLOOR) for _, kind, _ in _rows(table))
    lines = ["## The inputs\n", "| input | | taken by |", "|---|---|---|"]
    for kind in sorted(kinds, key=lambda kind: list(vars(turn_inputs)).index(kind.__name__)):
        takers = [name for name, table in (("`USER`", USER), ("`FLOOR`", FLOOR)) if any(k is kind for _, k in table)]
        lines.append(f"| `{kind.__name__}` | {_first(kind)} | {', '.join(takers)} |")
    return [*lines, ""]


if __name__ == "__main__":
    main()
