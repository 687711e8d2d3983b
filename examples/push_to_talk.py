"""Push-to-talk: a turn is what the user says while a button is held, and nothing else ends it.

    agent-console examples/push_to_talk.py

Hold the space bar while you talk, or tap it to begin and again to send. In a LiveKit room the button is the
participant's: their client calls start_turn, end_turn and cancel_turn on the agent by RPC (see `join`).
"""

from typing import Annotated

from livekit import rtc
from pydantic import Field

from agent_runtime import Agent, AgentSession, ToolError, function_tool

ROOMS = ("kitchen", "bedroom", "bathroom", "hall")


class PushToTalk(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You are a home's remote control. Answer in one short sentence.")
        self.lit: set[str] = set()
        self.degrees = 20.0

    async def on_enter(self) -> None:
        self.session.say("Hold the button and tell me what to switch on or off.")

    @function_tool
    async def switch_light(self, room: str, on: bool) -> str:
        """Turn the light or lamp in a room on or off.

        Args:
            room: The room: kitchen, bedroom, bathroom or hall.
            on: Whether to turn it on.
        """
        name = next((name for name in ROOMS if name in room.lower()), None)
        if name is None:
            raise ToolError(f"There is no light in the {room}. There is one in the {', '.join(ROOMS)}.")
        (self.lit.add if on else self.lit.discard)(name)
        return f"The light in the {name} is {'on' if on else 'off'}."

    @function_tool
    async def set_heating(self, degrees: Annotated[float, Field(ge=5, le=30)]) -> str:
        """Set the temperature of the heating, warmer or colder.

        Args:
            degrees: How many degrees Celsius.
        """
        self.degrees = degrees
        return f"The heating is set to {degrees:g} degrees."

    @function_tool
    async def check_home(self) -> str:
        """Check the state of the house: which lights are on, how warm it is."""
        lights = " and ".join(sorted(self.lit)) or "no room"
        return f"The light is on in {lights}, and the heating is at {self.degrees:g} degrees."


def push_to_talk() -> tuple[AgentSession[None], Agent]:
    """What the console runs. `manual`: no silence ends a turn, however long the user thinks."""
    return AgentSession(turn_handling={"turn_detection": "manual"}), PushToTalk()


async def join(room: rtc.Room, session: AgentSession[None], agent: Agent) -> None:
    """Talk to the participant of a room that is connected, by their button.

    In a browser: `room.localParticipant.performRpc({destinationIdentity: agent, method: "start_turn", payload: ""})`
    as the button goes down, and "end_turn" as it comes up; "cancel_turn" forgets what was said. `take_over` lets
    anybody press: the agent listens to who did last.
    """
    await session.start(agent, room=room)
    await session.room_io.wait_for_ready()
    session.room_io.register_push_to_talk(take_over=True)
