# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options by which every module reaches a registry. They pair with the argument specs in ``plugins/module_utils/_module``."""

from __future__ import annotations


class ModuleDocFragment:
    """How a registry is reached; V(SOURCE) is the same for the other end of modules with two."""

    DOCUMENTATION = r"""
options:
  registry:
    description:
      - The registry that is read or changed, as V(host) or V(host:port), without a scheme and without a login.
    type: str
    required: true
  username:
    description:
      - The account to log in with. Needs O(password). Empty text is refused, here and in O(token) and O(auth_file); leave the option out
        where there is no login.
      - Without it, and without O(token) and O(auth_file), see O(search_auth_files).
    type: str
  password:
    description:
      - The password of O(username), or a token that the registry takes in its place.
      - It is sent as it is. If it is refused and is empty, or ends in a line break, the message says so.
      - On ansible-core before 2.22, a password that also occurs in a repository, a tag, a digest or a manifest of the task
        would be cut out of the result. The task then fails before it writes. Give such a one in O(auth_file).
    type: str
  token:
    description:
      - A bearer token that is sent as it is, without asking a token server.
    type: str
  auth_file:
    description:
      - A file of the form that C(docker login) and C(podman login) write, on the host on which the module runs. It is looked at
        if neither O(username) nor O(token) is given.
      - Preferred to O(password), since ansible-core writes a module's options into its temporary directory where it does not
        pipeline.
      - It may have entries for parts of a registry, such as V(registry.example/team). The one that names the most of a repository
        counts, so that repositories of one registry can have different accounts.
      - It may name credential helpers, and hold identity tokens.
    type: path
    aliases: [authfile]
  search_auth_files:
    description:
      - Whether to look into the files in which C(podman) and C(docker) keep their logins, where neither O(username) nor O(token)
        nor O(auth_file) is given, and the registry asks for a login.
      - "That is the file that E(REGISTRY_AUTH_FILE) names, or, without it, the first of these that has a credential:
        C($XDG_RUNTIME_DIR/containers/auth.json) (without that variable C(/run/containers/UID/auth.json)),
        C($XDG_CONFIG_HOME/containers/auth.json) (C(~/.config)), the text in E(DOCKER_AUTH_CONFIG), C($DOCKER_CONFIG/config.json)
        (C(~/.docker)), C(~/.dockercfg)."
      - They are those of the user as whom the module runs, on the host on which it runs, and the environment is that of the module.
      - Where none has a credential, and where this is V(false), access is anonymous.
    type: bool
    default: true
  plain_http:
    description:
      - Speak HTTP without TLS. Nothing falls back to it by itself.
    type: bool
    default: false
  validate_certs:
    description:
      - Verify the certificate of the registry, and of its token server.
    type: bool
    default: true
    aliases: [verify_ssl]
  ca_path:
    description:
      - A file with the certificates of the CAs to trust, or a directory prepared by C(openssl rehash).
      - Without it, C(*.crt) in C(~/.config/containers/certs.d/REGISTRY), C(/etc/containers/certs.d/REGISTRY) or
        C(/etc/docker/certs.d/REGISTRY), the first that is there, are trusted besides the CAs that are trusted anyway. Without these,
        it is the environment variable E(REQUESTS_CA_BUNDLE) that names the CAs, then E(CURL_CA_BUNDLE).
      - A CA that is named in one of these ways is trusted even if its certificate lacks extensions that Python has required since
        3.13, as those of many private CAs do. Signatures, dates, names and the strength of keys are verified.
    type: path
    aliases: [ca_cert]
  client_cert:
    description:
      - A file with the client certificate for TLS, and its key unless O(client_key) is given. Only the registry itself is shown it.
      - Without it, C(NAME.cert) and C(NAME.key) in the directory of certificates for the registry are used, see O(ca_path).
    type: path
  client_key:
    description:
      - A file with the key of O(client_cert), not encrypted.
    type: path
  trusted_realm_hosts:
    description:
      - Hosts of token servers that may be sent the password although the registry itself is on another host.
      - The registry's own host, and the token servers of well-known public registries, are trusted without it.
    type: list
    elements: str
    default: []
  timeout:
    description:
      - How long to wait, in seconds, while the registry sends nothing. The end of an upload may take 300 seconds at least.
      - An answer of which less than 1 KiB comes in so many seconds counts as silent, too. Whatever isn't a blob (tokens, manifests,
        lists) must be whole after five times as many.
    type: int
    default: 60
  retries:
    description:
      - How often to retry a request after a temporary failure (429, 5xx, a broken connection).
    type: int
    default: 3
  retry_max_wait:
    description:
      - The longest pause in seconds before a request is repeated. Pauses begin with up to a second, and double each time up to 30 seconds;
        where the registry asks for one with C(Retry-After), it is as long as that.
      - A registry that asks for a longer one is left alone for this time, once in a task. If it then still asks for a longer one,
        what was asked of it fails, and says for how long the registry wants to be left alone.
    type: float
    default: 120
  jobs:
    description:
      - How many requests to one registry, and how many blobs, are under way at a time. Where both ends of a task are the same registry,
        that is for each end.
    type: int
    default: 4
  requests_per_second:
    description:
      - How many requests to one registry may begin in a second, those to its token server included. With V(0), as many as come.
      - Use it where a registry counts requests, and answers too many of them with 429.
    type: float
    default: 0
  chunk_size:
    description:
      - The size in bytes of the chunks in which blobs are uploaded. With V(0), a blob is sent whole, in one request.
      - Where a registry, or a proxy in front of it, refuses a blob that is sent whole because it is too large (413), it is sent in
        chunks anyway, of 8 MiB at most, and in smaller ones where these are refused. Where chunks are refused, it is sent whole.
      - Registries that ask for larger chunks, with C(OCI-Chunk-Min-Length), get those.
      - Use it where something breaks long uploads off, and doesn't answer.
    type: int
    default: 0
requirements:
  - requests, for the Python that runs the module
notes:
  - The environment variables E(HTTPS_PROXY), E(HTTP_PROXY), E(ALL_PROXY) and E(NO_PROXY) are honoured, as they are on the host and
    for the user as whom the module runs.
  - The module runs on the host of the task. Where an inventory names C(localhost), it is reached by SSH, unless the play has
    C(connection=local). With that connection, on Linux, it runs in the Python that Ansible itself runs, without a payload, unless
    C(ansible_python_interpreter) names another one or the variable C(imageops_registry_in_place) is false.
seealso:
  - ref: ansible_collections.imageops.registry.docsite.log_in
    description: Where a credential comes from, and what each registry takes.
  - ref: ansible_collections.imageops.registry.docsite.registry_differences
    description: What differs between registries, and what is done about it.
"""

    SOURCE = r"""
options:
  source:
    description:
      - The registry at the other end, which is only read.
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
          - The account to log in with. Requires C(password).
        type: str
      password:
        description:
          - The password of the account, or a token that the registry accepts instead.
        type: str
      token:
        description:
          - A bearer token, which is sent unchanged.
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
          - A file with the key of the client certificate.
        type: path
      trusted_realm_hosts:
        description:
          - Hosts of token servers that may receive the password although they are not the host of the registry.
        type: list
        elements: str
        default: []
      # end of generated
"""
