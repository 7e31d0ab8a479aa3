# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guards against hostile registries, each with the text that takes it out and the tests that must fail then."""

from __future__ import annotations

import typing as t


class Guard(t.NamedTuple):
    """``text`` occurs once in ``file`` of ``plugins/module_utils``; with ``replacement`` in its place, it is gone.

    ``tests`` are tests of a file, as seen from this directory, the first part of their names.
    """

    name: str
    file: str
    text: str
    replacement: str
    tests: str


_KEPT = "test_credentials_kept.py::test_"
_CONTENT = "test_wrong_content.py::test_"
_TAGS = "test_tag_guards.py::test_"
_SHOWN = "test_secrets_shown.py::test_"
_MANIFESTS = "../plugins/module_utils/_model/test__manifest.py::test_"
_NOTICES = "../plugins/module_utils/_http/test__notices.py::test_"
_NAMES = "../plugins/module_utils/_model/test__reference.py::test_"
_SHAPES = "../plugins/module_utils/_module/test__shapes.py::test_"
_AUTHORITY = "test_private_authority.py::test_"
_PLANS = "../plugins/module_utils/_promotion/test__plan_conditions.py::test_"
_CHILD = "../plugins/plugin_utils/test__child.py::test_"
_IN_CHILD = "../plugins/plugin_utils/test__child_process.py::test_"
_CLAIMS = "../plugins/module_utils/_promotion/test__plan_claims.py::test_"
_RECORDS = "../plugins/module_utils/_promotion/test__record_referrers.py::test_"
_SUBJECTS = "../plugins/module_utils/_promotion/test__plan_subjects.py::test_"

