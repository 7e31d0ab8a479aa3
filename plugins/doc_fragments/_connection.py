# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options by which every module reaches a registry. They pair with the argument specs in ``plugins/module_utils/_module``."""

from __future__ import annotations


class ModuleDocFragment:
    """How a registry is reached; V(SOURCE) is the same for the source of modules with two registries."""

    DOCUMENTATION = r"""
options:
  registry:
    description:
      - The registry to read or change, as V(host) or V(host:port), without a scheme and without credentials.
    type: str
    required: true
  username:
    description:
      - The account to log in with. Requires O(password), and can't be combined with O(token).
      - If none of O(username), O(token) and O(auth_file) is given, the module looks for a login as O(search_auth_files) describes.
      - An empty string is refused in this option, in O(token) and in O(auth_file). If you have no login, leave these options out.
    type: str
  password:
    description:
      - The password of O(username), or a token that the registry accepts instead.
      - The password is sent unchanged. If the registry refuses it, and it is empty or ends in a line break, the message says so.
      - ansible-core before 2.22 overwrites the password wherever it occurs in a result, even in the middle of a digest. So if the password
        also occurs in a repository, a tag, a digest or a manifest of the task, the task fails before it writes. Put such a password into
        O(auth_file).
    type: str
  token:
    description:
      - A bearer token. It is sent unchanged, and no token server is asked. It can't be combined with O(username).
    type: str
  auth_file:
    description:
      - A file as C(docker login) and C(podman login) write it, on the host on which the module runs. It is used if neither O(username) nor
        O(token) is given.
      - Prefer this option to O(password). Without pipelining, ansible-core writes the options of a module, with the password, into a
        temporary file.
      - The file may have entries for parts of a registry, such as V(registry.example/team), so that repositories of one registry can have
        different accounts. The most specific entry is used.
      - The file may name credential helpers, and contain identity tokens.
    type: path
    aliases: [authfile]
  search_auth_files:
    description:
      - Whether to search the files in which C(podman) and C(docker) store their logins. They are searched if none of O(username), O(token)
        and O(auth_file) is given, and the registry requires authentication.
      - "If E(REGISTRY_AUTH_FILE) names a file, only that file is searched. Otherwise, the first of these that has a credential is used:
        C($XDG_RUNTIME_DIR/containers/auth.json) (by default C(/run/containers/UID/auth.json)), C($XDG_CONFIG_HOME/containers/auth.json)
        (by default C(~/.config/containers/auth.json)), the text in E(DOCKER_AUTH_CONFIG), C($DOCKER_CONFIG/config.json) (by default
        C(~/.docker/config.json)), C(~/.dockercfg)."
      - These are the files and the environment of the user that runs the module, on the host on which it runs.
      - If none has a credential, or if this option is V(false), access is anonymous.
    type: bool
    default: true
  plain_http:
    description:
      - Whether to use HTTP without TLS. The module never switches to plain HTTP by itself.
    type: bool
    default: false
  validate_certs:
    description:
      - Whether to verify the certificates of the registry and of its token server.
    type: bool
    default: true
    aliases: [verify_ssl]
  ca_path:
    description:
      - A file with the certificates of the CAs to trust, or a directory prepared with C(openssl rehash).
      - Without this option, the module uses the first of these directories that exists - C(~/.config/containers/certs.d/REGISTRY),
        C(/etc/containers/certs.d/REGISTRY) or C(/etc/docker/certs.d/REGISTRY). It trusts the C(*.crt) files there, besides the CAs that are
        trusted anyway.
      - Without such a directory, the environment variable E(REQUESTS_CA_BUNDLE) names the CAs, or else E(CURL_CA_BUNDLE).
      - Python 3.13 and newer require extensions that the certificates of many private CAs don't have. A CA that is given in one of these ways
        is trusted anyway. Signatures, dates, names and the strength of keys are always verified.
    type: path
    aliases: [ca_cert]
  client_cert:
    description:
      - A file with the client certificate for TLS, and with its key unless O(client_key) is given. It is sent only to the registry itself.
      - Without this option, C(NAME.cert) and C(NAME.key) in the directory of the registry are used, see O(ca_path).
    type: path
  client_key:
    description:
      - A file with the private key of O(client_cert). The key must not be encrypted.
    type: path
  trusted_realm_hosts:
    description:
      - Hosts, without a port, of token servers that may receive the password although they aren't the host of the registry.
      - The host of the registry, and the token servers of well-known public registries, are always trusted.
    type: list
    elements: str
    default: []
  timeout:
    description:
      - How long to wait, in seconds, while the registry sends nothing. At the end of an upload, the module waits at least 300 seconds.
      - A request also times out if less than 1 KiB of its answer arrives in this time.
      - An answer that isn't a blob (a token, a manifest, a list) must arrive in full within five times this time.
    type: int
    default: 60
  retries:
    description:
      - How often to retry a request after a temporary failure (429, 5xx, a broken connection).
    type: int
    default: 3
  retry_max_wait:
    description:
      - The longest pause before a retry, in seconds. The first pause is up to one second. Each further pause is twice as long, up to 30
        seconds. If the registry asks for a pause with C(Retry-After), the module waits that long.
      - If the registry asks for a longer pause than this option allows, the module waits as long as the option allows, but only once in a
        task. If the registry then still asks for a longer pause, the request fails. The message says how long the registry asks to wait.
    type: float
    default: 120
  jobs:
    description:
      - How many requests to one registry, and how many blobs, are in progress at the same time. If source and destination are the same
        registry, the limit applies to each side separately.
    type: int
    default: 4
  requests_per_second:
    description:
      - How many requests to one registry may start per second, including requests to its token server. V(0) means no limit.
      - Use this option if a registry limits the rate of requests, and answers 429.
    type: float
    default: 0
  chunk_size:
    description:
      - The size of the chunks in which blobs are uploaded, in bytes. With V(0), each blob is sent in one request.
      - If the registry, or a proxy in front of it, refuses a whole blob as too large (413), the module sends it in chunks anyway. The chunks
        have at most 8 MiB, or less if these are also refused. If the registry refuses chunks, the module sends the blob whole.
      - If the registry asks for larger chunks with C(OCI-Chunk-Min-Length), the module uses that size.
      - Use this option if long uploads are cut off without an answer.
    type: int
    default: 0
requirements:
  - Python 3.9 or newer
  - requests, for the Python that runs the module
notes:
  - The module uses the proxies in the environment variables E(HTTPS_PROXY), E(HTTP_PROXY), E(ALL_PROXY) and E(NO_PROXY). These are the
    variables of the user that runs the module, on the host on which it runs.
  - "The module runs on the host of the task. If an inventory names C(localhost), Ansible connects to it by SSH, unless the play has
    C(connection: local)."
  - "With C(connection: local), on Linux, the module runs in the Python that runs Ansible, and starts sooner. It runs like any other module
    in some cases, for example if C(ansible_python_interpreter) names another Python, or if the variable C(imageops_registry_in_place) is
    false."
seealso:
  - ref: ansible_collections.imageops.registry.docsite.log_in
    description: Where the credential comes from, and how to log in to each registry.
  - ref: ansible_collections.imageops.registry.docsite.registry_differences
    description: What differs between registries, and how it is handled.
"""

    SOURCE = r"""
options:
  source:
    description:
      - The source registry. The module only reads from it.
    type: dict
    suboptions:
      # generated: connection
      registry:
        description:
          - The registry as V(host) or V(host:port), without a scheme.
        type: str
        required: true
      username:
        description:
          - The account to log in with. Requires C(password), and can't be combined with C(token).
        type: str
      password:
        description:
          - The password of the account, or a token that the registry accepts instead.
        type: str
      token:
        description:
          - A bearer token. It is sent unchanged.
        type: str
      auth_file:
        description:
          - A file as C(docker login) and C(podman login) write it, on the host that connects to the registry.
        type: path
        aliases: [authfile]
      search_auth_files:
        description:
          - Whether to search the files in which C(podman) and C(docker) store their logins, if no other option gives a credential.
        type: bool
        default: true
      plain_http:
        description:
          - Use HTTP without TLS.
        type: bool
        default: false
      validate_certs:
        description:
          - Verify the certificate of the registry.
        type: bool
        default: true
        aliases: [verify_ssl]
      ca_path:
        description:
          - A file with the certificates of the CAs to trust, or a directory prepared with C(openssl rehash).
        type: path
        aliases: [ca_cert]
      client_cert:
        description:
          - A file with the client certificate for TLS.
        type: path
      client_key:
        description:
          - A file with the private key of the client certificate. The key must not be encrypted.
        type: path
      trusted_realm_hosts:
        description:
          - Hosts, without a port, of token servers that may receive the password although they aren't the host of the registry.
        type: list
        elements: str
        default: []
      # end of generated
"""
