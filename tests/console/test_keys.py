"""Every key of the registry does what it says, and letters are letters while one types."""

from __future__ import annotations

import pytest
from textual import events
from textual.scrollbar import ScrollTo

from agent_console.panels import every_action, screen_actions
from agent_console.screens.console import ConsoleScreen
from agent_console.screens.details import DetailsScreen
from agent_console.screens.devices import DevicesScreen
from agent_console.screens.help import HelpScreen
from agent_runtime import events as ev
from tests.console.opening import Open


async def test_m_mutes_and_unmutes(console: Open) -> None:
    async with console() as it:
        await it.press("m")
        await it.send(ev.InputMuted(True))
        await it.press("m")
        assert it.backend.calls == [("set_muted", True), ("set_muted", False)]


async def test_i_interrupts_and_r_reloads(console: Open) -> None:
    async with console() as it:
        await it.press("i", "r")
        assert it.backend.calls == [("interrupt",), ("reload",)]


@pytest.mark.parametrize("key", ["t", "enter"])
async def test_typing_a_turn(console: Open, key: str) -> None:
    async with console() as it:
        await it.press(key, *"mi q", "enter")
        assert it.backend.calls == [("send_text", "mi q")]
        await it.press("up")
        assert it.app.focused.value == "mi q"  # type: ignore[union-attr]
        await it.press("down")
        assert it.app.focused.value == ""  # type: ignore[union-attr]


async def test_an_empty_line_is_not_sent(console: Open) -> None:
    async with console() as it:
        await it.press("t", "space", "enter")
        assert it.backend.calls == []


async def test_escape_leaves_the_input_and_letters_are_keys_again(console: Open) -> None:
    async with console() as it:
        await it.press("t", "m", "escape", "m")
        assert it.backend.calls == [("set_muted", True)]


async def test_without_a_microphone_one_types_at_once(console: Open) -> None:
    async with console("without_microphone") as it:
        await it.press(*"quit", "enter")
        assert it.backend.calls == [("send_text", "quit")]


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
async def test_several_lines_that_are_pasted_are_one(console: Open, end: str) -> None:
    async with console("without_microphone") as it:
        it.screen._prompt.post_message(events.Paste(f"  one{end}{end}two\tand{end}three{end}"))
        await it.press("enter")
        assert it.backend.calls == [("send_text", "one two and three")]


async def test_space_starts_and_escape_discards(console: Open) -> None:
    async with console() as it:
        await it.press("space")
        await it.press("escape")
        assert it.backend.calls == [("push_to_talk", "press"), ("push_to_talk", "discard")]


async def test_a_turn_can_be_spoken_where_its_keys_are_taken_away(console: Open) -> None:
    async with console(keymap={"push_to_talk": "f7", "back": ""}) as it:
        await it.press("f7")
        hints = it.screen._key_bar._hints(80)
        assert hints == [("f7", "send", "push_to_talk")]
        assert it.backend.calls == [("push_to_talk", "press")]