CREDENTIALS_KEPT = (
    Guard(
        "a redirect to another origin loses the credential",
        "_http/_redirects.py",
        "if origin_of(target) != origin_of(request.url):",
        "if origin_of(target) is None:",
        f"{_KEPT}no_credential_goes_along_a_redirect_to_another_origin",
    ),
    Guard(
        "another port is another origin, for redirects",
        "_http/_redirects.py",
        "if origin_of(target) != origin_of(request.url):",
        "if origin_of(target)[:2] != origin_of(request.url)[:2]:",
        f"{_KEPT}no_credential_goes_along_a_redirect_to_another_origin",
    ),
    Guard(
        "another host on the same port is another origin, for redirects",
        "_http/_redirects.py",
        "if origin_of(target) != origin_of(request.url):",
        "if origin_of(target).port != origin_of(request.url).port:",
        f"{_KEPT}no_credential_goes_along_a_redirect_to_another_origin",
    ),
    Guard(
        "a write is redirected to the registry itself only",
        "_http/_redirects.py",
        "return status in (307, 308) and not request.is_streamed and origin_of(target) == self._address.origin",
        "return status in (307, 308) and not request.is_streamed",
        f"{_KEPT}no_credential_goes_along_a_redirect_to_another_origin",
    ),
    Guard(
        "a credential is for URLs of the registry only",
        "_http/_login.py",
        'self._authorisation(request) if self._address.is_own(request.url) else ""',
        "self._authorisation(request)",
        f"{_KEPT}a_location_on_another_origin_gets_the_blob_and_no_credential",
    ),
    Guard(
        "another port is another origin, for places of uploads",
        "_http/_endpoint.py",
        'return url.startswith(f"{self.base}/") or origin_of(url) == self.origin',
        'return url.startswith(f"{self.base}/") or origin_of(url)[:2] == self.origin[:2]',
        f"{_KEPT}a_location_on_another_origin_gets_the_blob_and_no_credential",
    ),
    Guard(
        "what a storage asks for is no challenge of the registry",
        "_http/_login.py",
        "return asked and self._address.is_own(response.url)",
        "return asked",
        f"{_KEPT}a_storage_that_asks_for_a_login_gets_none",
    ),
    Guard(
        "a token server's redirects are not followed",
        "_http/_transport.py",
        "TokenFetch(self._connections.send, self._tries)",
        "TokenFetch(self._redirects.follow, self._tries)",
        f"{_KEPT}a_token_server_cannot_send_the_secret_on",
    ),
    Guard(
        "a token server on another host gets no secret",
        "_http/_realms.py",
        "if host != self._host and host not in self._trusted and not credential.is_anonymous:",
        "if not host:",
        f"{_KEPT}a_token_server_on_another_host_is_not_even_asked",
    ),
    Guard(
        "the token server that is asked is the one that was judged",
        "_http/_token_server.py",
        "return self._fetch(server.realm + separator",
        "return self._fetch(t.cast(_Server, self._server).realm + separator",
        f"{_KEPT}a_realm_that_changes_meanwhile_gets_nothing",
    ),
    Guard(
        "behind TLS, a token server without it is not asked",
        "_http/_realms.py",
        'if self._secure and parts.scheme != "https":',
        "if not host:",
        f"{_KEPT}a_realm_without_tls_is_not_asked",
    ),
    Guard(
        "a token server is not at a local address",
        "_http/_realms.py",
        "host not in self._trusted and self._leads_astray(realm):",
        "not host:",
        f"{_KEPT}a_public_registry_cannot_lead_to_a_local_address",
    ),
    Guard(
        "the next page is on the registry itself",
        "_registry/_pages.py",
        "foreign = origin_of(url) != self._locations.own",
        "foreign = False",
        f"{_KEPT}a_next_page_elsewhere_is_refused",
    ),
    Guard(
        "no redirect from TLS to plain HTTP",
        "_http/_redirects.py",
        'if here.scheme == "https" and there.scheme != "https":',
        'if here.scheme == "":',
        f"{_KEPT}a_redirect_from_tls_to_plain_http_is_not_followed",
    ),
    Guard(
        "a place for uploads without TLS is asked with TLS",
        "_registry/_locations.py",
        'if own.scheme == "https" and there.scheme == "http":',
        'if own.scheme == "":',
        f"{_KEPT}a_location_without_tls_is_asked_with_tls_or_not_at_all",
    ),
    Guard(
        "a place for uploads without TLS on another host is refused",
        "_registry/_locations.py",
        "if there.host != own.host:",
        "if not there.host:",
        f"{_KEPT}a_location_without_tls_is_asked_with_tls_or_not_at_all",
    ),
    Guard(
        "a client certificate is for the registry only",
        "_http/_channel.py",
        "tls.client_certificate if own and not tls.named_by else None",
        "tls.client_certificate if not tls.named_by else None",
        f"{_KEPT}a_client_certificate_is_offered_to_its_registry_only",
    ),
    Guard(
        "a client certificate is for the registry only, also where the user names CAs",
        "_http/_channel.py",
        "_new_session(jobs, tls, with_certificate=own)",
        "_new_session(jobs, tls, with_certificate=True)",
        f"{_KEPT}a_client_certificate_is_offered_to_its_registry_only",
    ),
    Guard(
        "a proxy is not shown the client certificate",
        "_http/_channel.py",
        '{"proxy_ssl_context": tls.proxy_context()}',
        '{"proxy_ssl_context": context}',
        f"{_AUTHORITY}a_proxy_with_tls_is_trusted_by_the_same_ca_and_not_shown_the_client_certificate",
    ),
    Guard(
        "CAs that the user does not name are checked as strictly as Python does",
        "_http/_tls_files.py",
        "if not self.named_by:",
        "if False:",
        f"{_AUTHORITY}cas_that_the_user_does_not_name_are_checked_as_strictly_as_python_does",
    ),
    Guard(
        "no redirect to a local address",
        "_http/_redirects.py",
        "        if self.leads_astray(target):",
        "        if not target:",
        f"{_KEPT}a_public_registry_cannot_lead_to_a_local_address",
    ),
    Guard(
        "no place for uploads at a local address",
        "_registry/_locations.py",
        "            if self._transport.leads_astray(url):",
        "            if not url:",
        f"{_KEPT}a_public_registry_cannot_lead_to_a_local_address",
    ),
    Guard(
        "a name of a local address is one, too",
        "_http/_redirects.py",
        "self._astray[there] = is_local_address(there.host) or by_name",
        "self._astray[there] = is_local_address(there.host)",
        f"{_KEPT}a_public_registry_cannot_lead_to_a_local_address",
    ),
    Guard(
        "addresses of metadata that are not link-local are known",
        "_http/_url.py",
        " or str(address) in _METADATA",
        "",
        f"{_KEPT}a_public_registry_cannot_lead_to_a_local_address",
    ),
    Guard(
        "an IPv4 address within an IPv6 one is looked at",
        "_http/_url.py",
        "address = address.ipv4_mapped or address.sixtofour or inner or address",
        "address = address.sixtofour or address",
        f"{_KEPT}a_public_registry_cannot_lead_to_a_local_address",
    ),
    Guard(
        "a URL has no login in it",
        "_http/_url.py",
        ' or not host or "@" in parts.netloc:',
        " or not host:",
        f"{_KEPT}a_url_with_a_login_in_it_is_refused",
    ),
    Guard(
        "a URL has no line breaks, spaces and backslashes in it",
        "_http/_url.py",
        r'_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")',
        '_UNSAFE = re.compile(r"(?!)")',
        f"{_KEPT}a_url_with_line_breaks_or_spaces_in_it_is_refused",
    ),
    Guard(
        "a repository is a name",
        "_registry/_paths.py",
        "name = check_repository(repository)",
        "name = repository",
        f"{_KEPT}a_repository_that_is_no_name_reaches_no_request",
    ),
    Guard(
        "a blob is named by a digest",
        "_registry/_paths.py",
        'return path_in(repository, f"blobs/{check_digest(digest)}")',
        'return path_in(repository, f"blobs/{digest}")',
        f"{_KEPT}a_reference_that_is_none_reaches_no_request",
    ),
    Guard(
        "a manifest is named by a digest or a tag",
        "_registry/_paths.py",
        'checked = check_digest(reference) if ":" in reference else check_tag(reference)',
        "checked = reference",
        f"{_KEPT}a_reference_that_is_none_reaches_no_request",
    ),
    Guard(
        "a token of the options is one header",
        "_credentials/_credentials.py",
        "if token and not _TOKEN.fullmatch(token):",
        "if token and not _TOKEN:",
        f"{_KEPT}a_token_that_would_be_another_header_reaches_no_request",
    ),
    Guard(
        "a token of a token server is one header",
        "_http/_token_server.py",
        "len(text) <= _MAXIMUM_TOKEN and _BEARER_TOKEN.fullmatch(text):",
        "len(text) <= _MAXIMUM_TOKEN:",
        f"{_KEPT}a_token_that_would_be_another_header_reaches_no_request",
    ),
    Guard(
        "what is sent for a password is hidden, too",
        "_credentials/_credential.py",
        'pair = self.basic if self.password else ""',
        'pair = ""',
        "../plugins/module_utils/_http/test__transport.py::test_secrets_are_reported_and_shown_nowhere",
    ),
    Guard(
        "no signed URL is chained to an error",
        "_http/_connections.py",
        "raise connection_error(error, request.method, request.url, channel.handshake) from None",
        "raise connection_error(error, request.method, request.url, channel.handshake) from error",
        f"{_SHOWN}no_signed_url_is_in_what_is_chained_to_an_error",
    ),
    Guard(
        "a secret is hidden before what a registry says is cut",
        "_http/_notices.py",
        "[_shown(text) for text in hidden_in(texts, secrets)]",
        "hidden_in([_shown(text) for text in texts], secrets)",
        f"{_NOTICES}a_secret_is_hidden_before_a_text_is_cut",
    ),
    Guard(
        "a secret in another form is not shown",
        "_model/_hiding.py",
        "shown.append(NOT_SHOWN if hidden(plain, needles) != plain else plain)",
        "shown.append(plain)",
        f"{_NOTICES}beside_a_text_that_is_not_shown_the_others_are",
    ),
    Guard(
        "a secret that is divided among texts is not shown",
        "_model/_hiding.py",
        "divided = len(shown) > 1 and hidden(joined, needles) != joined",
        "divided = False",
        f"{_NOTICES}a_text_with_a_secret_in_another_form_is_not_shown",
    ),
    Guard(
        "a secret is looked for in what was decoded",
        "_model/_hiding.py",
        "layer = layer.decoded()",
        "layer = None",
        "../plugins/module_utils/_model/test__hiding.py::test_a_secret_is_hidden_in_each_form_and_what_is_around_it_stays",
    ),
    Guard(
        "Ansible is not told what a token server hands out",
        "_http/_transport.py",
        "on_token=secrets.issued,",
        "on_token=secrets.own,",
        "../plugins/module_utils/_module/test__masking.py::"
        "test_a_token_that_was_obtained_may_be_anything_and_touches_nothing_but_itself",
    ),
    Guard(
        "what is said of a failure has no secret in it",
        "_module/_task.py",
        "result = task.said_without_secrets(deliverable(work(task)))",
        "result = deliverable(work(task))",
        "test_quoted_logins.py::test_whatever_a_registry_makes_of_a_login_is_in_no_message_of_a_task",
    ),
    Guard(
        "a login in front of a name is not shown",
        "_model/_shown.py",
        'if login and name and (":" in login or "/" in name or "/" not in login):',
        "if False:",
        f"{_NAMES}a_login_in_front_of_a_reference_is_not_shown",
    ),
    Guard(
        "a pattern of tags that never move is not split at its commas",
        "_module/_shapes.py",
        'if isinstance(value, str) and name in _PATTERNS and "," in value:',
        "if False:",
        f"{_SHAPES}what_has_the_wrong_shape_is_named_with_its_place",
    ),
)

