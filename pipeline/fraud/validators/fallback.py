"""What counts in place of an answer that did not come, as the validator's fallback says."""

import logging
from collections import Counter
from collections.abc import Sequence

from pipeline.fraud.validators.reading import output_name
from pipeline.fraud.validators.rows import End, Taken
from pipeline.fraud.validators.setup import Asked

log = logging.getLogger(__name__)

LEVELS = {"INFO": logging.INFO, "WARN": logging.WARNING, "ERROR": logging.ERROR}


def fall_back(row: Taken, asked: Asked, reason: str, failures: int) -> End:
    """The end of a row without an answer. A default that is not there sends the report to a person: it never approves."""
    fallback = asked.validator.fallback
    if fallback.action == "SKIP_RULE":
        return End(row, "SKIPPED", failures, reason=reason)
    if fallback.action == "APPLY_DEFAULT" and fallback.default_value is not None:
        outputs = {output_name(name): value for name, value in fallback.default_value.items()}
        return End(row, "DEFAULTED", failures, outputs=outputs, reason=reason)
    return End(row, "MANUAL", failures, reason=reason)


def tell(fallen: Sequence[tuple[Asked, str, str]]) -> None:
    """Log once for each validator and cause how many reports went on without it: `(validator, reason, detail)` of each."""
    for (validator_id, level, words), count in Counter(
        (asked.id, asked.validator.fallback.log_level, f"{reason}{f' ({detail})' if detail else ''}") for asked, reason, detail in fallen
    ).items():
        log.log(LEVELS[level], "validator %s: %s; its fallback counts for %d", validator_id, words, count)
