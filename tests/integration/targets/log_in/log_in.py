# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every way to log in, on real registries: with the files of podman and Docker, with a credential helper, with tokens,
with certificates, through a proxy. And no secret of them in what is printed or returned."""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import shutil
import subprocess
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import requests
from connect_proxy import ConnectProxy
from runs import (
    CONFIG,
    HERE,
    OUTPUT,
    REGISTRIES,
    Plain,
    Run,
    check,
    connection,
    main,
    mark,
    play,
    playbook,
    private_file,
    requests_since,
    say,
    seed,
    state_at,
    task,
)
from tls_front import TLSFront

from access_log import read_requests
from certificates import CertificateAuthority
from fleet import start, stop
from specification import Specification

CA = CONFIG["registries_ca"]
WRONG_CA = json.loads(Path(CONFIG["registries_state"], "registries.json").read_text())["other_ca_path"]
TOKEN, BASIC, OPEN = "dev-token", "prod-htpasswd", "dev"
OWN = state_at(OUTPUT / "log-in-registries")
WRONG_PASSWORD = "wrong-password-" + secrets.token_hex(8)
EVERYWHERE = {"XDG_RUNTIME_DIR": str(OUTPUT / "nothing"), "HOME": str(OUTPUT / "nothing")}
"""An environment in which the user has no files."""
HELPERS = HERE / "helpers"
ISSUED: dict[str, str] = {}
"""Tokens that were got for the tests, by what they are."""


def basic(username: str, password: str) -> Plain:
    return {"auth": base64.b64encode(f"{username}:{password}".encode()).decode()}


def account(name: str, prefix: str = "") -> Plain:
    """The entry of an account of a registry."""
    return basic(REGISTRIES[name][f"{prefix}username"], REGISTRIES[name][f"{prefix}password"])


def address(name: str) -> str:
    return str(REGISTRIES[name]["address"])


def auths(path: str, entries: Mapping[str, Plain], **more: Any) -> str:
    """A file of credentials. Returns the directory that has it, for the environment."""
    return str(private_file(path, json.dumps({"auths": dict(entries), **more})).parent)


def anonymous(name: str, **more: Any) -> Plain:
    """Connection options without a login, for the image that is there."""
    return {**connection(name, None), "repository": "log-in/single", "tag": "1.0", **more}


def registry_token(name: str, repository: str) -> str:
    """A bearer token as a token server gives it to the main account by POST."""
    entry = REGISTRIES[name]
    form = {"grant_type": "password", "client_id": "log_in", "service": entry["service"]}
    form.update(username=entry["username"], password=entry["password"], scope=f"repository:{repository}:pull")
    answer = requests.post(entry["realm"], data=form, timeout=30)
    answer.raise_for_status()
    ISSUED[f"the registry token of {name}"] = token = str(answer.json()["access_token"])
    return token


class Cases:
    """Tasks that read an image, each in an environment of its own, and how each must end."""

    def __init__(self) -> None:
        self._tasks: list[Plain] = []
        self._failures: dict[str, tuple[str, ...]] = {}

    def works(self, name: str, options: Plain, module: str = "manifest_info", **environment: str) -> None:
        """A task that must find the image."""
        self._add(name, module, options, environment)

    def fails(self, name: str, options: Plain, *said: str, module: str = "manifest_info", **environment: str) -> None:
        """A task that must fail with a message that has all these texts in it."""
        self._failures[name] = said
        self._add(name, module, options, environment)

    def _add(self, name: str, module: str, options: Plain, environment: Plain) -> None:
        keywords = {"name": name, "environment": {**EVERYWHERE, **environment}, "ignore_errors": True}
        self._tasks.append(task(module, options, **keywords))

    def run(self, hidden: Mapping[str, str], environment: Mapping[str, str] | None = None) -> Run:
        """Run them all, with everything printed, and search that for what is hidden."""
        done = playbook(play(self._tasks), {}, "-vvvv", environment=environment, noise=True, afresh=True)
        messages, problems = set(), []
        for entry in self._tasks:
            name = entry["name"]
            result = done.of(name)
            message = str(result.get("msg", result))
            if name not in self._failures:
                if result["failed"] or not result.get("exists", True):
                    problems.append(f"{name}: {message}")
                continue
            messages.add(f"{name}: {message}")
            problems += [
                f"{name}: {said!r} is not in: {message}" for said in self._failures[name] if said not in message
            ]
            if not result["failed"]:
                problems.append(f"{name}: it does not fail: {result}")
        check(not problems, "\n".join(problems))
        seen = done.output + json.dumps(done.results)
        for what, secret in hidden.items():
            for form in (secret, base64.b64encode(secret.encode()).decode().rstrip("=")):
                check(form not in seen, f"{what} is in the output or in a result")
        say(f"{len(self._tasks)} tasks; those that fail say:\n" + "\n".join(sorted(messages)))
        return done


def hidden() -> dict[str, str]:
    """All passwords and tokens that the tasks come by, by what they are."""
    found = {"the wrong password": WRONG_PASSWORD, **ISSUED}
    for name in (TOKEN, BASIC, "mutual", "post"):
        entry = REGISTRIES[name]
        for key in ("password", "pull_password", "identity_token"):
            if entry.get(key):
                found[f"{key} of {name}"] = entry[key]
        for owner, password in entry.get("owners", {}).items():
            found[f"password of {owner} at {name}"] = password
    return found


def files(cases: Cases) -> None:
    """The places in which podman and Docker have their files, in their order."""
    right = {address(TOKEN): account(TOKEN), f"https://{address(BASIC)}/v1/": account(BASIC)}
    wrong = {address(TOKEN): basic("main", WRONG_PASSWORD)}
    docker = auths("home-docker/.docker/config.json", right)
    home = str(Path(docker).parent)
    podman = auths("home-podman/.config/containers/auth.json", right)
    run = str(Path(auths("run/containers/auth.json", wrong)).parent)
    legacy = private_file("home-legacy/.dockercfg", json.dumps(right)).parent
    cases.works("Docker's file", anonymous(TOKEN), HOME=home)
    cases.works("Docker's file, Basic, a key that is a URL", anonymous(BASIC), HOME=home)
    cases.works("Docker's file in DOCKER_CONFIG", anonymous(TOKEN), DOCKER_CONFIG=docker)
    cases.works("podman's file", anonymous(TOKEN), HOME=str(Path(podman).parents[1]))
    cases.works("podman's file in XDG_CONFIG_HOME", anonymous(TOKEN), XDG_CONFIG_HOME=str(Path(podman).parent))
    cases.works("Docker's oldest file", anonymous(TOKEN), HOME=str(legacy))
    cases.fails(
        "podman's file of the session comes before Docker's",
        anonymous(TOKEN),
        f"does not accept the credential of the entry '{address(TOKEN)}' of the auth file {run}/containers/auth.json",
        "log in again",
        HOME=home,
        XDG_RUNTIME_DIR=run,
    )
    cases.works("a file without an entry is passed over", anonymous(BASIC), HOME=home, XDG_RUNTIME_DIR=run)
    cases.works("REGISTRY_AUTH_FILE", anonymous(TOKEN), REGISTRY_AUTH_FILE=f"{docker}/config.json", XDG_RUNTIME_DIR=run)
    cases.fails(
        "REGISTRY_AUTH_FILE is the only one",
        anonymous(BASIC),
        f"No credential for {address(BASIC)} is in {run}/containers/auth.json (REGISTRY_AUTH_FILE)",
        HOME=home,
        REGISTRY_AUTH_FILE=f"{run}/containers/auth.json",
    )
    cases.works("auth_file comes first", anonymous(TOKEN, auth_file=f"{docker}/config.json"), XDG_RUNTIME_DIR=run)
    cases.works("the password comes first", {**anonymous(TOKEN), **connection(TOKEN)}, XDG_RUNTIME_DIR=run)
    cases.fails(
        "search_auth_files is false",
        anonymous(TOKEN, search_auth_files=False),
        "anonymous access does not include",
        HOME=home,
    )
    cases.fails("nothing anywhere", anonymous(BASIC), "asks for a login", f"{OUTPUT}/nothing/.docker/config.json")
    broken = str(private_file("home-broken/.docker/config.json", "{").parents[1])
    cases.fails("a broken file", anonymous(BASIC), f"{broken}/.docker/config.json is not valid JSON", HOME=broken)
    cases.works("a broken file, and a registry that is open to all", anonymous(OPEN), HOME=broken)
    packed = account(BASIC)["auth"]
    for name, text in (
        ("in lines", "\r\n".join(packed[begin : begin + 20] for begin in range(0, len(packed), 20)) + "\n"),
        ("with spaces, and without its padding", f" {packed[:7]} {packed[7:].rstrip('=')}"),
    ):
        file = auths(f"{name.replace(' ', '-')}/auth.json", {address(BASIC): {"auth": text}})
        cases.works(f"base64 {name}", anonymous(BASIC, auth_file=f"{file}/auth.json"))
    cases.works("where a credential comes from", connection(TOKEN, None), "registry_info", HOME=home)


def odd(cases: Cases) -> None:
    """Passwords that were read with more than is in them, or with nothing."""
    for name in (TOKEN, BASIC):
        login = {**anonymous(name), **connection(name)}
        cases.fails(
            f"a password with a line break ({name})",
            {**login, "password": f"{login['password']}\n"},
            "does not accept the ",
            "The password ends in a line break",
        )
        cases.fails(f"an empty password ({name})", {**login, "password": ""}, "The password is empty")
    cases.fails(
        "a user name with a line break",
        {**login, "username": f"{login['username']}\n"},
        "The user name ends in a line break",
    )
    entry = basic("main", f"{REGISTRIES[BASIC]['password']}\n")
    file = auths("line-break/auth.json", {address(BASIC): entry})
    cases.fails(
        "a line break in the password of a file",
        anonymous(BASIC, auth_file=f"{file}/auth.json"),
        "does not accept the credential of the entry",
        "The password ends in a line break",
    )


def misplaced(cases: Cases) -> None:
    """Secrets where none belong: they aren't shown, and what is wanted is named."""
    host, entry = address(BASIC), anonymous(BASIC)
    for name, registry in (
        ("a login in registry", f"main:{WRONG_PASSWORD}@{host}"),
        ("a URL with a login as registry", f"https://main:{WRONG_PASSWORD}@{host}"),
        ("a login in registry, with more in it", f"main:{WRONG_PASSWORD}@x/@{host}/v2"),
    ):
        cases.fails(name, {**entry, "registry": registry}, "registry: ", "a login", "username and password")
    cases.fails("half a login in registry", {**entry, "registry": f"main:{WRONG_PASSWORD}"}, "registry: ", "port")
    named = f"https://main:{WRONG_PASSWORD}@{host}/log-in/single"
    cases.fails(
        "a login in repository", {**entry, "repository": named}, "malformed repository", "username and password"
    )
    content = json.dumps({"auths": {host: {"auth": WRONG_PASSWORD}}})
    key = f"-----BEGIN PRIVATE KEY-----\n{WRONG_PASSWORD}\n-----END PRIVATE KEY-----\n"
    wanted = "the path of a file is wanted"
    cases.fails("JSON as auth_file", {**entry, "auth_file": content}, "auth_file: ", wanted)
    cases.fails("PEM as ca_path", {**entry, "ca_path": key}, "ca_path: ", wanted)
    cases.fails("PEM as client_cert", {**entry, "client_cert": key}, "client_cert: ", wanted)
    cases.fails("PEM as client_key", {**entry, "client_cert": WRONG_CA, "client_key": key}, "client_key: ", wanted)
    source = {**connection(BASIC, None), "registry": f"main:{WRONG_PASSWORD}@{host}"}
    images = [{"repository": "log-in/single", "tag": "1.0"}]
    ends = {**connection(OPEN), "source": source, "images": images}
    cases.fails("a login in source.registry", ends, "source.registry: ", "username and password", module="image_copy")