WRONG_CONTENT = (
    Guard(
        "the digest of a blob",
        "_model/_digest.py",
        "        if computed != self.digest:\n            raise self._mismatch",
        "        if not computed:\n            raise self._mismatch",
        f"{_CONTENT}a_blob_that_is_not_the_one_that_was_promised_is_refused",
    ),
    Guard(
        "the digest of a blob that is downloaded",
        "_model/_digest.py",
        "        if computed != self.digest:\n            raise self._mismatch",
        "        if not computed:\n            raise self._mismatch",
        f"{_CONTENT}a_wrong_blob_leaves_no_file",
    ),
    Guard(
        "the digest of a blob in a layout",
        "_model/_digest.py",
        "        if computed != self.digest:\n            raise self._mismatch",
        "        if not computed:\n            raise self._mismatch",
        f"{_CONTENT}a_wrong_blob_is_in_no_layout",
    ),
    Guard(
        "the last piece is held back until all is known to be right",
        "_blobs/_transfer.py",
        "        if held:\n            yield held\n        held = piece\n    verifier.finish()\n",
        "        if held:\n            yield held\n        held = piece\n",
        f"{_CONTENT}a_wrong_blob_leaves_no_file",
    ),
    Guard(
        "a body that ends too early is read on",
        "_blobs/_transfer.py",
        "if size is not None and received < size and source.end is not None:",
        "if size is not None and received < 0:",
        f"{_CONTENT}a_body_that_ends_too_early_is_read_on_and_not_taken_for_whole",
    ),
    Guard(
        "a blob is taken as it comes, compressed or not",
        "_http/_response.py",
        "piece = self._raw.read(PIECE, decode_content=False)",
        "piece = self._raw.read(PIECE, decode_content=True)",
        f"{_CONTENT}a_blob_that_is_not_the_one_that_was_promised_is_refused",
    ),
    Guard(
        "a manifest is taken as it comes, compressed or not",
        "_http/_response.py",
        "piece = raw.read(min(_SHORT_PIECE, limit + 1 - received), decode_content=False)",
        "piece = raw.read(min(_SHORT_PIECE, limit + 1 - received), decode_content=True)",
        f"{_CONTENT}a_manifest_that_is_not_the_one_that_was_asked_for_is_refused",
    ),
    Guard(
        "the range that is answered",
        "_registry/_locations.py",
        "return start is not None and int(start.group(1)) == offset",
        "return start is not None",
        f"{_CONTENT}a_range_that_lies_about_where_it_begins_is_not_used",
    ),
    Guard(
        "the size of a blob that is there",
        "_blobs/_placement.py",
        "if found is None or not (found == -1 or wanted.size is None or found == wanted.size):",
        "if found is None:",
        f"{_CONTENT}a_destination_that_has_the_blob_in_another_size_gets_it_again",
    ),
    Guard(
        "the digest of a manifest",
        "_model/_manifest.py",
        "if digest and computed != digest:",
        "if digest and not computed:",
        f"{_CONTENT}a_manifest_that_is_not_the_one_that_was_asked_for_is_refused",
    ),
    Guard(
        "a manifest that is not of the type that it was given as",
        "_model/_manifest.py",
        "if said not in _GENERIC_TYPES and said != own:",
        'if own == "":',
        f"{_MANIFESTS}a_type_that_manifest_and_descriptor_do_not_agree_on_stays_refused",
    ),
    Guard(
        "a descriptor proves no type of bytes without a digest",
        "_model/_manifest.py",
        "if digest and expected and expected == _own_type(document):",
        "if expected and expected == _own_type(document):",
        f"{_MANIFESTS}a_descriptor_proves_no_type_where_no_digest_proves_the_bytes",
    ),
    Guard(
        "the digest that comes with a tag's bytes",
        "_registry/_manifest_reads.py",
        'if not digest and is_digest(said) and algorithm_of(said) == "sha256" and said != manifest.digest:',
        "if said is None:",
        f"{_CONTENT}a_tag_whose_bytes_have_not_the_digest_of_the_answer_is_refused",
    ),
    Guard(
        "the digest that a HEAD answers",
        "_registry/_manifest_reads.py",
        "if is_digest(reference) and digest != reference:",
        "if not reference:",
        f"{_CONTENT}a_head_that_answers_another_digest_is_refused",
    ),
    Guard(
        "the digest under which a manifest was stored",
        "_registry/_registry.py",
        "check_stored(response, manifest.digest, is_there)",
        "is_there",
        f"{_CONTENT}a_destination_that_says_that_it_stored_another_digest_fails",
    ),
    Guard(
        "the digest under which a blob was stored",
        "_registry/_registry.py",
        "check_stored(response, digest, lambda: self.head_blob(session.repository, digest) is not None)",
        "pass",
        f"{_CONTENT}a_destination_that_says_that_it_stored_another_digest_fails",
    ),
    Guard(
        "what was stored under a digest of another algorithm is looked for",
        "_registry/_refusals.py",
        "if not is_there():",
        "if False:",
        f"{_CONTENT}a_destination_that_stores_under_another_algorithm_only_fails",
    ),
    Guard(
        "a tag is looked at again where its push has waited",
        "_images/_tagging.py",
        "if next(tries) or self._registry.waited() != self._waited:",
        "if False:",
        f"{_TAGS}a_tag_that_moves_while_its_push_waits_is_left_where_it_is",
    ),
    Guard(
        "a push is looked at again where all wait for another thread",
        "_images/_tagging.py",
        "if next(tries) or self._registry.waited() != self._waited:",
        "if next(tries):",
        f"{_TAGS}a_tag_that_moves_while_another_thread_is_told_to_wait_is_left_where_it_is",
    ),
    Guard(
        "a push of a tag waits before the last look",
        "_http/_login.py",
        "self._wait()",
        "pass",
        f"{_TAGS}a_tag_that_moves_while_another_thread_is_told_to_wait_is_left_where_it_is",
    ),
    Guard(
        "a manifest is deleted only while its tag is where it was seen",
        "_images/_untagging.py",
        "watch.keep()",
        "pass",
        f"{_TAGS}a_manifest_whose_tag_moves_while_its_delete_waits_stays",
    ),
    Guard(
        "a list of referrers is read again where its push has waited",
        "_images/_referrers_index.py",
        "if registry.waited() != waited:",
        "if False:",
        f"{_TAGS}what_others_add_to_a_list_of_referrers_while_its_push_waits_is_kept",
    ),
    Guard(
        "the registry itself says whether a protected tag is there",
        "_registry/_refusals.py",
        "if response.is_redirected:",
        "if response.is_foreign:",
        f"{_TAGS}no_other_host_says_what_a_guarded_tag_serves",
    ),
    Guard(
        "the digest that a tag serves in the end",
        "_images/_tagging.py",
        "if found != outcome.digest:",
        "if not found:",
        f"{_CONTENT}a_destination_that_takes_a_tag_and_serves_another_digest_fails",
    ),
    Guard(
        "manifests are no larger than 4 MiB",
        "_model/_manifest.py",
        "MAXIMUM_SIZE = 4 * 1024 * 1024",
        "MAXIMUM_SIZE = 64 * 1024 * 1024",
        f"{_CONTENT}a_manifest_of_more_than_4_mib_is_refused_wherever_it_comes_from",
    ),
    Guard(
        "no list is read without an end",
        "_http/_response.py",
        "if received > limit and raw.status < 400:",
        "if received < 0:",
        f"{_CONTENT}a_list_whose_body_has_no_end_is_refused",
    ),
    Guard(
        "pages that say nothing new",
        "_registry/_pages.py",
        "if fruitless > _FRUITLESS_PAGES:\n                raise",
        "if fruitless < 0:\n                raise",
        f"{_CONTENT}pages_without_an_end_that_say_nothing_new_are_given_up",
    ),
    Guard(
        "the number of pages",
        "_registry/_pages.py",
        "if len(seen) >= _MAXIMUM_PAGES:",
        "if len(seen) < 0:",
        f"{_CONTENT}pages_without_an_end_are_given_up",
    ),
    Guard(
        "the number of names",
        "_registry/_pages.py",
        "if len(found) > _MAXIMUM_NAMES:",
        "if len(found) < 0:",
        f"{_CONTENT}lists_without_an_end_are_given_up",
    ),
    Guard(
        "digests in lists of referrers",
        "_model/_manifest.py",
        'if not isinstance(entry, dict) or not is_digest(entry.get("digest")):',
        "if not isinstance(entry, dict):",
        f"{_CONTENT}a_digest_with_a_path_in_it_leads_nowhere",
    ),
    Guard(
        "the number of referrers",
        "_registry/_referrers_lookup.py",
        "if len(found) > _MAXIMUM_REFERRERS:",
        "if len(found) < 0:",
        f"{_CONTENT}lists_without_an_end_are_given_up",
    ),
    Guard(
        "pages that go back to an earlier one",
        "_registry/_pages.py",
        "while url not in seen:",
        "while True:",
        f"{_CONTENT}a_list_that_goes_back_to_an_earlier_page_ends",
    ),
    Guard(
        "the depth of an index that is read, and its number of manifests",
        "_images/_inspection.py",
        "if depth > MAXIMUM_DEPTH or len(seen) > MAXIMUM_MANIFESTS:",
        "if depth < 0:",
        f"{_CONTENT}an_index_",
    ),
    Guard(
        "the depth of an index that is listed",
        "_images/_inspection.py",
        "if depth > MAXIMUM_DEPTH or len(found) >= MAXIMUM_MANIFESTS:",
        "if depth < 0:",
        f"{_CONTENT}an_index_that_is_nested_too_deep_is_refused",
    ),
    Guard(
        "referrers that refer to each other",
        "_images/_artifacts.py",
        "        if key in self._seen:\n            return\n",
        "        self._asked.clear()\n",
        f"{_CONTENT}referrers_that_refer_to_each_other_are_an_end",
    ),
    Guard(
        "the depth of referrers",
        "_images/_artifacts.py",
        "for _level in range(_MAXIMUM_DEPTH):",
        "for _level in range(100):",
        f"{_CONTENT}referrers_of_referrers_without_an_end_are_refused",
    ),
    Guard(
        "the depth of a manifest's JSON",
        "_model/_manifest.py",
        "except (ValueError, RecursionError) as error:",
        "except ValueError as error:",
        f"{_CONTENT}a_manifest_by_tag_has_the_same_limits",
    ),
    Guard(
        "the depth of a list's JSON",
        "_registry/_pages.py",
        "except (ValueError, RecursionError):",
        "except ValueError:",
        f"{_CONTENT}a_list_that_is_none_is_refused",
    ),
    Guard(
        "the depth of an error's JSON",
        "_http/_response.py",
        "except (ValueError, RecursionError, KeyError, TypeError):",
        "except (ValueError, KeyError, TypeError):",
        f"{_CONTENT}an_error_that_is_too_deep_is_one_sentence",
    ),
    Guard(
        "the depth of a config's JSON",
        "_images/_inspection.py",
        "except (ValueError, RecursionError):",
        "except ValueError:",
        f"{_CONTENT}a_config_that_is_none_is_no_traceback",
    ),
    Guard(
        "the depth of a token server's JSON",
        "_http/_token_server.py",
        "except (ValueError, RecursionError):",
        "except ValueError:",
        f"{_CONTENT}a_token_server_with_an_absurd_answer_is_refused",
    ),
    Guard(
        "digests in manifests",
        "_model/_manifest.py",
        'digest = check_digest(entry.get("digest"))',
        'digest = str(entry.get("digest"))',
        f"{_CONTENT}a_digest_with_a_path_in_it_leads_nowhere",
    ),
    Guard(
        "digests in headers",
        "_registry/_manifest_reads.py",
        "if not is_digest(digest) or size is None:",
        "if not digest or size is None:",
        f"{_CONTENT}a_digest_in_a_header_with_a_path_in_it_is_not_believed",
    ),
    Guard(
        "tags in lists",
        "_registry/_paths.py",
        'checked = check_digest(reference) if ":" in reference else check_tag(reference)',
        "checked = reference",
        f"{_CONTENT}a_name_of_a_list_with_a_path_in_it_leads_nowhere",
    ),
)