async def test_space_without_a_microphone_says_so(console: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(ConsoleScreen, "notify", lambda screen, message, **options: told.append(message))
    async with console("troubles") as it:
        await it.press("space")
        assert it.backend.calls == []
        assert told == ["there is no microphone; t to type"]


async def test_space_while_muted_says_so_and_begins_nothing(console: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(ConsoleScreen, "notify", lambda screen, message, **options: told.append(message))
    async with console(keymap={"mute": "f2", "type": "f3"}) as it:
        assert it.screen._prompt.placeholder == "f3 to type, space to talk"
        assert "space talk" in it.screen.query_one("#keys").render_line(0).text
        await it.send(ev.InputMuted(True))
        assert "space talk" not in it.screen.query_one("#keys").render_line(0).text
        assert it.screen._prompt.placeholder == "f3 to type, f2 to be heard again"
        await it.press("space")
        assert it.backend.calls == []
        assert told == ["the microphone is muted; f2 to be heard again"]


async def test_question_mark_opens_help_with_every_key(console: Open) -> None:
    async with console(size=(120, 60)) as it:
        await it.press("question_mark")
        assert isinstance(it.app.screen, HelpScreen)
        page = str(it.app.screen.query_one("#help").render())
        assert all(action.help.split()[0] in page for action in every_action())
        await it.press("escape")
        assert it.app.screen is it.screen


async def test_d_picks_a_device(console: Open) -> None:
    async with console() as it:
        await it.press("d")
        assert isinstance(it.app.screen, DevicesScreen)
        await it.press("down", "enter")
        assert it.backend.calls == [("select_device", "input", "3")]
        await it.press("escape")
        assert it.app.screen is it.screen


async def test_e_shows_the_traceback_of_a_failed_reload(console: Open) -> None:
    async with console("troubles") as it:
        await it.press("e")
        assert isinstance(it.app.screen, DetailsScreen)
        text = " ".join(str(widget.render()) for widget in it.app.screen.query("Static"))
        assert "SyntaxError: expected ':'" in text
        await it.press("q")
        assert it.app.screen is it.screen


async def test_turns_are_selected_and_opened(console: Open) -> None:
    async with console() as it:
        transcript = it.screen.transcript
        await it.press("k")
        assert transcript.selected == "turn-4"
        await it.press("left_square_bracket")
        assert transcript.selected == "turn-3"
        height = transcript.virtual_size.height
        await it.press("o")
        assert transcript.virtual_size.height == height + 8
        await it.press("o", "j", "j")
        assert transcript.selected is None
        assert transcript.virtual_size.height == height


async def test_scrolling_away_stays_and_end_follows_again(console: Open) -> None:
    async with console("40") as it:
        transcript = it.screen.transcript
        bottom = transcript.scroll_offset.y
        await it.press("up")
        assert transcript.scroll_offset.y == bottom - 1
        await it.send(ev.LogWritten("info", "x", "y"), ev.AgentText("s", "i", "one more line"))
        assert transcript.scroll_offset.y == bottom - 1
        await it.press("pageup")
        assert transcript.scroll_offset.y < bottom - 10
        await it.press("end")
        assert transcript.scroll_offset.y == transcript.max_scroll_y > bottom
        await it.send(ev.AgentText("s", "i2", "another"))
        assert transcript.scroll_offset.y == transcript.max_scroll_y
        await it.press("up", "down")
        assert transcript.following


async def test_home_shows_the_first_turn_of_a_long_history(console: Open) -> None:
    async with console("250") as it:
        await it.press("home")
        transcript = it.screen.transcript
        assert transcript.scroll_offset.y == 0
        assert "Question 0:" in transcript.render_line(1).text
        await it.press("pagedown", "end")
        assert "hardly any wind" in transcript.render_line(transcript.size.height - 1).text


async def test_what_is_sent_right_behind_the_key_goes_to_the_input(console: Open) -> None:
    async with console() as it:
        it.screen.transcript.focus()
        await it.pilot.pause()
        for key in ("t", *"mir", "enter"):
            it.app.post_message(events.Key(key, "\r" if key == "enter" else key))
        await it.pilot.pause()
        assert it.backend.calls == [("send_text", "mir")]


async def test_the_key_of_the_input_is_a_panels_own_where_it_has_one(console: Open) -> None:
    async with console("troubles") as it:
        await it.press("6", "k", "enter")
        assert it.screen.selected_turn is not None, "enter leads from an event to its turn"
        assert not it.screen._prompt.has_focus


async def test_a_log_without_lines_says_so(console: Open) -> None:
    async with console("1") as it:
        await it.press("l")
        assert it.screen.log_pane.render_line(0).text.strip() == "nothing logged yet"


async def test_the_scrollbar_reckons_with_turns_that_are_not_laid_out(console: Open) -> None:
    async with console("250") as it:
        transcript = it.screen.transcript
        bar, height = transcript.vertical_scrollbar, transcript.size.height
        everything = bar.window_virtual_size
        assert everything > 3 * transcript.virtual_size.height, "few are laid out"
        assert bar.position == everything - height

        transcript.post_message(ScrollTo(y=everything / 2, animate=False))
        await it.pilot.pause()
        assert bar.position == pytest.approx(everything / 2, rel=0.15), "dragged to the middle, it is there"
        rows = [transcript.render_line(y).text for y in range(height)]
        number = int(next(row for row in rows if "Question" in row).split("Question ")[1].split(":")[0])
        assert 100 < number < 150
        await it.press("home")
        assert bar.position == 0
        assert bar.window_virtual_size == pytest.approx(everything, rel=0.15)


async def test_a_long_stream_keeps_every_line_of_what_is_laid_out(console: Open) -> None:
    async with console("250") as it:
        await it.send(*(ev.AgentText(f"s{n}", f"i{n}", f"message {n}") for n in range(700)))
        transcript = it.screen.transcript
        await it.press("pageup")
        rows = [transcript.render_line(y).text.split() for y in range(transcript.size.height)]
        numbers = [int(row[-1]) for row in rows if row[:2] == ["agent", "message"]]
        assert numbers == list(range(numbers[0], numbers[0] + len(rows)))
        assert 650 < numbers[0] < 700


async def test_older_turns_come_in_without_moving_what_is_read(console: Open) -> None:
    async with console("500") as it:
        transcript = it.screen.transcript
        height = transcript.virtual_size.height
        transcript.scroll_to(y=transcript.size.height + 1, animate=False)
        await it.pilot.pause()
        before = [transcript.render_line(y).text for y in range(transcript.size.height)]
        await it.press("up")
        assert transcript.virtual_size.height > height, "older turns are laid out"
        assert [transcript.render_line(y).text for y in range(1, transcript.size.height)] == before[:-1]


async def test_search_goes_through_the_matches(console: Open) -> None:
    async with console() as it:
        transcript = it.screen.transcript
        await it.press("slash", *"oslo")
        assert transcript.match_position == (3, 3)
        await it.press("enter")
        assert transcript.match_position == (2, 3)
        await it.press("escape", "n")
        assert transcript.match_position == (3, 3)
        await it.press("N", "N")
        assert transcript.match_position == (1, 3)
        await it.press("escape")
        assert transcript.query_text == ""


async def test_search_finds_what_is_far_above(console: Open) -> None:
    async with console("250") as it:
        await it.press("slash", *"city 7?")
        transcript = it.screen.transcript
        assert transcript.match_position == (1, 1)
        shown = [transcript.render_line(y).text for y in range(transcript.size.height)]
        assert any("Question 7:" in line for line in shown)


async def test_dragging_selects_text(console: Open) -> None:
    async with console() as it:
        rows = [it.screen.transcript.render_line(y).text for y in range(12)]
        row = next(y for y, text in enumerate(rows) if "Oslo tomorrow" in text)
        start = rows[row].index("weather")
        await it.pilot.mouse_down("#transcript", offset=(start, row))
        await it.pilot.hover("#transcript", offset=(start + 11, row))
        await it.pilot.mouse_up("#transcript", offset=(start + 11, row))
        await it.press("y")
        assert it.app.clipboard.strip() == "weather like"


async def test_y_copies_the_newest_turn(console: Open) -> None:
    async with console("speaking") as it:
        await it.press("y")
        assert it.app.clipboard.startswith("you: And what should I wear?\nWeatherAgent: A warm coat")


async def test_l_shows_and_hides_the_log(console: Open) -> None:
    async with console("troubles") as it:
        await it.press("l")
        assert it.screen.log_pane.display
        assert "turn 2 answered" in it.screen.log_pane.render_line(0).text
        await it.press("l")
        assert not it.screen.log_pane.display


async def test_l_hides_and_shows_the_log_column_where_there_is_one(console: Open) -> None:
    async with console("troubles", size=(160, 50)) as it:
        width = it.screen.transcript.size.width
        await it.press("l")
        assert it.screen.transcript.size.width == width + 42
        await it.press("l")
        assert it.screen.transcript.size.width == width


async def test_escape_puts_banners_away_one_by_one(console: Open) -> None:
    async with console("troubles") as it:
        banners = it.screen.query_one("#banners")
        assert banners.size.height == 2
        await it.press("escape")
        assert banners.size.height == 1
        await it.press("escape")
        assert not banners.display


async def test_the_palette_runs_an_action(console: Open) -> None:
    async with console() as it:
        await it.press("ctrl+p", *"interr")
        await it.press("enter")
        await it.pilot.pause()
        assert it.backend.calls == [("interrupt",)]


async def test_the_palette_offers_our_themes(console: Open) -> None:
    async with console() as it:
        await it.press("ctrl+p", *"theme paper")
        await it.press("enter")
        await it.pilot.pause()
        assert it.app.theme == "paper"


async def test_a_keymap_moves_a_key(console: Open) -> None:
    async with console(keymap={"mute": "x"}) as it:
        await it.press("m")
        assert it.backend.calls == []
        await it.press("x")
        assert it.backend.calls == [("set_muted", True)]
        assert "x mute" in it.screen.query_one("#keys").render_line(0).text


async def test_q_ends_the_session_and_leaves(console: Open) -> None:
    async with console() as it:
        await it.press("q")
        assert it.backend.calls == [("stop",)]
        assert it.app.return_code == 0


async def test_a_frame_after_the_screens_are_gone_draws_nothing(console: Open) -> None:
    async with console() as it:
        app = it.app
    assert app.screen_stack == []
    app._frame()
    app._second()


@pytest.mark.parametrize("opened", ["question_mark", "d", "e"])
async def test_q_closes_what_is_open_before_it_leaves(console: Open, opened: str) -> None:
    async with console("troubles") as it:
        await it.press(opened)
        assert it.app.screen is not it.screen
        await it.press("q", "q")
        assert it.backend.calls == [("stop",)]


async def test_ctrl_c_twice_leaves(console: Open) -> None:
    async with console() as it:
        await it.press("ctrl+c")
        assert it.backend.calls == []
        await it.press("ctrl+c")
        assert it.backend.calls == [("stop",)]


async def test_every_action_has_a_method(console: Open) -> None:
    async with console() as it:
        for action in screen_actions():
            where, _, command = action.command.partition("(")[0].rpartition(".")
            owner = it.screen.app if where == "app" else it.screen
            assert hasattr(owner, f"action_{command}"), action.id


async def test_a_click_on_the_footer_does_what_the_key_does(console: Open) -> None:
    async with console() as it:
        line = it.screen.query_one("#keys").render_line(0).text
        await it.pilot.click("#keys", offset=(line.index("mute"), 0))
        assert it.backend.calls == [("set_muted", True)]


async def test_a_click_opens_a_turn(console: Open) -> None:
    async with console() as it:
        transcript = it.screen.transcript
        rows = [transcript.render_line(y).text for y in range(transcript.size.height)]
        row = next(y for y, text in enumerate(rows) if "A warm coat" in text)
        height = transcript.virtual_size.height
        await it.pilot.click("#transcript", offset=(rows[row].index("0.82"), row))
        assert transcript.selected == "turn-3"
        assert transcript.virtual_size.height > height


async def test_notices_and_unknown_themes_are_told(console: Open) -> None:
    async with console(theme="nowhere", keymap={"fly": "f"}) as it:
        text = "\n".join(it.screen.query_one("#banners").render_line(y).text for y in range(2))
        assert "keys.fly: there is no such action" in text
        assert "theme 'nowhere' isn't there" in text
        assert it.app.theme == "nocturne"


@pytest.mark.parametrize("size", [(20, 6), (40, 12), (200, 60)])
async def test_other_sizes_draw_without_an_error(console: Open, size: tuple[int, int]) -> None:
    async with console("troubles", size=size) as it:
        await it.press("k", "o", "l", "slash", "x", "escape")
        await it.pilot.resize_terminal(120, 40)
        await it.pilot.resize_terminal(*size)
        assert it.app.return_code is None


async def test_the_session_s_end_is_said(console: Open) -> None:
    async with console() as it:
        await it.send(ev.SessionClosed("error", "the model is gone"))
        assert "the model is gone" in it.screen.query_one("#banners").render_line(0).text
        assert "closed" in it.screen.query_one("#header").render_line(0).text


async def test_a_key_that_was_taken_does_one_thing_and_that_is_said(console: Open) -> None:
    async with console(keymap={"mute": "q", "log": "", "fly": "f"}, size=(120, 40)) as it:
        text = it.app.export_screenshot().replace("&#160;", " ")
        assert "keys.fly: there is no such action" in text
        assert "q is also the key of quit, which loses it" in text
        await it.press("q", "l")
        assert it.backend.calls == [("set_muted", True)]
        assert not it.screen.log_pane.display
        bar = it.screen.query_one("#keys").render_line(0).text
        assert "q mute" in bar
        assert "quit" not in bar


async def test_w_jumps_to_a_part_by_its_letter(console: Open) -> None:
    async with console(size=(120, 40)) as it:
        await it.press("6", "w")
        labels = [str(label.render()) for label in it.app.screen.query(".jump")]
        assert labels == [" a ", " s ", " d "]
        assert "any other key goes back" in str(it.app.screen.query_one("#jump-hint").render())  # type: ignore[attr-defined]
        await it.press("a")
        assert it.app.focused is it.screen.transcript
        await it.press("w", "s")
        assert it.screen.dock.has_focus_within
        await it.press("w", "x")
        assert it.screen.dock.has_focus_within
        await it.press("w", "d")
        assert it.app.focused is it.screen.query_one("#prompt")
