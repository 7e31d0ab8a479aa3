# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._http import _proxy
from ansible_collections.imageops.registry.plugins.module_utils._http._endpoint import Endpoint, address_of
from ansible_collections.imageops.registry.plugins.module_utils._http._proxy import Proxies, proxy_error, proxy_for
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import ConnectionFailed

SECRET = "pass%40word"
URL = "https://r.example:5000/v2/"


def test_without_the_environment_there_is_none() -> None:
    assert proxy_for(URL) is None


@pytest.mark.parametrize(
    ("variable", "value", "url", "name"),
    [
        ("HTTPS_PROXY", "http://p.example:3128", URL, "p.example:3128"),
        ("https_proxy", "p.example:3128", URL, "p.example:3128"),
        ("HTTPS_PROXY", f"https://ci:{SECRET}@p.example/", URL, "p.example"),
        ("HTTP_PROXY", "http://p.example:3128", URL, None),
        ("HTTP_PROXY", "http://[::1]:3128", "http://r.example/", "::1:3128"),
        ("ALL_PROXY", "http://p.example:3128", URL, "p.example:3128"),
        ("HTTPS_PROXY", "", URL, None),
    ],
)
def test_the_variable_of_the_scheme_counts(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, url: str, name: str | None
) -> None:
    monkeypatch.setenv(variable, value)
    found = proxy_for(url)
    assert (found.name if found else None) == name


@pytest.mark.parametrize(
    ("value", "direct"),
    [
        ("r.example", True),
        (".example", True),
        ("other, r.example:5000", True),
        ("*", True),
        ("r.example:5001", False),
        ("other.example", False),
    ],
)
def test_no_proxy_is_honoured(monkeypatch: pytest.MonkeyPatch, value: str, direct: bool) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://p.example:3128")
    monkeypatch.setenv("NO_PROXY", value)
    assert (proxy_for(URL) is None) == direct


def test_the_password_is_a_secret_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://ci:{SECRET}@p.example:3128")
    found = proxy_for(URL)
    assert found is not None and found.secrets == (SECRET, "pass@word")
    assert SECRET not in f"{found!r} {found} {[found]}"


@pytest.mark.parametrize(
    "value",
    [
        f"http://ci:{SECRET}@",
        f"http://ci:{SECRET}@p.example:x",
        f"ftp://ci:{SECRET}@p.example",
        f"http://ci:12/{SECRET}@p.example",
        f"http://ci:12?{SECRET}@p.example",
        f"http://{SECRET}#1@p.example",
        "http://[p.example",
        "://",
    ],
)
def test_what_can_be_no_proxy_is_an_error_that_quotes_nothing_of_it(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    with pytest.raises(
        ConnectionFailed, match="names a proxy for https that is not a valid URL. Check HTTPS_PROXY"
    ) as caught:
        proxy_for(URL)
    assert SECRET not in str(caught.value) and not caught.value.temporary


def test_a_socks_proxy_needs_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"socks5h://ci:{SECRET}@p.example:1080")
    monkeypatch.setattr(_proxy.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConnectionFailed, match="the proxy p.example:1080 speaks SOCKS.*Install PySocks") as caught:
        proxy_for(URL)
    assert SECRET not in str(caught.value)
    monkeypatch.setattr(_proxy.importlib.util, "find_spec", lambda name: name)
    assert proxy_for(URL) is not None


@pytest.mark.parametrize(
    ("cause", "reason", "temporary"),
    [
        (
            OSError("Tunnel connection failed: 407 Proxy Authentication Required"),
            "p.example:3128 asks for a login",
            False,
        ),
        (
            OSError("Tunnel connection failed: 403 Forbidden"),
            "does not let through to r.example:5000: it answers 403",
            False,
        ),
        (OSError("Tunnel connection failed: 502 Bad"), "does not let through to r.example:5000: it answers 502", True),
        (ConnectionRefusedError(111, "refused"), "the proxy p.example:3128 cannot be reached", True),
        (ValueError(SECRET), "the proxy p.example:3128 cannot be reached", True),
    ],
)
def test_what_went_wrong_at_the_proxy_is_said_with_its_name(
    monkeypatch: pytest.MonkeyPatch, cause: BaseException, reason: str, temporary: bool
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://ci:{SECRET}@p.example:3128")
    error = proxy_error([RuntimeError("outer"), cause], URL, {"method": "GET", "url": URL})
    assert reason in str(error) and error.temporary == temporary and SECRET not in str(error)


def test_the_proxy_of_an_origin_is_looked_up_once_and_its_password_is_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://ci:s%40cret@proxy.example:3128")
    secrets: list[str] = []
    proxies = Proxies(address_of(Endpoint("r.example")), secrets.append)
    found = proxies.find("https://r.example/v2/")
    assert found is not None and found.name == "proxy.example:3128"
    assert secrets == ["s%40cret", "s@cret"]
    monkeypatch.setenv("https_proxy", "http://other.example:1")
    assert proxies.find("https://R.example:443/v2/x") is found
    other = proxies.find("https://storage.example/1")
    assert other is not None and other.name == "other.example:1"