PLANS = (
    Guard(
        "the digest of a plan is that of the source",
        "_promotion/_plan_conditions.py",
        "if not item.platforms and image.digest != image.source_digest:",
        "if False:",
        f"{_PLANS}no_other_digest_is_promoted_than_the_source_has",
    ),
    Guard(
        "tags of a plan move as the images say",
        "_promotion/_plan_as_plain.py",
        "if sorted(tag.item[:4] for tag in given) != sorted(tag[:4] for tag in planned):",
        "if False:",
        f"{_PLANS}an_image_that_says_create_moves_no_tag_that_is_there",
    ),
    Guard(
        "tags of artifacts have the names of cosign",
        "_promotion/_plan_conditions.py",
        "if artifact.tag not in cosign_tags(artifact.subject):",
        "if False:",
        f"{_PLANS}a_tag_of_an_artifact_has_the_name_that_cosign_gives_it",
    ),
    Guard(
        "manifests of a plan are those of the images",
        "_promotion/_plan_conditions.py",
        "if way not in ways or planned.place not in reached:",
        "if False:",
        f"{_PLANS}no_other_manifest_is_pushed_than_those_of_the_images",
    ),
    Guard(
        "blobs of a plan go the ways of the images",
        "_promotion/_plan_conditions.py",
        "if (group.repository, group.source_repository, group.mount_from) not in groups:",
        "if False:",
        f"{_PLANS}no_other_blob_moves_than_those_of_the_images",
    ),
    Guard(
        "blobs of a plan are those of its manifests",
        "_promotion/_plan_conditions.py",
        "if (group.repository, digest, size) not in needed:",
        "if False:",
        f"{_PLANS}a_blob_has_the_size_that_its_manifest_says",
    ),
    Guard(
        "artifacts of a plan are about the images",
        "_promotion/_plan_subjects.py",
        "strangers = [one for one in self._image.copied_artifacts if one.subject not in self._known]",
        "strangers = list[Artifact]()",
        f"{_SUBJECTS}a_signature_of_something_else_is_refused",
    ),
    Guard(
        "nothing is an artifact of a plan that only claims to be one",
        "_promotion/_plan_subjects.py",
        "if self._is_proven(artifact):",
        "if True:",
        f"{_SUBJECTS}an_image_that_is_called_an_artifact_gets_no_signature",
    ),
    Guard(
        "a plan has the manifests of its artifacts",
        "_promotion/_plan_conditions.py",
        "if (image.item.destination_repository, artifact.digest) not in plan.manifests_by_place:",
        "if False:",
        f"{_PLANS}an_artifact_without_its_manifest_is_refused",
    ),
    Guard(
        "the digest of a plan is what the source serves",
        "_promotion/_plan_claims.py",
        "if found.digest != image.source_digest:",
        "if False:",
        f"{_CLAIMS}a_plan_of_another_digest_is_refused",
    ),
    Guard(
        "tags that a plan calls equal are looked up",
        "_promotion/_plan_claims.py",
        "if digest not in (image.digest, tag.previous_digest):",
        "if False:",
        f"{_CLAIMS}a_claim_that_everything_is_equal_is_looked_up",
    ),
    Guard(
        "manifests that a plan leaves out are at the destination",
        "_promotion/_plan_claims.py",
        "if self._destination.head_manifest(repository, digest, Purpose.REPORT) is None:",
        "if False:",
        f"{_CLAIMS}no_tag_moves_to_an_image_of_which_something_is_left_out",
    ),
    Guard(
        "blobs that a plan leaves out are at the destination",
        "_promotion/_plan_claims.py",
        "if self._destination.head_blob(repository, digest, Purpose.REPORT) is None:",
        "if False:",
        f"{_CLAIMS}no_tag_moves_to_an_image_of_which_something_is_left_out",
    ),
    Guard(
        "artifacts that a plan leaves out are at the destination",
        "_promotion/_plan_claims.py",
        "if artifact.action == EXISTS and not self._has_artifact(image, artifact):",
        "if False:",
        f"{_CLAIMS}an_artifact_that_is_said_to_be_there_is_looked_for",
    ),
    Guard(
        "what a plan says that platforms choose is chosen again",
        "_promotion/_plan_claims.py",
        "if digest == image.digest:",
        "if True:",
        f"{_CLAIMS}what_platforms_choose_is_chosen_again",
    ),
)

