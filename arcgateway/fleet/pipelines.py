"""What engines that exist need to deploy a fleet: their files, made of a fleet's stacks.

All engines run the same few commands (`COMMANDS`), and all of them with the policy pack: `PULUMI_OPTION_POLICY_PACK` is
to every `pulumi` what `--policy-pack` is to one, also to those that an engine starts by itself.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from string import Template
from textwrap import indent
from typing import Any

from arcgateway.errors import Failure
from arcgateway.fleet.partition import FleetStack

#: The engine's version where a pipeline installs it: the one that the tool chain pins.
PULUMI = "3.274.1"

#: What a runner needs besides Python: found on its PATH, fetched or built, in the versions that this project pins.
TOOLS = (".venv", "pulumi", "pulumi-language-python", "kubectl", "helm")

#: The Azure CLI's extension, as preparing has it; the oldest version that will do is checked by the driver.
EXTENSION = "az extension add --name connectedk8s --upgrade --yes --only-show-errors"

PREPARE = (f"python3 -m toolchain --only {' '.join(TOOLS)}", EXTENSION)

#: The same where the runner's image has the rest.
_ENVIRONMENT_ONLY = "python3 -m toolchain --only .venv"

_PROGRAM = ".venv/bin/arcgateway"

#: What pipelines do with a fleet's file, by name; `{file}`, `{ring}` and `{stack}` are filled in.
COMMANDS: Mapping[str, str] = {
    "identity": f"{_PROGRAM} identity",
    "plan": f"{_PROGRAM} fleet plan {{file}}",
    "plan_stack": f"{_PROGRAM} fleet plan {{file}} --stack {{stack}}",
    "up": f"{_PROGRAM} fleet up {{file}} --ring {{ring}}",
    "drift": f"{_PROGRAM} fleet drift {{file}}",
}

#: Actions by the commit of a release, as a tag can be moved.
ACTIONS: Mapping[str, str] = {
    "checkout": "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1",
    "setup_python": "actions/setup-python@5fda3b95a4ea91299a34e894583c3862153e4b97 # v7.0.0",
    "pulumi": "pulumi/actions@8e5e406f4007fca908480587cb9893c07090f58d # v7.0.0",
    "azure_login": "azure/login@858f4093d287a904987dfd22abd163280f939550 # v3.0.1",
    "upload_artifact": "actions/upload-artifact@bbbca2ddaa5d8feaa63e36b76fdaad77386f024f # v7.0.0",
    "download_artifact": "actions/download-artifact@3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c # v8.0.1",
}

NAMESPACE = "arc-gateway"

#: What a job of a matrix may count on GitHub.
_LARGEST_MATRIX = 256


@dataclass(frozen=True)
class Subject:
    """What a pipeline is made for.

    Attributes:
        file: the fleet's file, relative to the repository's root.
        name: the fleet's name.
        organization, project: where its stacks are in the backend.
        rings: their names, in order.
        stacks: the fleet's stacks.
        branch: the branch that is deployed.
        image: the container image that runs it, where the engine takes one.
        runner: which runners take its jobs; empty for the engine's default.
        repository: where the engine itself fetches the program: an https address of git, or OWNER/NAME on GitHub.
        connection: the service connection to Azure (Azure Pipelines).
        namespace: of its objects (the operator).
        client_id, tenant_id, subscription_id: the application that is trusted to deploy, its tenant, and the
            subscription of what says none (Deployments; elsewhere they are the pipeline's variables).
    """

    file: str
    name: str
    organization: str
    project: str
    rings: tuple[str, ...]
    stacks: tuple[FleetStack, ...]
    branch: str = "main"
    image: str = ""
    runner: str = ""
    repository: str = ""
    connection: str = "azure"
    namespace: str = "arc-fleet"
    client_id: str = ""
    tenant_id: str = ""
    subscription_id: str = ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """The environment variables that hold the stacks' secrets."""
        return tuple(sorted({name for stack in self.stacks for name in stack.secrets.values()}))

    def command(self, name: str, **values: str) -> str:
        """One of the commands, for a POSIX shell."""
        return COMMANDS[name].format(file=shlex.quote(self.file), **values)

    def kept(self, name: str, **values: str) -> str:
        """One of the commands, run once all who write are seen to be one, and with a token that is kept fresh."""
        return f"{self.command('identity')} -- {self.command(name, **values)}"

    def branch_of(self, ring: str) -> str:
        """The branch that a ring follows on engines that know no order: the first ring and gateways the deployed one.

        The branch of a later ring is moved on once the ring before has shown that it is well.
        """
        return self.branch if ring in ("", *self.rings[:1]) else f"fleet/{ring}"

    def full(self, stack: str) -> str:
        """A stack's full name, as backends and engines take it."""
        return f"{self.organization}/{self.project}/{stack}"


@dataclass(frozen=True)
class Form:
    """What a value has to look like: a regular expression, and what it means in words."""

    pattern: str
    words: str


@dataclass(frozen=True)
class Engine:
    """One kind of engine.

    Attributes:
        title: what people call it.
        make: makes its files, by path below the folder of the output.
        needs: attributes of the subject that may not be empty.
        forms: what attributes have to look like.
    """

    title: str
    make: Callable[[Subject], Mapping[str, str]]
    needs: tuple[str, ...] = ()
    forms: Mapping[str, Form] = field(default_factory=dict)


def files(engine: str, subject: Subject) -> dict[str, str]:
    """An engine's files.

    Args:
        engine: a key of `ENGINES`.
        subject: the fleet, and where it is deployed from.

    Returns:
        The texts, by path below the folder of the output.

    Raises:
        Failure: something is missing that this engine needs, or the fleet does not fit it.
    """
    kind = ENGINES[engine]
    missing = [f"--{name.replace('_', '-')}" for name in kind.needs if not getattr(subject, name)]
    if missing:
        raise Failure(f"{kind.title} needs {', '.join(missing)}", "docs/pipelines.md says what each engine takes")
    for name, form in kind.forms.items():
        if not re.fullmatch(form.pattern, getattr(subject, name)):
            raise Failure(f"--{name} {getattr(subject, name)!r} is not what {kind.title} takes", f"give {form.words}")
    if not subject.stacks:
        raise Failure(f"the fleet {subject.name} has no stacks", "add a gateway and clusters to its file")
    made = dict(kind.make(subject))
    return {path: made[path] for path in sorted(made)}


class _Form(Template):
    """A text in which only `@{name}` is filled in, as `$` and `{{` belong to the engines."""

    delimiter = "@"
    pattern = r"@\{(?P<braced>[a-z_]+)\}|(?P<escaped>(?!))|(?P<named>(?!))|(?P<invalid>(?!))"  # type: ignore[assignment]


def _filled(template: str, **values: str) -> str:
    text = resources.files("arcgateway.fleet").joinpath("templates", template).read_text(encoding="utf-8")
    return _Form(text).substitute(values)


def _header(subject: Subject, engine: str) -> str:
    return "\n".join(
        (
            f"# The fleet {subject.name} on {ENGINES[engine].title}: docs/pipelines.md. Made by",
            f"#   arcgateway fleet pipeline {shlex.quote(subject.file)} --engine {engine} --output DIR",
            "# Make it anew when the rings or stacks change; with --check the same command tells whether they have.",
        )
    )


def _scalar(value: str) -> str:
    """A text in YAML, quoted as JSON where that is needed."""
    return value if re.fullmatch(r"[A-Za-z][\w./-]*", value) and value.lower() not in _WORDS else json.dumps(value)


_WORDS = ("true", "false", "yes", "no", "on", "off", "null", "y", "n")


def _job(word: str, name: str) -> str:
    """A name for a job or a stage, of letters, digits, `-` and `_`."""
    return f"{word}-{re.sub(r'[^A-Za-z0-9_-]', '-', name)}"


def _lines(lines: Iterable[str], lead: str) -> str:
    return "\n".join(f"{lead}{line}" for line in lines)


def _named(secrets: Sequence[str]) -> str:
    return f", and {', '.join(secrets)}" if secrets else ""


def _distinct(subject: Subject, word: str) -> dict[str, str]:
    """A job's name for each ring.

    Raises:
        Failure: two rings would have the same.
    """
    jobs = {ring: _job(word, ring) for ring in subject.rings}
    if len(set(jobs.values())) < len(jobs):
        raise Failure(
            f"names of rings differ in more than letters, digits, `-` and `_`: {', '.join(jobs)}",
            "name them so that they differ in these",
        )
    return jobs


def _up(subject: Subject, ring: str) -> str:
    return subject.kept("up", ring=shlex.quote(ring))


def _gitlab(subject: Subject) -> Mapping[str, str]:
    jobs = _distinct(subject, "up")
    rings = "".join(
        _filled(
            "gitlab-ring.yaml",
            job=job,
            group=_job("fleet", subject.name),
            environment=_scalar(f"{subject.name}/{ring}"),
            up=_up(subject, ring),
        )
        for ring, job in jobs.items()
    )
    search = 'export PATH="$PWD/.local/toolchain/bin:$PATH"'
    prepare = (PREPARE[0], search, PREPARE[1])
    text = _filled(
        "gitlab.yaml",
        header=_header(subject, "gitlab"),
        variables_note=_named(subject.secrets),
        branch=json.dumps(subject.branch),
        stages=json.dumps(["plan", *jobs.values(), "drift"]),
        image=json.dumps(subject.image),
        prepare=_lines(prepare, "    - "),
        plan=subject.kept("plan"),
        drift=subject.kept("drift"),
        rings=rings,
    )
    return {".gitlab-ci.yml": text}


def _github(subject: Subject) -> Mapping[str, str]:
    if len(subject.stacks) > _LARGEST_MATRIX:
        raise Failure(
            f"the fleet has {len(subject.stacks)} stacks, and a matrix of GitHub at most {_LARGEST_MATRIX} jobs",
            "let stacks be larger (`stackSize` in the fleet's file), or split the fleet's file",
        )
    runner = _scalar(subject.runner or "ubuntu-24.04")
    prepare = _lines(PREPARE, " " * 10)
    steps = _filled("github-steps.yaml", prepare=prepare, pulumi_version=PULUMI, **ACTIONS).rstrip("\n")
    jobs = _distinct(subject, "up")
    merged = "github.event_name == 'push' || github.event_name == 'workflow_dispatch'"
    rings = "".join(
        _filled(
            "github-ring.yaml",
            job=job,
            needs=f"    needs: {before}\n" if before else "",
            condition=merged if not before else "success()",
            environment=_scalar(f"{subject.name}-{ring}"),
            runner=runner,
            steps=steps,
            up=_up(subject, ring),
        )
        for before, (ring, job) in zip(("", *jobs.values()), jobs.items(), strict=False)
    )
    secrets = _lines((f"{name}: ${{{{ secrets.{name} }}}}" for name in _BACKEND_SECRETS + subject.secrets), "  ")
    text = _filled(
        "github.yaml",
        header=_header(subject, "github"),
        secrets_note=_named(_BACKEND_SECRETS + subject.secrets),
        branch=_scalar(subject.branch),
        group=_job("fleet", subject.name),
        secrets=secrets,
        stacks=json.dumps([stack.name for stack in subject.stacks]),
        runner=runner,
        steps=steps,
        plan_stack=subject.kept("plan_stack", stack='"$STACK"'),
        drift=subject.kept("drift"),
        rings=rings,
        **ACTIONS,
    )
    return {".github/workflows/fleet.yaml": text}


#: What the state's backend may ask for; one that is not set is empty.
_BACKEND_SECRETS = ("PULUMI_ACCESS_TOKEN", "PULUMI_CONFIG_PASSPHRASE")


def _azure(subject: Subject) -> Mapping[str, str]:
    jobs = {ring: re.sub(r"-", "_", job) for ring, job in _distinct(subject, "up").items()}

    def steps(title: str, command: str, lead: int) -> str:
        script = (*PREPARE, command)
        secrets = _lines((f"{name}: $({name})" for name in _BACKEND_SECRETS + subject.secrets), "    ")
        text = _filled(
            "azure-steps.yaml",
            title=_scalar(title),
            script=_lines(script, " " * 6),
            pulumi_version=_scalar(PULUMI),
            project=_scalar(subject.project),
            secrets=secrets,
        )
        return indent(text.rstrip("\n"), " " * lead)

    merged = "in(variables['Build.Reason'], 'IndividualCI', 'BatchedCI', 'Manual')"
    rings = "".join(
        _filled(
            "azure-ring.yaml",
            stage=job,
            title=_scalar(f"ring {ring}"),
            depends=f"    dependsOn: {before}\n" if before else "    dependsOn: []\n",
            condition=f"and(succeeded(), {merged})",
            environment=_scalar(f"{subject.name}-{ring}"),
            steps=steps(f"ring {ring}", _up(subject, ring), 16),
        )
        for before, (ring, job) in zip(("", *jobs.values()), jobs.items(), strict=False)
    )
    text = _filled(
        "azure.yaml",
        header=_header(subject, "azure"),
        connection=_scalar(subject.connection),
        variables_note=_named(subject.secrets),
        branch=_scalar(subject.branch),
        runner=_scalar(subject.runner or "ubuntu-24.04"),
        plan_steps=steps("Plan", f"{subject.kept('plan')} 2>&1 | tee plan.txt", 10),
        drift_steps=steps("Drift", subject.kept("drift"), 10),
        rings=rings,
    )
    return {"azure-pipelines.yml": text}


def settings(stack: FleetStack) -> dict[str, Any]:
    """A stack's settings as its file has them: each key with its namespace. Secrets are not among them."""
    return {key if ":" in key else f"{NAMESPACE}:{key}": value for key, value in stack.config.items()}


def _dumped(document: Any) -> str:
    import yaml

    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)


