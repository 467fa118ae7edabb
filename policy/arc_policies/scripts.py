"""What the text of a command would make: its calls, taken apart, with the files, manifests and templates they write."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise

from . import firewall_calls, shell
from .arc_chart import helm_subjects, is_arc_chart
from .arguments import SUBSCRIPTION, Arguments
from .cloud_calls import told
from .commands import (
    CHART_PROXY,
    CLIENT_VARIABLE,
    CLIENT_VARIABLES,
    CONFIGURATION,
    INTERCEPTORS,
    OPEN_TEXT,
    TEXT,
    UPDATE_PROXY,
    WORDS,
    Declared,
    az_rows,
    call_rows,
    cmdlet_rows,
    driver_subjects,
    groups_of,
    script_text,
    template_file,
)
from .manifests import manifests
from .reading import UNKNOWN, Node, Value, from_json
from .shell import OPEN, Call
from .templates import DEPLOYMENT, OPEN_TEMPLATE, bicep_subjects
from .tokens import Count, Subject, kubernetes_token

_HELM_SETS = frozenset({"--set", "--set-string"})
_CONTAINER_PROGRAMS = frozenset({"docker", "podman", "nerdctl", "kubectl", "helm", "oc"})
_STARTS = frozenset({"run", "create", "install", "upgrade", "set"})
_TOOL_RUNNERS = frozenset({"uvx", "uv", "pipx", "nix", "nix-shell", "npx", "poetry", "brew", "snap"})
_SERVICE_RUNNERS = frozenset({"systemctl", "service", "rc-service"})
_STARTING = frozenset({"start", "restart", "enable", "reenable"})
#: Programs that run a script in another language from their words or their input.
_LANGUAGES = re.compile(r"python[\d.]*|node|perl|ruby|php")
_INTERCEPTOR_MODULE = re.compile(r"-m mitmproxy\b")
_RUNS_INSIDE = frozenset({"run", "exec", "create", "debug", "compose"})
_APPLIERS = frozenset({"kubectl", "oc"})
_APPLIES = frozenset({"apply", "create", "replace"})
_FROM_FILE = frozenset({"-f", "--filename"})
_SCRIPT_ON_STDIN = re.compile(r"\s*(?:ba|da|z)?sh(?:\s+-s)?\s*")


_NOTHING = Node(None)


def command_subjects(node: Node, *, powershell: bool = False) -> list[Subject]:
    """What a command's create, update and delete would make, and what the driver's settings in its environment say."""
    environment = node.get("environment")
    found = driver_subjects(environment)
    named = [(str(child.path[-1]), child) for child in environment.children()]
    named += [
        (one.get("name").text, one.field("value", "secureValue")) for one in node.field("environmentVariables").each()
    ]
    variables = {name: OPEN if child.open else child.text for name, child in named}
    for text in (node.get("create"), node.get("update"), node.get("delete"), node.field("scriptContent")):
        if text.open:
            found.append(Subject(OPEN_TEXT, text))
        elif text.text:
            found += _text_subjects(text, node, variables, powershell)
    return found


def script_subjects(text: str, place: Node, *, powershell: bool = False) -> list[Subject]:
    """What a script, found in this place, would make."""
    return words_subjects(["pwsh" if powershell else "sh", "-c", text], place, {})


def words_subjects(
    words: list[str],
    place: Node,
    variables: Mapping[str, str],
    stdin: str = "",
    environment: Node = _NOTHING,
) -> list[Subject]:
    """What running these words would make; text that cannot be taken apart stays text.

    Args:
        words: a program, which may be a shell, and its words.
        place: the property that they are found in.
        variables: what is known of their environment.
        stdin: their input.
        environment: the property that gives these variables, where they are judged.
    """
    try:
        return _calls_subjects(shell.run(words, variables, stdin), place, variables, environment)
    except shell.UnreadableError:
        return [Subject(TEXT, Node(" ".join(words), place.path))]


def _text_subjects(text: Node, node: Node, variables: Mapping[str, str], powershell: bool) -> list[Subject]:
    interpreter = [OPEN if word.open else word.text for word in node.get("interpreter").each()]
    stdin, environment = node.get("stdin").text, node.get("environment")
    if not interpreter:
        program = "pwsh" if powershell else "sh"
        found = words_subjects([program, "-c", text.text], text, variables, stdin, environment)
        if _SCRIPT_ON_STDIN.fullmatch(text.text):
            found += words_subjects(["sh", "-c", stdin], text, variables, "", environment)
        return found
    subjects = words_subjects([*interpreter, text.text], text, variables, stdin, environment)
    foreign = shell.program_name(interpreter[0]) not in shell.SHELLS | shell.POWERSHELLS | shell.CMD
    return [*subjects, Subject(TEXT, text)] if foreign and not subjects else subjects


def _calls_subjects(made: list[Call], place: Node, variables: Mapping[str, str], environment: Node) -> list[Subject]:
    files = {name: content for call in made for name, content in call.written.items()}
    subjects = [subject for call in _in_subscriptions(made) for subject in _call_subjects(call, place, files)]
    for call in made:
        subjects += (*_client_variables(call, place, environment), *told(call, place, variables))
    subjects += [*firewall_calls.firewall_cmdlets(made, place), *firewall_calls.hosts_lines(made, place)]
    applies = any(call.program in _APPLIERS and _APPLIES.intersection(call.arguments[:3]) for call in made)
    for name, content in files.items():
        # A manifest that is applied is judged as what it makes.
        if not (applies and manifests(content)):
            subjects.append(_configuration(content, place))
        if name.endswith((".sh", ".bash")) or content.startswith("#!"):
            subjects += script_subjects(content, place)
        elif name.endswith(".ps1"):
            subjects += script_subjects(content, place, powershell=True)
    return subjects


def _configuration(text: str, place: Node) -> Subject:
    return Subject(CONFIGURATION, Node(text, place.path), place.path, "writes configuration that")


def _call_subjects(call: Call, text: Node, files: Mapping[str, str]) -> list[Subject]:
    if call.program == "az":
        return _az_subjects(call, text, files)
    if OPEN in call.program:
        return _rows_subjects(az_rows(call.arguments), call, text)
    template = template_file(call.program, call.arguments)
    if template is not None:
        return _template_subjects(template, text, files)
    if call.program in _CONTAINER_PROGRAMS:
        return _contained(call, text, files)
    if call.program.startswith("python") and _INTERCEPTOR_MODULE.match(" ".join(call.arguments)):
        call = Call("mitmproxy", call.arguments[2:], call.variables)
    if call.program in INTERCEPTORS or _runs_interceptor(call):
        return [_words(call, text)]
    if _LANGUAGES.fullmatch(call.program):
        return [Subject(TEXT, Node(script, text.path)) for script in (call.stdin, *call.arguments) if " " in script]
    return _rows_subjects(call_rows(call.program, call.arguments), call, text)


def _az_subjects(call: Call, text: Node, files: Mapping[str, str]) -> list[Subject]:
    if {"--help", "-h"}.intersection(call.arguments):
        return []
    if OPEN in " ".join(groups_of(call.arguments).split()[:3]):
        return [Subject(OPEN_TEXT, text)]
    template = template_file(call.program, call.arguments)
    if template is not None:
        return _template_subjects(template, text, files, call.stdin)
    script = script_text(call.arguments)
    return script_subjects(script, text) if script else _rows_subjects(az_rows(call.arguments), call, text)


def _rows_subjects(rows: list[Declared], call: Call, text: Node) -> list[Subject]:
    count = Count(1, None) if call.repeated else Count()
    return [Subject(token, Node(body), text.path, f"runs `{what}`, which", count=count) for token, body, what in rows]


def _template_subjects(given: Value, text: Node, files: Mapping[str, str], stdin: str = "") -> list[Subject]:
    """What a deployment makes of a template file, where the same command writes that file."""
    name = given if isinstance(given, str) else ""
    content = stdin if name in {"/dev/stdin", "-"} else next((files[f] for f in files if _same_file(f, name)), "")
    template = from_json(content) if content else UNKNOWN
    if isinstance(template, dict):
        return [Subject(DEPLOYMENT, Node({"template": template}), text.path)]
    return bicep_subjects(content, text.path) if content else [Subject(OPEN_TEMPLATE, text)]


def _same_file(one: str, other: str) -> bool:
    return one.removeprefix("./") == other.removeprefix("./")


def _contained(call: Call, text: Node, files: Mapping[str, str]) -> list[Subject]:
    """What a call of docker, kubectl or helm makes: the program run inside, manifests, values."""
    words = [word for word in call.arguments if not word.startswith("-")]
    verbs = set(words[:2])
    found: list[Subject] = []
    if verbs & _RUNS_INSIDE:
        found += _inside(call, text)
    if call.program in _APPLIERS and verbs & _APPLIES:
        named = {call.arguments[i + 1] for i, word in enumerate(call.arguments[:-1]) if word in _FROM_FILE}
        named |= {word.partition("=")[2] for word in call.arguments if word.startswith("--filename=")}
        named |= {word[2:] for word in call.arguments if word.startswith("-f") and len(word) > 2}
        texts = [content for name, content in files.items() if any(_same_file(name, one) for one in named)]
        applied = [one for content in [call.stdin, *texts] for one in manifests(content)]
        found += [_manifest(one, text) for one in applied]
        if call.stdin and not applied:
            found.append(_configuration(call.stdin, text))
    elif call.stdin:
        found.append(_configuration(call.stdin, text))
    if not verbs & _STARTS:
        return found
    installs = helm_subjects(call.arguments, text.path) if call.program == "helm" else ()
    return [*found, _words(call, text), *_chart_settings(call, text), *installs]


def _manifest(document: Value, text: Node) -> Subject:
    node = Node(document)
    token = kubernetes_token(node.get("apiVersion").text, node.get("kind").text)
    return Subject(token, node, text.path, "applies a manifest, which")


def _inside(call: Call, text: Node) -> list[Subject]:
    """What a program that is run in a container makes; `--entrypoint az` has the image between it and its words."""
    words = [word.removeprefix("--entrypoint=") for word in call.arguments]
    starts = {"az"} | shell.SHELLS | shell.POWERSHELLS
    at = next((i for i, word in enumerate(words) if shell.program_name(word) in starts), None)
    if at is None:
        return []
    inner = words[at + 1 :]
    if call.arguments[at].startswith("--entrypoint=") or (at and words[at - 1] == "--entrypoint"):
        image = next((i for i, word in enumerate(inner) if not word.startswith("-")), len(inner))
        inner = inner[image + 1 :]
    return words_subjects([words[at], *inner], text, call.variables, call.stdin)


def _runs_interceptor(call: Call) -> bool:
    """Whether a runner of Python tools, such as `uvx`, or of services is to run an interceptor."""
    words = [word.partition("@")[0].partition("==")[0] for word in call.arguments if word[:1] != "-"]
    if call.program in _SERVICE_RUNNERS:
        return bool(INTERCEPTORS.intersection(w.removesuffix(".service") for w in words) and _STARTING & set(words))
    return call.program in _TOOL_RUNNERS and bool(INTERCEPTORS.intersection(words[:3])) and "install" not in words[:2]


def _words(call: Call, text: Node) -> Subject:
    words: list[Value] = [call.program, *call.arguments]
    return Subject(WORDS, Node(words), text.path, f"runs `{call.program}`, which")


#: What sets the subscription of the calls after it: `az account set` and PowerShell's twins.
_CONTEXTS = frozenset({"set-azcontext", "select-azcontext", "select-azsubscription"})
_CONTEXT_NAMES = ("SubscriptionId", "Subscription", "SubscriptionName")


def _in_subscriptions(made: list[Call]) -> Iterator[Call]:
    """The calls, each told the subscription that one before it has set; the words are the call's own first."""
    current: Value = None
    for call in made:
        words = Arguments(call.program, call.arguments)
        if call.program == "az" and groups_of(call.arguments) == "account set":
            current = words.value(SUBSCRIPTION, ("--name", "--n"), ("-s", "-s"), ("-n", "-n"))
        elif call.program in _CONTEXTS:
            current = next((v for n in _CONTEXT_NAMES if (v := words.parameter(n)) is not None), UNKNOWN)
        else:
            yield call if current is None else replace(call, arguments=_told(call, current))