def several(cases: Cases) -> None:
    """Parts of one registry with accounts of their own."""
    host, owners = address(TOKEN), REGISTRIES[TOKEN]["owners"]
    left = {f"{host}/left": basic("left", owners["left"])}
    both = {**left, f"{host}/right": basic("right", owners["right"]), host: basic("main", WRONG_PASSWORD)}
    images = [{"repository": f"{side}/single", "tag": "1.0"} for side in owners]
    file = f"{auths('both/auth.json', both)}/auth.json"
    cases.works("two accounts in one task", {**connection(TOKEN, None), "images": images, "auth_file": file})
    cases.fails(
        "an account for the other part",
        {**connection(TOKEN, None), **images[1], "auth_file": f"{auths('left/auth.json', left)}/auth.json"},
        "anonymous access does not include repository:right/single:pull",
    )
    cases.fails(
        "the wrong account for the rest",
        anonymous(TOKEN, auth_file=file),
        f"does not accept the credential of the entry '{host}' of the auth file {file}",
    )
    end = connection(TOKEN, None)
    copied = {"repository": "left/single", "tag": "1.0", "destination_repository": "right/copied"}
    one, other = (connection(TOKEN, None, username=side, password=owners[side]) for side in ("left", "right"))
    cases.works("to another part of the registry", {**other, "source": one, "images": [copied]}, "image_copy")
    copied = {**copied, "destination_repository": "right/again"}
    ends = {**end, "auth_file": file, "source": {**end, "auth_file": file}}
    cases.works("the same with one file", {**ends, "images": [copied]}, "image_copy")


