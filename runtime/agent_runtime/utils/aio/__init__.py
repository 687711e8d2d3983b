"""Channels, tasks and iterators for asyncio."""

from agent_runtime.utils.aio import debounce, itertools
from agent_runtime.utils.aio.channel import Chan, ChanClosed, ChanEmpty, ChanFull, ChanReceiver, ChanSender
from agent_runtime.utils.aio.interval import Interval, interval
from agent_runtime.utils.aio.itertools import Tee, tee
from agent_runtime.utils.aio.sleep import Sleep, SleepFinished, sleep
from agent_runtime.utils.aio.tasks import TaskSet, cancel_and_wait, gracefully_cancel
from agent_runtime.utils.aio.wait_group import WaitGroup

__all__ = [
    "Chan",
    "ChanClosed",
    "ChanEmpty",
    "ChanFull",
    "ChanReceiver",
    "ChanSender",
    "Interval",
    "Sleep",
    "SleepFinished",
    "TaskSet",
    "Tee",
    "WaitGroup",
    "cancel_and_wait",
    "debounce",
    "gracefully_cancel",
    "interval",
    "itertools",
    "sleep",
    "tee",
]
