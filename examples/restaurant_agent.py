"""A restaurant's telephone: four agents that hand the caller over to each other, and one order that they share.

    agent-console examples/restaurant_agent.py

Try "I'd like to order two pizzas and a cola", "that's all", "Anna", "by card" - or "a table for four at seven".
"""

import difflib
import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field

from agent_runtime import Agent, AgentSession, AgentTask, ChatContext, RunContext, ToolError, function_tool

PRICES = {
    "pizza": 9, "pasta": 8, "salad": 6, "soup": 5, "tiramisu": 4, "ice cream": 3, "cola": 2, "water": 1, "wine": 5,
}  # fmt: skip
MENU = ", ".join(f"{dish} {price} euros" for dish, price in PRICES.items())
NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6}

Dishes = Annotated[list[str], Field(description=f"Which dishes or drinks: {', '.join(PRICES)}.")]


@dataclass
class Visit:
    """All that is known of a caller. `session.userdata` is one, so each agent finds what the others learned."""

    name: str | None = None
    table: str | None = None
    dishes: Counter[str] = field(default_factory=Counter)
    paid: str | None = None

    @property
    def total(self) -> int:
        return sum(PRICES[dish] * count for dish, count in self.dishes.items())

    def __str__(self) -> str:
        return (
            " and ".join(f"{count} {dish}{'s' * (count > 1)}" for dish, count in self.dishes.items()) or "nothing yet"
        )


def read_dishes(said: list[str]) -> Counter[str]:
    """Count the dishes in "two pizzas" or "a cola"; what isn't on the menu is told to the model."""
    found: Counter[str] = Counter()
    for text in said:
        words = re.findall(r"[a-z]+|\d+", text.lower())
        names = [*words, *map(" ".join, pairwise(words))]  # "ice", "cream" and "ice cream"
        dish = next((dish for name in names for dish in difflib.get_close_matches(name, PRICES, n=1, cutoff=0.8)), None)
        if dish is None:
            raise ToolError(f"We don't have {text}. We have {', '.join(PRICES)}.")
        found[dish] += next((NUMBERS.get(word) or int(word) for word in words if word in NUMBERS or word.isdigit()), 1)
    return found


class Greeter(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You answer a restaurant's telephone. Answer in one short sentence.")

    async def on_enter(self) -> None:
        self.session.say("Luigi's, good evening! Would you like to book a table, or order food to take away?")

    @function_tool
    async def book_table(self) -> Agent:
        """Book or reserve a table at the restaurant, to come and eat here."""
        return Reservation(self.chat_ctx)

    @function_tool
    async def order_food(self) -> Agent:
        """Order food, a dish or a drink, to take away: pizza, pasta, salad, soup or cola."""
        return Takeaway(self.chat_ctx)

    @function_tool
    async def read_menu(self) -> str:
        """Tell what is on the menu, and the prices."""
        return MENU


class Specialist(Agent):
    """An agent that goes on where the one before it stopped: it answers what the caller said last."""

    def __init__(self, instructions: str, chat_ctx: ChatContext) -> None:
        super().__init__(instructions=instructions, chat_ctx=chat_ctx.copy(exclude_function_call=True))

    async def on_enter(self) -> None:
        self.session.generate_reply()

    @function_tool
    async def read_menu(self) -> str:
        """Tell what is on the menu, and the prices."""
        return MENU


class Reservation(Specialist):
    def __init__(self, chat_ctx: ChatContext) -> None:
        super().__init__("You book tables at a restaurant. Answer in one short sentence.", chat_ctx)

    @function_tool
    async def book_table(
        self,
        context: RunContext[Visit],
        people: Annotated[int, Field(ge=1, le=12, description="How many people.")],
        time: Annotated[str, Field(description="At what time.")],
        day: str = "today",
    ) -> str:
        """Book or reserve a table at the restaurant."""
        visit = context.userdata
        visit.name = visit.name or await AskName()
        visit.table = f"a table for {people} {day} at {time}"
        return f"Thank you, {visit.name}: {visit.table}. See you then!"

    @function_tool
    async def order_food(self) -> Agent:
        """Order food, a dish or a drink, to take away."""
        return Takeaway(self.chat_ctx)


class Takeaway(Specialist):
    def __init__(self, chat_ctx: ChatContext) -> None:
        super().__init__("You take orders of food at a restaurant. Answer in one short sentence.", chat_ctx)

    @function_tool
    async def order_food(self, context: RunContext[Visit], dishes: Dishes) -> str:
        """Order food, a takeaway, something to eat: I would like, can I get, add, have another dish or drink."""
        context.userdata.dishes += read_dishes(dishes)
        return f"I have {context.userdata}. Anything else?"

    @function_tool
    async def remove_dish(
        self, context: RunContext[Visit], dishes: Annotated[list[str], Field(description="What to remove.")]
    ) -> str:
        """Remove, cancel, delete, leave out or take off a dish."""
        context.userdata.dishes -= read_dishes(dishes)
        return f"Now I have {context.userdata}. Anything else?"

    @function_tool
    async def read_order(self, context: RunContext[Visit]) -> str:
        """Repeat what is in the order so far, and how much it costs, the total price."""
        return f"I have {context.userdata}, {context.userdata.total} euros."

    @function_tool
    async def check_out(self, context: RunContext[Visit]) -> Agent:
        """The order is complete and finished: that's all, nothing else, that's it, pay the bill."""
        if not context.userdata.dishes:
            raise ToolError("Nothing was ordered yet.")
        return Checkout(self.chat_ctx)

    @function_tool
    async def book_table(self) -> Agent:
        """Book or reserve a table at the restaurant."""
        return Reservation(self.chat_ctx)


class Checkout(Agent):
    def __init__(self, chat_ctx: ChatContext) -> None:
        super().__init__(
            instructions="You take payments at a restaurant. Answer in one short sentence.",
            chat_ctx=chat_ctx.copy(exclude_function_call=True),
        )

    async def on_enter(self) -> None:
        visit: Visit = self.session.userdata
        visit.name = visit.name or await AskName()
        self.session.say(f"Thank you, {visit.name}. That is {visit} for {visit.total} euros. Card or cash?")

    @function_tool
    async def pay(self, context: RunContext[Visit], method: Literal["card", "cash"]) -> str:
        """Pay the bill by card or with cash."""
        context.userdata.paid = method
        return f"{context.userdata.total} euros by {method}. It is ready in twenty minutes. Goodbye!"

    @function_tool
    async def change_order(self) -> Agent:
        """Change the order: add, remove or order a dish or a drink."""
        return Takeaway(self.chat_ctx)


class AskName(AgentTask[str]):
    """Has the conversation until the caller told their name, which is what awaiting it gives."""

    def __init__(self) -> None:
        super().__init__(instructions="Find out the caller's name, and call `give_name` with it.")

    async def on_enter(self) -> None:
        self.session.say("What name is it for?")

    @function_tool
    async def give_name(self, caller: Annotated[str, Field(description="What name is it for.")]) -> None:
        """The caller's name: my name is, I am, it's for, call me, under."""
        self.complete(caller)


def restaurant() -> tuple[AgentSession[Visit], Agent]:
    """What the console runs: a session with a visit of its own, and the agent that answers first."""
    return AgentSession(userdata=Visit()), Greeter()
