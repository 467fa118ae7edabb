"""What `az connectedk8s` says when it fails: which of it may pass by itself, and what to do about the rest."""

from __future__ import annotations

import re
from dataclasses import dataclass

from arcgateway.errors import Failure, ProxyRefusal


@dataclass(frozen=True)
class Pattern:
    """One kind of failure.

    Attributes:
        text: a regular expression for the client's output, matched without regard to case.
        cause: what it means.
        mend: what to do.
        transient: the same command may succeed when it is run again.
        kind: the class of the failure.
    """

    text: str
    cause: str
    mend: str
    transient: bool = False
    kind: type[Failure] = Failure


NOT_LOGGED_IN = "az is not logged in"
LOGIN_EXPIRED = "the login of az has expired"

#: The first match counts, so what is final stands before what is general. Codes of Azure stand first of all: they are
#: plain, and the words around them are not. A number counts as a status where no line of a traceback has it.
PATTERNS = (
    Pattern(
        r"Too ?Many ?Requests|OperationThrottled|RequestsThrottled|ThrottledRequest",
        "Azure asks to slow down",
        "run again later",
        transient=True,
    ),
    Pattern(
        r"please run:? ['\"]?az login|no subscription found|AADSTS70043|AADSTS700082|interactive authentication",
        NOT_LOGGED_IN,
        "run `az login`, or set ARM_TENANT_ID, ARM_CLIENT_ID and ARM_CLIENT_SECRET",
    ),
    # What a pipeline's token was exchanged for lasts an hour, and the token that `az` keeps mostly less.
    Pattern(
        r"AADSTS700024",
        LOGIN_EXPIRED,
        "run `az login`, and run again",
    ),
    Pattern(
        r"AADSTS90024|AADSTS90033|temporarily_unavailable",
        "the login service has an outage",
        "run again later",
        transient=True,
    ),
    Pattern(
        r"AADSTS7000215|AADSTS700016|AADSTS90002|AADSTS7000222|invalid_client",
        "Entra ID refuses the service principal",
        "renew its secret, and check ARM_TENANT_ID and ARM_CLIENT_ID",
    ),
    Pattern(
        r"AuthorizationFailed|does not have authorization to perform action|LinkedAuthorizationFailed",
        "the caller may not do this in Azure",
        "grant it Microsoft.Kubernetes/connectedClusters/* on the resource group, settings/default/write on the "
        "cluster, and Microsoft.HybridCompute/gateways/read on the gateway",
    ),
    Pattern(
        r"ExpiredAuthenticationToken|InvalidAuthenticationToken|access token (?:is|has) expired|AADSTS50173",
        LOGIN_EXPIRED,
        "run `az login`, and run again",
    ),
    Pattern(
        r"['\"]?connectedk8s['\"]? is (?:misspelled or )?not (?:recognized|in the)|extension connectedk8s is not "
        r"installed|connectedk8s.*requires the extension",
        "this az has no connectedk8s extension",
        "run `az extension add --name connectedk8s`",
    ),
    Pattern(
        r"SubscriptionNotFound|subscription .{1,60} could ?n.t be found",
        "the subscription is not there, or not visible to the caller",
        "check its id and the caller's tenant",
    ),
    Pattern(r"ResourceGroupNotFound", "the resource group is not there", "create it, or mend its name"),
    Pattern(
        r"gateway.{0,80}(?:not ?found|does not exist|could not be found)|ResourceNotFound.{0,200}gateways/",
        "the gateway is not there",
        "check the gateway's id, and that its creation has ended",
    ),
    Pattern(
        r"ResourceNotFound|connected cluster .{0,80}(?:not found|does not exist)",
        "the connected cluster is not there",
        "connect it first, or mend its name and resource group",
    ),
    Pattern(
        r"gateway.{0,80}(?:limit|quota)|quota.{0,80}gateway",
        "the gateway's limit is reached",
        "associate the cluster with another gateway",
    ),
    Pattern(
        r"QuotaExceeded|exceed(?:s|ed|ing) .{0,40}quota|quota .{0,40}(?:exceed|reached)|ResourceCountExceeds",
        "a quota of the subscription is used up",
        "have it raised, or use another subscription",
    ),
    Pattern(
        r"RequestDisallowedByPolicy|disallowed by policy",
        "an Azure Policy of the subscription forbids this",
        "meet the policy that is named, or have an exemption made",
    ),
    Pattern(
        r"ScopeLocked|scope .{0,200} is locked",
        "a lock in Azure forbids this",
        "have the lock removed, or leave the cluster to it",
    ),
    Pattern(
        r"LocationNotAvailableForResourceType|not available in this region|location .{1,40} is not supported|"
        r"connected cluster resource creation is supported only in",
        "Azure does not offer connected clusters in this location",
        "choose another location for the cluster",
    ),
    Pattern(
        r"MissingSubscriptionRegistration|is not registered with (?:the )?provider|register the provider",
        "a resource provider is not registered in the subscription",
        "run `az provider register -n Microsoft.Kubernetes`, and the same for Microsoft.KubernetesConfiguration "
        "and Microsoft.HybridCompute",
    ),
    Pattern(
        r"Execution of pre-onboarding checks failed|diagnostic checks? .{0,60}fail|pre-?onboarding.{0,60}fail",
        "the precheck in the cluster found closed endpoints or names that do not resolve",
        "run `arcgateway preflight` with the cluster's proxy, and open what it names",
    ),
    Pattern(
        r"x509: certificate|CERTIFICATE_VERIFY_FAILED|self.signed certificate|tls: failed to verify certificate",
        "a certificate on the way is not trusted: TLS is intercepted, or a root is missing on this machine",
        "run `arcgateway preflight` with this proxy, and exempt the names from inspection",
    ),
    Pattern(
        r"Proxy Authentication Required|(?<!line )\b407\b",
        "the enterprise proxy asks for credentials, or refuses these",
        "put the user and password into the proxy's URL (percent-encoded)",
        kind=ProxyRefusal,
    ),
    Pattern(
        r"Tunnel connection failed: 403|\b403 Forbidden from proxy|blocked by (?:the )?proxy",
        "the enterprise proxy refuses an address that is needed",
        "open what `arcgateway endpoints` lists",
    ),
    Pattern(
        r"resource name .{0,80}already (?:in use|exists)|already exists .{0,80}another cluster|"
        r"already onboarded .{0,60}different",
        "the name, or this cluster, is connected already as something else",
        "disconnect the other one, or choose another name",
    ),
    Pattern(
        r"Your credentials doesn't have permission to create clusterrolebindings|is forbidden: User|"
        r"does not have required privileges on the kubernetes cluster|must be logged in to the server",
        "the kubeconfig's user may not do this in the cluster",
        "onboarding needs cluster-admin: use such a context, and log in to the cluster anew",
    ),
    Pattern(
        r"Self hosted issuer is required",
        "the cluster's distribution has an OIDC issuer of its own, which the client wants to be told",
        "give the cluster its selfHostedIssuer",
    ),
    Pattern(
        r"is not a valid value for|Allowed values:|unrecognized arguments",
        "this az does not take an argument that it was given",
        "mend the setting that is named; where its name is right, run `az extension update --name connectedk8s`",
    ),
    Pattern(
        r"Provisioned Cluster",
        "the cluster is an AKS cluster of Azure Local, which this client only reads",
        "use `az aksarc` for it",
    ),
    Pattern(
        r"kubeconfig.{0,80}(?:not found|invalid|no such)|Invalid kube-?config|could not load .{0,20}kube",
        "the kubeconfig or its context cannot be used",
        "check KUBECONFIG and the cluster's kubeContext",
    ),
    Pattern(
        r"another operation .{0,40}in progress|AnotherOperationInProgress|\bConflict\b.{0,80}in progress",
        "another operation on this cluster is in progress",
        "wait for it, or, where a killed helm left the release pending, run `helm rollback` on the release "
        "azure-arc in azure-arc-release",
        transient=True,
    ),
    Pattern(
        r"has no deployed releases|cannot re-use a name that is still in use",
        "helm was stopped in an earlier run on this cluster",
        "run again; where that does not help, run `helm uninstall azure-arc --namespace azure-arc-release`",
        transient=True,
    ),
    Pattern(
        r"the object has been modified|etcdserver: (?:request timed out|leader changed)|Kubernetes cluster unreachable|"
        r"the server is currently unable to handle the request",
        "the cluster was busy or away for a moment",
        "look at the cluster's API server, and run again",
        transient=True,
    ),
    Pattern(r"(?<!line )\b429\b|throttl", "Azure or the cluster asks to slow down", "run again later", transient=True),
    Pattern(
        r"Timed out waiting for Agent State|AgentStateTimeout",
        "the agents have not taken the change over in time",
        "look at `kubectl get pods,events -n azure-arc`, and at the way from there to Azure",
        transient=True,
    ),
    Pattern(
        r"timed out waiting for the condition|(?:context )?deadline exceeded|UPGRADE FAILED|INSTALLATION FAILED|"
        r"HelmTimeout",
        "the agents did not become ready in time",
        "look at `kubectl get pods,events -n azure-arc`: most often an image cannot be pulled through the proxy",
        transient=True,
    ),
    Pattern(
        r"InternalServerError|Internal Server Error|ServiceUnavailable|Service Unavailable|BadGateway|Bad Gateway|"
        r"GatewayTimeout|Gateway Time-?out|ServerTimeout|RetryableError|(?<!line )\b50[0234]\b",
        "Azure answered with an error of its own",
        "run again later",
        transient=True,
    ),
    Pattern(
        r"ConnectionReset|Connection aborted|RemoteDisconnected|connection reset|EOF occurred|broken pipe|"
        r"Max retries exceeded|Read timed out|ConnectTimeout|connection refused|Temporary failure in name|"
        r"i/o timeout|TLS handshake timeout|Unable to (?:connect|reach)|network is unreachable|unexpected EOF|"
        r"client connection lost|Client\.Timeout exceeded|no such host|Cannot connect to proxy|"
        r"Name or service not known",
        "a connection was lost or could not be made",
        "check the way to Azure and to the cluster, and run again",
        transient=True,
    ),
)