#: What the engine's own processes get besides the pack, wherever they run.
_ENVIRONMENT = {"PULUMI_OPTION_POLICY_PACK": "policy", "PULUMI_SKIP_UPDATE_CHECK": "true", "ARM_USE_OIDC": "true"}

#: Where Azure's workload identity webhook puts the pod's token; the file is renewed there.
_POD_TOKEN = "/var/run/secrets/azure/tokens/azure-identity-token"  # noqa: S105 a path

#: The Secret with what the operator's workspaces need, by key; docs/pipelines.md tells how it is made.
_SECRET = "arc-fleet"  # noqa: S105 a name


def _operator(subject: Subject) -> Mapping[str, str]:
    made = {"00-namespace.yaml": _header(subject, "operator") + "\n" + _documents(_shared(subject))}
    by_ring: dict[str, list[FleetStack]] = {}
    for stack in subject.stacks:
        by_ring.setdefault(stack.ring, []).append(stack)
    before: tuple[str, ...] = ()
    for number, ring in enumerate(("", *subject.rings), 1):
        stacks = by_ring.get(ring, [])
        text = _documents([_stack_object(subject, stack, before) for stack in stacks])
        if text:
            name = _job("ring", ring) if ring else "gateways"
            made[f"{number:02}-{name}.yaml"] = text
            before = tuple(stack.name for stack in stacks)
    return made


