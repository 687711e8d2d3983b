"""Measures one library in a process of its own and prints the figures as a line of JSON.

`python tests/benchmarks/compared/worker.py ours turns '{"count": 100}'`; the parents are `bench_overhead` and
`bench_sessions`. CPU is `time.process_time`; the garbage collector is frozen after the imports on either side.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import resource
import statistics
import sys
import threading
import time
import tracemalloc
from pathlib import Path
from typing import Any

if __name__ == "__main__" and sys.argv[1] == "ours":
    sys.path[1:1] = [str(Path(__file__).parents[3] / part) for part in ("runtime", "tools")]
    from agent_runtime import compat

    compat.install()

from fakes import Assistant, Detector, Log, Microphone, Model, Recognizer, Speaker, Voice
from livekit.agents import AgentSession

SPOKEN = 1.0
"""Seconds that the user and the agent speak in each cycle of a conversation."""

WARM_UP = 5
"""Answers that aren't counted: the first ones import and compile."""


def quantile(values: list[float], share: float) -> float | None:
    """In milliseconds."""
    return round(sorted(values)[min(len(values) - 1, int(len(values) * share))] * 1000, 3) if values else None


def make_session(log: Log, seconds: float, **interruption: Any) -> Any:
    """A voice session that answers as soon as the user is silent."""
    return AgentSession(
        stt=Recognizer(),
        vad=Detector(log),
        llm=Model(),
        tts=Voice(seconds),
        turn_handling={
            "turn_detection": "vad",
            "endpointing": {"min_delay": 0.0, "max_delay": 0.0},
            "interruption": {"mode": "vad", "resume_false_interruption": False, **interruption},
        },
        aec_warmup_duration=None,
        user_away_timeout=None,
    )


# --- turns of text ---------------------------------------------------------------------------------------------------


