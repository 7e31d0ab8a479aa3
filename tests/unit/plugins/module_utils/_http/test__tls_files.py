# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import os
import pathlib
import shutil
import subprocess
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._http._endpoint import Endpoint
from ansible_collections.imageops.registry.plugins.module_utils._http._tls_files import TLSFiles, tls_files
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import LocalFileError
from ansible_collections.imageops.registry.tests.unit.support.certificates import Certificates

BUNDLES = ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"]


def found(**options: t.Any) -> TLSFiles:
    return tls_files(Endpoint("r:5000", **options))


@pytest.fixture
def directory(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / ".config/containers/certs.d/r:5000"
    path.mkdir(parents=True)
    return path


def put(directory: pathlib.Path, certificates: Certificates, *names: str) -> None:
    sources = {
        "ca.crt": certificates.good_ca,
        "bad.crt": certificates.bad_ca,
        "client.cert": certificates.client_certificate,
        "client.key": certificates.client_key,
        "other.cert": certificates.certificate,
        "other.key": certificates.key,
    }
    for name in names:
        shutil.copyfile(sources[name], directory / name)


def test_without_anything_the_usual_cas_are_trusted() -> None:
    assert found()[:3] == (True, None, ())
    assert found(validate_certs=False)[:3] == (False, None, ())


def test_an_option_comes_before_the_directory_and_that_before_the_environment(
    directory: pathlib.Path, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = certificates.good_ca, certificates.bad_ca
    monkeypatch.setenv("CURL_CA_BUNDLE", good)
    assert found()[:3] == (good, None, ())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bad)
    assert found()[:3] == (bad, None, ())
    put(directory, certificates, "ca.crt", "bad.crt")
    assert found()[:3] == (True, None, (str(directory / "bad.crt"), str(directory / "ca.crt")))
    assert found(ca_path=good)[:3] == (good, None, ())
    assert found(validate_certs=False)[:3] == (False, None, ())


def test_it_says_where_cas_were_named(
    directory: pathlib.Path, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = certificates.good_ca
    assert found().named_by == ""
    monkeypatch.setenv("CURL_CA_BUNDLE", good)
    assert found().named_by == f"{good}, which CURL_CA_BUNDLE names"
    assert found(validate_certs=False).named_by == ""
    put(directory, certificates, "ca.crt")
    assert found().named_by == f"the directory {directory}"
    assert found(ca_path=good).named_by == f"{good}, which ca_path names"


def test_without_tls_the_directory_is_not_looked_at(directory: pathlib.Path) -> None:
    (directory / "client.key").touch()
    assert found(plain_http=True)[:3] == (True, None, ())
    with pytest.raises(LocalFileError, match="without client.cert"):
        found()


def test_without_tls_a_bundle_of_the_environment_only_has_to_be_there(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "bundle.pem"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with pytest.raises(LocalFileError, match="REQUESTS_CA_BUNDLE.* cannot be read"):
        found(plain_http=True)
    bundle.write_text("no certificates")
    assert found(plain_http=True)[:3] == (str(bundle), None, ())
    with pytest.raises(LocalFileError, match="holds no valid certificates"):
        found()


def test_a_bundle_is_checked_once_for_both_ends(
    tmp_path: pathlib.Path, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "bundle.pem"
    shutil.copyfile(certificates.good_ca, bundle)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    assert found()[:3] == (str(bundle), None, ())
    bundle.write_text("no certificates")
    assert found()[:3] == (str(bundle), None, ())


def test_a_directory_without_cas_leaves_the_environment_alone(
    directory: pathlib.Path, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certificates.good_ca)
    put(directory, certificates, "client.cert", "client.key")
    pair = (str(directory / "client.cert"), str(directory / "client.key"))
    assert found()[:3] == (certificates.good_ca, pair, ())
    assert found(validate_certs=False).client_certificate == pair


def test_the_client_certificate_of_the_options_comes_first(directory: pathlib.Path, certificates: Certificates) -> None:
    put(directory, certificates, "client.cert", "client.key", "other.cert", "other.key")
    own = (certificates.client_certificate, certificates.client_key)
    assert found(client_cert=own[0], client_key=own[1]).client_certificate == own
    both = directory / "both.pem"
    both.write_bytes(b"".join(pathlib.Path(path).read_bytes() for path in own))
    assert found(client_cert=str(both)).client_certificate == str(both)
    with pytest.raises(LocalFileError, match="more than one for clients.*client_cert"):
        found()


@pytest.mark.parametrize("content", ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
@pytest.mark.parametrize("place", ["ca_path", "directory", *BUNDLES])
def test_a_file_of_cas_that_has_none_is_named(
    directory: pathlib.Path, monkeypatch: pytest.MonkeyPatch, place: str, content: str
) -> None:
    path = directory / "ca.crt" if place == "directory" else directory / "ca.pem"
    path.write_text(content)
    options = {"ca_path": str(path)} if place == "ca_path" else {}
    if place in BUNDLES:
        monkeypatch.setenv(place, str(path))
    with pytest.raises(LocalFileError, match=f"{path}.* holds no valid certificates") as caught:
        found(**options)
    assert (place in BUNDLES) == (place in str(caught.value)) or place == "ca_path"
    assert str(caught.value).startswith("ca_path: ") == (place == "ca_path")


def test_a_directory_of_cas_must_have_been_prepared(tmp_path: pathlib.Path, certificates: Certificates) -> None:
    shutil.copyfile(certificates.good_ca, tmp_path / "ca.crt")
    with pytest.raises(LocalFileError, match=f"^ca_path: .*openssl rehash {tmp_path}"):
        found(ca_path=str(tmp_path))
    subprocess.run(["openssl", "rehash", str(tmp_path)], check=True, capture_output=True, timeout=60)
    assert found(ca_path=str(tmp_path)).verify == str(tmp_path)


def test_a_client_certificate_that_cannot_be_used_is_named(tmp_path: pathlib.Path, certificates: Certificates) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("nonsense")
    encrypted = tmp_path / "encrypted.key"
    command = ["openssl", "pkcs8", "-topk8", "-in", certificates.client_key, "-out", str(encrypted)]
    subprocess.run([*command, "-passout", "pass:secret"], check=True, capture_output=True, timeout=60)
    for certificate, key in (
        (certificates.client_certificate, certificates.key),
        (certificates.client_certificate, str(encrypted)),
        (certificates.client_certificate, str(broken)),
        (str(broken), certificates.client_key),
        (certificates.client_certificate, ""),
    ):
        with pytest.raises(LocalFileError, match=f"the client certificate {certificate}.* cannot be used: .*encrypted"):
            found(client_cert=certificate, client_key=key)


def test_a_client_certificate_without_its_key_says_where_to_name_it(certificates: Certificates) -> None:
    with pytest.raises(LocalFileError, match="it is not PEM, or has no private key in it") as caught:
        found(client_cert=certificates.client_certificate)
    assert caught.value.hint.endswith("If it is in another file, name that in client_key")


@pytest.mark.parametrize("option", ["ca_path", "client_cert", "client_key"])
def test_a_file_that_is_missing_is_named_with_its_option(
    tmp_path: pathlib.Path, certificates: Certificates, option: str
) -> None:
    options = {"client_cert": certificates.client_certificate, "client_key": certificates.client_key}
    options[option] = str(tmp_path / "absent")
    with pytest.raises(LocalFileError, match=f"^{option}: the file {tmp_path}/absent cannot be read: No such file"):
        found(**options)


PEM = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize("content", [PEM, PEM.replace("\n", "\\n"), base64.b64encode(PEM.encode()).decode(), "\n/x/ca"])
@pytest.mark.parametrize("place", ["ca_path", "client_cert", "client_key", *BUNDLES])
def test_the_content_of_a_file_in_place_of_its_path_is_not_shown(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch, place: str, content: str
) -> None:
    options = {"client_cert": certificates.client_certificate} if place == "client_key" else {}
    if place in BUNDLES:
        monkeypatch.setenv(place, content)
    else:
        options[place] = content
    with pytest.raises(LocalFileError, match=f"^{place}: the path of a file is wanted.*content of one") as caught:
        found(**options)
    assert content.strip()[:12] not in str(caught.value)


def test_a_pipe_among_hashed_certificates_is_refused(tmp_path: pathlib.Path) -> None:
    os.mkfifo(tmp_path / "0123abcd.0")
    with pytest.raises(LocalFileError, match="^ca_path: .*/0123abcd.0 is not a file") as caught:
        found(ca_path=str(tmp_path))
    assert caught.value.option == "ca_path"
