"""JSON schemas of bundles, of scenario files and of a worker's report, for programs that aren't ours.

`python -m agent_runtime.bundle.schemas FOLDER` writes them as files.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

SchemaName: TypeAlias = Literal["event", "bundle", "config", "scenario", "worker"]
NAMES: Final[tuple[SchemaName, ...]] = get_args(SchemaName)
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schema_text(name: SchemaName) -> str:
    """The schema as a JSON document that ends with a newline."""
    return json.dumps({"$schema": _DIALECT, **_schema(name)}, indent=2, ensure_ascii=False) + "\n"


def write_schemas(folder: Path) -> list[Path]:
    """Write `event.json`, `bundle.json`, `config.json`, `scenario.json` and `worker.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in NAMES:
        path = folder / f"{name}.json"
        path.write_text(schema_text(name), encoding="utf-8")
        written.append(path)
    return written


def _schema(name: SchemaName) -> dict[str, Any]:
    if name == "event":
        from agent_runtime.events.codec import schema

        return schema()
    if name == "bundle":
        from agent_runtime.bundle.layout import Manifest

        return Manifest.model_json_schema(mode="serialization")
    if name == "scenario":
        from agent_runtime.evals.scenario import ScenarioFile

        return ScenarioFile.model_json_schema()
    if name == "worker":
        from agent_runtime.worker.report import schema as report_schema

        return report_schema()
    from agent_runtime.settings import Settings

    return Settings.model_json_schema(mode="serialization")


if __name__ == "__main__":
    for path in write_schemas(Path(sys.argv[1])):
        print(path)
