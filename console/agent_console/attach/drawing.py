"""What the attached console says of the worker: the line at its foot, its banner, the list of jobs."""

from __future__ import annotations

from agent_console.attach.backend import Attachment
from agent_console.drawing.text import Line, clean, fit, justify
from agent_console.state import Banner
from agent_runtime.worker.report import JobReport


def foot_line(now: Attachment, jobs_key: str, width: int) -> Line:
    """`● AJ_1  kitchen  127.0.0.1:8081  read-only`, and the keys."""
    glyph, style, word = _connection(now)
    left: Line = ((f" {glyph} ", style), (f"{word}  ", style))
    if now.job_id is not None:
        job = now.job_report()
        room = f"{clean(job.room)}  " if job is not None else ""
        left = (*left, (fit(clean(now.job_id), 20), "value"), (f"  {room}", "text"))
    left = (*left, (f"{now.url.partition('://')[2]}  ", "muted"))
    if now.job_id is not None and now.report is not None and not now.can_write:
        left = (*left, ("read-only", "fair"))
    hints = f"{jobs_key} jobs  ? help  q quit"
    taken = sum(len(text) for text, _ in left)
    return justify(left, ((fit(hints, max(0, width - taken - 3)) + " ", "muted"),), width)


def _connection(now: Attachment) -> tuple[str, str, str]:
    states = {now.worker.state} | ({now.job.state} if now.job_id is not None and now.over is None else set())
    if "refused" in states:
        return "✗", "error bold", "refused"
    if now.over is not None:
        return "○", "muted", "over"
    if "lost" in states:
        return "◌", "error bold", "lost"
    if "connecting" in states:
        return "◌", "fair", "connecting"
    return "●", "good", "attached"


def banner(now: Attachment, jobs_key: str) -> Banner | None:
    """The one thing about the worker that has to be known, if there is one."""
    for link in (now.worker, now.job):
        if link.state == "refused":
            return Banner("attach", "error", link.problem, "q quits")
    if now.over is not None:
        why = f": {now.over}" if now.over else ""
        level = "error" if now.over else "warning"
        return Banner("attach", level, f"the job is over{why}", f"{jobs_key} picks another")  # type: ignore[arg-type]  # one of both
    if now.worker.state == "lost":
        return Banner("attach", "error", now.worker.problem, "trying again; what is here stays to be read")
    if now.job_id is not None and now.job.state == "lost":
        return Banner("attach", "error", now.job.problem, "trying again; what is here stays to be read")
    if now.report is not None and now.report.state == "draining":
        return Banner("attach", "warning", "the worker is draining", "it ends after its jobs")
    return None


def job_row(job: JobReport, now: float, shown: bool) -> list[tuple[str, str]]:
    """A job for the list: its room, how long it runs, its memory, how it does."""
    minutes, seconds = divmod(max(0, int(now - job.started_at)), 60)
    hours, minutes = divmod(minutes, 60)
    memory = "" if job.memory_mb is None else f"{job.memory_mb:.0f} MB"
    return [
        ("● " if shown else "  ", "$success"),
        (f"{fit(clean(job.room) or '(no room)', 20):<20}  ", ""),
        (f"{fit(clean(job.agent_name), 12):<12}  ", "$muted"),
        (f"{hours}:{minutes:02}:{seconds:02}  {memory:>7}  ", "$muted"),
        (fit(clean(job.state), 10), "$muted"),
    ]
