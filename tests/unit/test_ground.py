"""Clock, ids, errors, settings, numbering and sealing: small pieces that everything stands on."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.clock import SettableClock, epoch_ms, from_epoch_ms, local_day, local_month, next_local_midnight
from pipeline.errors import REGISTRY, AppError
from pipeline.ids import uuid7
from pipeline.reports.numbering import ALPHABET, HALF_BITS, permute
from pipeline.settings import load
from pipeline.vault.keys import Keyring, open_keyring
from pipeline.vault.persons import mask_phone, mask_vpa, normalise
from pipeline.vault.seal import keyed_hash, seal, unseal
from tests.production import PRODUCTION

DJIBOUTI = ZoneInfo("Africa/Djibouti")
RING = Keyring("k2", (("k1", b"1" * 32), ("k2", b"2" * 32)))


def test_a_day_and_a_month_are_the_tenants() -> None:
    late = datetime(2026, 3, 31, 22, 30, tzinfo=UTC)  # already April in Djibouti
    assert local_day(late, DJIBOUTI).isoformat() == "2026-04-01"
    assert local_month(late, DJIBOUTI).isoformat() == "2026-04-01"
    assert next_local_midnight(late, DJIBOUTI) == datetime(2026, 4, 1, 21, 0, tzinfo=UTC)


def test_packet_times_are_milliseconds_both_ways() -> None:
    assert epoch_ms(from_epoch_ms(1734176145000)) == 1734176145000
    assert epoch_ms(None) is None


def test_a_settable_clock_stands_still() -> None:
    clock = SettableClock(datetime(2026, 1, 1, tzinfo=UTC))
    assert clock.now() == clock.now()
    clock.advance(timedelta(hours=1))
    assert clock.now().hour == 1


def test_ids_of_one_millisecond_stay_in_order_and_differ() -> None:
    now = datetime(2026, 3, 10, tzinfo=UTC)
    made = [uuid7(now) for _ in range(20_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert {i.version for i in made} == {7}
    assert all(isinstance(i, UUID) and i.variant == "specified in RFC 4122" for i in made[:10])


def test_every_error_says_a_sentence_with_its_params() -> None:
    for code, spec in REGISTRY.items():
        error = AppError(code, **dict.fromkeys(spec.params, "x"))
        assert error.message.endswith((".", "x", ")")), code
        assert "{" not in error.message, code
        assert 400 <= error.status < 600, code


def test_an_error_without_its_params_is_a_fault_of_ours() -> None:
    with pytest.raises(KeyError):
        AppError("SDCRS_NOT_FOUND", kind="Report")


@pytest.mark.parametrize(
    ("environ", "setting"),
    [
        ({"PORT": "80"}, "PORT"),
        ({"PORT": "many"}, "PORT"),
        ({"APP_ENV": "staging"}, "APP_ENV"),
        ({"RAZORPAYX_KEY_ID": "rzp_live_x"}, "RAZORPAYX_KEY_ID"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(environ: dict[str, str], setting: str) -> None:
    with pytest.raises(AppError) as caught:
        load(environ)
    assert caught.value.code == "SDCRS_BAD_SETTING"
    assert caught.value.params["setting"] == setting


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({}, []),
        ({"DATABASE_URL": "postgresql:///live?host=/run/postgresql"}, []),
        ({"DATABASE_URL": "postgresql://login@127.0.0.1/live"}, []),
        ({"KEYS_FILE": ""}, ["KEYS_FILE"]),
        ({"RAZORPAYX_KEY_ID": ""}, ["RAZORPAYX_KEY_ID"]),
        ({"EMBEDDED_FSYNC": "off"}, ["EMBEDDED_FSYNC"]),
        ({"API_PUBLIC_URL": ""}, ["API_PUBLIC_URL"]),
        ({"API_PUBLIC_URL": "http://sdcrs.example"}, ["API_PUBLIC_URL"]),
        ({"RAZORPAYX_BASE_URL": "http://provider.example"}, ["RAZORPAYX_BASE_URL"]),
        ({"SMS_GATEWAY_URL": "http://sms.example"}, ["SMS_GATEWAY_URL"]),
        ({"DATABASE_URL": "postgresql://login@db/live"}, ["DATABASE_URL"]),
        ({"DATABASE_URL": "postgresql://login@db/live?sslmode=prefer"}, ["DATABASE_URL"]),
        ({"TRUSTED_PROXIES": "0.0.0.0/0"}, ["TRUSTED_PROXIES"]),
        ({"KEYS_FILE": "", "TRUSTED_PROXIES": "::/0", "API_PUBLIC_URL": ""}, ["KEYS_FILE", "API_PUBLIC_URL", "TRUSTED_PROXIES"]),
    ],
)
def test_production_does_not_start_with_an_unsafe_setting_and_names_all_of_them(change: dict[str, str], named: list[str]) -> None:
    environment = {**PRODUCTION, **change}
    if not named:
        assert load(environment).production
        return
    with pytest.raises(AppError) as refused:
        load(environment)
    assert (refused.value.code, refused.value.params["settings"]) == ("SDCRS_UNSAFE_SETTINGS", named)
    assert not load({**environment, "APP_ENV": "demo"}).production


def test_ports_follow_the_console() -> None:
    settings = load({"PORT": "9000"})
    assert (settings.port, settings.api_port, settings.sandbox_port) == (9000, 9001, 9002)


@given(st.sets(st.integers(0, (1 << 2 * HALF_BITS) - 1), max_size=50))
def test_tracking_ids_never_meet(serials: set[int]) -> None:
    assert len({permute(b"k" * 32, s) for s in serials}) == len(serials)


def test_tracking_ids_have_no_look_alikes_and_no_order() -> None:
    assert not set("01OI") & set(ALPHABET)
    values = [permute(b"k" * 32, s) for s in range(100)]
    assert values != sorted(values)


@given(st.binary(max_size=300))
def test_a_sealed_value_opens_only_in_its_place(value: bytes) -> None:
    sealed = seal(RING, "vault|dj|name", "dj|t|name|1", value)
    assert unseal(RING, "vault|dj|name", "dj|t|name|1", sealed) == value
    for purpose, place in (("vault|dj|name", "dj|t|name|2"), ("vault|ncr|name", "dj|t|name|1")):
        with pytest.raises(AppError):
            unseal(RING, purpose, place, sealed)


def test_old_keys_open_and_lookups_stay_findable_after_a_rotation() -> None:
    before = Keyring("k1", (("k1", b"1" * 32),))
    sealed = seal(before, "p", "place", b"value")
    assert unseal(RING, "p", "place", sealed) == b"value"
    assert keyed_hash(before, "p", "x") == keyed_hash(RING, "p", "x")


@pytest.mark.parametrize("sealed", ["", "v1:k1:AAAA", "v2:k1:AAAA:AAAA", "v1:nobody:AAAAAAAAAAAAAAAA:AAAA", "v1:k1:!!:??"])
def test_what_is_not_sealed_by_us_is_refused(sealed: str) -> None:
    with pytest.raises(AppError) as caught:
        unseal(RING, "p", "place", sealed)
    assert caught.value.code == "SDCRS_DECRYPT_FAILED"


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    settings = load({"DATA_DIR": str(tmp_path)})
    made = open_keyring(settings)
    assert open_keyring(settings) == made
    (tmp_path / "keys" / "master.json").chmod(0o644)
    with pytest.raises(AppError) as caught:
        open_keyring(settings)
    assert caught.value.params["setting"] == "KEYS_FILE"


def test_masks_and_spellings() -> None:
    assert mask_phone("9876543210") == "98••••••10"
    assert mask_vpa("ravi@okaxis") == "r•••@okaxis"
    assert normalise("phone", "+91 98765-43210") == "919876543210"
    assert normalise("name", "  Ravi   KUMAR ") == "ravi kumar"
