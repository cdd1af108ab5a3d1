"""Running a rule set over a case. A rule that cannot be evaluated says why, and a person has to look."""

from pipeline.fraud.case import Case
from pipeline.fraud.conditions.verdict import CLEAR, Verdict
from pipeline.fraud.ruleset import Ready, RuleSet
from pipeline.fraud.scoring import FraudScore, RuleOutcome, score


def evaluate(rules: RuleSet, case: Case) -> tuple[list[RuleOutcome], FraudScore]:
    """The outcome of every rule in the rules' order, and the score."""
    outcomes = [_run(ready, case) for ready in rules.rules]
    return outcomes, score(outcomes, rules.config)


def _run(ready: Ready, case: Case) -> RuleOutcome:
    if ready.always is not None:
        return ready.always
    if ready.unasked is not None and not case.validators:
        return ready.unasked
    try:
        verdict = ready.condition(ready.rule.condition, case)
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:  # what a rule or a value that does not fit raises
        words = str(error) if isinstance(error, ValueError) else f"{type(error).__name__} {error}"
        return RuleOutcome(ready.rule, ready.weight, "ERROR", Verdict(False, f"could not be evaluated: {words}"))
    if verdict is CLEAR:
        return ready.clear
    return RuleOutcome(ready.rule, ready.weight, "SKIPPED" if verdict.skipped else "FIRED" if verdict.fired else "CLEAR", verdict)
