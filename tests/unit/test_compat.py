"""`livekit.agents` and `livekit.plugins` lead to the runtime; what isn't there is named with what to do."""

import importlib
import importlib.util
import logging
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from livekit import rtc
from livekit.protocol import agent

import agent_runtime
from agent_runtime import compat
from agent_runtime.compat.job import (
    JobAcceptArguments,
    JobContext,
    JobProcess,
    JobRequest,
    RunningJobInfo,
    current_job,
    get_job_context,
)
from agent_runtime.compat.names import MODULES, VENDORS, advice


@pytest.fixture(autouse=True)
def _installed():
    compat.install()
    yield
    compat.uninstall()


@pytest.mark.parametrize("name", sorted(MODULES))
def test_every_module_of_the_table_can_be_imported_and_listed(name: str):
    module = importlib.import_module(name)
    for public in dir(module):
        getattr(module, public)
    assert MODULES[name] == () or dir(module)


@pytest.mark.parametrize(
    ("statement", "ours"),
    [
        ("from livekit.agents import Agent as x", "agent_runtime.voice.agent:Agent"),
        ("import livekit.agents as agents; x = agents.llm.ChatContext", "agent_runtime.llm:ChatContext"),
        ("from livekit import agents; x = agents.voice.io.AudioInput", "agent_runtime.io:AudioInput"),
        ("from livekit.agents.voice.events import ErrorEvent as x", "agent_runtime.voice.events:ErrorEvent"),
        ("from livekit.agents.voice.events import RunContext as x", "agent_runtime.voice.run_context:RunContext"),
        ("from livekit.agents.voice import RunContext as x", "agent_runtime.voice.run_context:RunContext"),
        ("from livekit.agents.utils import aio; x = aio.Chan", "agent_runtime.utils.aio:Chan"),
        ("from livekit.agents.utils.aio import Chan as x", "agent_runtime.utils.aio:Chan"),
        ("from livekit.agents.tokenize.basic import split_words as x", "agent_runtime.tokenize.basic:split_words"),
        ("from livekit.agents.types import NOT_GIVEN as x", "agent_runtime.types:NOT_GIVEN"),
        ("from livekit.agents.llm.mcp import MCPToolset as x", "agent_tools.mcp:MCPToolset"),
        ("from livekit.agents._exceptions import APIError as x", "agent_runtime.errors:APIError"),
        ("from livekit.agents.job import JobContext as x", "agent_runtime.compat.job:JobContext"),
        ("from livekit.agents import WorkerOptions as x", "agent_runtime.worker.options:ServerOptions"),
        ("from livekit.agents import cli; x = cli.run_app", "agent_runtime.worker.run_app:run_app"),
        ("from livekit.agents.worker import AgentServer as x", "agent_runtime.worker.server:AgentServer"),
        ("from livekit.agents.utils import hw; x = hw.get_cpu_monitor", "agent_runtime.utils.hw:get_cpu_monitor"),
        ("from livekit.agents.voice.room_io.types import RoomOptions as x", "agent_runtime.room:RoomOptions"),
        ("from livekit.agents.voice.room_io.room_io import RoomIO as x", "agent_runtime.room:RoomIO"),
        ("from livekit.agents.metrics.utils import log_metrics as x", "agent_runtime.metrics:log_metrics"),
        ("from livekit.agents.utils.aio.utils import cancel_and_wait as x", "agent_runtime.utils.aio:cancel_and_wait"),
        ("from livekit.agents.utils.aio.task_set import TaskSet as x", "agent_runtime.utils.aio:TaskSet"),
        ("from livekit.agents.utils import aio; x = aio.sleep", "agent_runtime.utils.aio:sleep"),
        ("from livekit.agents.utils.aio.wait_group import WaitGroup as x", "agent_runtime.utils.aio:WaitGroup"),
        (
            "from livekit.agents.utils.images.image import ResizeOptions as x",
            "agent_runtime.utils.images:ResizeOptions",
        ),
        ("from livekit.agents.utils.hw.cpu import CPUMonitor as x", "agent_runtime.utils.hw:CPUMonitor"),
        ("from livekit.plugins import openai; x = openai.LLM", "agent_runtime.providers.openai:LLM"),
        (
            "from livekit.plugins import openai; x = openai.realtime.RealtimeModel",
            "agent_runtime.providers.openai.realtime:RealtimeModel",
        ),
        ("from livekit.plugins.silero import VAD as x", "agent_runtime.compat.plugins.silero:VAD"),
    ],
)
def test_a_name_is_ours(statement: str, ours: str):
    found: dict[str, object] = {}
    exec(statement, found)
    module, _, name = ours.partition(":")
    assert found["x"] is getattr(importlib.import_module(module), name)


