"""The table of commands: names, arguments, and what each refuses before it looks at the world."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace

from sandbox.az import arguments
from sandbox.az.command import Command
from sandbox.az.errors import AzError

DISTRIBUTIONS = (
    "generic", "openshift", "rancher_rke", "kind", "k3s", "minikube", "gke", "eks", "aks", "aks_management",
    "aks_workload", "capz", "aks_engine", "tkg", "canonical", "karbon", "aks_edge_k3s", "aks_edge_k8s",
)  # fmt: skip
INFRASTRUCTURES = (
    "generic", "azure", "aws", "gcp", "azure_stack_hci", "azure_stack_hub", "azure_stack_edge", "vsphere",
    "windows_server", "Windows 11 Enterprise", "Windows 11 Enterprise N", "Windows 11 IoT Enterprise",
    "Windows 11 Pro", "Windows 10 Enterprise", "Windows 10 Enterprise N", "Windows 10 Enterprise LTSC 2021",
    "Windows 10 Enterprise N LTSC 2021", "Windows 10 IoT Enterprise", "Windows 10 IoT Enterprise LTSC 2021",
    "Windows 10 Pro", "Windows 10 Enterprise LTSC 2019", "Windows 10 Enterprise N LTSC 2019",
    "Windows 10 IoT Enterprise LTSC 2019", "Windows Server 2022", "Windows Server 2022 Datacenter",
    "Windows Server 2022 Standard", "Windows Server 2019", "Windows Server 2019 Datacenter",
    "Windows Server 2019 Standard", "LTSCWindows 10 Enterprise LTSC",
)  # fmt: skip
HYBRID_BENEFIT = ("True", "False", "NotApplicable")


def _nothing(parser: ArgumentParser) -> None:
    pass


def _group(parser: ArgumentParser, required: bool = True) -> None:
    parser.add_argument("--resource-group", "-g", required=required)


def _kube(parser: ArgumentParser) -> None:
    parser.add_argument("--kube-config")
    parser.add_argument("--kube-context")
    parser.add_argument("--skip-ssl-verification", action="store_true")


def _cluster(parser: ArgumentParser) -> None:
    parser.add_argument("--name", "-n", required=True)
    _group(parser)


def _agents(parser: ArgumentParser) -> None:
    """What connect and update have in common."""
    arguments.tags(parser)
    _kube(parser)
    parser.add_argument("--yes", "-y", action="store_true")
    proxy = parser.add_argument_group("Proxy Arguments")
    proxy.add_argument("--proxy-https", default="")
    proxy.add_argument("--proxy-http", default="")
    proxy.add_argument("--proxy-skip-range", default="")
    proxy.add_argument("--proxy-cert", "--custom-ca-cert", type=os.path.expanduser, default="")
    arguments.enum(parser, "--azure-hybrid-benefit", choices=HYBRID_BENEFIT)
    parser.add_argument("--distribution-version")
    parser.add_argument("--container-log-path")
    parser.add_argument("--gateway-resource-id", default="")
    parser.add_argument("--self-hosted-issuer", default="")
    arguments.three_state(parser, "--enable-oidc-issuer")
    arguments.three_state(parser, "--enable-workload-identity", "--enable-wi")
    arguments.settings(parser, "--configuration-settings", "--config", dest="configuration_settings")
    arguments.settings(
        parser, "--config-protected-settings", "--config-protected", dest="configuration_protected_settings"
    )


def _connect(parser: ArgumentParser) -> None:
    _cluster(parser)
    _agents(parser)
    parser.add_argument("--location", "-l", type=arguments.location)
    arguments.enum(parser, "--distribution", choices=DISTRIBUTIONS, default="generic")
    arguments.enum(parser, "--infrastructure", choices=INFRASTRUCTURES, default="generic")
    parser.add_argument("--disable-auto-upgrade", action="store_true")
    parser.add_argument("--custom-locations-oid")
    parser.add_argument("--onboarding-timeout", default="1200")
    parser.add_argument("--no-wait", action="store_true")
    parser.add_argument("--correlation-id")
    arguments.three_state(parser, "--enable-private-link")
    parser.add_argument("--private-link-scope-resource-id", "--pls-arm-id", default="")


def _update(parser: ArgumentParser) -> None:
    _cluster(parser)
    _agents(parser)
    arguments.enum(parser, "--distribution", choices=DISTRIBUTIONS)
    parser.add_argument("--disable-proxy", action="store_true")
    arguments.enum(parser, "--auto-upgrade", choices=("true", "false"))
    arguments.three_state(parser, "--disable-gateway")
    arguments.three_state(parser, "--disable-workload-identity", "--disable-wi")


def _upgrade(parser: ArgumentParser) -> None:
    _cluster(parser)
    _kube(parser)
    parser.add_argument("--agent-version")
    parser.add_argument("--upgrade-timeout", default="600")


def _delete(parser: ArgumentParser) -> None:
    _cluster(parser)
    _kube(parser)
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--no-wait", action="store_true")
    parser.add_argument("--yes", "-y", action="store_true")


def _gateway(parser: ArgumentParser) -> None:
    parser.add_argument("--name", "-n", "--gateway-name", required=True)
    _group(parser)


def _gateway_properties(parser: ArgumentParser) -> None:
    _gateway(parser)
    arguments.tags(parser)
    parser.add_argument("--allowed-features", nargs="+")
    arguments.enum(parser, "--gateway-type", choices=("Public",))
    parser.add_argument("--no-wait", action="store_true")


def _gateway_create(parser: ArgumentParser) -> None:
    _gateway_properties(parser)
    parser.add_argument("--location", "-l", type=arguments.location)


def _gateway_delete(parser: ArgumentParser) -> None:
    _gateway(parser)
    parser.add_argument("--no-wait", action="store_true")
    parser.add_argument("--yes", "-y", action="store_true")


def _named_group(parser: ArgumentParser) -> None:
    parser.add_argument("--name", "--resource-group", "-n", "-g", required=True)


def _group_create(parser: ArgumentParser) -> None:
    _named_group(parser)
    parser.add_argument("--location", "-l", type=arguments.location, required=True)
    arguments.tags(parser)


def _group_delete(parser: ArgumentParser) -> None:
    _named_group(parser)
    parser.add_argument("--no-wait", action="store_true")
    parser.add_argument("--yes", "-y", action="store_true")


def _settings_update(parser: ArgumentParser) -> None:
    _group(parser)
    parser.add_argument("--base-provider", required=True)
    parser.add_argument("--base-resource-type", required=True)
    parser.add_argument("--base-resource-name", required=True)
    parser.add_argument("--name", "-n", "--settings-resource-name", default="default")
    parser.add_argument("--gateway-resource-id")


def _login(parser: ArgumentParser) -> None:
    parser.add_argument("--service-principal", action="store_true")
    parser.add_argument("--username", "-u")
    parser.add_argument("--password", "-p")
    parser.add_argument("--federated-token")
    parser.add_argument("--tenant", "-t")
    parser.add_argument("--allow-no-subscriptions", action="store_true")


def _account_list(parser: ArgumentParser) -> None:
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--refresh", action="store_true")


def _token(parser: ArgumentParser) -> None:
    parser.add_argument("--resource")
    parser.add_argument("--scope")
    parser.add_argument("--tenant", "-t")


def _extension(parser: ArgumentParser) -> None:
    parser.add_argument("--name", "-n", required=True)


def _extension_add(parser: ArgumentParser) -> None:
    _extension(parser)
    parser.add_argument("--version")
    parser.add_argument("--upgrade", "-U", action="store_true")
    parser.add_argument("--yes", "-y", action="store_true")
    arguments.three_state(parser, "--allow-preview")


def _no_half_private_link(args: Namespace) -> None:
    if not args.enable_private_link and args.private_link_scope_resource_id:
        raise AzError(
            "Conflicting private link parameters received. The parameter '--private-link-scope-resource-id' should "
            "not be set if "
            "'--enable-private-link' is passed as null or False."
        )
    if args.enable_private_link and not args.private_link_scope_resource_id:
        raise AzError(
            "The parameter '--private-link-scope-resource-id' was not provided. It is mandatory to pass this "
            "parameter for enabling "
            "private link on the connected cluster resource."
        )


def _one_way_with_the_gateway(args: Namespace) -> None:
    if args.gateway_resource_id and args.disable_gateway:
        raise AzError("Cannot specify both --gateway-resource-id and --disable-gateway simultaneously.")


def _issuer_needs_oidc(args: Namespace) -> None:
    if args.self_hosted_issuer and not args.enable_oidc_issuer:
        raise AzError("Cannot specify a value for --self-hosted-issuer without --enable-oidc-issuer.")


def _no_way_back_from_oidc(args: Namespace) -> None:
    if args.enable_oidc_issuer is False:
        raise AzError("Disabling OIDC issuer is not supported.")


def _one_way_with_workload_identity(args: Namespace) -> None:
    if args.enable_workload_identity and args.disable_workload_identity:
        raise AzError("Cannot specify both --enable-workload-identity and --disable-workload-identity simultaneously.")


_CLUSTER_COLUMNS = ("name", "location", "resourceGroup")
_UPDATE_CHECKS = (
    _one_way_with_the_gateway,
    _no_way_back_from_oidc,
    _issuer_needs_oidc,
    _one_way_with_workload_identity,
)

COMMANDS = {
    "version": Command("about:version", _nothing),
    "extension list": Command("about:extension_list", _nothing),
    "extension show": Command("about:extension_show", _extension),
    "extension add": Command("about:extension_add", _extension_add),
    "login": Command("account:login", _login),
    "logout": Command("account:logout", _nothing),
    "account list": Command("account:list_", _account_list),
    "account show": Command("account:show", _nothing),
    "account set": Command("account:set_", _nothing),
    "account get-access-token": Command("account:get_access_token", _token),
    "group create": Command("group:create", _group_create),
    "group show": Command("group:show", _named_group),
    "group list": Command("group:list_", _nothing, columns=("name", "location")),
    "group exists": Command("group:exists", _named_group),
    "group delete": Command("group:delete", _group_delete),
    "connectedk8s connect": Command(
        "connectedk8s.connect:connect", _connect, (_no_half_private_link, _issuer_needs_oidc)
    ),
    "connectedk8s update": Command("connectedk8s.update:update", _update, _UPDATE_CHECKS),
    "connectedk8s upgrade": Command("connectedk8s.upgrade:upgrade", _upgrade),
    "connectedk8s show": Command("connectedk8s.read:show", _cluster, columns=_CLUSTER_COLUMNS),
    "connectedk8s list": Command(
        "connectedk8s.read:list_", lambda parser: _group(parser, required=False), columns=_CLUSTER_COLUMNS
    ),
    "connectedk8s delete": Command("connectedk8s.delete:delete", _delete),
    "arcgateway create": Command("arcgateway:create", _gateway_create),
    "arcgateway show": Command("arcgateway:show", _gateway),
    "arcgateway list": Command("arcgateway:list_", lambda parser: _group(parser, required=False)),
    "arcgateway update": Command("arcgateway:update", _gateway_properties),
    "arcgateway delete": Command("arcgateway:delete", _gateway_delete),
    "arcgateway settings update": Command("arcgateway:settings_update", _settings_update),
}