def helpers(cases: Cases) -> None:
    """A credential helper, which gives passwords and identity tokens."""
    path = {"PATH": f"{HELPERS}:/usr/local/bin:/usr/bin:/bin"}
    entry = REGISTRIES[TOKEN]
    kept = {
        address(BASIC): ["main", REGISTRIES[BASIC]["password"]],
        address(TOKEN): ["<token>", entry["identity_token"]],
    }
    full = {**path, "HELPER_FILE": str(private_file("helper/full.json", json.dumps(kept)))}
    empty = {**path, "HELPER_FILE": str(private_file("helper/empty.json", "{}"))}
    locked = {**path, "HELPER_FILE": str(private_file("helper/locked.json", json.dumps(dict.fromkeys(kept, []))))}
    bad = {**path, "HELPER_FILE": str(private_file("helper/bad.json", json.dumps(dict.fromkeys(kept, ["", "x"]))))}
    store = {
        "HOME": str(Path(auths("home-store/.docker/config.json", {address(BASIC): {}}, credsStore="harness")).parent)
    }
    one = auths(
        "home-one/.docker/config.json", {address(TOKEN): account(TOKEN)}, credHelpers={address(TOKEN): "harness"}
    )
    one_file = {"HOME": str(Path(one).parent)}
    absent = auths("home-absent/.docker/config.json", {}, credsStore="absent")
    program = (
        f"the credential helper docker-credential-harness, which the auth file {store['HOME']}/.docker/config.json"
    )
    cases.works("a helper for all registries", anonymous(BASIC), **full, **store)
    cases.works("a helper for all registries, an identity token", anonymous(TOKEN), **full, **store)
    cases.works("a helper for one registry, an identity token", anonymous(TOKEN), **full, **one_file)
    cases.fails("a helper that has none", anonymous(BASIC), "asks for a login", **empty, **store)
    cases.fails("a helper for one registry that has none", anonymous(TOKEN), "anonymous access", **empty, **one_file)
    cases.fails("a helper that fails", anonymous(BASIC), program, "status 1: the keychain is locked", **locked, **store)
    cases.fails("a helper with another answer", anonymous(BASIC), program, "without a valid credential", **bad, **store)
    cases.fails(
        "no such helper", anonymous(BASIC), "docker-credential-absent", "is not there", HOME=str(Path(absent).parent)
    )
    cases.works("no such helper, and a registry that is open to all", anonymous(OPEN), HOME=str(Path(absent).parent))


