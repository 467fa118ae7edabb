"""Kubeconfigs, and what is read of agents."""

from __future__ import annotations

import base64
import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from arcgateway import kubeconfig
from arcgateway.errors import Failure
from arcgateway.kube import guessed_ranges, newest_release


def config(name: str, **more: Any) -> str:
    return json.dumps(
        {
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "clusters": [
                {"name": name, "cluster": {"server": f"https://{name}.test:6443", "certificate-authority": "ca.crt"}}
            ],
            "users": [
                {"name": name, "user": {"client-key": "keys/k.pem", "exec": {"command": "./login", "args": ["x"]}}}
            ],
            **more,
        }
    )


@pytest.mark.parametrize(
    ("server", "prefix"),
    [
        ("https://one.test:6443", ""),
        ("https://one.test/", ""),
        ("https://rancher.test/k8s/clusters/c-1", "/k8s/clusters/c-1"),
        ("https://rancher.test/k8s/clusters/c-1/", "/k8s/clusters/c-1"),
    ],
)
def test_a_server_of_many_clusters_has_a_path_before_all_others(tmp_path: Path, server: str, prefix: str) -> None:
    (tmp_path / "one").write_text(config("one", clusters=[{"name": "one", "cluster": {"server": server}}]))
    assert kubeconfig.read("one", {"KUBECONFIG": str(tmp_path / "one")}).prefix == prefix


def test_several_files_are_merged_and_paths_made_absolute(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one").write_text(config("east"))
    (tmp_path / "two").write_text(config("west", **{"current-context": "west"}))
    env = {"KUBECONFIG": os.pathsep.join(map(str, (tmp_path / "a" / "one", tmp_path / "gone", tmp_path / "two")))}
    east = kubeconfig.read("east", env)
    assert (east.context, east.api_server) == ("east", "east.test")
    document = json.loads(east.text)
    assert [item["name"] for item in document["clusters"]] == ["east"] and document["current-context"] == "east"
    assert document["clusters"][0]["cluster"]["certificate-authority"] == str(tmp_path / "a" / "ca.crt")
    user = document["users"][0]["user"]
    assert user["client-key"] == str(tmp_path / "a" / "keys" / "k.pem")
    assert user["exec"]["command"] == str(tmp_path / "a" / "login")
    assert kubeconfig.read(None, env).context == "west"


def test_the_default_file_and_what_is_wrong_with_others(tmp_path: Path) -> None:
    home = tmp_path / ".kube"
    home.mkdir()
    env = {"HOME": str(tmp_path)}
    with pytest.raises(Failure, match="no kubeconfig at"):
        kubeconfig.read(None, env)
    for text, words in (
        ("{", "cannot be read"),
        ("", "is empty"),
        (config("a"), "no current context"),
        (
            json.dumps({"current-context": "a", "contexts": [{"name": "a", "context": {"cluster": "x"}}]}),
            "names no cluster",
        ),
    ):
        (home / "config").write_text(text)
        with pytest.raises(Failure, match=words):
            kubeconfig.read(None, env)
    (home / "config").write_text(config("a"))
    with pytest.raises(Failure, match=r"no context 'b'.*its contexts \(a\)"):
        kubeconfig.read("b", env)


def secret(version: int, status: str, body: bytes) -> dict[str, Any]:
    return {
        "metadata": {"labels": {"version": str(version), "status": status}},
        "data": {"release": base64.b64encode(base64.b64encode(body)).decode()},
    }


def test_the_newest_release_counts_and_a_broken_one_is_a_release_without_values() -> None:
    values = {"config": {"global": {"httpsProxy": "http://p:1", "isProxyEnabled": True}, "x": None}}
    older = secret(9, "superseded", gzip.compress(b"{}"))
    newest = newest_release([older, secret(10, "deployed", gzip.compress(json.dumps(values).encode()))])
    assert newest is not None and newest.deployed
    assert newest.values == {"global.httpsProxy": "http://p:1", "global.isProxyEnabled": "True"}
    for body in (b"junk", gzip.compress(b"junk"), b"\x1f\x8bjunk"):
        broken = newest_release([secret(1, "pending-install", body)])
        assert broken is not None and broken.pending and broken.values == {}
    assert newest_release([]) is None


def test_guessed_service_ranges() -> None:
    assert guessed_ranges(["10.43.0.1", "10.43.200.7", "fd00:43::1"]) == ("10.43.0.0/16", "fd00:43::/108")
