"""Events that move the instruments: levels, countdowns, devices, models on their way, usage."""

from __future__ import annotations

from dataclasses import replace

from agent_console.state.model import (
    PEAK_HOLD,
    VAD_HISTORY,
    Banner,
    ConsoleState,
    Device,
    Endpointing,
    Loading,
    Meters,
    Note,
)
from agent_runtime import events as ev
from agent_runtime.events import AnyEvent


def audio_meter(state: ConsoleState, event: AnyEvent, data: ev.AudioMeter) -> ConsoleState:
    """The newest levels; the loudest peak stays for `PEAK_HOLD` seconds."""
    old = state.meters
    louder = data.input_peak >= old.held_peak or event.time - old.held_since > PEAK_HOLD
    history = old.vad_history
    if data.vad_probability is not None:
        history = (*history[-VAD_HISTORY + 1 :], data.vad_probability)
    meters = Meters(
        at=event.time,
        input_rms=data.input_rms,
        input_peak=data.input_peak,
        held_peak=data.input_peak if louder else old.held_peak,
        held_since=event.time if louder else old.held_since,
        clipped_at=event.time if data.clipped else old.clipped_at,
        output_rms=data.output_rms,
        vad_probability=data.vad_probability,
        vad_threshold=data.vad_threshold,
        vad_history=history,
    )
    return replace(state, meters=meters)


def endpointing_started(state: ConsoleState, event: AnyEvent, data: ev.EndpointingStarted) -> ConsoleState:
    """The countdown to the end of the turn runs."""
    countdown = Endpointing(
        event.time, data.delay, data.deadline, data.end_of_turn_probability, data.threshold, event.cause
    )
    return replace(state, endpointing=countdown)


def endpointing_cancelled(state: ConsoleState, event: AnyEvent, data: ev.EndpointingCancelled) -> ConsoleState:
    """The user went on."""
    return replace(state, endpointing=None)


def device_changed(state: ConsoleState, event: AnyEvent, data: ev.DeviceChanged) -> ConsoleState:
    """A device's state, with a banner while it is missing."""
    device = Device(data.state, data.name, data.sample_rate, data.channels, data.problem)
    is_input = data.kind == "input"
    before = state.microphone if is_input else state.speaker
    state = replace(state, microphone=device) if is_input else replace(state, speaker=device)
    word = "Microphone" if is_input else "Speaker"
    key = f"device:{data.kind}"
    banners = tuple(b for b in state.banners if b.key != key)
    if data.state == "lost":
        text = f"{word} lost: {data.name}"
        hint = data.problem or "trying again; d picks another"
        banners = (*banners, Banner(key, "error", text, hint, time=event.time))
    elif data.state == "unavailable":
        text = f"No {word.lower()}"
        problem = (data.problem or "").removeprefix(f"there is no {word.lower()}: ")  # it says so already
        hint = problem or ("type instead: t" if is_input else "replies are shown, not spoken")
        banners = (*banners, Banner(key, "warning", text, hint, time=event.time))
    elif data.state == "opened" and before.state == "lost":
        note = Note("info", event.time, f"{word} back: {data.name}", turn_id=event.turn_id)
        state = replace(state, entries=state.entries.append(note))
    return replace(state, banners=banners)


def input_muted(state: ConsoleState, event: AnyEvent, data: ev.InputMuted) -> ConsoleState:
    """Muted or not."""
    return replace(state, muted=data.muted)


def push_to_talk_changed(state: ConsoleState, event: AnyEvent, data: ev.PushToTalkChanged) -> ConsoleState:
    """Pressed, sent, discarded or off."""
    return replace(state, push_to_talk=data.state)


def audio_dropped(state: ConsoleState, event: AnyEvent, data: ev.AudioDropped) -> ConsoleState:
    """Totals of the session."""
    if data.where == "input":
        return replace(state, dropped_input=data.frames)
    return replace(state, dropped_output=data.frames)


def model_loading(state: ConsoleState, event: AnyEvent, data: ev.ModelLoading) -> ConsoleState:
    """One bar for each part, in the order in which they were first heard of."""
    loading = Loading(data.part, data.name, data.fraction, data.error)
    known = [item.part for item in state.loading]
    if data.part in known:
        items = tuple(loading if item.part == data.part else item for item in state.loading)
    else:
        items = (*state.loading, loading)
    banners = tuple(b for b in state.banners if b.key != f"model:{data.part}")
    if data.error is not None:
        banner = Banner(f"model:{data.part}", "error", f"{data.name} can't be loaded", data.error, time=event.time)
        banners = (*banners, banner)
    return replace(state, loading=items, banners=banners)


def circuits_changed(state: ConsoleState, event: AnyEvent, data: ev.CircuitsChanged) -> ConsoleState:
    """A banner as long as a provider is left alone: which, why, and who answers in its place."""
    key = f"circuit:{data.part}"
    banners = tuple(b for b in state.banners if b.key != key)
    down = [circuit for circuit in data.circuits if circuit.state != "closed"]
    if down:
        up = next((circuit.name for circuit in data.circuits if circuit.state == "closed"), None)
        names = ", ".join(circuit.name for circuit in down)
        text = f"{data.part} {names} {'is' if len(down) == 1 else 'are'} left alone: {down[0].problem or 'it failed'}"
        hint = f"{up} stands in" if up else "nothing else is left: each is asked all the same"
        banners = (*banners, Banner(key, "warning" if up else "error", text, hint, time=event.time))
    return replace(state, banners=banners)


def llm_started(state: ConsoleState, event: AnyEvent, data: ev.LLMStarted) -> ConsoleState:
    """The model that answers."""
    return replace(state, model=data.model) if data.model != state.model else state


def tts_started(state: ConsoleState, event: AnyEvent, data: ev.TTSStarted) -> ConsoleState:
    """The voice that speaks."""
    return replace(state, voice=data.model) if data.model != state.voice else state


def llm_finished(state: ConsoleState, event: AnyEvent, data: ev.LLMFinished) -> ConsoleState:
    """Tokens add up."""
    usage = state.usage
    return replace(
        state,
        usage=replace(
            usage,
            prompt_tokens=usage.prompt_tokens + data.prompt_tokens,
            completion_tokens=usage.completion_tokens + data.completion_tokens,
            cached_tokens=usage.cached_tokens + data.cached_tokens,
            estimated=usage.estimated or data.estimated,
        ),
    )


def tts_finished(state: ConsoleState, event: AnyEvent, data: ev.TTSFinished) -> ConsoleState:
    """Characters and seconds of speech add up."""
    usage = state.usage
    characters, seconds = usage.characters + data.characters, usage.audio_seconds + data.audio_duration
    return replace(state, usage=replace(usage, characters=characters, audio_seconds=seconds))