def tokens(cases: Cases) -> None:
    """Identity tokens and registry tokens in files, and a token server that takes POST only."""
    host, repository = address(TOKEN), "log-in/single"

    def file(name: str, entry: Plain) -> str:
        return f"{auths(f'{name}/auth.json', {host: entry})}/auth.json"

    identity = {"identitytoken": REGISTRIES[TOKEN]["identity_token"], "auth": account(TOKEN)["auth"]}
    cases.works("an identity token", anonymous(TOKEN, auth_file=file("identity", identity)))
    cases.fails(
        "a wrong identity token",
        anonymous(TOKEN, auth_file=file("wrong-identity", {"identitytoken": WRONG_PASSWORD})),
        f"the token server does not accept the credential of the entry '{host}'",
        "POST",
    )
    token = {address("post"): {"registrytoken": registry_token("post", repository)}}
    cases.works("a registry token", anonymous("post", auth_file=f"{auths('token/auth.json', token)}/auth.json"))
    cases.fails(
        "an identity token where there is no token server",
        anonymous(BASIC, auth_file=f"{auths('no-server/auth.json', {address(BASIC): identity})}/auth.json"),
        "is an identity token",
    )
    cases.works("a token server that takes POST only", {**anonymous("post"), **connection("post")})
    cases.fails(
        "a wrong password for one that takes POST only",
        {**anonymous("post"), "username": "main", "password": WRONG_PASSWORD},
        "the token server does not accept the user name and password",
    )


