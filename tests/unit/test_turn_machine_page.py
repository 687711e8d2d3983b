"""docs/turn-machine.md and its pictures are those of the tables."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from agent_runtime.voice.turn_machine import FLOOR, USER, Table
from tests.support import turn_machine_page
from tests.support.turn_machine_picture import FLOOR_PLACES, USER_PLACES, Places

FILES = turn_machine_page.files()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_is_up_to_date(path: Path) -> None:
    assert path.read_text("utf-8") == FILES[path], "run `python -m tests.support.turn_machine_page`"


def test_every_row_is_on_the_page() -> None:
    rows = sum(len(rows) for table in (USER, FLOOR) for rows in table.values())
    page = turn_machine_page.page()
    assert sum(line.startswith("| `") and line.count(" | ") == 4 for line in page.splitlines()) == rows


@pytest.mark.parametrize(("table", "places"), [(USER, USER_PLACES), (FLOOR, FLOOR_PLACES)], ids=["user", "floor"])
def test_every_change_of_state_is_in_the_picture(table: Table, places: Places) -> None:
    edges = turn_machine_page.edges(table)
    assert {name for edge in edges for name in edge} == set(places)
    (picture,) = [text for path, text in FILES.items() if path.suffix == ".svg" and _labels(text) == _told(edges)]
    assert picture


def _labels(svg: str) -> list[str]:
    tree = ElementTree.fromstring(svg)
    return [node.text or "" for node in tree.iter("{http://www.w3.org/2000/svg}text") if node.get("class") == "label"]


def _told(edges: dict[tuple[str, str], list[str]]) -> list[str]:
    return [name for inputs in edges.values() for name in inputs]
