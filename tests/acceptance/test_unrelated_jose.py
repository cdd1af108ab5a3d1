"""A JWS library that we do not sign with verifies our credentials by our published keys: npm's `jose`."""

import json
from pathlib import Path
from secrets import token_bytes

import pytest

from pipeline.identity import keys
from pipeline.vault.keys import Keyring
from tests.acceptance.unrelated import driven, installed

DRIVER = Path(__file__).parent / "unrelated_jose/verify.mjs"
PACKAGE = "jose@6.2.17"  # what was tried; a newer one is a change to be looked at
CREDENTIAL = {"id": "urn:uuid:0197e000-0000-7000-8000-000000000001", "partnerId": "IDA"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed(tmp_path_factory.mktemp("jose"), DRIVER, PACKAGE)


def test_our_credentials_are_verified_before_and_after_a_rotation_and_altered_ones_are_not(folder: Path) -> None:
    before = Keyring("k1", (("k1", token_bytes(32)),))
    after = Keyring("k2", (*before.masters, ("k2", token_bytes(32))))
    stranger = Keyring("k1", (("k1", token_bytes(32)),))
    payload = json.dumps(CREDENTIAL).encode()
    older, newer, foreign = (keys.sign(keyring, payload) for keyring in (before, after, stranger))
    header, _, signature = newer.split(".")
    altered = f"{header}.{older.split('.')[1][:-2]}AA.{signature}"
    told = driven(folder, DRIVER.name, {"jwks": keys.jwks(after), "tokens": [older, newer, altered, foreign]})
    assert [json.loads(one["payload"]) for one in told[:2]] == [CREDENTIAL, CREDENTIAL]
    assert [one["header"] for one in told[:2]] == [
        {"alg": "ES256", "typ": "credential+jws", "kid": "k1.credential"},
        {"alg": "ES256", "typ": "credential+jws", "kid": "k2.credential"},
    ]
    assert [one.get("refused") for one in told[2:]] == ["ERR_JWS_SIGNATURE_VERIFICATION_FAILED"] * 2
