# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import types
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.plugin_utils._module_failure import explained

NO_JSON = "Module result deserialization failed: No start of json char found"


@pytest.mark.parametrize(
    "result",
    [
        {"changed": True},
        {"failed": True, "msg": "Cannot reach prod.example."},
        {"failed": True, "msg": "no module", "exception": "(traceback unavailable)"},
        {"failed": True, "msg": "it is a KeyError: 'x'", "exception": "Traceback ...\nKeyError: 'x'"},
        {"failed": True, "msg": "short", "exception": ""},
        {"changed": True, "exception": "Traceback ...\nKeyError: 'x'"},
        {"failed": True, "msg": "no module", "exception": types.SimpleNamespace(event=None)},
    ],
)
def test_what_says_why_stays_as_it_is(result: dict[str, t.Any]) -> None:
    assert explained(dict(result), {}) == result


def test_what_a_module_printed_in_place_of_a_result_is_in_the_message() -> None:
    result = {
        "failed": True,
        "msg": NO_JSON,
        "module_stdout": "",
        "module_stderr": "/bin/sh: 1: /opt/python:\n  Permission denied\n",
        "rc": 126,
    }
    assert explained(result, {})["msg"] == (
        f"{NO_JSON}. It ended with exit status 126. Is ansible_python_interpreter right for this host? Standard error: "
        "/bin/sh: 1: /opt/python: Permission denied"
    )


@pytest.mark.parametrize(("status", "hinted"), [(126, True), (127, True), (1, False), (137, False)])
def test_an_interpreter_that_did_not_start_is_named_in_sentences(status: int, hinted: bool) -> None:
    for message in ("it is no JSON", "it is no JSON."):
        said = explained({"failed": True, "msg": message, "module_stdout": "", "rc": status}, {})["msg"]
        assert said.startswith(f"it is no JSON. It ended with exit status {status}.")
        assert ("ansible_python_interpreter" in said) is hinted


def test_both_outputs_are_told_and_a_message_is_there_without_one() -> None:
    result = {"failed": True, "module_stdout": "quota\n", "module_stderr": "noise", "rc": None}
    message = "The module failed without a message. Standard output: quota Standard error: noise"
    assert explained(result, {})["msg"] == message


@pytest.mark.parametrize(
    "kept", [str, lambda text: types.SimpleNamespace(event=types.SimpleNamespace(formatted_traceback=text))]
)
def test_the_last_line_of_an_exception_is_told(kept: t.Callable[[str], t.Any]) -> None:
    traceback = "Traceback (most recent call last):\n  File ...\nMemoryError\n"
    result = {"failed": True, "msg": "Task failed: Module failed.", "exception": kept(traceback)}
    assert explained(result, {})["msg"] == "Task failed: Module failed. Exception: MemoryError"


def test_long_outputs_keep_their_beginning_and_their_end() -> None:
    text = "first " + "x" * 100_000 + " last"
    message = explained({"failed": True, "msg": NO_JSON, "module_stdout": text, "module_stderr": text}, {})["msg"]
    assert len(message) < 1500
    assert message.count("first x") == message.count("x last") == 2


@pytest.mark.parametrize("secret", ["hunter2hunter2", 'quote"back\\slash', "ünïcödé-secret", "line\nbreak-secret"])
@pytest.mark.parametrize("option", ["password", "token"])
@pytest.mark.parametrize("end", ["", "source"])
def test_secrets_are_hidden_as_a_payload_has_them(secret: str, option: str, end: str) -> None:
    arguments = {"registry": "prod.example", option: secret}
    arguments = {"source": arguments} if end else arguments
    forms = [secret, json.dumps(arguments), json.dumps(arguments, ensure_ascii=False), repr(json.dumps(arguments))]
    result = {"failed": True, "msg": NO_JSON, "rc": 0, "module_stdout": "\n".join(forms), "module_stderr": secret}
    told = explained(result, arguments)
    for written in (
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        "secret",
        "hunter2",
    ):
        for name in ("msg", "module_stdout", "module_stderr"):
            assert written not in told[name]


@pytest.mark.parametrize("message", ["it failed", "it failed with hunter2hunter2: ValueError: hunter2hunter2"])
def test_secrets_are_hidden_in_message_and_exception(message: str) -> None:
    exception = "Traceback: hunter2hunter2\nValueError: hunter2hunter2\n"
    told = explained({"failed": True, "msg": message, "exception": exception}, {"password": "hunter2hunter2"})
    assert told["exception"] == "Traceback: ********\nValueError: ********\n"
    assert "ValueError: ********" in told["msg"]
    assert "hunter2" not in str(told)