SECRETS_SHOWN = (
    Guard(
        "a registry with a login in it is not shown",
        "_model/_reference.py",
        'if "@" in text:\n        raise',
        "if not text:\n        raise",
        "../plugins/module_utils/_model/test__reference.py::test_a_login_in_a_registry_is_not_shown",
    ),
    Guard(
        "another name with a login in it is not shown",
        "_model/_shown.py",
        "return repr(without_secret(str(value))[:_LONGEST])",
        "return repr(str(value)[:_LONGEST])",
        "../plugins/module_utils/_model/test__reference.py::test_a_login_in_another_name_is_not_shown",
    ),
    Guard(
        "the content of a file in place of its path is not shown",
        "_run/_local_path.py",
        "if is_content(path) and",
        "if not path and",
        "../plugins/module_utils/_http/test__tls_files.py::test_the_content_of_a_file_in_place_of_its_path_is_not_shown",
    ),
)

RECORDS = (
    Guard(
        "a record that anybody may have attached does not stand in for a signed one",
        "_promotion/_record_referrers.py",
        "if signer is None or one.verified]",
        "if one.record]",
        f"{_RECORDS}one_that_anybody_may_have_pushed_does_not_stand_in_for_a_signed_one",
    ),
    Guard(
        "a private key that is given as text is hidden",
        "_module/_masking.py",
        "if key and is_content(key):",
        "if not key:",
        "../plugins/module_utils/_module/test__masking.py::test_a_private_key_that_is_given_as_text_is_hidden",
    ),
    Guard(
        "the system's log has no secret that is inside of a dictionary",
        "_module/_task.py",
        "shown_options(without_no_log(abridged(self.params), self.argument_spec), PATHS)",
        "self.params",
        "../plugins/modules/test_attached_records.py::test_no_secret_is_returned_logged_or_pushed",
    ),
)

