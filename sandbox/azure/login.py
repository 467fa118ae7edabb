"""Microsoft Entra ID, as far as a service principal needs it: discovery and tokens."""

from __future__ import annotations

import base64
import hmac
import time
import uuid
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote_plus

from sandbox import pipeline_tokens, world
from sandbox.azure import principals, tokens
from sandbox.azure.core import Azure, Call, Reply, stamp
from sandbox.azure.routes import Routes
from sandbox.azure.store import Json

PUBLIC = "https://login.microsoftonline.com"
ALIASES = ("login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net")
#: Names that stand for any tenant.
_ANY = ("common", "organizations")
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def answer(azure: Azure, call: Call) -> Reply:
    """Answer a request to the login host."""
    segments = tuple(segment for segment in call.path.split("/") if segment)
    found = ROUTES.find(segments)
    if found is None:
        return Reply(
            404,
            problem("AADSTS900144", "invalid_request", f"The address {call.path[:200]} is none of the login service."),
        )
    verbs, params = found
    handler = verbs.get(call.method)
    if handler is None:
        return Reply(405, problem("AADSTS900561", "invalid_request", "The endpoint does not take this HTTP method."))
    return handler(azure, call, params)


def _instance(azure: Azure, call: Call, params: Mapping[str, str]) -> Reply:
    authority = call.query.get("authorization_endpoint", "")
    tenant = authority.split("/")[3] if authority.count("/") > 3 else "common"
    aliases = list(ALIASES)
    host = call.base.split("//")[1]
    if host not in aliases:
        aliases.insert(0, host)
    return Reply(
        200,
        {
            "tenant_discovery_endpoint": f"{call.base}/{tenant}/v2.0/.well-known/openid-configuration",
            "api-version": "1.1",
            "metadata": [{"preferred_network": aliases[0], "preferred_cache": aliases[0], "aliases": aliases}],
        },
    )