def _documents(documents: Sequence[Any]) -> str:
    return "".join(f"---\n{_dumped(document)}" for document in documents)


def _shared(subject: Subject) -> list[Any]:
    """The namespace, and the account that workspaces run as: the operator has to be allowed to know them by it."""
    account = {"name": "arc-fleet", "namespace": subject.namespace}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": subject.namespace}},
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": account,
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": f"{subject.namespace}:system:auth-delegator"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "system:auth-delegator",
            },
            "subjects": [{"kind": "ServiceAccount", **account}],
        },
    ]


def _stack_object(subject: Subject, stack: FleetStack, before: Sequence[str]) -> Any:
    """A Stack of the operator: after those that it needs, and after the ring before."""
    # A key that holds a secret somewhere comes from the Secret as a whole: the operator sets whole keys.
    secret_keys = sorted({re.split(r"[.\[]", path, maxsplit=1)[0] for path in stack.secrets})
    config = settings(stack)
    for key in secret_keys:
        config.pop(f"{NAMESPACE}:{key}", None)
    environment = {name: {"type": "Literal", "literal": {"value": value}} for name, value in _ENVIRONMENT.items()}
    environment["PULUMI_OPTION_POLICY_PACK"] = {"type": "Literal", "literal": {"value": "/share/workspace/policy"}}
    environment |= {"ARM_OIDC_TOKEN_FILE_PATH": {"type": "Literal", "literal": {"value": _POD_TOKEN}}}
    environment |= {"KUBECONFIG": {"type": "Literal", "literal": {"value": "/fleet/kubeconfig"}}}
    for name in (*_OPERATOR_SECRETS, "PULUMI_BACKEND_URL"):
        environment[name] = {"type": "Secret", "secret": {"name": _SECRET, "key": name}}
    after = dict.fromkeys((*stack.needs, *before))
    spec: dict[str, Any] = {
        "serviceAccountName": "arc-fleet",
        "stack": subject.full(stack.name),
        "projectRepo": subject.repository,
        "branch": subject.branch_of(stack.ring),
        "shallow": True,
        "config": config,
        "envRefs": environment,
        # Drift: each look is an update that changes what somebody else has changed.
        "continueResyncOnCommitMatch": True,
        "resyncFrequencySeconds": 3600,
        # A Stack that is deleted leaves its clusters alone; `arcgateway fleet destroy` removes them.
        "destroyOnFinalize": False,
        "retryOnUpdateConflict": True,
        "workspaceReclaimPolicy": "Delete",
        "workspaceTemplate": {"spec": _workspace(subject)},
    }
    if secret_keys:
        spec["secretsRef"] = {
            f"{NAMESPACE}:{key}": {"type": "Secret", "secret": {"name": _SECRET, "key": f"{stack.name}.{key}"}}
            for key in secret_keys
        }
    if after:
        spec["prerequisites"] = [{"name": name} for name in after]
    return {
        "apiVersion": "pulumi.com/v1",
        "kind": "Stack",
        "metadata": {
            "name": stack.name,
            "namespace": subject.namespace,
            "labels": {"arc-gateway/fleet": subject.name, **({"arc-gateway/ring": stack.ring} if stack.ring else {})},
        },
        "spec": spec,
    }


