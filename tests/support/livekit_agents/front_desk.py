"""Two agents that hand over to each other and share what they learn in `userdata`."""

from __future__ import annotations

from dataclasses import dataclass

import livekit.agents as agents
from livekit.agents import AgentServer, ChatContext, RunContext, function_tool


@dataclass
class Visit:
    name: str | None = None
    room: int | None = None


VisitContext = RunContext[Visit]

server = AgentServer()


class FrontDesk(agents.Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Ask for the guest's name, then hand over.")

    @function_tool
    async def checked_in(self, context: VisitContext, name: str) -> tuple[agents.Agent, str]:
        """The guest has given a name.

        Args:
            name: the guest's name
        """
        context.userdata.name = name
        return Concierge(name, chat_ctx=self.chat_ctx.copy(exclude_instructions=True)), f"{name} is checked in"


class Concierge(agents.Agent):
    def __init__(self, name: str, *, chat_ctx: ChatContext | None = None) -> None:
        super().__init__(instructions=f"You look after {name}.", chat_ctx=chat_ctx)

    async def on_enter(self) -> None:
        await self.session.generate_reply(instructions="Offer a room.")

    @function_tool
    async def take_room(self, context: VisitContext, number: int) -> str:
        """Give the guest a room."""
        context.session.userdata.room = number
        return f"room {number} is {context.userdata.name}'s"


@server.rtc_session(agent_name="front-desk")
async def visit(ctx: agents.JobContext) -> None:
    session = agents.AgentSession[Visit](userdata=Visit())
    desk = FrontDesk()
    await session.start(agent=desk, room=ctx.room)


if __name__ == "__main__":
    agents.cli.run_app(server)