def certificates(cases: Cases) -> None:
    """Client certificates and CAs, of the options and of podman's directory."""
    entry = REGISTRIES["mutual"]
    host = entry["address"]
    pair = {"client_cert": entry["client_certificate"], "client_key": entry["client_key"]}
    own = {**anonymous("mutual"), **connection("mutual", ca_path=OWN.load()["ca_path"])}
    without_ca = {key: value for key, value in own.items() if key != "ca_path"}

    def home(name: str, registry: str, **content: str) -> dict[str, str]:
        directory = OUTPUT / name / ".config/containers/certs.d" / registry
        directory.mkdir(parents=True)
        for file, source in content.items():
            shutil.copyfile(source, directory / file.replace("_", "."))
        return {"HOME": str(OUTPUT / name)}

    files = {"client_cert": pair["client_cert"], "client_key": pair["client_key"], "ca_crt": str(OWN.load()["ca_path"])}
    cases.fails(
        "no client certificate",
        own,
        f"Cannot reach {host}",
        "requires a client certificate",
        "in client_cert",
        "client_key",
    )
    cases.works("a client certificate", {**own, **pair})
    cases.works("a directory with CA and client certificate", without_ca, **home("home-certificates", host, **files))
    cases.fails(
        "a directory with a certificate without its key",
        own,
        "has client.cert without client.key",
        **home("home-half", host, client_cert=pair["client_cert"]),
    )
    cases.fails(
        "a client certificate with another key",
        {**own, **pair, "client_key": WRONG_CA},
        "the client certificate",
        "cannot be used",
    )
    secure = {**anonymous(BASIC), **connection(BASIC)}
    of_directory = home("home-ca", address(BASIC), ca_crt=CA)
    bundle = {"REQUESTS_CA_BUNDLE": WRONG_CA}
    no_ca = {key: value for key, value in secure.items() if key != "ca_path"}
    cases.works("a directory with a CA, and another bundle", no_ca, **of_directory, **bundle)
    cases.fails(
        "a directory with a CA, and another ca_path", {**no_ca, "ca_path": WRONG_CA}, "is not trusted", **of_directory
    )
    cases.fails(
        "a directory with another CA, and a bundle",
        no_ca,
        "is not trusted",
        **home("home-other-ca", address(BASIC), ca_crt=WRONG_CA),
        REQUESTS_CA_BUNDLE=CA,
    )
    plain, hashed = OUTPUT / "plain-cas", OUTPUT / "hashed-cas"
    for path in (plain, hashed):
        path.mkdir()
        shutil.copyfile(CA, path / "ca.crt")
    subprocess.run(["openssl", "rehash", str(hashed)], check=True, capture_output=True)
    cases.works("ca_path is a directory", {**no_ca, "ca_path": str(hashed)})
    cases.fails(
        "ca_path is a directory that is not prepared", {**no_ca, "ca_path": str(plain)}, f"openssl rehash {plain}"
    )