def test_everything_that_agent_runtime_offers_is_there():
    from livekit import agents

    for name in agent_runtime.__all__:
        theirs = getattr(agents, name, None)
        if isinstance(theirs, ModuleType):
            continue
        if name not in ("events", "testing", "workflows"):  # modules that LiveKit doesn't have
            assert theirs is getattr(agent_runtime, name)


def test_a_star_import_brings_the_public_names():
    found: dict[str, object] = {}
    exec("from livekit.agents.stt import *", found)
    assert {"STT", "SpeechEvent", "RecognizeStream"} <= set(found)
    assert "annotations" not in found


def test_livekits_own_packages_stay():
    from livekit import agents, rtc

    assert rtc.AudioFrame.__module__.startswith("livekit.rtc")
    assert agents.__version__ == "1.8.9"
    assert not hasattr(agents, "__file__")


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("from livekit.plugins.openai.realtime import GPTLiveModel", "use openai.realtime.RealtimeModel, write an"),
        ("from livekit.agents import AgentSesion", "livekit.agents.AgentSesion isn't available here: did you mean Ag"),
        ("from livekit.agents import voice; from livekit.agents.voice import zzz", "docs/parity.md lists what is"),
        ("from livekit.agents.inference import RealtimeModel", "isn't available here: use openai.realtime.RealtimeM"),
        ("from livekit.agents.inference import AdaptiveInterruptionDetector", "isn't available here: leave it out"),
        ("from livekit.plugins.deepgram import STT", "livekit.plugins.deepgram.STT isn't available here: leave `stt`"),
        ("import livekit.plugins.google.beta", "livekit.plugins.google.beta isn't available here: leave `stt` and"),
        ("from livekit.plugins.openai import STT", "livekit.plugins.openai.STT isn't available here: leave `stt`"),
        ("import agent_runtime.reload; from livekit.agents import reload", "agents.reload isn't available here"),
        ("from livekit.agents.pipeline import VoicePipelineAgent", "pipeline isn't available here: it is from before"),
        ("from livekit.plugins import nope", "livekit.plugins.nope isn't available here: pip install --no-deps"),
        ("from livekit.plugins import someones", "livekit.plugins.someones isn't available here: pip install"),
        ("import livekit.plugins.someones.own", "livekit.plugins.someones isn't available here: pip install"),
    ],
)
def test_what_is_not_there_is_named_with_what_to_do(statement: str, message: str):
    with pytest.raises(ImportError) as caught:
        exec(statement, {})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_vendor_can_be_imported_and_says_when_it_is_used_that_it_is_not_there(vendor: str):
    module = importlib.import_module(f"livekit.plugins.{vendor}")
    with pytest.raises(AttributeError, match=rf"livekit\.plugins\.{vendor}\.TTS isn't available here: \w+"):
        module.TTS  # noqa: B018 - looking is what is tested
    assert not hasattr(module, "LLM")


def test_advice_names_nothing_that_is_there():
    for name, sources in MODULES.items():
        assert not sources or advice(name) is None, name