IN_PLACE = (
    Guard(
        "the kernel ends a child with its worker",
        "../plugin_utils/_child.py",
        "if ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, int(signal.SIGKILL), 0, 0, 0):",
        "if False:",
        f"{_CHILD}it_dies_with_its_worker",
    ),
    Guard(
        "a child whose worker ended before does nothing",
        "../plugin_utils/_child.py",
        "if os.getppid() != worker:",
        "if False:",
        f"{_CHILD}one_whose_worker_has_ended_before_does_nothing",
    ),
    Guard(
        "a tag moves only while Ansible and its worker live",
        "../plugin_utils/_child_process.py",
        "return lambda: parent_of(worker) == ansible and os.getppid() == worker",
        "return lambda: True",
        f"{_IN_CHILD}a_child_is_held_until_ansible_is_killed_although_its_worker_lives",
    ),
    Guard(
        "what writes does not begin where Ansible could not end it",
        "_module/_task.py",
        "self.attachment.require()",
        "pass",
        "../plugins/module_utils/_module/test__task.py::test_what_writes_does_not_begin_where_ansible_could_not_end_it",
    ),
    Guard(
        "a module in place is no controller",
        "../plugin_utils/_core_internals.py",
        "_internal.is_controller = False",
        "pass",
        f"{_IN_CHILD}warnings_are_returned_and_not_shown",
    ),
)

GUARDS = (*CREDENTIALS_KEPT, *WRONG_CONTENT, *PLANS, *SECRETS_SHOWN, *RECORDS, *IN_PLACE)
