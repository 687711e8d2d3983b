"""Which exporters OpenTelemetry's own environment variables ask for, and how to get them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from agent_runtime.errors import ConfigError, MissingDependencyError
from agent_runtime.telemetry.traces import INSTALL

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

Signal: TypeAlias = Literal["traces", "metrics"]

SERVICE: Final = "agent-console"
"""The service's name where the environment gives none."""


def wanted(signal: Signal, environment: Mapping[str, str]) -> list[str]:
    """Names of the exporters that are asked for: by `OTEL_…_EXPORTER`, else OTLP's where it has an endpoint."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return []
    named = [name.strip() for name in environment.get(_variable(signal), "").split(",") if name.strip()]
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT")
    if not named and any(environment.get(name) for name in endpoints):
        named = ["otlp"]
    return [name for name in named if name != "none"]


def exporter(signal: Signal, name: str, environment: Mapping[str, str]) -> Any:
    """One of them, from the package that offers it. Raises ConfigError if it isn't known or can't be used."""
    from importlib.metadata import entry_points

    if name == "otlp":
        protocol = environment.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL")
        protocol = protocol or environment.get("OTEL_EXPORTER_OTLP_PROTOCOL")
        name = "otlp_proto_http" if protocol in (None, "", "http/protobuf") else f"otlp_proto_{protocol}"
    found = list(entry_points(group=f"opentelemetry_{signal}_exporter", name=name))
    if not found:
        problem = f"no exporter {name} is installed; {INSTALL} brings otlp over http/protobuf"
        raise ConfigError(_variable(signal), "", problem)
    try:
        return found[0].load()()
    except Exception as e:
        raise ConfigError(_variable(signal), "", f"{name} can't be used: {type(e).__name__}: {e}") from e


def resource(environment: Mapping[str, str], **attributes: str) -> Resource:
    """What everything is told to come from. Raises MissingDependencyError without OpenTelemetry's SDK."""
    try:
        from opentelemetry.sdk.resources import Resource
    except ImportError as e:
        raise MissingDependencyError("OpenTelemetry's SDK", INSTALL) from e
    named = "OTEL_SERVICE_NAME" in environment or "service.name=" in environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return Resource.create({**attributes} if named else {"service.name": SERVICE, **attributes})


def _variable(signal: Signal) -> str:
    return f"OTEL_{signal.upper()}_EXPORTER"
