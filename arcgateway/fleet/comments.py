"""The one comment that a change gets from a fleet's plan: made of what the plan printed, and kept up to date.

Of the text and not of `--json`: a preview's JSON has no violations of policies in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from arcgateway.errors import Failure

if TYPE_CHECKING:
    from requests import Response, Session

#: By this the comment is found again.
MARK = "<!-- arcgateway fleet plan -->"

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")

Environment = Mapping[str, str]


@dataclass(frozen=True)
class Service:
    """Where a change is talked about.

    Attributes:
        title: what people call it.
        change: the change's number in a job's environment; empty where the job is for none.
        token_variable: which variable holds the token to comment with.
        authorized: the headers that carry the token.
        comments: address of the change's comments.
        listed: the comments in an answer of that address, as pairs of their address below it and their text.
        body: what creates or changes a comment.
        limit: characters that a comment may have.
        changes: the verb that changes one.
    """

    title: str
    change: Callable[[Environment], str]
    token_variable: str
    authorized: Callable[[str], Mapping[str, str]]
    comments: Callable[[Environment, str], str]
    listed: Callable[[Any], list[tuple[str, str]]]
    created: Callable[[str], Any]
    changed: Callable[[str], Any]
    limit: int
    changes: str
    where: Callable[[str, str], str] = field(default=lambda comments, comment: f"{comments}/{comment}")
    query: Mapping[str, str] = field(default_factory=lambda: {"per_page": "100"})


def _github_change(env: Environment) -> str:
    found = re.fullmatch(r"refs/pull/(\d+)/\w+", env.get("GITHUB_REF", ""))
    return found[1] if found else ""


def _github_comments(env: Environment, change: str) -> str:
    return f"{env['GITHUB_API_URL']}/repos/{env['GITHUB_REPOSITORY']}/issues/{change}/comments"


def _gitlab_comments(env: Environment, change: str) -> str:
    return f"{env['CI_API_V4_URL']}/projects/{env['CI_PROJECT_ID']}/merge_requests/{change}/notes"


def _azure_comments(env: Environment, change: str) -> str:
    project = quote(env["SYSTEM_TEAMPROJECT"])
    base = f"{env['SYSTEM_COLLECTIONURI'].rstrip('/')}/{project}/_apis/git/repositories/{env['BUILD_REPOSITORY_ID']}"
    return f"{base}/pullRequests/{change}/threads"


def _azure_listed(answer: Any) -> list[tuple[str, str]]:
    threads = answer.get("value") or []
    return [
        (f"{thread['id']}/comments/{one['id']}", str(one.get("content") or ""))
        for thread in threads
        for one in (thread.get("comments") or [])[:1]
    ]


#: The services, by the variable by which a job knows that it runs there.
SERVICES: Mapping[str, Service] = {
    "GITHUB_ACTIONS": Service(
        "GitHub",
        _github_change,
        "GITHUB_TOKEN",
        lambda token: {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"},
        _github_comments,
        lambda answer: [(str(one["id"]), str(one.get("body") or "")) for one in answer],
        lambda text: {"body": text},
        lambda text: {"body": text},
        65_536,
        "PATCH",
        # A comment's address on GitHub does not hold the number of its change.
        lambda comments, comment: f"{comments.rsplit('/', 2)[0]}/comments/{comment}",
    ),
    "GITLAB_CI": Service(
        "GitLab",
        lambda env: env.get("CI_MERGE_REQUEST_IID", ""),
        "GITLAB_TOKEN",
        lambda token: {"PRIVATE-TOKEN": token},
        _gitlab_comments,
        lambda answer: [(str(one["id"]), str(one.get("body") or "")) for one in answer],
        lambda text: {"body": text},
        lambda text: {"body": text},
        1_000_000,
        "PUT",
    ),
    "TF_BUILD": Service(
        "Azure Pipelines",
        lambda env: env.get("SYSTEM_PULLREQUEST_PULLREQUESTID", ""),
        "SYSTEM_ACCESSTOKEN",
        lambda token: {"Authorization": f"Bearer {token}"},
        _azure_comments,
        _azure_listed,
        lambda text: {"comments": [{"content": text, "commentType": "text"}], "status": "closed"},
        lambda text: {"content": text},
        150_000,
        "PATCH",
        query={"api-version": "7.1"},
    ),
}


def text(plans: Mapping[str, str], limit: int) -> str:
    """The comment of some plans, at most so many characters long.

    Args:
        plans: what each plan printed, by the name of its file.
        limit: characters.
    """
    cleaned = {name: _CONTROL.sub("", said).strip() or "(it printed nothing)" for name, said in sorted(plans.items())}
    # A fence longer than any run of backticks inside, so that no text can end it.
    longest = max(len(run) for said in cleaned.values() for run in re.findall(r"`+", said) or [""])
    fence = "`" * max(3, longest + 1)
    head = f"{MARK}\n### Plan of the fleet\n"
    room = max(200, (limit - len(head)) // len(cleaned) - 200)
    parts = [head]
    for name, said in cleaned.items():
        if len(said) > room:
            # The end has the sums and the violations.
            said = f"... ({len(said) - room} characters left out: the job's log has all)\n{said[-room:]}"
        parts.append(f"\n**{name.removesuffix('.txt').removesuffix('.plan')}**\n\n{fence}text\n{said}\n{fence}\n")
    return "".join(parts)[:limit]


def post(plans: Mapping[str, str], env: Environment) -> str:
    """Make or renew the comment of this job's change.

    Args:
        plans: what each plan printed, by the name of its file.
        env: the job's environment.

    Returns:
        What was done, in words.

    Raises:
        Failure: the service cannot be reached, or refuses.
    """
    service = next((one for variable, one in SERVICES.items() if env.get(variable)), None)
    if service is None:
        return f"no comment: this is no job of {', '.join(one.title for one in SERVICES.values())}"
    change = service.change(env)
    if not change:
        return f"no comment: this job of {service.title} is for no change"
    token = env.get(service.token_variable)
    if not token:
        return f"no comment on change {change}: the job has no {service.token_variable} to comment with"
    address = service.comments(env, change)
    made = text(plans, service.limit)
    with _session(env, address) as session:
        session.headers.update(service.authorized(token))
        found = _found(service, session, address)
        query = {key: value for key, value in service.query.items() if key != "per_page"}
        if found is None:
            _ask(service, session, "POST", address, params=query, json=service.created(made))
            return f"commented on change {change} of {service.title}"
        _ask(service, session, service.changes, service.where(address, found), params=query, json=service.changed(made))
        return f"renewed the comment on change {change} of {service.title}"


def _found(service: Service, session: Session, address: str) -> str | None:
    """The comment that an earlier run has made."""
    following: str | None = address
    query: Mapping[str, str] | None = service.query
    while following:
        answer = _ask(service, session, "GET", following, params=query)
        for comment, body in service.listed(answer.json()):
            if body.startswith(MARK):
                return comment
        # GitHub and GitLab say in a header where the next page is.
        following, query = (answer.links.get("next") or {}).get("url"), None
    return None


def _ask(service: Service, session: Session, method: str, url: str, **content: Any) -> Response:
    from requests import RequestException

    from arcgateway import https

    try:
        answer = session.request(method, url, allow_redirects=False, timeout=https.TIMEOUT, **content)
    except RequestException as error:
        raise https.unreachable(url, error) from error
    if not 200 <= answer.status_code < 300:
        raise Failure(
            f"{service.title} refused the comment (status {answer.status_code})",
            f"see that {service.token_variable} may comment on changes; docs/pipelines.md names the right",
        )
    return answer


def _session(env: Environment, address: str) -> Session:
    from requests.utils import get_environ_proxies

    from arcgateway import https

    bundle = env.get("REQUESTS_CA_BUNDLE") or env.get("SSL_CERT_FILE") or ""
    return https.session(bundle, get_environ_proxies(address))
