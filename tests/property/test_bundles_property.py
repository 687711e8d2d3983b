"""Whatever was recorded, and wherever it was cut off, reads back as a prefix."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from agent_runtime.bundle import Bundle, recorded_turns
from agent_runtime.events import Event, ItemAdded, LogWritten, ToolStarted, TurnCommitted, TurnStarted
from tests.support.bundles import record_events

TEXT = st.text(max_size=20)
DATA = st.one_of(
    st.builds(LogWritten, st.just("info"), TEXT.map("x{}".format), TEXT),
    st.builds(ToolStarted, TEXT, TEXT, TEXT),
    st.builds(TurnStarted, st.integers(1, 99)),
    st.builds(TurnCommitted, TEXT, st.none()),
    st.builds(ItemAdded, st.dictionaries(st.sampled_from(["id", "note"]), TEXT)),
)


@given(st.lists(DATA, max_size=12), st.floats(0, 1))
def test_a_bundle_cut_anywhere_reads_back_as_a_prefix(data, share):
    with tempfile.TemporaryDirectory() as folder:
        numbered = [Event(n, n / 10, "s", f"turn_{n}", None, one) for n, one in enumerate(data, start=1)]
        path = record_events(Path(folder) / "b", numbered)
        whole = list(Bundle.open(path).events())
        assert [event.seq for event in whole] == [event.seq for event in numbered]
        lines = (path / "events.jsonl").read_bytes()
        cut = round(share * len(lines))
        (path / "events.jsonl").write_bytes(lines[:cut])
        bundle = Bundle.open(path)
        read = list(bundle.events())
        assert read == whole[: len(read)]
        assert len(read) >= lines[:cut].count(b"\n")
        complete = lines[:cut].count(b"\n")
        assert bundle.duration == (whole[complete - 1].time if complete else 0.0)
        assert len(bundle.turns) == sum(isinstance(event.data, TurnStarted) for event in whole[:complete])
        assert len(recorded_turns(read)) <= len(read)
