"""Tasks that many agents need: ask the user for one thing, check it, have it confirmed. See `docs/workflows.md`."""

from agent_runtime.workflows.card import (
    CardCaptureDeclinedError,
    CardCollectionRestartError,
    GetCardNumberResult,
    GetCardNumberTask,
    GetCreditCardResult,
    GetCreditCardTask,
    GetExpirationDateResult,
    GetExpirationDateTask,
    GetSecurityCodeResult,
    GetSecurityCodeTask,
)
from agent_runtime.workflows.collect import WorkflowInstructions
from agent_runtime.workflows.contact import (
    GetAddressResult,
    GetAddressTask,
    GetEmailResult,
    GetEmailTask,
    GetPhoneNumberResult,
    GetPhoneNumberTask,
)
from agent_runtime.workflows.keys import GetDtmfResult, GetDtmfTask
from agent_runtime.workflows.person import GetDOBResult, GetDOBTask, GetNameResult, GetNameTask

__all__ = [
    "CardCaptureDeclinedError",
    "CardCollectionRestartError",
    "GetAddressResult",
    "GetAddressTask",
    "GetCardNumberResult",
    "GetCardNumberTask",
    "GetCreditCardResult",
    "GetCreditCardTask",
    "GetDOBResult",
    "GetDOBTask",
    "GetDtmfResult",
    "GetDtmfTask",
    "GetEmailResult",
    "GetEmailTask",
    "GetExpirationDateResult",
    "GetExpirationDateTask",
    "GetNameResult",
    "GetNameTask",
    "GetPhoneNumberResult",
    "GetPhoneNumberTask",
    "GetSecurityCodeResult",
    "GetSecurityCodeTask",
    "WorkflowInstructions",
]