async def cpu_per_turn(session: Any, text: str, count: int) -> float:
    """CPU milliseconds of a turn, the median of ten batches: a batch that met a collection doesn't count alone."""
    batches = []
    for _ in range(10):
        began = time.process_time()
        for _ in range(count // 10):
            await session.generate_reply(user_input=text)
        batches.append((time.process_time() - began) / (count // 10) * 1000)
    return statistics.median(batches)


async def turns(count: int, history: int) -> dict[str, Any]:
    """CPU per turn at the start and after `history` turns."""
    figures: dict[str, Any] = {}
    for name, text in (("text", "hello"), ("tool", "use a tool")):
        session = AgentSession(llm=Model(), vad=None, user_away_timeout=None)
        await session.start(Assistant())
        gc.collect()
        gc.freeze()
        await cpu_per_turn(session, text, 10)
        figures[f"{name}_turn_ms"] = round(await cpu_per_turn(session, text, count), 3)
        for _ in range(history):
            await session.generate_reply(user_input="hello")
        figures[f"{name}_turn_after_history_ms"] = round(await cpu_per_turn(session, text, count), 3)
        await session.aclose()
    return figures


# --- one voice -------------------------------------------------------------------------------------------------------


async def answers(count: int, spoken: float, cycle: float) -> dict[str, Any]:
    """From when the detector tells the end of speech to the first frame at the speaker."""
    log = Log()
    session = make_session(log, spoken)
    session.input.audio = Microphone(lambda at: at % cycle < spoken)
    session.output.audio = Speaker(log)
    await session.start(Assistant())
    gc.collect()
    gc.freeze()
    await asyncio.sleep(cycle * (count + WARM_UP))
    await session.aclose()
    measured = log.replies[WARM_UP:]
    return {
        "answers": len(measured),
        "p50_ms": quantile(measured, 0.5),
        "p95_ms": quantile(measured, 0.95),
        "cpu_p50_ms": quantile(log.reply_cpu[WARM_UP:], 0.5),
    }


async def interruptions(count: int, cycle: float, min_duration: float) -> dict[str, Any]:
    """From the detector's deciding window to the cleared buffer, and to silence at the speaker."""
    log = Log(interrupt_after=min_duration)
    session = make_session(log, cycle * 3, min_duration=min_duration)
    session.input.audio = Microphone(lambda at: at % cycle < 0.2)
    session.output.audio = Speaker(log)
    await session.start(Assistant())
    gc.collect()
    gc.freeze()
    await asyncio.sleep(cycle * (count + 2))
    await session.aclose()
    return {
        "interruptions": len(log.cleared),
        "cleared_p50_ms": quantile(log.cleared, 0.5),
        "cleared_p95_ms": quantile(log.cleared, 0.95),
        "silent_p50_ms": quantile(log.silent, 0.5),
        "silent_p95_ms": quantile(log.silent, 0.95),
    }


# --- many voices -----------------------------------------------------------------------------------------------------


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


async def harness(count: int, seconds: float) -> float:
    """CPU milliseconds per session-second of the microphones alone."""

    async def drain(microphone: Microphone) -> None:
        async for _ in microphone:
            pass

    tasks = [asyncio.create_task(drain(Microphone(lambda _: False, n * 0.02 / count))) for n in range(count)]
    began = time.process_time()
    await asyncio.sleep(seconds)
    used = time.process_time() - began
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    return used / (count * seconds) * 1000


async def watch_lag(lags: list[float]) -> None:
    """Note by how much each sleep of 20 ms is late."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + 0.02
        await asyncio.sleep(0.02)
        lags.append(loop.time() - due)


async def sessions(count: int, seconds: float, cycle: float) -> dict[str, Any]:
    """`count` conversations at once, spread over the cycle, for `seconds`."""
    alone = await harness(count, 2.0)
    logs = [Log() for _ in range(count)]
    gc.collect()
    gc.freeze()
    before = resident()
    running = []
    for index, log in enumerate(logs):
        session = make_session(log, SPOKEN)
        phase = index / count * cycle
        session.input.audio = Microphone(lambda at: at % cycle < SPOKEN, phase + index * 0.02 / count)
        session.output.audio = Speaker(log)
        await session.start(Assistant())
        running.append(session)
    await asyncio.sleep(cycle)
    for log in logs:
        log.late.clear()
        log.answers.clear()
        log.ends, log.underruns, log.end_due = 0, 0, None
    lags: list[float] = []
    watcher = asyncio.create_task(watch_lag(lags))
    began, at = time.process_time(), time.monotonic()
    await asyncio.sleep(seconds)
    used, took = time.process_time() - began, time.monotonic() - at
    watcher.cancel()
    figures = {
        "sessions": count,
        "cpu_ms_per_session_second": round(used / (count * took) * 1000, 2),
        "harness_ms_per_session_second": round(alone, 2),
        "core_used": round(used / took, 2),
        **of_logs(logs),
        "lag_p99_ms": quantile(lags, 0.99),
        "lag_max_ms": quantile(lags, 1.0),
    }
    gc.collect()
    figures["resident_mb_per_session"] = round((resident() - before) / count / 1e6, 3)
    await asyncio.gather(*(session.aclose() for session in running))
    return figures


def of_logs(logs: list[Log]) -> dict[str, Any]:
    """What became of turns and frames. A turn that ended in the last 50 ms may have its answer coming."""
    now = asyncio.get_running_loop().time()
    coming = sum(log.end_due is not None and now - log.end_due < 0.05 for log in logs)
    answered = [answer for log in logs for answer in log.answers]
    late = [lateness for log in logs for lateness in log.late]
    return {
        "turns_due": sum(log.ends for log in logs) - coming,
        "turns_answered": len(answered),
        "answer_p50_ms": quantile(answered, 0.5),
        "answer_p95_ms": quantile(answered, 0.95),
        "answer_max_ms": quantile(answered, 1.0),
        "frames": len(late),
        "frames_over_40_ms_late": sum(lateness > 0.04 for lateness in late),
        "frame_late_p99_ms": quantile(late, 0.99),
        "frame_late_max_ms": quantile(late, 1.0),
        "underruns": sum(log.underruns for log in logs),
    }


# --- many, one after the other ---------------------------------------------------------------------------------------


async def churn(count: int, traced: bool) -> dict[str, Any]:
    """Sessions that start, hear a tenth of a second, answer a text and close: what is left of them."""

    async def one() -> None:
        log = Log()
        session = make_session(log, 0.02)
        session.input.audio = Microphone(lambda _: False)
        session.output.audio = Speaker(log)
        await session.start(Assistant())
        await session.generate_reply(user_input="hello")
        await session.aclose()

    for _ in range(50):
        await one()
    gc.collect()
    if traced:
        tracemalloc.start()
    rows = []
    began = time.process_time()
    for index in range(count + 1):
        if index % max(1, count // 4) == 0:
            gc.collect()
            rows.append(
                {
                    "sessions": index,
                    "resident_mb": round(resident() / 1e6, 1),
                    "objects": len(gc.get_objects()),
                    "tasks": len(asyncio.all_tasks()),
                    "threads": threading.active_count(),
                    "traced_kb": round(tracemalloc.get_traced_memory()[0] / 1000) if traced else None,
                }
            )
        await one()
    return {"rows": rows, "cpu_ms_per_session": round((time.process_time() - began) / (count + 1) * 1000, 2)}


COMMANDS = {
    "turns": turns,
    "answers": answers,
    "interruptions": interruptions,
    "sessions": sessions,
    "churn": churn,
}


def main() -> None:
    """Run the command that the arguments name."""
    logging.disable(logging.CRITICAL)
    arguments = json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}
    if len(sys.argv) > 4:  # a file for the profile
        import cProfile

        with cProfile.Profile() as profile:
            figures = asyncio.run(COMMANDS[sys.argv[2]](**arguments))
        profile.dump_stats(sys.argv[4])
    else:
        figures = asyncio.run(COMMANDS[sys.argv[2]](**arguments))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