def test_a_plugin_that_is_installed_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "livekit" / "plugins" / "deepgram"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(
        "from livekit.agents import Plugin, stt\nfrom .log import logger\n\n"
        "class DeepgramPlugin(Plugin):\n    def __init__(self):\n"
        "        super().__init__(__name__, '1.0', __package__, logger)\n\n"
        "Plugin.register_plugin(DeepgramPlugin())\n\nclass STT(stt.STT): ...\n"
    )
    (folder / "log.py").write_text("from livekit.agents.log import logger\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    compat.uninstall()
    compat.install()
    from livekit.plugins import deepgram

    assert issubclass(deepgram.STT, agent_runtime.stt.STT)
    plugin = compat_plugins()[-1]
    assert (plugin.title, plugin.logger) == ("livekit.plugins.deepgram", logging.getLogger("livekit.agents"))
    compat_plugins().remove(plugin)


def test_what_our_part_of_a_plugin_lacks_comes_from_the_one_that_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / "livekit" / "plugins" / "openai"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise ImportError('it needs the inside of livekit-agents')\n")
    (folder / "models.py").write_text(
        "from livekit.agents.llm._realtime.openai_types import RealtimeModels as RealtimeModels\nVOICE = 'alloy'\n"
    )
    (folder / "stt.py").write_text("from livekit.agents import inference, stt\nclass STT(stt.STT): ...\n")
    (folder / "tts.py").write_text(
        "from livekit.agents import tts\nfrom .models import VOICE\nclass TTS(tts.TTS):\n    voice = VOICE\n"
    )
    (folder / "decision_model.py").write_text("class DecisionModel: ...\n")
    (folder / "responses").mkdir()
    (folder / "responses" / "__init__.py").write_text("class LLM: ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    compat.uninstall()
    compat.install()
    from livekit.plugins import openai
    from livekit.plugins.openai.llm import LLM

    from agent_runtime.providers.openai import LLM as ours

    assert openai.LLM is ours is LLM
    assert issubclass(openai.STT, agent_runtime.stt.STT)
    assert openai.TTS.voice == "alloy"
    assert openai.DecisionModel.__module__ == "livekit.plugins.openai.decision_model"
    assert openai.responses.LLM.__module__ == "livekit.plugins.openai.responses"


def compat_plugins():
    from agent_runtime.compat.plugin import Plugin

    return Plugin.registered_plugins


def test_installing_twice_and_uninstalling_leaves_no_trace():
    import livekit.agents  # noqa: F401 - what it leaves behind is the subject

    compat.install()
    compat.uninstall()
    assert not [name for name in sys.modules if name.startswith(("livekit.agents", "livekit.plugins"))]
    assert importlib.util.find_spec("livekit.agents") is None
    compat.uninstall()


def test_it_refuses_where_the_real_one_is_in_use(monkeypatch: pytest.MonkeyPatch):
    compat.uninstall()
    monkeypatch.setitem(sys.modules, "livekit.agents", ModuleType("livekit.agents"))
    with pytest.raises(ImportError, match="the real livekit-agents was imported in this process already"):
        compat.install()
    assert not compat.is_installed()


def test_installing_is_cheap():
    code = (
        "import sys; from agent_runtime import compat; compat.install(); import livekit.agents\n"
        "heavy = {'livekit.rtc', 'numpy', 'openai', 'textual', 'agent_runtime.voice', 'agent_runtime.llm'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_silero_takes_the_plugins_options():
    from livekit.plugins import silero

    detector = silero.VAD.load(
        min_speech_duration=0.1, min_silence_duration=0.6, activation_threshold=0.7, sample_rate=8000, force_cpu=False
    )
    assert isinstance(detector, agent_runtime.vad.VAD)
    options = detector.options
    assert (options.min_speech_duration, options.min_silence_duration, options.activation_threshold) == (0.1, 0.6, 0.7)
    assert silero.VAD.load().options.min_silence_duration == 0.3
    assert silero.VAD.load(padding_duration=0.2).options.prefix_padding_duration == 0.2
    with pytest.raises(ValueError, match=r"onnx_file_path is 'own\.onnx': only the bundled weights"):
        silero.VAD.load(onnx_file_path="own.onnx")


def test_run_app_runs_nothing_in_a_file_that_is_loaded(caplog):
    run = "from livekit.agents import AgentServer, cli\ncli.run_app(AgentServer())"
    with caplog.at_level(logging.INFO):
        exec(run, {"__name__": "shop"})
    assert "cli.run_app does nothing here" in caplog.text


async def test_a_job_request_is_answered():
    job = type("Job", (), {"id": "J1", "room": "room", "participant": None, "agent_name": "desk"})()
    answers: list[object] = []

    async def answered(what: object) -> None:
        answers.append(what)

    request = JobRequest(job=job, on_reject=answered, on_accept=answered)
    assert (request.id, request.room, request.publisher, request.agent_name) == ("J1", "room", None, "desk")
    await request.reject(terminate=False)
    await request.accept(name="Ada")
    rejected, accepted = answers
    assert rejected is False
    assert (accepted.name, accepted.identity) == ("Ada", "agent-J1")


async def test_the_job_of_the_present_code():
    assert get_job_context(required=False) is None
    with pytest.raises(RuntimeError, match="this code doesn't run in a job"):
        get_job_context()
    info = RunningJobInfo(JobAcceptArguments("", "agent", ""), agent.Job(), "", "", "", fake_job=True)
    room = rtc.Room()
    context = JobContext(proc=JobProcess(), info=info, room=room, on_connect=bool, on_shutdown=str)
    token = current_job.set(context)
    assert get_job_context() is context
    current_job.reset(token)
    context.proc.userdata["vad"] = 1
    assert context.proc.pid


@pytest.mark.parametrize("command", ["console", "start"])
def test_a_file_is_run_as_a_program(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import sys

    from agent_runtime import stand_ins
    from agent_runtime.compat.__main__ import main

    file = tmp_path / "theirs.py"
    file.write_text("import sys\nfrom livekit.agents import Agent\nprint(__name__, sys.argv[1:], Agent.__module__)\n")
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    monkeypatch.setattr(sys, "argv", ["-m", str(file), command])
    printed: list[str] = []
    monkeypatch.setattr("builtins.print", lambda *words: printed.append(" ".join(map(str, words))))
    try:
        main()
        assert stand_ins.are_allowed() == (command == "console")
    finally:
        stand_ins.allow(False)
    assert printed == [f"__main__ ['{command}'] agent_runtime.voice.agent"]
    monkeypatch.setattr(sys, "argv", ["-m", str(tmp_path / "gone.py"), command])
    with pytest.raises(SystemExit, match=r"usage: python -m agent_runtime\.compat FILE\.py"):
        main()