_OPERATOR_SECRETS = ("ARM_CLIENT_ID", "ARM_TENANT_ID", "ARM_SUBSCRIPTION_ID", "PULUMI_CONFIG_PASSPHRASE")


def _workspace(subject: Subject) -> Any:
    kubeconfig = {"name": "kubeconfig", "mountPath": "/fleet", "readOnly": True}
    return {
        "image": subject.image,
        "podTemplate": {
            "metadata": {"labels": {"azure.workload.identity/use": "true"}},
            "spec": {
                # After the operator's own, which fetch the program: its Python environment, which the pack runs in too.
                "initContainers": [
                    {
                        "name": "prepare",
                        "image": subject.image,
                        "workingDir": "/share/workspace",
                        "command": shlex.split(_ENVIRONMENT_ONLY),
                        "volumeMounts": [{"name": "share", "mountPath": "/share"}],
                    }
                ],
                "containers": [{"name": "pulumi", "volumeMounts": [kubeconfig]}],
                "volumes": [
                    {
                        "name": "kubeconfig",
                        "secret": {"secretName": _SECRET, "items": [{"key": "kubeconfig", "path": "kubeconfig"}]},
                    }
                ],
            },
        },
    }


#: Where a deployment puts the kubeconfig, whose text is a secret variable of its settings.
_DEPLOYMENTS_KUBECONFIG = "/tmp/kubeconfig"  # noqa: S108 the container is this deployment's alone


