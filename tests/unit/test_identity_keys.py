"""Keys of credentials: ours are verified, others' are not, and a rotation leaves what was signed before valid."""

import json
from dataclasses import replace
from secrets import token_bytes

import pytest
from joserfc import jws
from joserfc.jwk import ECKey

from pipeline.errors import AppError
from pipeline.identity import keys
from pipeline.identity.tokens import check_service, service_token
from pipeline.vault.keys import Keyring

CREDENTIAL = json.dumps({"id": "urn:uuid:1"}).encode()


@pytest.fixture
def keyring() -> Keyring:
    return Keyring("k1", (("k1", token_bytes(32)),))


def rotated(keyring: Keyring) -> Keyring:
    return Keyring("k2", (*keyring.masters, ("k2", token_bytes(32))))


def code(call, *args) -> str:
    with pytest.raises(AppError) as caught:
        call(*args)
    return caught.value.code


def test_what_is_signed_is_verified_and_the_detached_signature_is_the_same(keyring) -> None:
    token = keys.sign(keyring, CREDENTIAL)
    assert keys.verified(keyring, token) == CREDENTIAL
    header, nothing, signature = keys.detached(token).split(".")
    assert (nothing, f"{header}.", f".{signature}") == ("", token[: len(header) + 1], token[-len(signature) - 1 :])


def test_keys_follow_from_the_master_key_alone(keyring) -> None:
    assert keys.jwks(keyring) == keys.jwks(replace(keyring))
    assert keys.jwks(keyring) != keys.jwks(Keyring("k1", (("k1", token_bytes(32)),)))


def test_the_published_keys_are_public_and_name_their_purpose(keyring) -> None:
    found = keys.jwks(rotated(keyring))["keys"]
    assert [key["kid"] for key in found] == ["k2.credential", "k1.credential"]
    assert {tuple(sorted(key)) for key in found} == {("alg", "crv", "kid", "kty", "use", "x", "y")}


def test_after_a_rotation_older_credentials_are_still_verified_and_opened(keyring) -> None:
    token, sealed = keys.sign(keyring, CREDENTIAL), keys.encrypt(keyring, "IDA", b"demographics")
    newer = rotated(keyring)
    assert keys.verified(newer, token) == CREDENTIAL
    assert keys.decrypt(newer, "IDA", sealed) == b"demographics"
    assert keys.sign(newer, CREDENTIAL).split(".")[0] != token.split(".")[0]


@pytest.mark.parametrize("spoil", ["payload", "signature", "strange key", "other type", "none", "hmac", "nonsense", ""])
def test_a_credential_that_is_not_ours_or_was_altered_is_refused(keyring, spoil) -> None:
    token = keys.sign(keyring, CREDENTIAL)
    header, payload, signature = token.split(".")
    stranger = ECKey.generate_key("P-256")
    wrong = {
        "payload": f"{header}.{payload[:-2]}AA.{signature}",
        "signature": f"{header}.{payload}.{signature[:-4]}AAAA",
        "strange key": jws.serialize_compact({"alg": "ES256", "typ": keys.TYPE, "kid": "k1.credential"}, CREDENTIAL, stranger),
        "other type": jws.serialize_compact({"alg": "ES256", "typ": "JWT", "kid": "k1.credential"}, CREDENTIAL, stranger),
        "none": f"eyJhbGciOiJub25lIn0.{payload}.",
        "hmac": f"eyJhbGciOiJIUzI1NiJ9.{payload}.{signature}",
        "nonsense": "a.b.c",
        "": "",
    }[spoil]
    assert code(keys.verified, keyring, wrong) == "SDCRS_CREDENTIAL_SIGNATURE"


def test_only_the_partner_that_it_was_encrypted_for_opens_it(keyring) -> None:
    sealed = keys.encrypt(keyring, "IDA", b"demographics")
    assert code(keys.decrypt, keyring, "OTHER", sealed) == "SDCRS_CREDENTIAL_PARTNER"
    assert code(keys.decrypt, keyring, "IDA", sealed[:-3] + "AAA") == "SDCRS_CREDENTIAL_PARTNER"
    assert code(keys.decrypt, keyring, "IDA", "no.jwe") == "SDCRS_CREDENTIAL_PARTNER"


def test_a_service_token_is_for_one_participant_and_a_minute(keyring) -> None:
    token = f"Bearer {service_token(keyring, 'websub', 1_000_000)}"
    check_service(keyring, "websub", token, 1_000_050)
    for audience, sent, now_s in (
        ("datashare", token, 1_000_050),
        ("websub", token, 1_000_091),
        ("websub", token, 999_900),
        ("websub", token.removeprefix("Bearer "), 1_000_050),
        ("websub", "Bearer nonsense", 1_000_050),
        ("websub", "", 1_000_050),
    ):
        assert code(check_service, keyring, audience, sent, now_s) == "SDCRS_NOT_SIGNED_IN"


def test_biometrics_of_many_megabytes_are_encrypted_signed_and_opened_again(keyring: Keyring) -> None:
    biometrics = b"\x00\x01" * 2_500_000
    whole = keys.sign(keyring, keys.encrypt(keyring, "IDA", biometrics).encode())
    assert keys.decrypt(keyring, "IDA", keys.verified(keyring, whole).decode()) == biometrics
