"""The page that compares us with LiveKit Agents is up to date, and no difference lacks its reason."""

import pytest

from tests.parity import compare
from tests.parity.__main__ import DOC, compared
from tests.parity.compare import Reasons, Row

Comparison = tuple[list[Row], str]


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return compared()


def test_the_page_is_up_to_date(comparison: Comparison):
    _, page = comparison
    assert DOC.read_text("utf-8") == page, "run `python -m tests.parity` and commit docs/parity.md"


def test_nothing_differs_or_lacks_without_a_reason(comparison: Comparison):
    rows, _ = comparison
    assert [row for row in rows if row.state == "differs"] == []
    assert [row for row in rows if row.state == "missing" and not row.note] == []


def test_every_reason_is_needed(comparison: Comparison):
    rows, _ = comparison
    reasons = compare.load_reasons()
    used = {key for row in rows if row.state != "same" for key in compare.keys(row.module, row.name)}
    assert set(reasons.deviation) | set(reasons.missing) <= used, "remove from tests/parity/deviations.toml"


def test_what_a_caller_trips_over_is_a_difference():
    def of(*parameters: tuple[str, str, str | None], **more: object) -> dict[str, object]:
        return {"kind": "class", "signature": [list(p) for p in parameters], "fields": None, "members": {}, **more}

    plain = of(("a", "positional_or_keyword", None), ("b", "keyword_only", "1"))
    theirs = {
        "m": {
            "Same": plain,
            "More": plain,
            "Default": plain,
            "Fewer": plain,
            "KeywordOnly": plain,
            "Needs": plain,
            "Kind": plain,
            "Gone": plain,
            "Member": of(members={"run": {"kind": "method", "signature": [["x", "keyword_only", None]]}}),
            "Field": of(fields={"size": "3", "made": "<lambda>()", "lost": "0"}),
        },
        "again": {"Same": plain},
    }
    ours = {
        "m": {
            "Same": plain,
            "More": of(*plain["signature"], ("c", "keyword_only", "None")),
            "Default": of(("a", "positional_or_keyword", None), ("b", "keyword_only", "2")),
            "Fewer": of(("a", "positional_or_keyword", None)),
            "KeywordOnly": of(("a", "keyword_only", None), ("b", "keyword_only", "1")),
            "Needs": of(*plain["signature"], ("c", "keyword_only", None)),
            "Kind": {"kind": "function", "signature": plain["signature"]},
            "Member": of(members={"run": {"kind": "method", "signature": []}}),
            "Field": of(fields={"size": "4", "made": "make()"}),
        },
        "again": {"Same": plain},
    }
    rows = compare.compare(theirs, ours, Reasons({"m.Gone": "on purpose"}, {"Field.*": "later"}, {}))
    assert [(row.name, row.state, row.note) for row in rows] == [
        ("Same", "same", ""),
        ("More", "same", ""),
        ("Default", "differs", "`b` defaults to 2, there 1"),
        ("Fewer", "differs", "no `b`"),
        ("KeywordOnly", "differs", "`a` is keyword-only"),
        ("Needs", "differs", "needs `c`"),
        ("Kind", "differs", "a function here, a class there"),
        ("Gone", "deviation", "on purpose"),
        ("Member.run", "differs", "no `x`"),
        ("Field.size", "missing", "default 4, there 3: later"),
        ("Field.lost", "missing", "later"),
    ]
