"""Sets of tools for measuring tool calls: those of the examples, and others that have nothing to do with them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from agent_tools import find_function_tools, function_tool

EXAMPLES = Path(__file__).parents[2] / "examples"


def example_tools(file: str, agent: str) -> list[Any]:
    """The tools of an agent among the examples."""
    path = EXAMPLES / file
    spec = importlib.util.spec_from_file_location(f"tool_sets_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return find_function_tools(getattr(module, agent))


@function_tool
def set_light(room: str, on: Annotated[bool, Field(description="Whether to turn it on.")]) -> None:
    """Turn the light in a room on or off."""


@function_tool
def set_temperature(degrees: Annotated[float, Field(description="Degrees Celsius.")]) -> None:
    """Set the temperature of the heating."""


@function_tool
def play_music(query: Annotated[str, Field(description="The song, artist or genre.")]) -> None:
    """Play music."""


@function_tool
def lock_door(door: Literal["front", "back", "garage"]) -> None:
    """Lock a door."""


@function_tool
def set_timer(minutes: Annotated[int, Field(description="How many minutes.")]) -> None:
    """Start a timer."""


@function_tool
def cancel_timer() -> None:
    """Cancel the running timer."""


@function_tool
def set_alarm(time: Annotated[str, Field(description="When to ring.")]) -> None:
    """Set an alarm to wake the user up."""


@function_tool
def order_item(
    item: Annotated[str, Field(description="The dish or drink.")],
    quantity: Annotated[int, Field(description="How many.")] = 1,
) -> None:
    """Order food or a drink from the menu."""


@function_tool
def book_table(
    people: Annotated[int, Field(description="How many people.")],
    time: Annotated[str, Field(description="When they come.")],
) -> None:
    """Reserve a table at the restaurant."""


@function_tool
def order_status(number: Annotated[int, Field(description="The order's number.")]) -> None:
    """Look up the status of an order."""


@function_tool
def add_event(
    title: Annotated[str, Field(description="What it is.")],
    day: Annotated[str, Field(description="The day.")],
    time: Annotated[str, Field(description="The time.")],
) -> None:
    """Add an event to the calendar."""


@function_tool
def list_events(day: Annotated[str, Field(description="The day.")]) -> None:
    """List the events of a day."""


@function_tool
def delete_event(title: Annotated[str, Field(description="Which event.")]) -> None:
    """Delete an event from the calendar."""


@function_tool
def check_balance(account: Literal["checking", "savings"]) -> None:
    """Tell how much money is in an account."""


@function_tool
def transfer_money(
    amount: Annotated[float, Field(description="How much.")], to: Annotated[str, Field(description="Who gets it.")]
) -> None:
    """Send money to someone."""


@function_tool
def block_card() -> None:
    """Block a lost or stolen card."""


@function_tool
def find_product(query: Annotated[str, Field(description="What to look for.")]) -> None:
    """Search the shop for a product."""


@function_tool
def add_to_cart(
    item: Annotated[str, Field(description="The product.")],
    quantity: Annotated[int, Field(description="How many.")] = 1,
) -> None:
    """Add an item to the shopping cart."""


@function_tool
def checkout() -> None:
    """Pay for what is in the cart."""


@function_tool
def navigate(destination: Annotated[str, Field(description="The address or place.")]) -> None:
    """Start navigation to a place."""


@function_tool
def call(name: Annotated[str, Field(description="Whom to call.")]) -> None:
    """Phone a contact."""


@function_tool
def move_window(direction: Literal["open", "close"]) -> None:
    """Open or close the windows."""


@function_tool
def fuel_level() -> None:
    """Tell how much fuel there is."""


@function_tool
def book_room(
    nights: Annotated[int, Field(description="How many nights.")], kind: Literal["single", "double"] = "double"
) -> None:
    """Book a hotel room."""


@function_tool
def request_service(what: Annotated[str, Field(description="What the guest needs.")]) -> None:
    """Have something brought to the guest's room."""


@function_tool
def opening_hours(place: Annotated[str, Field(description="Breakfast, pool, bar, gym.")]) -> None:
    """Tell when something in the hotel opens and closes."""


def tool_sets() -> dict[str, list[Any]]:
    """The sets by the names that tool_utterances.jsonl calls them."""
    weather = example_tools("weather_agent.py", "WeatherAgent")
    now = example_tools("minimal_assistant.py", "Assistant")
    return {
        "weather": weather,
        "assistant": now,
        "home": [set_light, set_temperature, play_music, lock_door],
        "timers": [set_timer, cancel_timer, set_alarm],
        "restaurant": [order_item, book_table, order_status],
        "calendar": [add_event, list_events, delete_event],
        "bank": [check_balance, transfer_money, block_card],
        "shop": [find_product, add_to_cart, checkout],
        "car": [navigate, call, move_window, fuel_level],
        "hotel": [book_room, request_service, opening_hours],
        "many": [weather[0], set_timer, set_alarm, set_light, play_music, lock_door, list_events, transfer_money],
    }
