# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What unit tests share: scripted servers, names for them, and an environment without the user's own settings."""

from __future__ import annotations

import errno
import gc
import importlib.util
import pathlib
import shutil
import socket
import typing as t

import pytest
import urllib3
from ansible_collections.imageops.registry.plugins.module_utils._credentials import _auth_files
from ansible_collections.imageops.registry.plugins.module_utils._http import _certificate_directories
from ansible_collections.imageops.registry.tests.unit.support.certificates import Certificates, make_certificates
from ansible_collections.imageops.registry.tests.unit.support.company_certificates import CompanyCA, make_company_ca
from ansible_collections.imageops.registry.tests.unit.support.hostile_server import HostileServer
from ansible_collections.imageops.registry.tests.unit.support.import_closure import needs
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer

_OWN_SETTINGS = (
    *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("REGISTRY_AUTH_FILE", "DOCKER_AUTH_CONFIG", "DOCKER_CONFIG", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"),
)
_UNIT = pathlib.Path(__file__).resolve().parent
_WITHOUT_ANSIBLE = (_UNIT / "plugins" / "module_utils", _UNIT / "hostile")


@pytest.fixture(scope="session")
def _empty_home(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, _empty_home: pathlib.Path) -> None:
    for name in _OWN_SETTINGS:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HOME", str(_empty_home))
    monkeypatch.setattr(_auth_files, "RUNTIME_DIRECTORY", str(_empty_home / "run"))
    monkeypatch.setattr(_certificate_directories, "SYSTEM_DIRECTORIES", ())


@pytest.fixture(autouse=True)
def _no_web_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A web server of this machine, on port 80, has no part in any test."""
    connect = urllib3.util.connection.create_connection

    def connect_elsewhere(address: tuple[str, int], *arguments: t.Any, **options: t.Any) -> socket.socket:
        if address == ("127.0.0.1", 80):
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        return connect(address, *arguments, **options)

    monkeypatch.setattr(urllib3.util.connection, "create_connection", connect_elsewhere)


@pytest.fixture
def serve() -> t.Iterator[t.Callable[..., ScriptedServer]]:
    """Start scripted servers; at the end each of them must have seen the requests of its script, and no others."""
    servers: list[ScriptedServer] = []

    def start(**options: t.Any) -> ScriptedServer:
        servers.append(ScriptedServer(**options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
    for server in servers:
        server.check()


@pytest.fixture
def server(serve: t.Callable[..., ScriptedServer]) -> ScriptedServer:
    """One scripted server without TLS, at a loopback address."""
    return serve()


@pytest.fixture
def hostile() -> t.Iterator[t.Callable[..., HostileServer]]:
    """Start registries that tests turn hostile."""
    servers: list[HostileServer] = []

    def start(**options: t.Any) -> HostileServer:
        servers.append(HostileServer(**options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def names_below_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name below ``.test`` is this machine: so that a server can have a name that isn't local."""
    real = socket.getaddrinfo

    def lookup(host: t.Any, *arguments: t.Any, **options: t.Any) -> t.Any:
        is_test = isinstance(host, str) and host.endswith(".test")
        return real("127.0.0.1" if is_test else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Throw-away certificates for localhost."""
    if shutil.which("openssl") is None:
        pytest.fail("The openssl command is missing: apt-get install openssl", pytrace=False)
    return make_certificates(pathlib.Path(tmp_path_factory.mktemp("certificates")))


@pytest.fixture
def secure(serve: t.Callable[..., ScriptedServer], certificates: Certificates) -> ScriptedServer:
    """One scripted server with TLS, at the name localhost."""
    return serve(tls=certificates.server_context(), name="localhost")


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> CompanyCA:
    """A private CA whose certificate breaks the rules on the form of one."""
    if shutil.which("openssl") is None:
        pytest.fail("The openssl command is missing: apt-get install openssl", pytrace=False)
    return make_company_ca(pathlib.Path(tmp_path_factory.mktemp("company")))


@pytest.fixture
def no_collection() -> t.Iterator[None]:
    """For input that is nested too deep: garbage of earlier tests isn't collected where there is no stack for it."""
    gc.disable()
    yield
    gc.enable()


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Long values are cut in the names of tests."""
    text = val if isinstance(val, str) else repr(val) if isinstance(val, bytes) else ""
    return f"{text[:40]!r}..." if len(text) > 60 else None


def pytest_addoption(parser: pytest.Parser) -> None:
    """An option for a further environment: what it shares with the others isn't tested in it again."""
    parser.addoption("--needing-ansible", action="store_true", help="leave out what is tested without ansible-core")


def _needs_ansible(path: pathlib.Path) -> bool:
    """Whether tests can't run without ansible-core."""
    return not any(directory in path.parents for directory in _WITHOUT_ANSIBLE) or needs(path, "ansible")


def _can_run(path: pathlib.Path) -> bool:
    """Whether tests can run here. Without ansible-core, only those of what runs in plain Python can."""
    return not _is_file(path) or importlib.util.find_spec("ansible") is not None or not _needs_ansible(path)


def _is_file(path: pathlib.Path) -> bool:
    return path.suffix == ".py" and path.is_file()


def pytest_ignore_collect(collection_path: pathlib.Path, config: pytest.Config) -> bool | None:
    """Leave out what can't run here, or isn't asked for. None leaves the decision to pytest."""
    is_shared = _is_file(collection_path) and not _needs_ansible(collection_path)
    return True if not _can_run(collection_path) or (is_shared and config.getoption("--needing-ansible")) else None


def pytest_configure(config: pytest.Config) -> None:
    """The same for what is named on the command line, which pytest never leaves out."""
    config.args = [one for one in config.args if _can_run(config.invocation_params.dir / one.partition("::")[0])]
