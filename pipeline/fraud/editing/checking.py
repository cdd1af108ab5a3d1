"""Whether a rule may become a rule: its shape, its limits, what it names, and its expression. Every error names the field."""

import json
import re
from collections.abc import Mapping
from typing import Any

from pipeline.errors import AppError
from pipeline.fraud import spel
from pipeline.fraud.editing.vocabulary import FIELDS, LIMITS, TEXTS, VARIABLES, root_of
from pipeline.fraud.ruleset import Needs
from pipeline.masterdata.documents import Document, parse
from pipeline.masterdata.fraud_models import Custom, ExternalCondition, FraudRule
from pipeline.masterdata.master import MasterData

RULES = ("FRAUD-DETECTION", "FraudRules")
MAX_BYTES = 20_000  # of one rule; the longest of the programme has about 600
ID = re.compile(r"[A-Z][A-Z0-9]{1,11}-[0-9]{3}")
CODE = re.compile(r"[A-Z][A-Z0-9_]{2,}")

Content = Mapping[str, Any]  # a rule as the document has it


def active_rules(md: MasterData, state_id: str) -> dict[str, dict[str, Any]]:
    """The state's rules as the document has them, by id, in its order."""
    return {str(rule["id"]): dict(rule) for rule in md.entry_of(*RULES, state_id).document.content[RULES[1]]}


def check_rule(md: MasterData, state_id: str, content: Content) -> FraudRule:
    """The rule, when it may be one of the state's. Raises SDCRS_INVALID_RULE naming the field and what is wrong with it."""
    _check_size(content)
    rule = _parsed(state_id, content)
    _check_names(md, state_id, rule)
    _check_texts(content)
    _check_limits(content["condition"])
    _check_fields(content["condition"])
    _check_companions(md, state_id, rule)
    _check_expression(md, state_id, rule)
    try:
        Needs().add(rule)
    except ValueError as error:
        raise invalid("condition", str(error)) from error
    return rule


def invalid(field: str, detail: str) -> AppError:
    """The one error of this module, to be raised."""
    return AppError("SDCRS_INVALID_RULE", field=field, detail=detail)


def _check_size(content: Content) -> None:
    try:
        size = len(json.dumps(content, allow_nan=False, ensure_ascii=False).encode())
    except (TypeError, ValueError) as error:
        raise invalid("rule", f"cannot be written as JSON: {error}") from error
    if size > MAX_BYTES:
        raise invalid("rule", f"is {size} bytes long, at most {MAX_BYTES} are allowed")


def _parsed(state_id: str, content: Content) -> FraudRule:
    """The content as the model of the master data; its error without the document that it does not have yet."""
    document = Document(state_id, *RULES, content={"tenantId": state_id, "moduleName": RULES[0], RULES[1]: [dict(content)]}, source="draft")
    try:
        rules: tuple[FraudRule, ...] = parse(document)
    except AppError as error:
        field = re.sub(r"^FraudRules\[[^\]]*\]\.?", "", str(error.params["field"]))
        raise invalid(field or "rule", str(error.params["detail"])) from error
    return rules[0]


def _check_names(md: MasterData, state_id: str, rule: FraudRule) -> None:
    known = active_rules(md, state_id)
    before = known.get(rule.id)
    if before is not None:
        if rule.code != before["code"]:
            raise invalid("code", f"stays {before['code']}: stored evaluations name the rule by it")
    elif ID.fullmatch(rule.id) is None:
        raise invalid("id", "must be capital letters, a hyphen and three digits, such as SDCRS-018")
    elif CODE.fullmatch(rule.code) is None:
        raise invalid("code", "must be capital letters, digits and _, such as SAME_PHOTO_TWICE")
    elif any(rule.code == other["code"] for other in known.values()):
        raise invalid("code", f"{rule.code} is the code of another rule")
    if not rule.applicable_modules:
        raise invalid("applicableModules", "names no module, so the rule would never be looked at")


def _check_texts(content: Content) -> None:
    for where, part in (("", content), ("condition.", content["condition"]), ("action.", content["action"])):
        for key, most in TEXTS.items():
            value = part.get(key)
            if isinstance(value, str) and len(value) > most:
                raise invalid(f"{where}{key}", f"has {len(value)} characters, at most {most} are allowed")
    for key in ("name", "description"):
        if not str(content[key]).strip():
            raise invalid(key, "is empty: verifiers read it")


def _check_limits(condition: Content) -> None:
    for key, most in LIMITS.items():
        value = condition.get(key)
        if isinstance(value, int | float) and value > most:
            raise invalid(f"condition.{key}", f"is {value:g}, at most {most:g} is allowed")


def _check_fields(condition: Content) -> None:
    for key, known in FIELDS.get(str(condition["type"]), {}).items():
        if condition[key] not in known:
            raise invalid(f"condition.{key}", f"{condition[key]!r} cannot be read by {condition['type']}; it reads {', '.join(known)}")


def _check_companions(md: MasterData, state_id: str, rule: FraudRule) -> None:
    """What the rule names elsewhere exists there. The document as a whole is checked again when it is published."""
    condition, action = rule.condition, rule.action
    external = isinstance(condition, ExternalCondition)
    if external != (rule.rule_type == "EXTERNAL"):
        raise invalid("ruleType", f"does not fit the condition {condition.type}")
    known = md.external_validators(state_id)
    if isinstance(condition, ExternalCondition) and condition.validator_id not in known:
        raise invalid("condition.validatorId", f"there is no validator {condition.validator_id!r}; there are {', '.join(known)}")
    roles = [role.code for role in md.roles()]
    if action.escalate_to_role is not None and action.escalate_to_role not in roles:
        raise invalid("action.escalateToRole", f"there is no role {action.escalate_to_role!r}")
    if action.type == "NOTIFY" and action.auto_reject:
        raise invalid("action.autoReject", "a rule that only tells cannot reject")


def _check_expression(md: MasterData, state_id: str, rule: FraudRule) -> None:
    condition = rule.condition
    if isinstance(condition, Custom):
        key, text, problems = "expression", condition.expression, spel.check(condition.expression, VARIABLES, None)
    elif isinstance(condition, ExternalCondition):
        root = root_of(md.external_validators(state_id)[condition.validator_id])
        key, text, problems = "checkExpression", condition.check_expression, spel.check(condition.check_expression, VARIABLES, root)
    else:
        return
    if problems:
        first = problems[0]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        near = text[max(first.at, 0) : first.at + 20]
        at = f", at “{near}”" if near and first.at else ""
        raise invalid(f"condition.{key}", f"{first.message}{at}{more}")
