"""What failures of `az` mean, how they are tried again, and that nothing secret is kept of them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcgateway.az_failures import PATTERNS, classify
from arcgateway.azure_cli import with_retries
from arcgateway.errors import Failure, ProxyRefusal
from arcgateway.redaction import Redactor


@pytest.mark.parametrize(
    ("output", "transient", "words"),
    [
        ("ERROR: (TooManyRequests) slow down. Retry-After: 17", True, "slow down"),
        ("ERROR: ('Connection aborted.', RemoteDisconnected('Remote end closed'))", True, "connection was lost"),
        (
            "ERROR: Unable to install helm release: Error: UPGRADE FAILED: another operation "
            "(install/upgrade/rollback) is in progress",
            True,
            "another operation",
        ),
        ("ERROR: Unable to install helm release: Error: timed out waiting for the condition", True, "ready in time"),
        ("ERROR: (InternalServerError) oops", True, "error of its own"),
        ("ERROR: AADSTS90033: A transient error has occurred. Please try again.", True, "login service has an outage"),
        ("ERROR: (AuthorizationFailed) The client 'x' does not have authorization to perform action", False, "may not"),
        ("ERROR: 'connectedk8s' is misspelled or not recognized by the system.", False, "no connectedk8s extension"),
        ("ERROR: (ResourceGroupNotFound) Resource group 'rg' could not be found.", False, "resource group"),
        ("ERROR: The gateway /subscriptions/x/gateways/gw was not found", False, "gateway is not there"),
        ("ERROR: (LocationNotAvailableForResourceType) no", False, "location"),
        ("ERROR: (MissingSubscriptionRegistration) no", False, "provider is not registered"),
        ("ERROR: Execution of pre-onboarding checks failed", False, "precheck"),
        ("ERROR: ProxyError('Tunnel connection failed: 407 Proxy Authentication Required')", False, "credentials"),
        (
            "ERROR: ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 403 Forbidden'))",
            False,
            "refuses an address",
        ),
        ("ERROR: x509: certificate signed by unknown authority", False, "intercepted"),
        ("WARNING: retrying after 503\nERROR: (SubscriptionNotFound) no", False, "subscription"),
        ("Traceback ...\nValueError: what", False, "status 1"),
        ('File "x.py", line 407, in f\nFile "y.py", line 503, in g\nValueError: what', False, "status 1"),
        # As azure-cli writes what ARM answers, and as the extension writes what it adds.
        (
            "ERROR: Failed to create gateway-cluster association: Error while fetching helm chart registry path: Too "
            'Many Requests({"error":{"code":"TooManyRequests","message":"rate limit of gateways"}})\n'
            "ERROR: Failed to associate gateway with connected cluster. Please ensure that the gateway resource is "
            "valid and accessible, then try again.",
            True,
            "slow down",
        ),
        (
            "ERROR: Http response error occured while making ARM request: (QuotaExceeded) Operation could not be "
            "completed as it results in exceeding approved quota.",
            False,
            "quota of the subscription",
        ),
        (
            "ERROR: (RequestDisallowedByPolicy) Resource 'edge' was disallowed by policy.",
            False,
            "Azure Policy",
        ),
        (
            "ERROR: (ScopeLocked) The scope '/subscriptions/x' cannot perform delete operation because following "
            "scope(s) are locked",
            False,
            "a lock in Azure",
        ),
        (
            "ERROR: Your credentials doesn't have permission to create clusterrolebindings on this kubernetes cluster.",
            False,
            "cluster-admin",
        ),
        ("ERROR: Self hosted issuer is required for gke cluster when OIDC issuer is", False, "selfHostedIssuer"),
        (
            "ERROR: az connectedk8s connect: 'k9s' is not a valid value for '--distribution'. Allowed values: generic",
            False,
            "does not take an argument",
        ),
        ("ERROR: Updating a Provisioned Cluster is not supported from the Connected Cluster CLI.", False, "az aksarc"),
        (
            'ERROR: [AZK8S0500] HelmFailed: Error: UPGRADE FAILED: "azure-arc" has no deployed releases',
            True,
            "stopped in an earlier run",
        ),
        ("ERROR: Timed out waiting for Agent State to reach terminal state", True, "not taken the change over"),
        ("ERROR: Helm list release failed: Error: Kubernetes cluster unreachable: EOF", True, "busy or away"),
        (
            "ERROR: Operation cannot be fulfilled: the object has been modified; please apply your changes",
            True,
            "busy or away",
        ),
        (
            "ERROR: Error while fetching helm chart registry path: HTTPSConnectionPool(host='x', port=443): Max "
            "retries exceeded with url: /y (Caused by NameResolutionError(\"Failed to resolve 'x' ([Errno -2] Name or "
            'service not known)"))',
            True,
            "could not be made",
        ),
        ("ERROR: Get https://mcr.microsoft.com/v2/: dial tcp: lookup mcr: no such host", True, "could not be made"),
        ("ERROR: Service Unavailable({})", True, "error of its own"),
        ("ERROR: (ExpiredAuthenticationToken) The access token expiry UTC time", False, "has expired"),
        ("", False, "said nothing"),
    ],
)
def test_what_a_failure_means(output: str, transient: bool, words: str) -> None:
    failure = classify("az connectedk8s connect", 1, output)
    assert failure.transient is transient and words in str(failure) and failure.mend
    assert failure.retry_after == (17.0 if "Retry-After" in output else None)


def test_a_refusal_of_the_proxys_credentials_is_told_apart() -> None:
    failure = classify("az connectedk8s delete", 1, "ERROR: OSError('Tunnel connection failed: 407 Authenticate')")
    assert isinstance(failure, ProxyRefusal) and not failure.transient
    assert not isinstance(classify("az x", 1, "ERROR: (AuthorizationFailed) no"), ProxyRefusal)


def test_every_pattern_says_what_to_do() -> None:
    assert all(pattern.cause and len(pattern.mend) > 10 for pattern in PATTERNS)


def test_retries_back_off_with_jitter_and_honour_what_is_asked_for() -> None:
    waits: list[float] = []
    failures = [Failure("x", "y", transient=True)] * 4 + [Failure("x", "y", transient=True, retry_after=40)]

    def attempt(left: float) -> str:
        assert left > 0
        if failures:
            raise failures.pop(0)
        return "done"

    assert with_retries(attempt, time.monotonic() + 1000, lambda _: None, waits.append) == "done"
    for wait, planned in zip(waits[:4], (2, 4, 8, 16), strict=True):
        assert 0.75 * planned <= wait <= 1.25 * planned
    assert waits[4] >= 40 and len({round(wait % 1, 6) for wait in waits[:4]}) == 4


def test_retries_end_with_the_time_and_final_failures_at_once() -> None:
    with pytest.raises(Failure, match="time for trying again is over"):
        with_retries(_fail(transient=True, retry_after=100), time.monotonic() + 50, lambda _: None, lambda _: None)
    with pytest.raises(Failure, match=r"^x: y$"):
        with_retries(_fail(transient=False), time.monotonic() + 50, lambda _: None, pytest.fail)


def test_patience_ends_earlier_but_not_where_waiting_was_asked_for() -> None:
    waits: list[float] = []
    far = time.monotonic() + 1000
    with pytest.raises(Failure, match="is over"):
        with_retries(_fail(transient=True), far, lambda _: None, waits.append, patience=1)
    assert waits == []
    failures = [Failure("x", "y", transient=True, retry_after=120)]

    def attempt(_: float) -> str:
        if failures:
            raise failures.pop()
        return "done"

    assert with_retries(attempt, far, lambda _: None, waits.append, patience=1) == "done" and waits == [120]


def _fail(**more: object):  # type: ignore[no-untyped-def]
    def attempt(_: float) -> None:
        raise Failure("x", "y", **more)  # type: ignore[arg-type]

    return attempt


@given(st.text(min_size=4, max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_a_known_secret_never_stays(secret: str, before: str, after: str) -> None:
    shown = Redactor([secret])(before + secret + after)
    assert secret not in shown or secret in "***" or set(secret) <= {"*"}


def test_what_looks_like_a_secret_goes_too() -> None:
    text = Redactor()("via http://user:pass@host:1/ Bearer abcdefghijklmnop eyJhbGciOiJIUzI1.eyJzdWIiOiIx.x")
    assert "pass" not in text and "abcdefgh" not in text and "eyJ" not in text and "host:1" in text