def company(cases: Cases) -> contextlib.ExitStack:
    """A registry behind a front with a certificate of a private CA, as companies have them; also with client ones.

    Returns what must be closed when they are done.
    """
    folder = OUTPUT / "company"
    folder.mkdir()
    ca = str(folder / "ca.crt")
    authority = CertificateAuthority.open(Path(ca), folder / "ca.key", "Company CA", bare=True)
    CertificateAuthority.open(folder / "forged.crt", folder / "forged.key", "Company CA", bare=True)
    authority.issue("localhost", folder / "front.crt", folder / "front.key")
    authority.issue("localhost", folder / "old.crt", folder / "old.key", lifetime=timedelta(minutes=-30))
    fronts = contextlib.ExitStack()

    def front(certificate: str, name: str = "localhost", **options: str) -> Plain:
        files = folder / f"{certificate}.crt", folder / f"{certificate}.key"
        port = fronts.enter_context(TLSFront(address(OPEN), *files, **options)).port
        return {"registry": f"{name}:{port}", "repository": "log-in/single", "tag": "1.0", "retries": 0}

    good, old = front("front"), front("old")
    home = OUTPUT / "home-company/.config/containers/certs.d" / good["registry"]
    home.mkdir(parents=True)
    shutil.copyfile(ca, home / "ca.crt")
    hashed = folder / "hashed"
    hashed.mkdir()
    shutil.copyfile(ca, hashed / "ca.crt")
    subprocess.run(["openssl", "rehash", str(hashed)], check=True, capture_output=True)
    cases.works("a private CA in ca_path", {**good, "ca_path": ca})
    cases.works("a private CA in a directory in ca_path", {**good, "ca_path": str(hashed)})
    cases.works("a private CA in certs.d", good, HOME=str(OUTPUT / "home-company"))
    for bundle in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        cases.works(f"a private CA in {bundle}", good, **{bundle: ca})
    cases.fails(
        "a private CA that is not named", good, "is not trusted", "Name the file of the CA that signed it in ca_path"
    )
    other = {**good, "ca_path": str(folder / "forged.crt")}
    cases.fails(
        "another CA of the same name", other, "is not trusted", f"No CA that signed it is in {other['ca_path']}"
    )
    cases.fails("an expired certificate", {**old, "ca_path": ca}, "has expired", "needs a new certificate")
    elsewhere = {**front("front", "127.0.0.2", listens_at="127.0.0.2"), "ca_path": ca}
    cases.fails("a certificate of another name", elsewhere, "is not trusted", "by a name that is in its certificate")
    asking = {**front("front", client_ca=str(OWN.load()["ca_path"])), "ca_path": ca}
    entry = REGISTRIES["mutual"]
    pair = {"client_cert": entry["client_certificate"], "client_key": entry["client_key"]}
    said = ("requires a client certificate", "in client_cert", "in client_key")
    cases.fails("no client certificate, HEAD behind nginx", asking, *said)
    listing = {name: value for name, value in asking.items() if name != "tag"}
    cases.fails("no client certificate behind nginx", listing, *said, module="tag_info")
    cases.works("a client certificate behind nginx", {**asking, **pair})
    return fronts


def ways() -> None:
    """All ways for which the environment holds no secret, in one playbook."""
    cases = Cases()
    for add in (files, odd, misplaced, several, helpers, tokens, certificates):
        add(cases)
    with company(cases):
        check_ways(cases)


