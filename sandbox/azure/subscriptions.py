"""Tenants, subscriptions, regions, and the registration of resource providers."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox import world
from sandbox.azure import catalogue, tags
from sandbox.azure.core import Azure, Call, Reply
from sandbox.azure.errors import ArmError
from sandbox.azure.store import Json

#: Providers that a subscription knows, and whether they are registered from the start.
PROVIDERS = {
    "Microsoft.Authorization": True,
    "Microsoft.ExtendedLocation": True,
    "Microsoft.GuestConfiguration": True,
    "Microsoft.HybridCompute": True,
    "Microsoft.HybridConnectivity": True,
    "Microsoft.Insights": True,
    "Microsoft.Kubernetes": True,
    "Microsoft.KubernetesConfiguration": True,
    "Microsoft.Network": False,
    "Microsoft.Resources": True,
}
_FOREIGN = "subscriptions.foreign"

#: Types that a client looks up and that are kept as they come.
_FURTHER: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "Microsoft.ExtendedLocation": {"customLocations": ("2021-08-15",)},
    "Microsoft.KubernetesConfiguration": {"extensions": ("2023-05-01",), "privateLinkScopes": ("2022-04-02-preview",)},
    "Microsoft.Kubernetes": {"registeredSubscriptions": ("2021-10-01",), "locations": catalogue.CLUSTER_VERSIONS},
    "Microsoft.Resources": {"resourceGroups": ("2025-04-01",), "subscriptions": ("2022-12-01",)},
}


def tenants(azure: Azure, call: Call, params: Mapping[str, str]) -> Reply:
    """The one tenant."""
    _ = call.api_version
    tenant = azure.identity.tenant_id
    one = {
        "id": f"/tenants/{tenant}",
        "tenantId": tenant,
        "countryCode": "US",
        "displayName": world.TENANT_NAME,
        "defaultDomain": world.TENANT_DOMAIN,
        "domains": [world.TENANT_DOMAIN],
        "tenantCategory": "Home",
        "tenantType": "AAD",
    }
    return Reply(200, {"value": [one]})


def listing(azure: Azure, call: Call, params: Mapping[str, str]) -> Reply:
    """The one subscription, as a list."""
    _ = call.api_version
    return Reply(200, {"value": [_subscription(azure)], "count": {"type": "Total", "value": 1}})


def get(azure: Azure, call: Call, params: Mapping[str, str]) -> Reply:
    """The one subscription."""
    _ = call.api_version
    return Reply(200, _subscription(azure))


def add_foreign(azure: Azure, subscription: str, tenant: str) -> None:
    """Have a subscription of another tenant, which this tenant's tokens do not open."""
    azure.store.set(_FOREIGN, {**foreign(azure), subscription: tenant})


def foreign(azure: Azure) -> Mapping[str, str]:
    """Subscriptions of other tenants, and their tenants."""
    found: Mapping[str, str] = azure.store.setting(_FOREIGN, {})
    return found


def check_registered(azure: Azure, namespace: str) -> None:
    """Refuse to write under a provider that is not registered.

    Raises:
        ArmError: 409.
    """
    if _state(azure, _known(namespace)) not in ("Registered", "Registering"):
        code = "MissingSubscriptionRegistration"
        message = (
            f"The subscription is not registered to use namespace '{namespace}'. "
            "See https://aka.ms/rps-not-found for how to register subscriptions."
        )
        # Clients that register by themselves take the namespace from the details.
        raise ArmError(409, code, message, details=[{"code": code, "target": namespace, "message": message}])


def locations(azure: Azure, call: Call, params: Mapping[str, str]) -> Reply:
    """The regions."""
    _ = call.api_version
    prefix = f"/subscriptions/{azure.identity.subscription_id}/locations"
    value = [
        {
            "id": f"{prefix}/{name}",
            "name": name,
            "type": "Region",
            "displayName": display,
            "regionalDisplayName": display,
            "metadata": {"regionType": "Physical", "regionCategory": "Recommended"},
        }
        for name, display in catalogue.LOCATIONS.items()
    ]
    return Reply(200, {"value": value})


def providers(azure: Azure, call: Call, params: Mapping[str, str]) -> Reply:
    """All providers."""
    _ = call.api_version
    return Reply(200, {"value": [_provider(azure, name) for name in PROVIDERS]})


def provider(azure: Azure, call: Call, params: Mapping[str, str]) -> Reply:
    """One provider with its registration state, types, regions and versions."""
    _ = call.api_version
    return Reply(200, _provider(azure, params["namespace"]))


def of_tenant(azure: Azure, call: Call, params: Mapping[str, str]) -> Reply:
    """All providers, or one, as the tenant knows them: without a state, which only subscriptions have."""
    _ = call.api_version
    wanted = [_known(params["namespace"])] if params else PROVIDERS
    found = [{**_provider(azure, name), "id": f"/providers/{name}"} for name in wanted]
    for one in found:
        del one["registrationState"]
    return Reply(200, found[0] if params else {"value": found})


def register(azure: Azure, call: Call, params: Mapping[str, str]) -> Reply:
    """Register a provider; here that takes no time."""
    return _set_state(azure, call, params["namespace"], "Registered")


def unregister(azure: Azure, call: Call, params: Mapping[str, str]) -> Reply:
    """Undo a registration."""
    return _set_state(azure, call, params["namespace"], "Unregistered")


def _set_state(azure: Azure, call: Call, namespace: str, state: str) -> Reply:
    _ = call.api_version
    azure.store.set(f"provider:{_known(namespace)}", state)
    return Reply(200, _provider(azure, namespace))


def _known(namespace: str) -> str:
    for name in PROVIDERS:
        if name.lower() == namespace.lower():
            return name
    raise ArmError(
        404,
        "InvalidResourceNamespace",
        f"The resource namespace '{namespace[:80]}' is invalid: no such provider is known.",
    )


def _provider(azure: Azure, namespace: str) -> Json:
    name = _known(namespace)
    kinds = {kind.short: (kind.versions, kind.locations) for kind in catalogue.in_namespace(name)}
    for short, versions in _FURTHER.get(name, {}).items():
        kinds.setdefault(short, (versions, tuple(catalogue.LOCATIONS)))
    return {
        "id": f"/subscriptions/{azure.identity.subscription_id}/providers/{name}",
        "namespace": name,
        "registrationState": _state(azure, name),
        "registrationPolicy": "RegistrationRequired",
        "resourceTypes": [
            {
                "resourceType": short,
                "locations": [catalogue.LOCATIONS[place] for place in places],
                "apiVersions": sorted(versions, reverse=True),
                "capabilities": "SupportsTags, SupportsLocation" if places else "None",
            }
            for short, (versions, places) in kinds.items()
        ],
    }


def _state(azure: Azure, name: str) -> str:
    return str(azure.store.setting(f"provider:{name}", "Registered" if PROVIDERS[name] else "NotRegistered"))


def _subscription(azure: Azure) -> Json:
    identity = azure.identity
    return {
        "id": f"/subscriptions/{identity.subscription_id}",
        "subscriptionId": identity.subscription_id,
        "tenantId": identity.tenant_id,
        "displayName": world.SUBSCRIPTION_NAME,
        "state": "Enabled",
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "tags": tags.of_subscription(azure),
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
    }
