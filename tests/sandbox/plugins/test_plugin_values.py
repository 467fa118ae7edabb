"""Property values between messages and Python, and what differs between two maps of them."""

from __future__ import annotations

from typing import Any

from google.protobuf import json_format, struct_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.plugins.changes import Kind, changes, root, transfer
from sandbox.plugins.fields import Field, check
from sandbox.plugins.values import (
    ASSET,
    OUTPUT,
    RESOURCE,
    SIGNATURE,
    UNKNOWN,
    UNKNOWN_MARKS,
    Secret,
    decode,
    encode,
    has_secrets,
    has_unknowns,
    like,
    plain,
)

#: Without a time for each example: the machine may be busy.
examples = settings(max_examples=50, deadline=None)

SCALARS = st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text() | st.just(UNKNOWN)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner | st.none(), max_size=3)
        | st.dictionaries(st.text(), inner, max_size=3)
        | inner.filter(lambda value: not isinstance(value, Secret)).map(Secret)
    ),
    max_leaves=8,
)
MAPS = st.dictionaries(st.text(), VALUES, max_size=4)
PLAIN = st.recursive(
    st.booleans() | st.text(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
PLAIN_MAPS = st.dictionaries(st.text(), PLAIN, max_size=4)


def message(fields: dict[str, Any]) -> struct_pb2.Struct:
    return json_format.ParseDict(fields, struct_pb2.Struct())


@examples
@given(MAPS)
def test_what_is_encoded_is_decoded(properties: dict[str, Any]) -> None:
    assert decode(encode(properties)) == properties
    assert has_secrets(properties) == ("Secret(" in repr(properties) and plain(properties) != properties)


def test_every_form_of_the_engine_is_understood() -> None:
    for mark in UNKNOWN_MARKS:
        assert decode(message({"a": mark}))["a"] is UNKNOWN
    outputs = {
        "known": {SIGNATURE: OUTPUT, "value": "v", "dependencies": ["urn"]},
        "unknown": {SIGNATURE: OUTPUT},
        "secret": {SIGNATURE: OUTPUT, "value": "v", "secret": True},
        "secret unknown": {SIGNATURE: OUTPUT, "secret": True},
        "resource": {SIGNATURE: RESOURCE, "urn": "urn:x", "id": "the-id"},
        "component": {SIGNATURE: RESOURCE, "urn": "urn:x"},
        "none": None,
    }
    assert decode(message(outputs)) == {
        "known": "v",
        "unknown": UNKNOWN,
        "secret": Secret("v"),
        "secret unknown": Secret(UNKNOWN),
        "resource": "the-id",
        "component": "urn:x",
    }


def test_assets_pass_as_they_are_and_are_no_objects() -> None:
    asset = {SIGNATURE: ASSET, "hash": "1", "text": "hello"}
    assert decode(encode({"a": asset})) == {"a": asset}
    assert list(changes({"a": asset}, {"a": asset | {"hash": "2"}}, lambda path: False)) == ["a"]
    assert [bad.reason for bad in check({"a": Field("object")}, {"a": asset})] == [
        "'a' should be of type 'object' but is an asset"
    ]


def test_outputs_are_as_secret_as_their_inputs() -> None:
    inputs = {"a": {"x": Secret(1.0)}, "b": 2.0, "c": Secret(3.0)}
    assert like({"a": {"x": 1.0}, "b": 2.0, "c": Secret(3.0), "d": 4.0}, inputs) == {
        "a": Secret({"x": 1.0}),
        "b": 2.0,
        "c": Secret(3.0),
        "d": 4.0,
    }


@examples
@given(PLAIN_MAPS, PLAIN_MAPS)
def test_no_difference_is_no_change(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert changes(old, old, lambda path: True) == {}
    assert (changes(old, new, lambda path: False) == {}) == (old == new)
    assert {root(path) for path in changes(old, new, lambda path: False)} == {
        key for key in old.keys() | new.keys() if key not in old or key not in new or old[key] != new[key]
    }


def test_paths_are_those_of_the_engine() -> None:
    old = {"list": [{"a": "1"}, "x"], "map": {"x.y": {"b": "1"}}, "gone": "1"}
    new = {"list": [{"a": UNKNOWN}], "map": {"x.y": {"b": "2"}}, "new": {"c": "1"}}
    found = changes(old, new, lambda path: path == "list[].a")
    assert {path: (change.kind, change.replaces) for path, change in found.items()} == {
        "list[0].a": (Kind.UPDATE, True),
        "list[1]": (Kind.DELETE, False),
        'map["x.y"].b': (Kind.UPDATE, False),
        "gone": (Kind.DELETE, False),
        "new": (Kind.ADD, False),
    }
    assert has_unknowns(new)


@examples
@given(PLAIN_MAPS, PLAIN_MAPS)
def test_a_transfer_of_nothing_changes_nothing_and_one_of_all_changes_all(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    assert transfer(old, new, new) == old
    assert transfer(old, old, new) == new


def test_a_transfer_leaves_defaults_of_the_service_out() -> None:
    base = {"tags": {"a": Secret("1")}, "list": ["x"]}
    old = {"tags": {"a": "1", "default": "d"}, "list": ["x"], "kind": "Public"}
    new = {"tags": {"a": "2", "default": "d"}, "list": ["x", "y"], "kind": "Public", "added": "z"}
    assert transfer(base, old, new) == {"tags": {"a": Secret("2")}, "list": ["x", "y"], "added": "z"}