def check_ways(cases: Cases) -> None:
    """Run them, and look at what came of some."""
    moment, post_moment = mark(), len(requests_of_post())
    done = cases.run(hidden())
    place = f"the entry '{address(TOKEN)}' of the auth file {OUTPUT}/home-docker/.docker/config.json"
    asked = done.of("where a credential comes from")
    check(asked["logged_in"] and asked["credential_source"] == place, f"registry_info: {asked}")
    accounts = {
        query["account"]: query["scope"]
        for request in requests_since(moment, TOKEN, "token")
        if (query := dict(part.split("=", 1) for part in request["query"].split("&") if part)).get("account")
        in ("left", "right")
    }
    check(set(accounts) == {"left", "right"}, f"these accounts asked for tokens: {accounts}")
    for name in ("to another part of the registry", "the same with one file"):
        cost = done.of(name)["transfer"]
        check(cost["bytes_uploaded"] > 0 and cost["bytes_mounted"] == 0, f"{name}: {cost}")
    seen = requests_of_post()[post_moment:]
    check(seen == ["GET 405", "POST 200", "GET 405", "POST 401"], f"the token server that takes POST only saw {seen}")


def requests_of_post() -> list[str]:
    """What the token server that takes POST only was asked."""
    return [f"{request['method']} {request['status']}" for request in read_requests(OWN, "post", source="token")]


def environment_with_secrets() -> None:
    """A proxy with a login, and credentials in a variable: set for Ansible itself, so that it doesn't show them."""
    password = secrets.token_hex(16)
    with ConnectProxy("ci", password) as proxy:
        cases = Cases()
        secure = {**anonymous(BASIC), **connection(BASIC)}
        cases.works("a proxy for HTTPS", secure)
        cases.works("a proxy for HTTP", anonymous(OPEN))
        cases.works("NO_PROXY", secure, NO_PROXY="other,localhost")
        cases.works("DOCKER_AUTH_CONFIG", anonymous(TOKEN))
        refusing = {"HTTPS_PROXY": f"http://{proxy.address}", "HTTP_PROXY": f"http://{proxy.address}"}
        said = f"the proxy {proxy.address} asks for a login"
        cases.fails("a proxy without the login", {**secure, "retries": 0}, said, **refusing)
        cases.fails(
            "a proxy without the login, HTTP",
            {**anonymous(OPEN), "retries": 0},
            "the proxy asks for a login",
            **refusing,
        )
        nowhere = {"HTTPS_PROXY": "http://127.0.0.1:1"}
        cases.fails(
            "a proxy that is not there", {**secure, "retries": 0}, "the proxy 127.0.0.1:1 cannot be reached", **nowhere
        )
        url = f"http://ci:{password}@{proxy.address}"
        login = json.dumps({"auths": {address(TOKEN): account(TOKEN)}})
        environment = {"HTTPS_PROXY": url, "HTTP_PROXY": url, "DOCKER_AUTH_CONFIG": login}
        cases.run({**hidden(), "the proxy's password": password}, environment)
        open_url = f"http://{address(OPEN)}/v2/log-in/single/manifests/1.0"
        realm = REGISTRIES[TOKEN]["realm"].split("/")[2]
        expected = {
            f"CONNECT {address(BASIC)} 200",
            f"CONNECT {address(BASIC)} 407",
            f"CONNECT {address(TOKEN)} 200",
            f"CONNECT {realm} 200",
            f"HEAD {open_url} 200",
            f"HEAD {open_url} 407",
        }
        check(set(proxy.seen) == expected, f"the proxy saw {proxy.seen}")
        check(proxy.seen.count(f"CONNECT {address(BASIC)} 200") == 1, f"NO_PROXY is not honoured: {proxy.seen}")


def prepare() -> None:
    """Registries of our own, and an image wherever one is read."""
    start(
        OWN,
        [
            Specification("mutual", tls=True, login="htpasswd", client_certificate=True),
            # Its tokens last as long as all of this, on a slow machine, too.
            Specification("post", login="token", token_post_only=True, token_seconds=7200),
        ],
    )
    for name in ("mutual", "post"):
        REGISTRIES[name] = OWN.registry(name)
        seed(name, "single", "log-in", state=OWN)
    for name in (TOKEN, BASIC, OPEN):
        seed(name, "single", "log-in")
    for side in REGISTRIES[TOKEN]["owners"]:
        seed(TOKEN, "single", side, seed=side)


try:
    main([prepare, ways, environment_with_secrets])
finally:
    stop(OWN, delete=True)
