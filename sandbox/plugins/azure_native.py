"""The plugin `azure-native` for the types of a table, against whatever Azure its configuration names.

Its manners are those of the real one (3.x), read in its source: what is asked of ARM and in which order, defaults,
names, what a preview knows, what a refresh takes over into the inputs.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import uuid
from dataclasses import dataclass
from functools import cache
from typing import Any

from sandbox.plugins import arm_mapping
from sandbox.plugins.arm_client import Account, ArmClient, ArmError, Federation, Unfinished
from sandbox.plugins.azure_types import GETTERS, TYPES, ArmType
from sandbox.plugins.changes import changes, prefixes, transfer
from sandbox.plugins.fields import Failure, check, schema
from sandbox.plugins.plugin import (
    Checked,
    Difference,
    HalfMade,
    Naming,
    Plugin,
    PluginError,
    Refused,
    Resource,
    State,
)
from sandbox.plugins.values import UNKNOWN, Properties, Value, has_unknowns, like, plain

GROUPS_VERSION = "2020-10-01"
CLIENT_CONFIG = "azure-native:authorization:getClientConfig"
CLIENT_TOKEN = "azure-native:authorization:getClientToken"  # noqa: S105 - a function's name
#: Among the inputs of a resource with a random name: its replacement may be made before it goes.
CREATE_FIRST = "__createBeforeDelete"
#: Outputs that an update never changes, so that a preview of one knows them.
STABLE = ("name", "location")

_SETTINGS = {
    "subscriptionId": "ARM_SUBSCRIPTION_ID",
    "tenantId": "ARM_TENANT_ID",
    "clientId": "ARM_CLIENT_ID",
    "clientSecret": "ARM_CLIENT_SECRET",
    "metadataHost": "ARM_METADATA_HOSTNAME",
    "environment": "ARM_ENVIRONMENT",
}
_NEEDED = ("subscriptionId", "tenantId", "clientId", "clientSecret")

#: Where a pipeline's token comes from, each with the variables that the real plugin reads, the first that is set.
_FEDERATION = {
    "token": ("ARM_OIDC_TOKEN",),
    "path": ("ARM_OIDC_TOKEN_FILE_PATH",),
    "request_url": ("ARM_OIDC_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_URL"),
    "request_token": ("ARM_OIDC_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
}


@dataclass
class _Configured:
    account: Account
    arm: ArmClient
    location: str


class AzureNativePlugin(Plugin):
    """Azure's resources, by way of ARM."""

    name = "azure-native"
    version = "3.29.0"

    def __init__(self) -> None:
        self._own: _Configured | None = None
        self._group_location = cache(self._ask_group_location)

    def configure(self, settings: Properties) -> None:
        found = {name: settings.get(name) or os.environ.get(variable, "") for name, variable in _SETTINGS.items()}
        federation = None
        # A secret goes first, as with the real plugin.
        if not found["clientSecret"] and (settings.get("useOidc") or os.environ.get("ARM_USE_OIDC")) in ("true", "1"):
            given = {
                field: next((value for name in names if (value := os.environ.get(name))), "")
                for field, names in _FEDERATION.items()
            }
            federation = Federation(**given)
        needed = _NEEDED[:-1] if federation else _NEEDED
        missing = [f"azure-native:{name} (or {_SETTINGS[name]})" for name in needed if not found[name]]
        if missing:
            raise PluginError(
                f"azure-native signs in as a service principal and lacks {', '.join(missing)}: "
                "set it; in the sandbox `. <(python -m sandbox env)` does"
            )
        if found["environment"].lower() not in ("", "public", "azurecloud"):
            raise PluginError(f"azure-native:environment is '{found['environment']}': the sandbox knows 'public' only")
        subscription, tenant, client, secret, host = (found[name] for name in (*_NEEDED, "metadataHost"))
        account = Account(subscription, tenant, client, secret, host, federation)
        self._own = _Configured(account, ArmClient(account), settings.get("location", ""))

    def schema(self) -> dict[str, Any]:
        settings = {name: {"type": "string"} for name in (*_SETTINGS, "location")}
        return {
            "config": {"variables": settings},
            "provider": {"inputProperties": settings},
            "resources": {
                token: {
                    "inputProperties": schema(arm.inputs),
                    "requiredInputs": sorted(_required(arm)),
                    "properties": schema(arm.fields) | {"azureApiVersion": {"type": "string"}},
                }
                for token, arm in TYPES.items()
            },
            "functions": {
                getter: {"inputs": {"type": "object", "properties": schema(TYPES[token].parameters)}}
                for getter, token in GETTERS.items()
            },
        }

    def check(self, resource: Resource, old: Properties, new: Properties, naming: Naming) -> Checked:
        arm = TYPES.get(resource.type)
        if arm is None:
            return Checked(new)
        given = {key: value for key, value in new.items() if key != "azureApiVersion"}
        inputs = self._with_defaults(arm, resource, plain(old), given, naming)
        return Checked(
            inputs | ({"azureApiVersion": arm.api_version} if arm.api_version else {}),
            [_with_hint(bad) for bad in check(arm.inputs, inputs)],
        )

    def diff(self, resource: Resource, old: State, inputs: Properties) -> Difference:
        arm = TYPES.get(resource.type)
        before, after = plain(_visible(old.inputs)), plain(_visible(inputs))
        if _same_place(before.get("location"), after.get("location")):
            before["location"] = after["location"]
        replacing = _replacing(arm) if arm else frozenset()
        found = changes(before, after, lambda path: any(prefix in replacing for prefix in prefixes(path)))
        return Difference(found, delete_first=not plain(old.inputs).get(CREATE_FIRST, False), of_inputs=True)

    def preview(self, resource: Resource, old: State | None, inputs: Properties) -> State:
        arm = TYPES.get(resource.type)
        if arm is None:
            return State(old.id if old else "", inputs, inputs)
        outputs = {name: inputs.get(name, UNKNOWN) for name in arm.fields}
        if old:
            outputs |= {name: old.outputs[name] for name in STABLE if name in old.outputs and name in arm.fields}
        return State(old.id if old else "", inputs, self._outputs(arm, outputs, inputs))

    def create(self, resource: Resource, inputs: Properties, timeout: float) -> State:
        arm = _known(resource.type)
        known = plain(inputs)
        id = arm_mapping.resource_id(arm, known, self._configured.account.subscription)
        version = _version(arm, known)
        if self._configured.arm.get(id, version) is not None:
            raise PluginError(f"cannot create already existing resource '{id}'")
        answer = self._write(resource, arm, id, inputs, timeout)
        return State(answer.get("id", id), inputs, self._outputs(arm, arm_mapping.outputs(arm.fields, answer), inputs))

    def update(self, resource: Resource, old: State, inputs: Properties, timeout: float) -> Properties:
        arm = _known(resource.type)
        answer = self._write(resource, arm, old.id, inputs, timeout)
        return self._outputs(arm, arm_mapping.outputs(arm.fields, answer), inputs)

    def read(self, resource: Resource, old: State) -> State | None:
        arm = _known(resource.type)
        if not arm.api_version and not old.inputs:
            raise PluginError(
                f"cannot import '{old.id}' as {resource.type}: its API version is not known from an id; "
                "declare it, and delete what exists or leave it out of the stack"
            )
        answer = self._configured.arm.get(old.id, _version(arm, plain(old.inputs)))
        if answer is None:
            return None
        outputs = arm_mapping.outputs(arm.fields, answer)
        now = arm_mapping.inputs(arm, outputs)
        if old.inputs:
            inputs = transfer(old.inputs, arm_mapping.inputs(arm, plain(old.outputs)), now)
        else:
            try:
                inputs = arm_mapping.id_parameters(arm, old.id) | now | {"azureApiVersion": arm.api_version}
            except arm_mapping.NoSuchId as error:
                raise PluginError(f"cannot read {resource.type}: {error}") from error
        return State(old.id, inputs, self._outputs(arm, outputs, inputs))

    def delete(self, resource: Resource, old: State, timeout: float) -> None:
        arm = _known(resource.type)
        self._configured.arm.delete(old.id, _version(arm, plain(old.inputs)), timeout)

    def invoke(self, token: str, arguments: Properties) -> Properties:
        known = plain(arguments)
        account = self._configured.account
        if token == CLIENT_CONFIG:
            claims = _claims(self._configured.arm.token())
            return {
                "clientId": account.client,
                "objectId": claims.get("oid", ""),
                "subscriptionId": account.subscription,
                "tenantId": account.tenant,
            }
        if token == CLIENT_TOKEN:
            return {"token": self._configured.arm.token(known.get("endpoint", ""))}
        arm = TYPES.get(GETTERS.get(token, ""))
        if arm is None:
            raise PluginError(f"the sandbox's azure-native plugin has no function {token}, but {', '.join(GETTERS)}")
        if wrong := list(check(arm.parameters, known)):
            raise Refused(wrong)
        id = arm_mapping.resource_id(arm, known, account.subscription)
        answer = self._configured.arm.get(id, _version(arm, known))
        if answer is None:
            raise PluginError(f"{token}: Azure answered 404 for '{id}'")
        return self._outputs(arm, arm_mapping.outputs(arm.fields, answer), {}) | {"id": answer.get("id", id)}

    def cancel(self) -> None:
        if self._own:
            self._own.arm.cancel()

    @property
    def _configured(self) -> _Configured:
        if self._own is None:
            raise PluginError("azure-native was asked before it was configured")
        return self._own

    def _with_defaults(
        self, arm: ArmType, resource: Resource, old: Properties, new: Properties, naming: Naming
    ) -> Properties:
        inputs = dict(new)
        if arm.auto_name and arm.name not in inputs:
            if arm.name in old:
                inputs[arm.name] = old[arm.name]
                inputs |= {key: old[key] for key in (CREATE_FIRST,) if key in old}
            elif not naming.refused:
                inputs[arm.name] = _made_up_name(arm, resource, naming)
                inputs[CREATE_FIRST] = True
        if "location" in arm.fields and "location" not in inputs:
            location = old.get("location") or self._default_location(plain(inputs.get("resourceGroupName")))
            if location:
                inputs["location"] = location
        return inputs

    def _default_location(self, group: Value) -> Value:
        """That of the configuration, else that of the resource group."""
        if self._configured.location:
            return self._configured.location
        if has_unknowns(group):
            return UNKNOWN
        return self._group_location(group) if group else ""

    def _ask_group_location(self, group: str) -> str:
        id = f"/subscriptions/{self._configured.account.subscription}/resourceGroups/{group}"
        try:
            return str((self._configured.arm.get(id, GROUPS_VERSION) or {}).get("location", ""))
        except ArmError:
            return ""  # then the check says that a location is missing

    def _write(self, resource: Resource, arm: ArmType, id: str, inputs: Properties, timeout: float) -> Properties:
        """PUT the resource, and read it as a refresh would."""
        known = plain(inputs)
        client, version = self._configured.arm, _version(arm, known)
        try:
            client.put(id, version, arm_mapping.body(arm.fields, known), timeout)
        except Unfinished as error:
            try:
                answer = client.get(id, version)
            except ArmError:
                answer = {}  # not known, so it may well be there
            if answer is None:
                raise
            outputs = self._outputs(arm, arm_mapping.outputs(arm.fields, answer), inputs)
            raise HalfMade(str(error), id, inputs, outputs) from error
        answer = client.get(id, version)
        if answer is None:
            raise PluginError(f"{resource.type} '{id}' was written, and is not there a moment later: refresh and see")
        return answer

    def _outputs(self, arm: ArmType, outputs: Properties, inputs: Properties) -> Properties:
        shown = {name: value for name, value in like(outputs, inputs).items() if name != "id"}
        return shown | ({"azureApiVersion": arm.api_version} if arm.api_version else {})


