"""What the command line means, and what is refused before anything is asked of the world."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.az import arguments
from sandbox.az.__main__ import _find, _parser, main
from sandbox.az.commands import COMMANDS
from sandbox.az.errors import UsageError

GATEWAY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.HybridCompute/gateways/gw"


def parse(line: str) -> dict[str, object]:
    name, rest = _find(arguments.expand_files(line.split()))
    return vars(_parser(name, COMMANDS[name]).parse_args(rest))


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("connectedk8s update -n a -g b --gateway-resource X", "gateway_resource_id", "X"),
        ("connectedk8s update -n a -g b --gateway-resource-id=X", "gateway_resource_id", "X"),
        ("connectedk8s connect -n a -g b --proxy-skip 10.0.0.0/8,svc", "proxy_skip_range", "10.0.0.0/8,svc"),
        ("connectedk8s connect -n a -g b --enable-private", "enable_private_link", True),
        ("connectedk8s connect -n a -g b --enable-private-link FALSE", "enable_private_link", False),
        ("connectedk8s connect -n a -g b", "enable_private_link", None),
        ("connectedk8s update -n a -g b --disable-gateway", "disable_gateway", True),
        ("connectedk8s update -n a -g b --disable-gateway false", "disable_gateway", False),
        ("connectedk8s update -n a -g b --auto-upgrade TRUE", "auto_upgrade", "true"),
        ("connectedk8s connect -n a -g b --custom-ca-cert /x", "proxy_cert", "/x"),
        ("connectedk8s connect -n a -g b --pls-arm-id /x", "private_link_scope_resource_id", "/x"),
        ("connectedk8s connect -n a -g b --distribution K3S", "distribution", "k3s"),
        ("connectedk8s connect -n a -g b -l WestEurope", "location", "WestEurope"),
        ("connectedk8s connect -n a -g b --tags a=1 b c=d=e", "tags", {"a": "1", "b": "", "c": "d=e"}),
        (
            "connectedk8s connect -n a -g b --config proxy.x=1 logging.y=2 --config proxy.z=3=4",
            "configuration_settings",
            {"proxy": {"x": "1", "z": "3=4"}, "logging": {"y": "2"}},
        ),
        (
            "connectedk8s connect -n a -g b --config-protected-settings proxy.https_proxy=http://p",
            "configuration_protected_settings",
            {"proxy": {"https_proxy": "http://p"}},
        ),
        ("--only-show-errors -o tsv connectedk8s list", "_output", "tsv"),
        ("--subscription s2 connectedk8s show -n a -g b", "subscription", "s2"),
        ("account set -s s2", "subscription", "s2"),
        ("arcgateway create --gateway-name gw -g b --allowed-features * x", "allowed_features", ["*", "x"]),
        ("arcgateway create --name gw -g b", "location", None),
        (
            "arcgateway settings update -g b --base-provider P --base-resource-type t --base-resource-name n",
            "name",
            "default",
        ),
    ],
)
def test_flags_mean_what_they_mean_to_the_real_one(line: str, name: str, value: object) -> None:
    assert parse(line)[name] == value


def test_a_region_with_blanks_is_written_as_arm_writes_it() -> None:
    assert _parser("arcgateway create", COMMANDS["arcgateway create"]).parse_args(
        ["-n", "g", "-g", "b", "-l", "East US"]
    ).location == "eastus"  # fmt: skip


def test_files_stand_for_their_content(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("p@ss=word\n")
    words = ["-p", f"@{secret}", f"--password=@{secret}", "@missing", "user@host", "@"]
    assert arguments.expand_files(words) == ["-p", "p@ss=word", "--password=p@ss=word", "@missing", "user@host", "@"]


@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        ("connectedk8s show -n a", 2, "the following arguments are required: --resource-group/-g"),
        ("connectedk8s show -n a -g b --gateway x", 2, "unrecognized arguments: --gateway x"),
        ("connectedk8s connect -n a -g b --proxy x", 2, "ambiguous option: --proxy could match"),
        ("connectedk8s connect -n a -g b --disable-proxy", 2, "unrecognized arguments: --disable-proxy"),
        ("connectedk8s connect -n a -g b --disable-gateway", 2, "unrecognized arguments: --disable-gateway"),
        (
            "connectedk8s update -n a -g b --disable-gateway maybe",
            2,
            "'maybe' is not a valid value for '--disable-gateway'",
        ),
        ("connectedk8s connect -n a -g b --distribution dos", 2, "'dos' is not a valid value for '--distribution'"),
        ("connectedk8s list -o xml", 2, "'xml' is not a valid value for '--output'"),
        ("connectedk8s conect -n a -g b", 2, "'conect' is misspelled or not recognized by the system."),
        ("vm list", 2, "'vm' is misspelled or not recognized by the system."),
        (
            f"connectedk8s update -n a -g b --gateway-resource-id {GATEWAY} --disable-gateway",
            1,
            "Cannot specify both --gateway-resource-id and --disable-gateway simultaneously.",
        ),
        (
            "connectedk8s connect -n a -g b --enable-private-link",
            1,
            "'--private-link-scope-resource-id' was not provided",
        ),
        ("connectedk8s connect -n a -g b --pls-arm-id /x", 1, "Conflicting private link parameters received."),
        ("connectedk8s update -n a -g b --enable-oidc-issuer false", 1, "Disabling OIDC issuer is not supported."),
        ("connectedk8s connect -n a -g b --self-hosted-issuer x", 1, "without --enable-oidc-issuer"),
        (
            "connectedk8s update -n a -g b --enable-wi --disable-wi",
            1,
            "Cannot specify both --enable-workload-identity and",
        ),
        ("connectedk8s connect -n a -g b --config proxy=1", 1, "Usage error: --config configuration_setting_key="),
        ("connectedk8s show -n a -g b", 1, "Please run 'az login' to setup account."),
        ("connectedk8s list", 1, "Please run 'az login' to setup account."),
        ("arcgateway list", 1, "Please run 'az login' to setup account."),
        ("account show", 1, "Please run 'az login' to setup account."),
        ("account get-access-token", 1, "Please run 'az login' to setup account."),
        ("connectedk8s delete -n a -g b", 1, "Unable to prompt for confirmation as no tty available. Use --yes."),
        ("arcgateway create -n b/d -g b -l eastus", 1, "Please run 'az login' to setup account."),
        ("extension show -n ssh", 1, "The extension ssh is not installed."),
    ],
)
def test_refusals_before_any_call(
    line: str, code: int, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path))
    monkeypatch.setattr("sys.stdin", (tmp_path / "empty").open("w+"))
    assert main(line.split()) == code
    out, error = capsys.readouterr()
    assert error.replace("WARNING: This operation might take a while...\n\n", "").startswith("ERROR: ")
    assert told in error
    assert out == ""


def test_a_disabled_disable_flag_does_not_conflict() -> None:
    args = _parser("connectedk8s update", COMMANDS["connectedk8s update"]).parse_args(
        ["-n", "a", "-g", "b", "--gateway-resource-id", GATEWAY, "--disable-gateway", "false"]
    )
    for check in COMMANDS["connectedk8s update"].checks:
        check(args)


def test_help_is_printed_and_no_command_is_needed_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["connectedk8s", "connect", "--help"]) == 0
    assert "--proxy-skip-range" in capsys.readouterr().out
    assert main(["arcgateway", "--help"]) == 0
    assert "az arcgateway settings update" in capsys.readouterr().out


def test_an_unknown_flag_never_reaches_a_command() -> None:
    with pytest.raises(UsageError):
        parse("connectedk8s delete -n a -g b --yess-please")
