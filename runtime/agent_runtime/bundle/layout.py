"""What is in a bundle's folder, and what its manifest says.

    bundle.json    the manifest: version, session, the copies of the code
    events.jsonl   every event, a line of JSON each
    user.wav       what the session heard; silent while it was muted
    agent.wav      what was heard of the agent, by the output's own position
    agent/1/ …     the code that ran, one folder for each version of it
    config.json    the settings in effect, without secrets

Sample n of either WAV file is from second `begins + n / rate` of the session.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent_runtime.errors import BundleError

VERSION: Final = 1
"""Of the layout. It grows when a reader of the version before would misunderstand what it reads."""
MANIFEST: Final = "bundle.json"
EVENTS: Final = "events.jsonl"
USER_WAV: Final = "user.wav"
AGENT_WAV: Final = "agent.wav"
CONFIG: Final = "config.json"
CODE: Final = "agent"


class CodeCopy(BaseModel):
    """One version of the agent's code."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    folder: str
    """Where it is in the bundle."""
    entry: str
    """The agent's file in `folder`."""
    time: float = 0.0
    """Second of the session from which it was in use."""


class Manifest(BaseModel):
    """The manifest of a bundle."""

    model_config = ConfigDict(extra="ignore", frozen=True, title="Session bundle")

    version: int = Field(ge=0)
    """Of the layout."""
    made_by: str = ""
    """The program and its version."""
    session_id: str = ""
    agent: str = ""
    """The agent as it was named on the command line."""
    started_at: float = 0.0
    """Seconds since the epoch at second 0.0 of the session."""
    begins: float = 0.0
    """Second of the session at which recording began: that of the first sample of the sound."""
    complete: bool = False
    """Whether it was closed in order. Without it, it ends where the process was cut off."""
    left_out: int = 0
    """Blocks of sound and meter readings that were left out because the disk was too slow."""
    code: tuple[CodeCopy, ...] = ()


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Put it in place in one step: a reader, and a crash, find the old one or the new one."""
    part = folder / f"{MANIFEST}.part"
    part.write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    os.replace(part, folder / MANIFEST)


def read_manifest(folder: Path) -> Manifest:
    """Read it, of this version or an older one. Raises BundleError, which names file, line and field."""
    path = folder / MANIFEST
    try:
        fields = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise BundleError(str(folder), f"is no session bundle: there is no {MANIFEST} in it") from None
    except OSError as exc:
        raise BundleError(str(path), f"can't be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise BundleError(str(path), f"isn't UTF-8: {exc.reason}") from exc
    except json.JSONDecodeError as exc:
        raise BundleError(str(path), f"isn't JSON: {exc.msg}", line=exc.lineno) from exc
    if not isinstance(fields, dict):
        raise BundleError(str(path), "has to be a JSON object", line=1)
    return _checked(path, upgrade(fields, path))


UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""By the version that it was written in: makes a manifest of that version one of the next."""


def upgrade(fields: dict[str, Any], path: Path) -> dict[str, Any]:
    """Manifest fields of an older version as those of this one. Raises BundleError for a newer one."""
    version = fields.get("version")
    if isinstance(version, int) and version > VERSION:
        problem = f"version {version} is newer than this program, which reads up to {VERSION}: update agent-console"
        raise BundleError(str(path), problem, field="version")
    while isinstance(version, int) and version in UPGRADES and version < VERSION:
        fields = {**UPGRADES[version](fields), "version": version + 1}
        version += 1
    return fields


def _checked(path: Path, fields: dict[str, Any]) -> Manifest:
    try:
        return Manifest.model_validate(fields)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        line = _line_of(path, str(first["loc"][-1])) if first["loc"] else None
        raise BundleError(str(path), first["msg"], line=line, field=field) from None


def _line_of(path: Path, name: str) -> int | None:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if f'"{name}"' in line:
            return number
    return None
