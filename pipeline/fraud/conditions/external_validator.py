"""EXTERNAL_VALIDATOR: fires when the check expression is true of what the validator answered.

The validator was asked before; here its answer is judged. One without an address is skipped and says so.
"""

import re
from functools import lru_cache
from typing import Any

from pipeline.clock import from_epoch_ms
from pipeline.fraud import spel
from pipeline.fraud.case import NO_ADDRESS, Answer, Case
from pipeline.fraud.conditions.verdict import UnevaluableError, Verdict
from pipeline.masterdata.fraud_models import ExternalCondition

_PREDICTION = re.compile(r"\bpredictions\s*\??\.\s*(\w+)")
_OWN_DATA = re.compile(r"\badditionalData\s*\??\.\s*(\w+)")
_ABSENT = Answer(None, NO_ADDRESS)
KEPT = 256


def evaluate(condition: ExternalCondition, case: Case) -> Verdict:
    """The validator said what the rule is about, and was sure enough of it."""
    answer = case.validators.get(condition.validator_id, _ABSENT)
    if answer.outputs is None:
        if answer.to_review:
            raise UnevaluableError(f"{condition.validator_id}: {answer.reason}")
        return Verdict(False, answer.reason if answer is _ABSENT else f"{condition.validator_id}: {answer.reason}", skipped=True)
    said = {name.removesuffix("Field"): value for name, value in answer.outputs.items()}
    unsaid = next((name for name in named(condition.check_expression) if said.get(name) is None), None)
    if unsaid is not None:
        return Verdict(False, f"{condition.validator_id} did not say {unsaid}", skipped=True)
    own_data = case.document["additionalData"] or {}
    untold = next((name for name in _OWN_DATA.findall(condition.check_expression) if own_data.get(name) is None), None)
    if untold is not None:
        return Verdict(False, f"the report does not say {untold}", skipped=True)
    confidence = said.get("confidence")
    if condition.min_confidence is not None and isinstance(confidence, int | float) and confidence < condition.min_confidence:
        message = f"{condition.validator_id} is {confidence:.0%} sure, asked for are {condition.min_confidence:.0%}"
        return Verdict(False, message, condition.min_confidence, confidence, {"predictions": said})
    try:
        result = spel.compile(condition.check_expression).evaluate(case.variables, _root(said, case))
    except spel.SpelError as error:
        raise UnevaluableError(f"{condition.validator_id}: {error}") from error
    if not isinstance(result, bool):
        raise UnevaluableError(f"the expression gave {type(result).__name__}, not true or false")
    words = ", ".join(f"{name} {said[name]}" for name in named(condition.check_expression))
    return Verdict(result, f"{condition.validator_id} says: {words}", condition.min_confidence, details={"predictions": said})


# What every such rule says while no validator can be asked
UNASKED = Verdict(False, NO_ADDRESS, skipped=True)


@lru_cache(maxsize=KEPT)
def named(expression: str) -> tuple[str, ...]:
    """The predictions that an expression names."""
    return tuple(dict.fromkeys(_PREDICTION.findall(expression)))


def _root(said: dict[str, Any], case: Case) -> dict[str, Any]:
    """What the expression knows without #: the predictions, also each by itself, the report's data and the dog photo's metadata."""
    photos = case.document["evidences"] or ()
    dog: dict[str, Any] = next((photo["metadata"] for photo in photos if photo["purpose"] == "DOG_PHOTO"), {})
    metadata = dict(dog)
    if metadata.get("timestamp") is not None:
        local = from_epoch_ms(metadata["timestamp"]).astimezone(case.zone)
        metadata["timestamp"] = {"hour": local.hour, "minute": local.minute, "epochMs": metadata["timestamp"]}
    return {**said, "predictions": said, "additionalData": case.document["additionalData"], "metadata": metadata}
