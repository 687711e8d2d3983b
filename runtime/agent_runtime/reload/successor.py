"""Which agent of the new code stands in for the one that has the conversation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent_runtime.agent_loader import LoadedAgent
from agent_runtime.project import explain_failure
from agent_runtime.records import record
from agent_runtime.reload.differences import AgentChanges, compare_agents

if TYPE_CHECKING:
    from agent_runtime.voice.agent import Agent
    from agent_runtime.voice.session import AgentSession


@record(frozen=True, slots=True)
class Successor:
    """The agent that stands in, made but not running yet."""

    agent: Agent
    changes: AgentChanges
    is_start: bool
    """Whether it is the one that the target would be started with."""
    session: AgentSession[Any] | None = None
    """The session that the new code would start it in."""
    modules: tuple[str, ...] = ()


async def make_successor(loaded: LoadedAgent, old: Agent, *, in_use: LoadedAgent, is_start: bool) -> Successor:
    """Make it. The new code has to be in place meanwhile.

    - The agent that the conversation was started with is found and made as at the start.
    - Any other one, which had the conversation handed over, is made of the class that has the place of its class now,
      with the arguments that it was made with. Where there is no such class any more, the first rule holds.
    - One of a class that isn't the project's stays.

    Raises AgentLoadError if it can't be made.
    """
    session = None
    agent: Agent | None = None
    if not is_start:
        agent = _made_again(loaded, old, in_use)
    if agent is None:
        agent, session = await loaded.build()
        is_start = True
    return Successor(agent, compare_agents(old, agent), is_start, session, loaded.code.loaded)


def _made_again(loaded: LoadedAgent, old: Agent, in_use: LoadedAgent) -> Agent | None:
    from agent_runtime.voice.agent import Agent

    if type(old) not in in_use.code:
        return old
    new = loaded.code.find_class(type(old))
    if new is type(old):
        return old  # its module is the same in both versions
    if new is None or not issubclass(new, Agent):
        return None
    arguments, named = old._made_with
    try:
        with loaded.code.opened.record():
            return new(*arguments, **named)
    except Exception as exc:
        file = Path(str(loaded.code.modules[new.__module__].__file__))
        raise explain_failure(exc, file, f"{new.__name__} can't be made again") from exc