_COMPILED = tuple((re.compile(pattern.text, re.IGNORECASE | re.DOTALL), pattern) for pattern in PATTERNS)
_RETRY_AFTER = re.compile(r"retry[- ]after['\"]?\s*[:=]?\s*['\"]?(\d{1,5})", re.IGNORECASE)


def classify(command: str, status: int, output: str) -> Failure:
    """What a failed command means.

    Args:
        command: its words that are no secret, for the message, for example `az connectedk8s connect`.
        status: its exit status.
        output: what it wrote, already redacted.
    """
    said = _last_words(output)
    output = _errors(output)
    after = _RETRY_AFTER.search(output)
    for regex, pattern in _COMPILED:
        if regex.search(output):
            return pattern.kind(
                f"{command} failed, {pattern.cause} ({said})",
                pattern.mend,
                transient=pattern.transient,
                retry_after=float(after[1]) if after else None,
            )
    return Failure(f"{command} failed with status {status} ({said})", "see its output above, mend that and run again")


def _errors(output: str) -> str:
    """From the first error on, so that a warning's words are not taken for the cause; all where none is marked."""
    start = re.search(r"^ *error\b", output, re.IGNORECASE | re.MULTILINE)
    return output[start.start() :] if start else output


def _last_words(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")]
    chosen = (errors or lines or ["it said nothing"])[-1]
    return chosen if len(chosen) <= 300 else chosen[:297] + "..."
