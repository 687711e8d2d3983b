"""How often the examples do what is typed to them, on the embedded language model.

    .venv/bin/python -m tests.benchmarks.bench_examples

Whole conversations; an utterance is right if just the tools that it asks for were called, and the answer is
right where that is written down. A tool that awaits a task counts where the task is over.
"""

from __future__ import annotations

import asyncio
from typing import Any

from agent_runtime import Agent, AgentSession
from agent_runtime.providers.embedded.llm import SmolLM
from tests.support.examples import load_example

Turn = tuple[str, tuple[str, ...], str]
"""What is typed, the tools that it asks for, and a part of what is answered."""

CONVERSATIONS: dict[str, list[list[Turn]]] = {
    "restaurant_agent": [
        [
            ("hi there", (), ""),
            ("I want to order a salad and two waters", ("order_food", "order_food"), "1 salad and 2 waters"),
            ("also a pizza", ("order_food",), "1 pizza"),
            ("cancel the salad", ("remove_dish",), "2 waters and 1 pizza"),
            ("what is in my order?", ("read_order",), "11 euros"),
            ("I would like to pay", ("check_out",), "What name"),
            ("it's Thomas", ("give_name",), "Thank you, Thomas"),
            ("in cash", ("pay",), "11 euros by cash"),
        ],
        [
            ("I need a table for five tomorrow at noon", ("book_table",), "What name"),
            ("Emma Stone", ("book_table", "give_name"), "Emma Stone: a table for 5 tomorrow at noon"),
            ("now I'd like to order food too", ("order_food",), "Which dishes"),
            ("a tiramisu", ("order_food",), "1 tiramisu"),
            ("please delete the tiramisu", ("remove_dish",), "nothing"),
            ("one wine please", ("order_food",), "1 wine"),
            ("how much do I pay?", ("read_order",), "5 euros"),
            ("that is everything, thanks", ("check_out",), "Card or cash"),
            ("wait, I want to change the order", ("change_order",), ""),
        ],
        [
            ("what do you have on the menu", ("read_menu",), "pasta 8 euros"),
            ("book a table please", ("book_table",), "How many people"),
            ("for eight people at six o'clock", (), "What name"),
            ("my name is Lee", ("book_table", "give_name"), "Lee: a table for 8 today at six o'clock"),
        ],
    ],
    "push_to_talk": [
        [
            ("good morning", (), ""),
            ("put the light on in the bathroom", ("switch_light",), "bathroom is on"),
            ("kitchen lights on please", ("switch_light",), "kitchen is on"),
            ("turn the bathroom lamp off", ("switch_light",), "bathroom is off"),
            ("heating to eighteen degrees", ("set_heating",), "18"),
            ("what's the state of the house", ("check_home",), "in kitchen"),
            ("switch off the light", (), "Which room"),
            ("in the kitchen", ("switch_light",), "kitchen is"),
            ("it's too cold, set twenty three degrees", ("set_heating",), "23"),
            ("change the temperature", (), "How many degrees"),
            ("twenty", ("set_heating",), "20"),
            ("are any lights on", ("check_home",), "in no room"),
            ("lights on in the cellar", ("switch_light",), "no light in the"),
            ("thanks a lot", (), ""),
            ("goodbye", (), ""),
        ]
    ],
    "timed_agent_transcript": [
        [
            ("hello", (), ""),
            ("yes, tell me that story", ("tell_story",), "lighthouse"),
            ("tell it again please", ("tell_story",), "lighthouse"),
            ("how are you today?", (), ""),
            ("can I hear the lighthouse story", ("tell_story",), "lighthouse"),
            ("thank you, that was nice", (), ""),
            ("do you like the sea?", (), ""),
            ("I want a story", ("tell_story",), "lighthouse"),
            ("read me the story of the lighthouse", ("tell_story",), "lighthouse"),
            ("what is your name", (), ""),
            ("one more story", ("tell_story",), "lighthouse"),
            ("I am tired", (), ""),
            ("start the story", ("tell_story",), "lighthouse"),
            ("great", (), ""),
            ("goodbye", (), ""),
        ]
    ],
}


def make(name: str) -> tuple[AgentSession[Any], Agent]:
    """A session and an agent of that example."""
    example = load_example(name)
    made = {"restaurant_agent": "restaurant", "push_to_talk": "push_to_talk"}.get(name)
    return (AgentSession(), example.Storyteller()) if made is None else getattr(example, made)()


async def right_turns(name: str, turns: list[Turn], llm: SmolLM) -> int:
    """How many of them were right; the others are printed."""
    session, agent = make(name)
    session.update_options(llm=llm, vad=None)
    await session.start(agent, capture_run=True)
    right = 0
    for text, tools, answer in turns:
        known = {item.id for item in session.history.items}
        await session.run(user_input=text)
        new = [item for item in session.history.items if item.id not in known]
        called = tuple(item.name for item in new if item.type == "function_call")
        said = " ".join(item.text_content or "" for item in new if item.type == "message" and item.role == "assistant")
        if called == tools and answer.lower() in said.lower():
            right += 1
        else:
            print(f"  {text!r}: {called or 'no tool'}, {said[:90]!r}")
    await session.aclose()
    return right


async def main() -> None:
    """Print how many were right for each example."""
    llm = SmolLM(temperature=0)
    await llm.load()
    for name, conversations in CONVERSATIONS.items():
        right = sum([await right_turns(name, turns, llm) for turns in conversations])
        print(f"{name}: {right} of {sum(map(len, conversations))}")
    await llm.aclose()
    llm.llama.close()


if __name__ == "__main__":
    asyncio.run(main())
