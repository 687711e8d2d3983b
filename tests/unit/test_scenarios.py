"""Scenario files: read, run in virtual time, and reported."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from agent_console.arguments import run_arguments
from agent_runtime.agent_loader import LoadedAgent, load_agent, parse_target
from agent_runtime.bundle.schemas import schema_text
from agent_runtime.errors import AgentConsoleError, ScenarioError
from agent_runtime.evals import RunOptions, ScenarioResult, load_scenarios, run_scenario
from agent_runtime.settings import Settings

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "scenarios" / "weather.yaml"
AGENT = '''
from agent_runtime import Agent, function_tool


class Desk(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Take orders.")

    @function_tool
    async def look_up(self, number: str, kind: str = "any") -> str:
        """Look up."""
        return f"order {number} is ready"

    @function_tool
    async def boss(self):
        """Get the boss."""
        return Boss()


class Boss(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Decide.", id="the_boss")
'''


@pytest.fixture
def agent(tmp_path: Path) -> LoadedAgent:
    file = tmp_path / "desk.py"
    file.write_text(AGENT)
    return load_agent(parse_target(f"{file}:Desk"))


def write(folder: Path, text: str) -> Path:
    file = folder / "some.yaml"
    file.write_text(text)
    return file


def run(folder: Path, agent: LoadedAgent, steps: str, answers: str, rest: str = "") -> ScenarioResult:
    file = write(folder, f"scenarios: [{{name: one, answers: {answers}, steps: {steps}{rest}}}]")
    [scenario] = load_scenarios(file).scenarios
    return run_scenario(scenario, agent, RunOptions(Settings.from_sources(())), file="some.yaml")


CALL = "[{tool: look_up, arguments: {number: '7', kind: Big}}, It is ready.]"


@pytest.mark.parametrize(
    ("expected", "problem"),
    [
        ("{tool: look_up}", ""),
        ("{tool: look_up, arguments: {kind: big}}", ""),
        ("{tool: look_up, arguments: {kind: small}}", "called were look_up"),
        ("{tool: look_up, arguments: {colour: red}}", "called were look_up"),
        ("{tool: boss}", "called were look_up"),
        ("{no_tool: boss}", ""),
        ("{no_tool: look_up}", "look_up was called"),
        ("{no_tool: any}", "look_up was called"),
        ("{text: is READY}", ""),
        ("{text: is late}", "the agent said 'It is ready.'"),
        ("{regex: '^It .*y.$'}", ""),
        ("{regex: '^is'}", "the agent said"),
        ("{latency: 60}", ""),
        ("{latency: 0.0001}", "it took"),
        ("{handoff: Boss}", "no agent took over"),
        ("{interrupted: false}", ""),
        ("{interrupted: true}", "it was not cut short"),
        ("{intent: says it is ready}", "nothing can judge it"),
    ],
)
def test_what_is_expected_is_held_against_the_answer(
    tmp_path: Path, agent: LoadedAgent, expected: str, problem: str
) -> None:
    result = run(tmp_path, agent, f"[{{say: Where is order 7}}, {{expect: {expected}}}]", CALL)
    assert not result.problem
    [check] = result.checks
    assert check.passed == (not problem) == result.passed
    assert problem in check.problem


def test_a_handoff_is_known_by_class_and_by_id(tmp_path: Path, agent: LoadedAgent) -> None:
    steps = "[{say: The boss!}, {expect: {handoff: Boss}}, {expect: {handoff: the_boss}}, {expect: {handoff: Desk}}]"
    result = run(tmp_path, agent, steps, "[{tool: boss}, Yes.]")
    assert [check.passed for check in result.checks] == [True, True, False]


@pytest.mark.parametrize(
    ("mock", "output"),
    [
        ("It is lost.", "tool: It is lost."),
        ("{error: The shop is closed.}", "tool: failed: The shop is closed."),
        ("{delay: 20}", "tool: order 7 is ready"),
    ],
)
def test_a_tool_is_stood_in_for(tmp_path: Path, agent: LoadedAgent, mock: str, output: str) -> None:
    steps = "[{say: Where is order 7}, {expect: {tool: look_up}}]"
    result = run(tmp_path, agent, steps, CALL, f", tools: {{look_up: {mock}}}")
    assert result.passed
    assert output in result.transcript


def test_a_stand_in_for_a_tool_that_nobody_has_is_a_mistake(tmp_path: Path, agent: LoadedAgent) -> None:
    result = run(tmp_path, agent, "[{say: Hi}]", "[Hello]", ", tools: {lok_up: Gone}")
    assert result.problem == "tools: the agent has no tool 'lok_up' to stand in for; it has boss, look_up"


def test_an_agent_that_is_not_there_is_named_with_the_line_of_the_scenario_file(tmp_path: Path) -> None:
    file = write(tmp_path, "judge: openai\nagent: nobody.py\nscenarios: [{name: one, steps: [{say: Hi}]}]")
    with pytest.raises(ScenarioError, match=r"some.yaml:2: agent: there is no file .*nobody.py"):
        run_arguments(["test", str(file)])


def test_a_tool_of_whoever_takes_over_may_be_stood_in_for(tmp_path: Path) -> None:
    file = tmp_path / "desk.py"
    file.write_text(
        AGENT.replace('id="the_boss")', 'id="the_boss", tools=[sign])').replace(
            "class Desk",
            '@function_tool\nasync def sign() -> str:\n    """Sign."""\n    return "signed"\n\n\nclass Desk',
        )
    )
    desk = load_agent(parse_target(f"{file}:Desk"))
    answers = "[{tool: boss}, {tool: sign}, Fine]"
    steps = "[{say: The boss please}, {say: Sign this}, {expect: {tool: sign}}]"
    assert run(tmp_path, desk, steps, answers, ", tools: {sign: Not now}").problems == []


def test_a_duplex_model_takes_no_text(tmp_path: Path) -> None:
    file = tmp_path / "desk.py"
    file.write_text(
        "from agent_runtime import Agent\n"
        "from tests.support.duplex import FakeDuplexModel\n"
        "class Desk(Agent):\n"
        "    def __init__(self):\n"
        "        super().__init__(instructions='Talk.', llm=FakeDuplexModel())\n"
    )
    desk = load_agent(parse_target(f"{file}:Desk"))
    result = run(tmp_path, desk, "[say: hi]", "[]")
    assert result.problem.startswith("tests.support.duplex.FakeDuplexModel is a duplex model")
    assert "--by speech" in result.problem


@pytest.mark.parametrize("when", ["after: 0.6", "after_words: 4"])
def test_the_user_cuts_in(tmp_path: Path, agent: LoadedAgent, when: str) -> None:
    steps = f"[{{say: Count}}, {{interrupt: {{{when}, say: Stop}}}}, {{expect: {{interrupted: true, text: Fine}}}}]"
    result = run(tmp_path, agent, steps, "[One two three four five six seven eight nine ten eleven, Fine.]")
    assert result.problems == []
    [cut] = [line for line in result.transcript if line.endswith(" —")]
    assert cut.startswith("agent: One")
    assert "eleven" not in cut
    assert result.transcript[-2:] == ["user: Stop", "agent: Fine."]


def test_an_agent_that_takes_too_long_fails_the_scenario_and_no_more(tmp_path: Path, agent: LoadedAgent) -> None:
    result = run(tmp_path, agent, "[{say: Hi}, {wait: 3}]", CALL, ", patience: 5, tools: {look_up: {delay: 60}}")
    assert not result.passed
    assert result.problem == "there was no answer within 5 s"


@pytest.mark.parametrize(
    ("text", "where", "problem"),
    [
        ("scenarios:\n  - name: a\n    steps: [{say: x, wait: 1}]\n", ":3: scenarios.0.steps.0", "a step has one of"),
        ("scenarios:\n  - name: a\n    colour: x\n    steps: [{say: x}]\n", ":3: scenarios.0.colour", "no such field"),
        ("scenarios:\n  - steps: [{say: x}]\n", ":2: scenarios.0.name", "required"),
        ("scenarios:\n  - name: a\n    steps:\n    - say: x\n    - expect: {regex: '('}\n", ":5: ", "no regular"),
        ("scenarios:\n  - name: a\n    steps:\n    - expect: {arguments: {}}\n", ":4: ", "name it too"),
        ("scenarios:\n  - name: a\n    steps: [{interrupt: {say: x, after: 1}}]\n", ":2: ", "right after the say"),
        ("judge: embedded\nscenarios: [{name: a, steps: [{say: x}]}]\n", ":1: judge", "too small"),
        ("scenarios: [{name: a, steps: [{say: x}]}, {name: a, steps: [{say: x}]}]\n", ":1: scenarios", "are called"),
        ("scenarios:\n  - name: [\n", ":3", "no YAML"),
        ("just words\n", ":1", "begin with `scenarios:`"),
    ],
)
def test_an_error_names_file_line_and_field(tmp_path: Path, text: str, where: str, problem: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(ScenarioError) as caught:
        load_scenarios(file)
    assert str(caught.value).startswith(f"{file}{where}")
    assert problem in str(caught.value)


def scripted(folder: Path, wanted: str) -> Path:
    (folder / "desk.py").write_text(AGENT)
    scenario = {"name": "it <greets>", "answers": ["Hi!"], "steps": [{"say": "Hello"}, {"expect": {"text": wanted}}]}
    return write(folder, yaml.safe_dump({"agent": "desk.py:Desk", "scenarios": [scenario]}))


@pytest.mark.parametrize(("wanted", "code"), [("hi", 0), ("bye", 1)])
def test_the_command_reports(tmp_path: Path, wanted: str, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    scripted(tmp_path, wanted)
    junit, report = tmp_path / "junit.xml", tmp_path / "report.json"
    assert run_arguments(["test", str(tmp_path), "--junit", str(junit), "--json", str(report)]) == code
    assert f"{1 - code} of 1 scenarios passed" in capsys.readouterr().out
    [suite] = ElementTree.parse(junit).getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("1", str(code), "0")
    [case] = suite
    assert case.get("name") == "it <greets>"
    assert len(case.findall("failure")) == code
    told = json.loads(report.read_text())
    assert told["passed"] == (code == 0)
    assert told["scenarios"][0]["transcript"] == ["user: Hello", "agent: Hi!"]


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (["--turn", "1"], "--turn is for a bundle"),
        (["--junit", "nowhere/x.xml"], "there is no folder"),
        (["--by", "dance"], "dance"),
    ],
)
def test_a_flag_that_can_not_be_used_is_refused(tmp_path: Path, flags: list[str], problem: str) -> None:
    with pytest.raises(AgentConsoleError, match=problem):
        run_arguments(["test", str(scripted(tmp_path, "hi")), *flags])


def test_the_example_fits_the_published_schema_and_its_scripted_part_passes() -> None:
    file = load_scenarios(EXAMPLE)
    known = json.loads(schema_text("scenario"))["$defs"]["Scenario"]["properties"]
    written = yaml.safe_load(EXAMPLE.read_text())["scenarios"]
    assert {field for scenario in written for field in scenario} <= set(known)
    loaded = load_agent(parse_target(str(EXAMPLE.parent / (file.agent or ""))))
    [scenario] = [scenario for scenario in file.scenarios if scenario.answers is not None]
    result = run_scenario(scenario, loaded, RunOptions(Settings.from_sources(())))
    assert result.problems == []
    assert result.checks


def test_what_happens_is_printed_as_lines_of_json(tmp_path, capsys, agent):
    steps = "[{say: hi}, {expect: {text: ready, latency: 0.001}}]"
    scenarios = f"[{{name: one, answers: {CALL}, steps: {steps}}}, {{name: two, steps: {steps}}}]"
    text = f"agent: desk.py:Desk\nscenarios: {scenarios}"
    file = write(tmp_path, text)
    assert run_arguments(["test", str(file), "--lines", "--only", "one"]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["type"] for line in lines] == ["begins", *["said"] * 4, "answered", "checked", "checked", "ends"]
    assert lines[0] == {"type": "begins", "file": str(file), "name": "one"}
    answered, ready, late, ends = lines[-4:]
    assert answered["step"] == 1
    assert answered["latency"] > 0.001
    assert ready == {"type": "checked", "step": 2, "what": "text 'ready'", "problem": ""}
    assert late["problem"] == f"it took {answered['latency']:.2f} s"
    assert (ends["passed"], ends["problem"]) == (False, "")


def test_a_name_that_no_scenario_has_is_refused(tmp_path):
    file = write(tmp_path, "agent: desk.py\nscenarios: [{name: one, steps: [{say: hi}]}]")
    with pytest.raises(ScenarioError, match="there is no scenario 'two'"):
        run_arguments(["test", str(file), "--only", "two"])