def _told(call: Call, subscription: Value) -> tuple[str, ...]:
    value = subscription if isinstance(subscription, str) else OPEN
    if call.program == "az":
        return (f"--subscription={value}", *call.arguments)
    return (*call.arguments, f"-SubscriptionId:{value}") if "-az" in call.program else call.arguments


def _chart_settings(call: Call, text: Node) -> list[Subject]:
    """The proxy settings that a call of helm gives to Arc's own chart, by `--set` and its like."""
    if call.program != "helm" or not any(map(is_arc_chart, call.arguments)):
        return []
    values: dict[str, Value] = {}
    for before, word in pairwise(("", *call.arguments)):
        option, equals, given = word.partition("=")
        given = word if before in _HELM_SETS else given if equals and option in _HELM_SETS else ""
        for pair in re.split(r"(?<!\\),", given):
            key, equals, value = pair.partition("=")
            if equals:
                values[key.strip().removeprefix("global.")] = UNKNOWN if value.strip() == OPEN else value
    keeps = any(word.startswith(("--reuse-values", "--reset-then-reuse-values")) for word in call.arguments)
    token = UPDATE_PROXY if keeps else CHART_PROXY
    return [Subject(token, Node(values), text.path, "runs `helm` with Arc's chart, which")]


def _client_variables(call: Call, text: Node, environment: Node) -> list[Subject]:
    """The proxy variables that a call of Arc's own commands runs with, each at the place that sets it."""
    if not cmdlet_rows(call.program) and not (
        call.program == "az" and re.match(r"(?:connectedk8s|arcgateway)\b", groups_of(call.arguments))
    ):
        return []
    found: list[Subject] = []
    for name in CLIENT_VARIABLES:
        value = call.variables.get(name)
        if value is None:
            continue
        given = environment.get(name)
        outside = given.path[-1] == name and value == (OPEN if given.open else given.text)
        place = given if outside else Node(UNKNOWN if value.strip() == OPEN else value, text.path)
        form = "" if outside else f"runs a client of Arc with {name}, which"
        found.append(Subject(f"{CLIENT_VARIABLE}{name.lower()}", place, None, form))
    return found