def _deployments(subject: Subject) -> Mapping[str, str]:
    made: dict[str, str] = {}
    header = _header(subject, "deployments") + "\n"
    for stack in subject.stacks:
        made[f"Pulumi.{stack.name}.yaml"] = header + _dumped({"config": settings(stack)})
        made[f"Pulumi.{stack.name}.deploy.yaml"] = header + _dumped({"settings": _deployment(subject, stack)})
    return made


def _deployment(subject: Subject, stack: FleetStack) -> Any:
    name = shlex.quote(subject.full(stack.name))
    set_secrets = [
        f"printenv {variable} | pulumi config set --secret --path {shlex.quote(f'{NAMESPACE}:{path}')} --stack {name}"
        for path, variable in stack.secrets.items()
    ]
    write = f"(umask 077 && printenv KUBECONFIG_TEXT > {_DEPLOYMENTS_KUBECONFIG})"
    preview = f"pulumi preview --policy-pack policy --non-interactive --stack {name}"
    variables: dict[str, Any] = {key: value for key, value in _ENVIRONMENT.items() if key != "ARM_USE_OIDC"}
    # Pulumi Deployments hands its own token over as one of Azure's: ARM_OIDC_TOKEN and its kin.
    variables |= {"KUBECONFIG": _DEPLOYMENTS_KUBECONFIG}
    return {
        "executorContext": {"executorImage": {"reference": subject.image}},
        "sourceContext": {"git": {"branch": f"refs/heads/{subject.branch_of(stack.ring)}"}},
        "gitHub": {
            "repository": subject.repository,
            "deployCommits": True,
            "previewPullRequests": True,
            "pullRequestTemplate": False,
            "paths": [f"Pulumi.{stack.name}.yaml", "**/*.py", "policy/**", "requirements.lock"],
        },
        "operationContext": {
            "preRunCommands": [_ENVIRONMENT_ONLY, write, *set_secrets, subject.command("identity"), preview],
            "environmentVariables": variables,
            "oidc": {
                "azure": {
                    "clientId": subject.client_id,
                    "tenantId": subject.tenant_id,
                    "subscriptionId": subject.subscription_id,
                }
            },
            "options": {"skipInstallDependencies": True, "skipIntermediateDeployments": True},
        },
    }


#: All engines, by the name that the command takes.
ENGINES: Mapping[str, Engine] = {
    "github": Engine("GitHub Actions", _github),
    "azure": Engine("Azure Pipelines", _azure),
    "gitlab": Engine("GitLab CI", _gitlab, ("image",)),
    "operator": Engine(
        "the Pulumi Kubernetes Operator",
        _operator,
        ("image", "repository"),
        {"repository": Form(r"(https|ssh)://\S+", "an address of git, https://HOST/OWNER/NAME.git")},
    ),
    "deployments": Engine(
        "Pulumi Deployments",
        _deployments,
        ("image", "repository", "client_id", "tenant_id", "subscription_id"),
        {"repository": Form(r"[\w.-]+/[\w.-]+", "OWNER/NAME on GitHub")},
    ),
}