def _configuration(azure: Azure, call: Call, params: Mapping[str, str], version: str) -> Reply:
    tenant = params["tenant"]
    if not _is_ours(azure, tenant):
        return _unknown_tenant(tenant)
    root = f"{call.base}/{tenant}"
    real = "{tenantid}" if tenant.lower() in _ANY else azure.identity.tenant_id
    issuer = f"{call.base}/{real}/v2.0" if version else f"https://sts.windows.net/{real}/"
    return Reply(
        200,
        {
            "token_endpoint": f"{root}/oauth2{version}/token",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "jwks_uri": f"{root}/discovery{version}/keys",
            "response_types_supported": ["code", "id_token", "token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": issuer,
            "authorization_endpoint": f"{root}/oauth2{version}/authorize",
            "device_authorization_endpoint": f"{root}/oauth2{version}/devicecode",
            "end_session_endpoint": f"{root}/oauth2{version}/logout",
            "tenant_region_scope": "NA",
            "cloud_instance_name": "microsoftonline.com",
            "cloud_graph_host_name": "graph.windows.net",
            "msgraph_host": "graph.microsoft.com",
        },
    )


def _configuration_v2(azure: Azure, call: Call, params: Mapping[str, str]) -> Reply:
    return _configuration(azure, call, params, "/v2.0")


def _configuration_v1(azure: Azure, call: Call, params: Mapping[str, str]) -> Reply:
    return _configuration(azure, call, params, "")


def _keys(azure: Azure, call: Call, params: Mapping[str, str]) -> Reply:
    return Reply(200, {"keys": []})


def _token_v2(azure: Azure, call: Call, params: Mapping[str, str]) -> Reply:
    form = _form(call)
    scopes = [scope for scope in form.get("scope", "").split() if scope.endswith("/.default")]
    if not scopes:
        return _refuse(
            "AADSTS1002012",
            "invalid_scope",
            f"The provided value for scope {form.get('scope', '')[:80]} is not valid. Client credential flows must "
            "have a scope value with /.default suffixed to the resource identifier.",
        )
    return _token(azure, form, params["tenant"], scopes[0].removesuffix("/.default"), "2.0")


def _token_v1(azure: Azure, call: Call, params: Mapping[str, str]) -> Reply:
    form = _form(call)
    if not form.get("resource"):
        return _refuse("AADSTS500011", "invalid_resource", "The request body must contain the parameter 'resource'.")
    return _token(azure, form, params["tenant"], form["resource"], "1.0")


def _token(azure: Azure, form: Mapping[str, str], tenant: str, audience: str, version: str) -> Reply:
    if not _is_ours(azure, tenant):
        return _unknown_tenant(tenant)
    if form.get("grant_type") != "client_credentials":
        return _refuse(
            "AADSTS70003",
            "unsupported_grant_type",
            f"The app requested an unsupported grant type '{form.get('grant_type', '')[:40]}'.",
        )
    client = form.get("client_id", "").lower()
    secret = principals.secret_of(azure, client)
    if secret is None:
        return _refuse(
            "AADSTS700016",
            "unauthorized_client",
            f"Application with identifier '{client[:60]}' was not found in the directory '{world.TENANT_NAME}'.",
        )
    if form.get("client_assertion"):
        if form.get("client_assertion_type") != _ASSERTION:
            return _refuse("AADSTS50027", "invalid_request", "The client_assertion_type is none that is known.")
        try:
            pipeline_tokens.check(azure.identity.client_secret, form["client_assertion"])
        except pipeline_tokens.Invalid as wrong:
            return Reply(401, problem(wrong.code, "invalid_client", wrong.message))
    elif not hmac.compare_digest(form.get("client_secret", "").encode(), secret.encode()):
        message = (
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
            "not the client secret ID."
        )
        return Reply(401, problem("AADSTS7000215", "invalid_client", f"{message} Secret for app '{client}'."))
    token, now = tokens.issue(azure, audience, client)
    answer: Json = {
        "token_type": "Bearer",
        "expires_in": tokens.LIFE,
        "ext_expires_in": tokens.LIFE,
        "access_token": token,
    }
    if version == "1.0":
        answer |= {
            "expires_in": str(tokens.LIFE),
            "ext_expires_in": str(tokens.LIFE),
            "expires_on": str(now + tokens.LIFE),
            "not_before": str(now),
            "resource": audience,
        }
    return Reply(200, answer, {"Cache-Control": "no-store", "Pragma": "no-cache"})


def _form(call: Call) -> dict[str, str]:
    form = dict(parse_qsl(call.body.decode(errors="replace"), keep_blank_values=True))
    scheme, _, encoded = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            client, _, secret = base64.b64decode(encoded).decode().partition(":")
        except ValueError:
            return form
        form |= {"client_id": unquote_plus(client), "client_secret": unquote_plus(secret)}
    return form


def _is_ours(azure: Azure, tenant: str) -> bool:
    return tenant.lower() in (azure.identity.tenant_id, world.TENANT_DOMAIN, *_ANY)


def _unknown_tenant(tenant: str) -> Reply:
    return _refuse(
        "AADSTS90002",
        "invalid_request",
        f"Tenant '{tenant[:80]}' not found. Check to make sure you have the correct tenant ID "
        "and are signing into the correct cloud.",
    )


def _refuse(code: str, error: str, message: str) -> Reply:
    return Reply(400, problem(code, error, message))


def problem(code: str, error: str, message: str) -> Json:
    """The document of an error as Entra answers with it."""
    trace, now = str(uuid.uuid4()), stamp(time.time())
    return {
        "error": error,
        "error_description": f"{code}: {message} Trace ID: {trace} Correlation ID: {trace} Timestamp: {now}",
        "error_codes": [int(code.removeprefix("AADSTS"))],
        "timestamp": now,
        "trace_id": trace,
        "correlation_id": trace,
        "error_uri": f"{PUBLIC}/error?code={code.removeprefix('AADSTS')}",
    }


ROUTES = Routes(
    {
        "/{tenant}/discovery/instance": {"GET": _instance},
        "/{tenant}/v2.0/.well-known/openid-configuration": {"GET": _configuration_v2},
        "/{tenant}/.well-known/openid-configuration": {"GET": _configuration_v1},
        "/{tenant}/discovery/v2.0/keys": {"GET": _keys},
        "/{tenant}/discovery/keys": {"GET": _keys},
        "/{tenant}/oauth2/v2.0/token": {"POST": _token_v2},
        "/{tenant}/oauth2/token": {"POST": _token_v1},
    }
)
