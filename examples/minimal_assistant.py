"""The smallest useful agent: a few words of instructions and one tool.

    agent-console examples/minimal_assistant.py

Change the instructions while you talk to it and save the file: the conversation goes on with the new ones.
"""

from datetime import datetime

from agent_runtime import Agent, function_tool


class Assistant(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You are a friendly voice assistant. Answer in one or two short sentences.")

    async def on_enter(self) -> None:
        self.session.say("Hello! How can I help you?")

    @function_tool
    async def get_time(self) -> str:
        """Tell what time it is now, and what day and date."""
        return datetime.now().strftime("It is %I:%M %p on %A, %B %d.").replace(" 0", " ")
