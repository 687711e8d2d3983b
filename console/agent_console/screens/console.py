"""The console's own screen: where everything is, and what each action does."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual.app import ComposeResult
from textual.widget import Widget
from textual.widgets import Input

from agent_console.drawing import status
from agent_console.drawing.text import Line
from agent_console.keys import Action, bindings, key_for
from agent_console.panels import panels, screen_actions
from agent_console.push_to_talk import PushToTalk
from agent_console.screens.hosting import HostingScreen
from agent_console.state import Banner, ConsoleState, Latency
from agent_console.widgets.footer import KeyBar, Situation
from agent_console.widgets.log import LogPane
from agent_console.widgets.painted import Column, Ground, Row
from agent_console.widgets.panel_view import PanelDock, PanelSpec, PanelView
from agent_console.widgets.panels import Notices, Panel
from agent_console.widgets.prompt import PROMPT, LineInput
from agent_console.widgets.transcript import Transcript
from agent_runtime.workshop.requests import Fork, SwitchBranch

if TYPE_CHECKING:
    from agent_console.app import ConsoleApp

_NEED_A_MICROPHONE: Final = frozenset({"push_to_talk", "mute"})
"""Actions that the footer doesn't offer without one."""


# Textual's own two classes name the parameters of `arrange` differently.
class ConsoleScreen(HostingScreen, Ground):  # pyright: ignore[reportIncompatibleMethodOverride]  # of Textual's own
    """Header, transcript, instruments, input and keys; columns where there is room for them."""

    BINDINGS: ClassVar[Any] = bindings(screen_actions())
    AUTO_FOCUS = "Transcript"

    def __init__(self, app: ConsoleApp) -> None:
        super().__init__()
        self._host = app
        self._state = app.state
        self._now = 0.0
        self._dismissed: set[tuple[str, float]] = set()
        self._notices: tuple[Banner, ...] = ()
        self._talk = PushToTalk(app.backend.push_to_talk, self.set_timer)
        self._searching = False
        self._searched: PanelView | None = None
        self._typed_from: PanelView | None = None
        self._pointed_at_input = False
        self._make_widgets()

    def _make_widgets(self) -> None:
        draw = status
        self.transcript = Transcript(id="transcript")
        self.log_pane = LogPane(id="log")
        self.log_pane.display = False
        self._far = Column(id="far", classes="column")
        self._far_log = LogPane(id="far-log")
        self.dock = PanelDock(self, id="dock")
        self._banner_bar = Notices(
            lambda state, now, w, _: draw.banner_lines(self._banners(), w),
            lambda state: (state.banners, state.room.here, self._notices, len(self._dismissed)),
            id="banners",
        )
        self._instruments = {
            "header": Panel(lambda state, now, w, _: draw.header(state, now, w), id="header"),
            "banners": self._banner_bar,
            "loading": Notices(
                lambda state, now, w, _: [*filter(None, [draw.loading_line(state.loading, w)])],
                lambda state: (state.loading,),
                id="loading",
            ),
            "audio": Panel(lambda state, now, w, _: draw.audio_panel(state, now, w), id="audio"),
            "latency": Panel(
                self._draw_latency, lambda state: (state.latencies, self.transcript.selected), id="latency"
            ),
            "session": Panel(
                lambda state, now, w, _: draw.session_panel(state, w),
                lambda state: (state.waits, state.usage, state.dropped_input, state.dropped_output),
                id="session",
            ),
            "agent": Panel(
                lambda state, now, w, h: draw.agent_panel(state, w, h),
                lambda state: (state.agent, state.instructions, state.tools, state.model, state.reload_duration),
                id="agent",
            ),
            "log-heading": Panel(lambda state, now, w, _: [draw.heading("LOG", w)], lambda state: (), id="log-heading"),
            "divider": Panel(self._draw_divider, id="divider"),
            "instruments": Panel(lambda state, now, w, _: draw.instruments(state, now, w), id="instruments"),
            "mark": Panel(self._draw_prompt_mark, id="prompt-mark"),
        }
        self._prompt = LineInput("", id="prompt")
        self._search = LineInput("search the transcript", id="search")
        self._search.display = False
        self._prompt_bar = Row(id="prompt-bar")
        self._key_bar = KeyBar(self._host.keymap_in_use, id="keys")

    def compose(self) -> ComposeResult:
        """See `Screen.compose`."""
        panels = self._instruments
        yield from (panels["header"], panels["banners"], panels["loading"])
        with Row(id="body"):
            with Column(id="conversation"):
                yield from (self.transcript, self.log_pane)
            with Column(id="side", classes="column"):
                yield from (panels["audio"], panels["latency"], panels["session"])
            with self._far:
                yield from (panels["agent"], panels["log-heading"], self._far_log)
            yield self.dock
        yield from (panels["divider"], panels["instruments"])
        with self._prompt_bar:
            yield from (panels["mark"], self._prompt, self._search)
        yield self._key_bar

    def on_mount(self) -> None:
        """Send the keyboard where it is wanted before the first key."""
        self._point_at_input(self._state)

    # --- drawing -------------------------------------------------------------------------------------------------

    def show(self, state: ConsoleState, now: float) -> None:
        """Draw the state of this frame."""
        before, self._state, self._now = self._state, state, now
        if state.push_to_talk != before.push_to_talk and state.push_to_talk != "pressed":
            self._talk.is_off()
        self._point_at_input(state)
        self.transcript.show(state, now)
        self.log_pane.show(state, now)
        self._far_log.show(state, now)
        for panel in self._instruments.values():
            panel.show(state, now)
        self.dock.show(state, now)
        self._update_prompt()

    def notice(self, key: str, text: str, hint: str = "") -> None:
        """Say something of the console's own as a banner."""
        self._notices = (*self._notices, Banner(key, "warning", text, hint))
        self._banner_bar.show(self._state, self._now)

    @property
    def is_behind(self) -> bool:
        """Whether the panel has yet to draw something of the state that it got."""
        return self.dock.view is not None and self.dock.view.is_behind

    @property
    def is_animating(self) -> bool:
        """Whether something moves without an event: a countdown, a running tool, a fading mark."""
        meters = self._state.meters
        clipped = meters.clipped_at is not None and self._now - meters.clipped_at < status.CLIP_SHOWN
        panel = self.dock.view is not None and (self.dock.view.is_animating or self.dock.view.is_behind)
        return self._state.endpointing is not None or clipped or self.transcript.is_timing or panel

    def _banners(self) -> list[Banner]:
        return [b for b in (*self._notices, *self._state.shown_banners) if (b.key, b.time) not in self._dismissed]

    def _draw_latency(self, state: ConsoleState, now: float, width: int, height: int) -> list[Line]:
        transcript = self.transcript
        if transcript.selected is None:
            return status.latency_panel(state.latencies.last, width, height, live=True)
        latency: Latency | None = transcript.latency_of(transcript.selected)
        return status.latency_panel(latency, width, height, live=False)

    def _draw_divider(self, state: ConsoleState, now: float, width: int, height: int) -> list[Line]:
        transcript = self.transcript
        if transcript.query_text:
            number, count = transcript.match_position
            text = f" match {number} of {count} " if count else " no match "
        elif transcript.following or not transcript.lines_below:
            return [(("─" * width, "track"),)]
        else:
            text = f" {transcript.lines_below} lines below · end "
        return [(("─" * (width - len(text) - 2), "track"), (text, "key"), ("──", "track"))]

    def _draw_prompt_mark(self, state: ConsoleState, now: float, width: int, height: int) -> list[Line]:
        if self._searching:
            return [((" / ", "key"),)]
        if self._talk.talking or state.push_to_talk == "pressed":
            return [((" ● ", "error bold"),)]
        return [((f" {PROMPT} ", "user bold"),)]

    def _update_prompt(self) -> None:
        prompt = self._prompt
        talking = self._talk.talking or self._state.push_to_talk == "pressed"
        if talking:
            placeholder = "you talk: let go, or press again, to send; esc drops it"
        elif self._state.closed:
            placeholder = "the session is closed"
        elif prompt.has_focus:
            placeholder = "say something to the agent"
        else:
            placeholder = f"{self._key('type')} to type"
            if self._can_talk and self._state.muted:
                placeholder += f", {self._key('mute')} to be heard again"
            elif self._can_talk:
                placeholder += f", {self._key('push_to_talk')} to talk"
        if prompt.placeholder != placeholder:
            prompt.placeholder = placeholder
        self._prompt_bar.set_class(talking, "-talking")
        self._update_keys(talking)

    def _key(self, action: str) -> str:
        return key_for(action, self._host.keymap_in_use)

    def _update_keys(self, talking: bool) -> None:
        situation: Situation = "reading"
        if talking:
            situation = "talking"
        elif self._searching:
            situation = "searching" if self._searched is None else "filtering"
        elif self._prompt.has_focus:
            situation = "typing"
        own: Sequence[Action] = ()
        if self.dock.spec is not None and self.dock.view is not None and self.dock.has_focus_within:
            own = self.dock.view.offered(self.dock.spec.keys)
        idle: Collection[str] = () if self._can_talk or not self._state.started else _NEED_A_MICROPHONE
        if self._state.muted:
            idle = {*idle, "push_to_talk"}
        self._key_bar.show_situation(situation, own, idle)

    def _point_at_input(self, state: ConsoleState) -> None:
        """Without a microphone the first thing to do is to type."""
        if self._pointed_at_input or not (state.mode == "text" or state.microphone.state == "unavailable"):
            return
        self._pointed_at_input = True
        if not self._searching and self.is_current and self._prompt_bar.display:
            self._prompt.focus()

    def _refresh_now(self) -> None:
        self.show(self._state, self._now)

    def on_descendant_focus(self) -> None:
        """Keys and placeholder depend on where the keyboard goes."""
        self._update_prompt()

    def on_descendant_blur(self) -> None:
        """See `on_descendant_focus`."""
        self._update_prompt()

    def on_transcript_turn_selected(self) -> None:
        """The latency panel shows the selected turn."""
        self._refresh_now()

    # --- talking and typing ----------------------------------------------------------------------------------------

    @property
    def _can_talk(self) -> bool:
        if self._state.room.here:
            return True
        return self._state.mode != "text" and self._state.microphone.state not in ("unavailable", "lost", "closed")

    def action_push_to_talk(self) -> None:
        """Start or send a turn by key."""
        if not self._can_talk and not self._talk.talking:
            self.notify(f"there is no microphone; {self._key('type')} to type", severity="warning")
            return
        if self._state.muted and not self._talk.talking:
            self.notify(f"the microphone is muted; {self._key('mute')} to be heard again", severity="warning")
            return
        self._talk.key()
        self._refresh_now()

    async def action_back(self) -> None:
        """Leave what is going on, one thing at a time."""
        transcript, panel = self.transcript, self.dock.view
        if self._talk.talking:
            self._talk.discard()
        elif panel is not None and panel.query_text:
            panel.search("")
        elif transcript.query_text:
            transcript.search("")
        elif self.dock.spec is not None:
            await self._open_panel(None)
        elif banners := self._banners():
            self._dismissed.add((banners[-1].key, banners[-1].time))
        elif transcript.selected is not None:
            transcript.select(None)
        else:
            transcript.go_to_end()
        self._refresh_now()

    def action_mute(self) -> None:
        """Mute or unmute."""
        self._host.backend.set_muted(not self._state.muted)

    def action_type(self) -> None:
        """Go to the input: at once, for what is typed right behind the key."""
        self._typed_from = self.dock.view if self.dock.has_focus_within else None
        self.set_focus(self._prompt)

    def action_interrupt(self) -> None:
        """Stop the agent."""
        self._host.backend.interrupt()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Send what was typed, or go to the next match."""
        if event.input.id == "search":
            if self._searched is None:
                self._step_match(-1)
            else:
                self.on_line_input_left(LineInput.Left(self._search))
            return
        text = event.value.strip()
        if text:
            self._host.backend.send_text(text)
            self._prompt.remember(text)
            event.input.clear()
            self.transcript.go_to_end()

    def on_line_input_left(self, event: LineInput.Left) -> None:
        """The keyboard goes back to where it was, else to the transcript; a search keeps its marks."""
        panel = self._searched if self._searching else self._typed_from
        self._show_search(False)
        if panel is not None and panel is self.dock.view:
            panel.take_keyboard()
        else:
            self.transcript.focus()
        self._refresh_now()

    def _show_search(self, shown: bool) -> None:
        self._searching = shown
        self._search.display = shown
        self._prompt.display = not shown

    # --- the agent's code and devices ------------------------------------------------------------------------------

    def action_reload(self) -> None:
        """Load the agent's code again."""
        self._host.backend.reload()

    def action_traceback(self) -> None:
        """Show the details of the newest banner that has any."""
        from agent_console.screens.details import DetailsScreen

        for banner in reversed(self._state.banners):
            if banner.details:
                title = "Reload failed" if banner.key == "reload" else "Error"
                self.app.push_screen(
                    DetailsScreen(title, banner.text, banner.hint.removeprefix("e shows why; "), banner.details)
                )
                return
        self.notify("nothing has failed")

    def action_devices(self) -> None:
        """Pick devices."""
        from agent_console.screens.devices import DevicesScreen

        self.app.push_screen(DevicesScreen(self._host.backend))

    def action_room(self) -> None:
        """Go on in a room, or here again. Asked again where no server is configured, start one."""
        room = self._state.room
        self._host.backend.set_mode("local" if room.here else "room", start_server=room.offer is not None)

    # --- recording -------------------------------------------------------------------------------------------------

    def action_record(self) -> None:
        """Record the session, or complete the recording."""
        self._host.backend.record(self._state.recording is None)

    def action_mark_turn(self) -> None:
        """Mark the selected turn, else the newest."""
        turn = self.transcript.selected or self._state.turn_id
        if turn is None:
            self.notify("there is no turn yet")
        else:
            self._host.backend.mark_turn(turn)

    # --- branches --------------------------------------------------------------------------------------------------

    def action_fork(self) -> None:
        """Go on from the selected turn, else the newest, in a branch of its own."""
        turn = self.transcript.selected or self._state.turn_id
        if turn is None:
            self.notify("there is no turn yet")
        else:
            self._host.backend.ask_workshop(Fork(turn))

    def action_switch_branch(self) -> None:
        """Go on in the next branch."""
        self._host.backend.ask_workshop(SwitchBranch())

    # --- looking ---------------------------------------------------------------------------------------------------

    def action_open_turn(self) -> None:
        """Open or close a turn."""
        self.transcript.toggle_turn()

    def action_previous_turn(self) -> None:
        """Select the turn before."""
        self.transcript.select_turn(-1)

    def action_next_turn(self) -> None:
        """Select the turn after."""
        self.transcript.select_turn(1)

    def action_search(self) -> None:
        """Open the search: of the panel that has the keyboard, if it can be searched, else of the transcript."""
        panel = self.dock.view if self.dock.has_focus_within else None
        self._searched = panel if panel is not None and panel.search("") else None
        self._search.placeholder = f"search the {'transcript' if panel is None else 'panel'}"
        self._show_search(True)
        self._search.value = ""
        self.set_focus(self._search)
        self._refresh_now()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Search while typing."""
        if event.input.id == "search" and self._searching:
            (self._searched or self.transcript).search(event.value)
            self._refresh_now()

    def action_next_match(self) -> None:
        """The next match."""
        self._step_match(1)

    def action_previous_match(self) -> None:
        """The match before."""
        self._step_match(-1)

    def _step_match(self, step: int) -> None:
        self.transcript.step_match(step)
        self._refresh_now()

    def action_copy(self) -> None:
        """Copy the selection, else a turn."""
        text = self.get_selected_text() or self.transcript.copy_text()
        if text:
            self.app.copy_to_clipboard(text)
            self.notify("copied")

    def action_log(self) -> None:
        """Show or hide the log: in its column where there is one, else under the transcript."""
        if self.has_class("-full"):
            self._far.toggle_class("-hidden")
        else:
            self.log_pane.display = not self.log_pane.display
        self.call_after_refresh(self._refresh_now)

    def action_jump(self) -> None:
        """Choose a part of the screen by a letter."""
        from agent_console.screens.jump import JumpScreen

        def go(target: Widget | None) -> None:
            if target is not None:
                target.focus(scroll_visible=False)

        self.app.push_screen(JumpScreen([w for w in self.focus_chain if w.region.width and w.region.height]), go)

    # --- panels ------------------------------------------------------------------------------------------------------

    @property
    def selected_turn(self) -> str | None:
        """See `PanelHost.selected_turn`."""
        return self.transcript.selected

    def go_to_turn(self, turn_id: str) -> None:
        """See `PanelHost.go_to_turn`."""
        self.transcript.go_to_turn(turn_id)
        self._refresh_now()
        if self.has_class("-narrow"):
            self.run_worker(self._open_panel(None))

    async def action_panel(self, name: str) -> None:
        """Show a panel and give it the keyboard; put it away if it is shown."""
        spec = next(spec for spec in panels() if spec.id == name)
        await self._open_panel(None if self.dock.spec is spec else spec)

    async def _open_panel(self, spec: PanelSpec | None) -> None:
        if self._searching:
            self._show_search(False)
        await self.dock.open(spec)
        if spec is None:
            self.transcript.focus(scroll_visible=False)
        self.call_after_refresh(self._panel_opened)

    def _panel_opened(self) -> None:
        self._refresh_now()
        if self.dock.view is not None:
            self.dock.view.take_keyboard()

    # --- the console -------------------------------------------------------------------------------------------------

    def action_help(self) -> None:
        """Every key."""
        from agent_console.screens.help import HelpScreen

        self.app.push_screen(HelpScreen(self._host.keymap_in_use))

    def action_palette(self) -> None:
        """The command palette."""
        self.app.action_command_palette()

    async def action_quit(self) -> None:
        """Leave."""
        await self.app.action_quit()
