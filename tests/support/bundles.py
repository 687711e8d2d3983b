"""Bundles for tests: recorded by a recorder, or by a whole host."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from agent_runtime.bundle import VERSION, Manifest, Recorder, Scrubber
from agent_runtime.events import AnyEvent

BUNDLE_V1 = Path(__file__).with_name("bundle_v1")


def make_recorder(folder: Path, **options: Any) -> Recorder:
    """A recorder whose session's clock stands at 0.0 unless `now` is given."""
    manifest = Manifest(version=VERSION, made_by="agent-console test", session_id="s", **options.pop("manifest", {}))
    options = {"scrubber": Scrubber(environ={}), "config": {}, "now": lambda: 0.0, **options}
    return Recorder(folder, manifest, **options)


def record_events(folder: Path, events: Iterable[AnyEvent]) -> Path:
    """A bundle of these events, complete and without sound."""
    recorder = make_recorder(folder)
    for event in events:
        recorder.event(event)
    assert recorder.close(10)
    return folder
