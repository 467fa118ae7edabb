"""`az login`, `az logout`, `az account ...`."""

from __future__ import annotations

import time
from argparse import Namespace
from typing import Any

from sandbox.az.arm import Arm
from sandbox.az.command import Context
from sandbox.az.errors import AzError
from sandbox.az.profile import MANAGEMENT, NOT_LOGGED_IN

SUBSCRIPTIONS = "2022-12-01"


def login(context: Context, args: Namespace) -> Any:
    """Log a service principal in, and list the subscriptions that it sees."""
    if not args.service_principal:
        raise AzError(
            "This stand-in logs in service principals only.",
            "Run 'az login --service-principal -u ID -p @FILE -t TENANT'.",
        )
    credential = args.password or args.federated_token
    for value, flag in (
        (args.username, "--username"),
        (credential, "--password or --federated-token"),
        (args.tenant, "--tenant"),
    ):
        if not value:
            raise AzError(f"usage error: {flag} is needed with --service-principal.")
    context.profile.login(args.username, credential, args.tenant, federated=not args.password)
    account = {"id": "", "tenantId": args.tenant, "user": {"name": args.username, "type": "servicePrincipal"}}
    arm = Arm(context.transport, context.profile, account)
    subscriptions = arm.pages("/subscriptions", SUBSCRIPTIONS)
    arm.pages("/tenants", SUBSCRIPTIONS)
    if not subscriptions and not args.allow_no_subscriptions:
        context.profile.logout()
        raise AzError(
            f"No subscriptions found for {args.username}.", "Use --allow-no-subscriptions to have tenant level access."
        )
    context.profile.keep(
        [
            {
                "id": one["subscriptionId"],
                "name": one["displayName"],
                "state": one.get("state", "Enabled"),
                "user": account["user"],
                "isDefault": number == 0,
                "tenantId": args.tenant,
                "environmentName": "AzureCloud",
                "homeTenantId": one.get("tenantId") or args.tenant,
                "managedByTenants": one.get("managedByTenants") or [],
            }
            for number, one in enumerate(subscriptions)
        ]
    )
    return list_(context, args)


def logout(context: Context, args: Namespace) -> None:
    """Forget the login."""
    if not context.profile.accounts():
        raise AzError("There are no active accounts.")
    context.profile.logout()


def list_(context: Context, args: Namespace) -> Any:
    """All subscriptions, as `account list` prints them."""
    accounts = context.profile.accounts()
    if not accounts:
        context.warn('Please run "az login" to access your accounts.')
    return [{"cloudName" if key == "environmentName" else key: value for key, value in one.items()} for one in accounts]


def show(context: Context, args: Namespace) -> Any:
    """The subscription in use."""
    return context.profile.account(args.subscription)


def set_(context: Context, args: Namespace) -> None:
    """Make another subscription the default one."""
    chosen = context.profile.account(args.subscription)
    context.profile.keep([{**one, "isDefault": one["id"] == chosen["id"]} for one in context.profile.accounts()])


def get_access_token(context: Context, args: Namespace) -> Any:
    """A token, for scripts."""
    if not context.profile.accounts():
        raise AzError(NOT_LOGGED_IN)
    account = context.profile.account(args.subscription)
    resource = (args.scope or f"{args.resource or MANAGEMENT}/.default").removesuffix("/.default")
    token, expires = context.profile.token(account, resource)
    return {
        "accessToken": token,
        "expiresOn": time.strftime("%Y-%m-%d %H:%M:%S.000000", time.localtime(expires)),
        "expires_on": expires,
        "subscription": account["id"],
        "tenant": account["tenantId"],
        "tokenType": "Bearer",
    }
