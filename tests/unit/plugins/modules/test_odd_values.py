# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of another kind for every option of every module: one sentence that names the option, never a traceback."""

from __future__ import annotations

import functools
import importlib
import json
import os
import pathlib
import typing as t

import pytest
from ansible_collections.imageops.registry.tests.unit.support.module_runs import PACKAGE, names_of_modules, run_module

Plain = dict[str, t.Any]
Path = tuple[str, ...]
DIGEST = "sha256:" + "0" * 64
NOBODY = {"registry": "127.0.0.1:9", "plain_http": True}
"""Nobody listens there."""
NO_MAPPING: tuple[t.Any, ...] = (0, -1, [None], [[]], "text")
"""Where options have suboptions."""
OTHERS: tuple[t.Any, ...] = ({"a": [1]}, "\0")
OF_TYPE: dict[str, tuple[t.Any, ...]] = {"int": (-1,), "float": (-1,), "list": ([[]],)}
"""More of them, by the type of an option."""
PATHS = ("auth_file", "ca_path", "client_cert", "client_key")


def options_of(spec: Plain, above: Path = ()) -> t.Iterator[tuple[Path, Plain]]:
    """Every option, those inside of others included."""
    for name, option in spec.items():
        yield (*above, name), option
        yield from options_of(option.get("options") or {}, (*above, name))


@functools.cache
def distinct_options() -> dict[str, list[tuple[Path, Plain]]]:
    """The options of each module that no module before it has in the very same way."""
    known: set[tuple[Path, str]] = set()
    found: dict[str, list[tuple[Path, Plain]]] = {}
    for module in names_of_modules():
        found[module] = []
        for path, option in options_of(spec_of(module)):
            if (path, repr(option)) not in known:
                known.add((path, repr(option)))
                found[module].append((path, option))
    return found


def spec_of(module: str) -> Plain:
    spec: Plain = importlib.import_module(f"{PACKAGE}.{module}").ARGUMENTS["argument_spec"]
    return spec


def usual(spec: Plain) -> Plain:
    """Options with which a module gets as far as a registry that isn't there."""
    whole = {**NOBODY, "retries": 0, "timeout": 1, "search_auth_files": False, "repository": "a/b", "digest": DIGEST}
    images = [{"repository": "a/b", "digest": DIGEST}]
    return {name: value for name, value in {**whole, "source": NOBODY, "images": images}.items() if name in spec}


def with_value(spec: Plain, path: Path, value: t.Any, given: Plain) -> Plain:
    name, *rest = path
    if not rest:
        return {**given, name: value}
    inner = usual(spec[name]["options"])
    inner = with_value(spec[name]["options"], tuple(rest), value, inner)
    return {**given, name: [inner] if spec[name].get("type") == "list" else inner}


@pytest.mark.parametrize("module", names_of_modules())
def test_a_value_of_another_kind_is_one_sentence(module: str) -> None:
    spec = spec_of(module)
    for path, option in distinct_options()[module]:
        has_inner = bool(option.get("options"))
        for value in NO_MAPPING if has_inner else (*OTHERS, *OF_TYPE.get(option.get("type", ""), ())):
            options = with_value(spec, path, value, usual(spec))
            try:
                result = run_module(module, options, check=True)
            except BaseException as error:
                raise AssertionError(f"{module}: {path} as {value!r} ends in {error!r}") from error
            message = str(result.get("msg", ""))
            about = f"{module}: {path} as {value!r}: {message}"
            assert "Traceback" not in json.dumps(result) and "not iterable" not in message, about
            if has_inner:
                assert result["failed"] and path[-1] in message, about


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("kind", ["pipe", "device"])
@pytest.mark.parametrize("end", ["", "source"])
def test_what_is_no_file_is_named_and_not_waited_for(tmp_path: pathlib.Path, name: str, kind: str, end: str) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "cert").write_text("")
    value = {"pipe": str(pipe), "device": "/dev/zero"}[kind]
    login = {"client_cert": str(tmp_path / "cert")} if name == "client_key" else {}
    odd = {**NOBODY, "plain_http": False, **login, name: value}
    images = [{"repository": "a/b", "tag": "1"}]
    if end:
        options: Plain = {**NOBODY, "search_auth_files": False, "source": odd, "images": images}
        result = run_module("image_diff_info", options)
    else:
        result = run_module("registry_info", odd)
    message = result["msg"]
    assert result["failed"] and f"{end}.{name}".lstrip(".") in message and "is not a file" in message