def _known(token: str) -> ArmType:
    if token not in TYPES:
        raise PluginError(
            f"{token} is not among the types that the sandbox's azure-native plugin creates ({', '.join(TYPES)}): "
            "add it to TYPES in sandbox/plugins/azure_types.py, or run with the real plugin"
        )
    return TYPES[token]


def _version(arm: ArmType, inputs: Properties) -> str:
    return arm.api_version or str(inputs["apiVersion"])


def _visible(inputs: Properties) -> Properties:
    return {key: value for key, value in inputs.items() if not key.startswith("__")}


def _replacing(arm: ArmType) -> frozenset[str]:
    return frozenset(arm.parameters) - {"apiVersion"} | {name for name, known in arm.fields.items() if known.immutable}


def _required(arm: ArmType) -> set[str]:
    """What a program must give: not the name, which is made up, nor the location, which has a default."""
    return {name for name, known in arm.inputs.items() if known.required} - {arm.name, "location"}


def _same_place(before: Value, after: Value) -> bool:
    """Whether two locations are one in different spellings, such as `East US` and `eastus`."""
    if not isinstance(before, str) or not isinstance(after, str):
        return False
    return before.replace(" ", "").lower() == after.replace(" ", "").lower()


def _made_up_name(arm: ArmType, resource: Resource, naming: Naming) -> str:
    """A name that preview and update agree on, as they have the same seed."""
    seed = naming.seed or secrets.token_bytes(16)
    digest = hashlib.sha256(seed + resource.name.encode()).hexdigest()
    if arm.auto_name == "uuid":
        return str(uuid.UUID(digest[:32]))
    return naming.proposed or resource.name + digest[:8]


def _with_hint(bad: Failure) -> Failure:
    if bad.path == "location" and bad.reason.startswith("missing"):
        hint = ". Either set it explicitly or configure it with 'pulumi config set azure-native:location <value>'."
        return Failure(bad.path, bad.reason + hint)
    return bad


def _claims(token: str) -> Properties:
    """The claims in an access token, unchecked: what it says of its holder."""
    try:
        part = token.split(".")[1]
        claims: Properties = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, ValueError):
        return {}
    return claims


def main() -> None:
    """Serve the plugin to the engine that started this process."""
    from sandbox.plugins.server import serve

    serve(lambda log: AzureNativePlugin())
