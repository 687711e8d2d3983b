"""What requests took and what was used."""

from agent_runtime.metrics.base import (
    AgentMetrics,
    AvatarMetrics,
    DecisionMetrics,
    EOTInferenceMetrics,
    EOUMetrics,
    InterruptionMetrics,
    LLMMetrics,
    Metadata,
    RealtimeModelMetrics,
    STTMetrics,
    TTSMetrics,
    VADMetrics,
)
from agent_runtime.metrics.log import log_metrics
from agent_runtime.metrics.usage import (
    AgentSessionUsage,
    EOTModelUsage,
    InterruptionModelUsage,
    LLMModelUsage,
    ModelUsage,
    ModelUsageCollector,
    STTModelUsage,
    TTSModelUsage,
)
from agent_runtime.metrics.usage_collector import UsageCollector, UsageSummary

__all__ = [
    "AgentMetrics",
    "AgentSessionUsage",
    "AvatarMetrics",
    "DecisionMetrics",
    "EOTInferenceMetrics",
    "EOTModelUsage",
    "EOUMetrics",
    "InterruptionMetrics",
    "InterruptionModelUsage",
    "LLMMetrics",
    "LLMModelUsage",
    "Metadata",
    "ModelUsage",
    "ModelUsageCollector",
    "RealtimeModelMetrics",
    "STTMetrics",
    "STTModelUsage",
    "TTSMetrics",
    "TTSModelUsage",
    "UsageCollector",
    "UsageSummary",
    "VADMetrics",
    "log_metrics",
]
