"""Errors in the shape and wording of Azure Resource Manager."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any


class ArmError(Exception):
    """An answer other than success.

    Args:
        status: of HTTP.
        code: ARM's error code.
        message: what a person reads.
        headers: further headers of the answer.
        details: `details` of the error, when ARM gives some.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        headers: Mapping[str, str] | None = None,
        details: Iterable[Mapping[str, str]] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})
        self.details = list(details)

    @property
    def body(self) -> dict[str, Any]:
        """The document that ARM answers with."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.details:
            error["details"] = self.details
        return {"error": error}


def unauthenticated(tenant: str, code: str, message: str) -> ArmError:
    """401 with the challenge that tells a client where to get a token."""
    challenge = (
        f'Bearer authorization_uri="https://login.microsoftonline.com/{tenant}", error="invalid_token", '
        f'error_description="{message.replace(chr(34), chr(39))}"'
    )
    return ArmError(401, code, message, {"WWW-Authenticate": challenge})


def wrong_tenant(of_token: str, of_subscription: str) -> ArmError:
    """401 for a token of one tenant and a subscription of another."""
    code = "InvalidAuthenticationTokenTenant"
    return unauthenticated(
        of_subscription,
        code,
        f"The access token is from the wrong issuer 'https://sts.windows.net/{of_token}/'. It must match the tenant "
        f"'https://sts.windows.net/{of_subscription}/' associated with this subscription. Please use the authority "
        f"(URL) 'https://login.windows.net/{of_subscription}' to get the token.",
    )


def unauthorized(application: str, object_id: str, action: str, scope: str) -> ArmError:
    """403 for a caller whose roles do not allow an action."""
    return ArmError(
        403,
        "AuthorizationFailed",
        f"The client '{application}' with object id '{object_id}' does not have authorization to perform action "
        f"'{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your "
        "credentials.",
    )


def resource_not_found(kind: str, name: str, group: str | None) -> ArmError:
    """404 of one resource; `kind` is its type, and `name` all its names, parted by slashes."""
    where = f" under resource group '{group}'" if group else ""
    message = f"The Resource '{kind}/{name}'{where} was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"
    return ArmError(404, "ResourceNotFound", message)


def group_not_found(name: str) -> ArmError:
    """404 of a resource group."""
    return ArmError(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")


def subscription_not_found(name: str) -> ArmError:
    """404 of a subscription."""
    return ArmError(404, "SubscriptionNotFound", f"The subscription '{name}' could not be found.")


def invalid_content(why: str) -> ArmError:
    """400 for a body that cannot be read as the resource."""
    return ArmError(
        400,
        "InvalidRequestContent",
        f"The request content was invalid and could not be deserialized: '{why}'.",
    )


def bad_request(why: str) -> ArmError:
    """400 for what is refused before it is known what it asks for."""
    return ArmError(400, "BadRequest", f"{why}.")


def missing_api_version() -> ArmError:
    """400 for an address without `api-version`."""
    return ArmError(
        400,
        "MissingApiVersionParameter",
        "The api-version query parameter (?api-version=) is required for all requests.",
    )


def invalid_api_version(asked: str, supported: Iterable[str]) -> ArmError:
    """400 of ARM's own types (groups, subscriptions) for a version that they do not have."""
    known = ",".join(supported)
    return ArmError(
        400,
        "InvalidApiVersionParameter",
        f"The api-version '{asked}' is invalid. The supported versions are '{known}'.",
    )


def unsupported_version(namespace: str, kind: str, asked: str, supported: Iterable[str]) -> ArmError:
    """404 for reading a provider's type under a version that it does not have."""
    known = ",".join(supported)
    return ArmError(
        404,
        "InvalidResourceType",
        f"The resource type '{kind}' could not be found in the namespace '{namespace}' for api version '{asked}'. "
        f"The supported api-versions are '{known}'.",
    )


def no_registered_provider(
    kind: str, location: str, asked: str, supported: Iterable[str], locations: Iterable[str]
) -> ArmError:
    """400 for writing a provider's type under a version that it does not have."""
    return ArmError(
        400,
        "NoRegisteredProviderFound",
        f"No registered resource provider found for location '{location}' and API version '{asked}' for type '{kind}'. "
        f"The supported api-versions are '{', '.join(supported)}'. "
        f"The supported locations are '{', '.join(locations)}'.",
    )


def throttled(subscription: str, reading: bool, seconds: int) -> ArmError:
    """429 for a subscription whose requests are used up for now."""
    return ArmError(
        429,
        "SubscriptionRequestsThrottled",
        f"Number of '{'read' if reading else 'write'}' requests for subscription '{subscription}' exceeded. Please try "
        f"again after '{seconds}' seconds after additional tokens are available. Refer to "
        "https://aka.ms/arm-throttling for additional information.",
        {"Retry-After": str(seconds), f"x-ms-ratelimit-remaining-subscription-{'reads' if reading else 'writes'}": "0"},
    )


#: Errors of Azure's own: code and message by status, and the title of a front door's page.
_OWN_ERRORS = {
    500: ("InternalServerError", "Encountered internal server error."),
    502: ("BadGateway", "The gateway did not receive a response from the resource provider."),
    503: ("ServiceUnavailable", "The service is temporarily unavailable."),
    504: ("GatewayTimeout", "The gateway did not receive a response from the resource provider within its time."),
}


def server_error(status: int, subscription: str, request: str) -> ArmError:
    """500, 502, 503 or 504 in the Resource Manager's words."""
    code, message = _OWN_ERRORS[status]
    return ArmError(
        status,
        code,
        f"{message} Diagnostic information: subscription id '{subscription}', tracking id '{request}', "
        f"request correlation id '{request}'.",
    )


def front_door(status: int) -> bytes:
    """The page of a front door for the same."""
    title = f"{status} {HTTPStatus(status).phrase}"
    page = f"<html><head><title>{title}</title></head><body><center><h1>{title}</h1></center></body></html>"
    return page.encode()


def no_route(method: str, path: str) -> ArmError:
    """404 for an address that means nothing."""
    return ArmError(
        404, "InvalidResource", f"No resource answers {method} {path}: the path is no address of a resource."
    )


def method_not_allowed(method: str, kind: str) -> ArmError:
    """405 for a verb that a type lacks."""
    return ArmError(405, "HttpMethodNotAllowed", f"The HTTP method '{method}' is not supported for '{kind}'.")
