"""The one comment of a change: made, found again, renewed, kept within limits."""

from __future__ import annotations

import re

import pytest
from comment_service import TOKEN, Service, serving

from arcgateway.errors import Failure
from arcgateway.fleet import comments


def env(service: Service) -> dict[str, str]:
    return {
        "github": {
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": service.url,
            "GITHUB_REPOSITORY": "o/r",
            "GITHUB_REF": "refs/pull/7/merge",
            "GITHUB_TOKEN": service.token,
        },
        "gitlab": {
            "GITLAB_CI": "true",
            "CI_API_V4_URL": service.url,
            "CI_PROJECT_ID": "42",
            "CI_MERGE_REQUEST_IID": "7",
            "GITLAB_TOKEN": service.token,
        },
        "azure": {
            "TF_BUILD": "True",
            "SYSTEM_COLLECTIONURI": f"{service.url}/org/",
            "SYSTEM_TEAMPROJECT": "A project",
            "BUILD_REPOSITORY_ID": "id",
            "SYSTEM_PULLREQUEST_PULLREQUESTID": "7",
            "SYSTEM_ACCESSTOKEN": service.token,
        },
    }[service.kind]


@pytest.mark.parametrize("kind", ["github", "gitlab", "azure"])
def test_a_comment_is_made_once_and_renewed(kind: str) -> None:
    with serving(kind) as service:
        service.comments |= {number: f"what somebody says {number}" for number in range(1, 4)}
        assert "commented on change 7" in comments.post({"plan.txt": "4 create"}, env(service))
        assert "renewed the comment" in comments.post({"plan.txt": "now 5 create"}, env(service))
        assert len(service.comments) == 4 and service.bodies[:3] == [f"what somebody says {n}" for n in (1, 2, 3)]
        assert "now 5 create" in service.bodies[3] and service.bodies[3].startswith(comments.MARK)


@pytest.mark.parametrize("kind", ["github", "gitlab", "azure"])
def test_a_refusal_is_told_without_the_token(kind: str) -> None:
    with serving(kind) as service:
        given = env(service)
        service.token = "another"
        with pytest.raises(Failure, match=r"refused the comment \(status 401\)") as told:
            comments.post({"plan.txt": "x"}, given)
        assert TOKEN not in str(told.value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "this is no job of GitHub, GitLab, Azure Pipelines"),
        ({"GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/heads/main"}, "is for no change"),
        ({"GITLAB_CI": "true", "CI_MERGE_REQUEST_IID": "7"}, "has no GITLAB_TOKEN"),
    ],
    ids=["elsewhere", "a branch", "no token"],
)
def test_where_there_is_nothing_to_comment_on_nothing_is_asked(given: dict[str, str], words: str) -> None:
    assert words in comments.post({"plan.txt": "x"}, given)


def test_the_text_keeps_the_end_of_each_plan_within_the_limit() -> None:
    plans = {f"stack-{number}.plan.txt": "a\n" * 50_000 + f"Policies: refused {number}" for number in range(20)}
    made = comments.text(plans, 65_536)
    assert len(made) <= 65_536
    assert all(f"Policies: refused {number}" in made for number in range(20))
    assert "characters left out" in made


def test_no_text_of_a_plan_ends_its_block_or_reaches_a_terminal() -> None:
    made = comments.text({"plan.txt": "\x1b[31mred\x1b[0m\r\n````\n@everyone\n"}, 65_536)
    assert "\x1b" not in made and "\r" not in made
    fences = re.findall(r"^(`{3,})", made, re.M)
    assert fences[0] == "`````" and fences[-1] == "`````"
