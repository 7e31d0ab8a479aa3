# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import html
import json
import time
import typing as t
import urllib.parse

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._hiding import hidden, hidden_in, needles_of

PASSWORDS = (
    "pa&ss/wo1",
    "Sup3rS3cret<Pw>!",
    'quo"te\\d/pw',
    "p\u00e4ssw\u00f6rd1",
    "100%+50% x/y",
    "plain-password",
)


def in_units(text: str) -> str:
    """All of it in the escapes of JSON, of which some characters need two."""
    return "".join(f"\\u{unit:04x}" for unit in memoryview(text.encode("utf-16-le")).cast("H"))


FORMS: dict[str, t.Callable[[str], str]] = {
    "as it is": str,
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON of Go": lambda text: (
        json.dumps(text)[1:-1].replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003E")
    ),
    "JSON of PHP": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "JSON, all of it": in_units,
    "JSON in JSON": lambda text: json.dumps(json.dumps(text))[3:-3],
    "Python": lambda text: repr(text)[1:-1],
    "JavaScript": lambda text: "".join(f"\\u{{{ord(sign):x}}}" for sign in text),
    "hexadecimal": lambda text: "".join(f"\\x{ord(sign):02x}" if ord(sign) < 256 else sign for sign in text),
    "HTML": html.escape,
    "HTML, decimal": lambda text: "".join(f"&#{ord(sign)};" for sign in text),
    "HTML, hexadecimal": lambda text: "".join(f"&#x{ord(sign):X};" for sign in text),
    "HTML twice": lambda text: html.escape(html.escape(text)),
    "URL": lambda text: urllib.parse.quote(text, safe=""),
    "URL of a form": urllib.parse.quote_plus,
    "URL, all of it": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "URL twice": lambda text: urllib.parse.quote(urllib.parse.quote(text, safe=""), safe=""),
    "URL in JSON": lambda text: json.dumps(urllib.parse.quote(text))[1:-1],
    "HTML in a URL": lambda text: urllib.parse.quote(html.escape(text), safe=""),
    "UTF-8 read as Latin-1": lambda text: text.encode().decode("latin-1"),
    "in upper case": str.upper,
    "divided": "\x01\u200b ".join,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 of a login": lambda text: base64.b64encode(f"ci:{text}".encode()).decode(),
    "base64 of a login, for URLs": lambda text: base64.urlsafe_b64encode(f"ci:{text}".encode()).decode().rstrip("="),
    "base64 of a document": lambda text: base64.b64encode(f'{{"u":"ci","p":"{text}"}}'.encode()).decode(),
    "base64 in a URL": lambda text: urllib.parse.quote(base64.b64encode(f"robot:{text}".encode()).decode(), safe=""),
    "base64 in JSON": lambda text: base64.b64encode(f"a:{text}".encode()).decode().replace("/", "\\/"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("password", PASSWORDS)
def test_a_secret_is_hidden_in_each_form_and_what_is_around_it_stays(password: str, form: str) -> None:
    quoted = FORMS[form](password)
    if form == "in upper case" and (len(password) < 10 or len(quoted) != len(password) or not password.isascii()):
        return
    shown = hidden(f"user ci, login [{quoted}] (refused) at 10%", needles_of(password))
    assert shown.startswith("user ci, login [") and shown.endswith("] (refused) at 10%")
    if "base64" in form:
        # What is left around it is that of the user name, and of the rest of the last three bytes.
        assert "********" in shown
        left = shown[len("user ci, login [") : -len("] (refused) at 10%")].partition("********")
        assert len(left[0].strip()) <= len(base64.b64encode(b'{"u":"ci","p":"')) + 2 and len(left[2]) <= 12
    else:
        assert shown == "user ci, login [********] (refused) at 10%"


def test_all_of_several_secrets_are_hidden_one_of_which_is_a_part_of_another() -> None:
    needles = [*needles_of("secret-one"), *needles_of("secret-one-and-two")]
    assert hidden("a secret-one, a secret-one-and-two, secret-ones", needles) == "a ********, a ********, ********s"


@pytest.mark.parametrize(
    ("text", "shown"),
    [("login ci:abc refused", "login ci:******** refused"), ("an abcdef", "an abcdef"), ("abc", "********")],
)
def test_a_short_secret_is_hidden_where_it_stands_by_itself(text: str, shown: str) -> None:
    assert hidden(text, needles_of("abc")) == shown


@pytest.mark.parametrize("secret", ["", " ", "+", "  +  + ", "\n" * 8])
def test_what_has_nothing_to_look_for_hides_nothing_else(secret: str) -> None:
    assert hidden("a + b, and c", needles_of(secret)) == "a + b, and c"


@pytest.mark.parametrize(
    "text", ["&amp;&lt;%20\\u0041\\/", "100 %, \\ and & stay", "\\ud83d", "\\u{ffffff}", "%ff%fe", "&#99999999;"]
)
def test_a_text_without_a_secret_stays_as_it_is(text: str) -> None:
    assert hidden(text, needles_of("a-password")) == text


def test_texts_of_a_hostile_registry_take_no_time() -> None:
    needles = [needle for number in range(20) for needle in needles_of(f"secret-number-{number}")]
    began = time.process_time()
    for text in ("%25" * 20000, "&amp" * 15000, "\\" * 60000, "+" * 60000, "secret-number-" * 4000, "&#3" * 20000):
        hidden(text, needles)
    assert time.process_time() - began < 10


def test_a_notice_with_a_secret_in_another_form_is_not_shown() -> None:
    notice = "(notice not shown: it contains a secret)"
    assert hidden_in(["you sent a\\u002dpassword", "x", "a-password"], ["a-password"]) == [notice, "x", "********"]
    assert hidden_in(["you sent a-pass", "word"], ["a-password"]) == [notice, notice]
