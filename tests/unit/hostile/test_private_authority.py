# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A private CA whose certificate breaks the rules on the form of one: it is trusted where the user names it, and with
it nothing is trusted that it wouldn't be with any other CA."""

from __future__ import annotations

import pathlib
import shutil
import ssl
import subprocess
import sys
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._http._requests import requests
from ansible_collections.imageops.registry.plugins.module_utils._http._scopes import NOTHING
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import ConnectionFailed, TLSFailed
from ansible_collections.imageops.registry.tests.unit.support.certificates import Certificates
from ansible_collections.imageops.registry.tests.unit.support.company_certificates import CompanyCA
from ansible_collections.imageops.registry.tests.unit.support.documents import transport
from ansible_collections.imageops.registry.tests.unit.support.hostile_server import HostileServer, redirect_to

Hostile = t.Callable[..., HostileServer]
Name = t.Callable[[str, HostileServer], t.Any]

PLACES = ["ca_path", "a hashed directory", "certs.d", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"]


@pytest.fixture(params=PLACES)
def name_ca(request: pytest.FixtureRequest, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Name:
    """Names a CA in one of the places in which a user can; returns the options that does it."""

    def name(ca: str, server: HostileServer) -> dict[str, t.Any]:
        place = request.param
        if place == "certs.d":
            directory = tmp_path / ".config/containers/certs.d" / server.host
            directory.mkdir(parents=True)
            shutil.copyfile(ca, directory / "ca.crt")
            monkeypatch.setenv("HOME", str(tmp_path))
        elif place == "a hashed directory":
            shutil.copyfile(ca, tmp_path / "ca.crt")
            subprocess.run(["openssl", "rehash", str(tmp_path)], check=True, capture_output=True, timeout=60)
            return {"ca_path": str(tmp_path)}
        elif place == "ca_path":
            return {"ca_path": ca}
        else:
            monkeypatch.setenv(place, ca)
        return {}

    return name


def ask(server: HostileServer, **options: t.Any) -> int:
    client = transport(server.host, plain_http=False, retries=0, **options)
    return client.exchange("GET", "/v2/", NOTHING).status


@pytest.mark.parametrize("leaf", ["good", "below"])
def test_a_private_ca_that_the_user_names_is_trusted(
    hostile: Hostile, company: CompanyCA, name_ca: Name, leaf: str
) -> None:
    server = hostile(name="localhost", tls=company.server_context(leaf))
    assert ask(server, **name_ca(company.ca, server)) == 200


def test_an_intermediate_ca_that_the_user_names_is_trusted_alone(
    hostile: Hostile, company: CompanyCA, name_ca: Name
) -> None:
    server = hostile(name="localhost", tls=company.server_context("below"))
    assert ask(server, **name_ca(company.intermediate, server)) == 200


@pytest.mark.parametrize(
    ("leaf", "reason", "advice"),
    [
        ("expired", "expired", "needs a new certificate"),
        ("name", "localhost", "by a name that is in its certificate"),
        ("weak", "too weak|too small", "a longer key"),
        ("client", "purpose", "The CAs are those of"),
        ("no-ca", "CA certificate", "The CAs are those of"),
        ("forged", "", "No CA that signed it is in"),
    ],
)
def test_what_a_private_ca_must_not_vouch_for_is_refused(
    hostile: Hostile, company: CompanyCA, name_ca: Name, leaf: str, reason: str, advice: str
) -> None:
    server = hostile(name="localhost", tls=company.server_context(leaf))
    options = name_ca(company.ca, server)
    with pytest.raises(TLSFailed, match=f"is not trusted: .*({reason}).*{advice}"):
        ask(server, **options)
    assert not server.seen


def test_another_ca_is_named_as_the_one_that_did_not_sign(
    hostile: Hostile, certificates: Certificates, company: CompanyCA, name_ca: Name
) -> None:
    server = hostile(name="localhost", tls=company.server_context("good"))
    options = name_ca(certificates.good_ca, server)
    with pytest.raises(TLSFailed, match=r"is not trusted.*No CA that signed it is in .*\. Name the file of that CA in"):
        ask(server, **options)
    assert not server.seen


def test_cas_that_the_user_does_not_name_are_checked_as_strictly_as_python_does(
    hostile: Hostile, company: CompanyCA, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests.certs, "where", lambda: company.ca)
    server = hostile(name="localhost", tls=company.server_context("good"))
    if sys.version_info < (3, 13):
        # Python checks the form of CAs since 3.13.
        assert ask(server) == 200
        return
    with pytest.raises(TLSFailed, match="is not trusted.*Name the file of the CA that signed it in ca_path"):
        ask(server)
    assert not server.seen


@pytest.mark.parametrize("leaf", ["good", "expired"])
def test_what_is_named_for_one_registry_is_not_trusted_for_another(
    hostile: Hostile, company: CompanyCA, leaf: str
) -> None:
    server = hostile(name="localhost", tls=company.server_context("good"))
    other = hostile(name="localhost", tls=company.server_context(leaf))
    assert ask(server, ca_path=company.ca) == 200
    with pytest.raises(TLSFailed):
        ask(other)
    assert not other.seen


def test_a_proxy_with_tls_is_trusted_by_the_same_ca_and_not_shown_the_client_certificate(
    hostile: Hostile, company: CompanyCA, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = company.server_context("good")
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(certificates.good_ca)
    proxy = hostile(name="localhost", tls=context)
    server = hostile(name="localhost", tls=context)
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    pair = {"client_cert": certificates.client_certificate, "client_key": certificates.client_key}
    with pytest.raises(ConnectionFailed, match="does not let through"):
        ask(server, ca_path=company.ca, **pair)
    assert [(seen.method, seen.certificate) for seen in proxy.seen] == [("CONNECT", False)]
    monkeypatch.delenv("HTTPS_PROXY")
    assert ask(server, ca_path=company.ca, **pair) == 200
    assert [seen.certificate for seen in server.seen] == [True]


def test_a_storage_behind_the_registry_is_verified_too(hostile: Hostile, company: CompanyCA) -> None:
    storage = hostile(name="localhost", tls=company.server_context("expired"))
    server = hostile(name="localhost", tls=company.server_context("good"))
    server.on("GET", "/v2/", redirect_to(storage.url))
    with pytest.raises(TLSFailed, match="expired"):
        ask(server, ca_path=company.ca)
    assert not storage.seen
