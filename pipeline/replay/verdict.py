"""What a replayed packet led to: match, a difference under a ruling of the contract, or a difference that is ours to mend."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.replay.compare import Difference

Kind = Literal["match", "ruling", "differs", "not ours"]

_BANK = ("upiId", "bankAccount", "ifsc")
_IN_THE_VAULT = "section 1.5: privacy wins, UPI address and bank data are in the vault and no packet shows them"
_BETWEEN_ROOMS = "the design: between our own rooms no RequestInfo is sent that could be answered"

# Where the contract says something else than the packet: path prefix in the packet -> the ruling. `$` is the whole packet.
RULINGS: dict[str, dict[str, str]] = {
    "03/07": {
        "responsePass.response.ruleResults": "section 4: ids, codes and categories of the rules are FraudRules.json's, all 39 are answered",
        "responseFail.response.ruleResults": "section 4: ids, codes and categories of the rules are FraudRules.json's, all 39 are answered",
        "responsePass.response.externalResults": "section 4: a validator without an address is skipped and says so; it predicts nothing",
        "responseFail.response.externalResults": "section 4: a validator without an address is skipped and says so; it predicts nothing",
    },
    "01/06": {"refresh_token": "the design: our session goes on by our own refresh token, so none of the provider's is asked for"},
    "01/09": {
        "responseScenarioA.ResponseInfo": _BETWEEN_ROOMS,
        "responseScenarioB.ResponseInfo": _BETWEEN_ROOMS,
        "responseScenarioB.user[0].additionalDetails.upiId": _IN_THE_VAULT,
    },
    "01/10": dict.fromkeys((f"request.user.additionalDetails.{name}" for name in _BANK), _IN_THE_VAULT),
    "01/11": dict.fromkeys((f"request.user.additionalDetails.{name}" for name in _BANK), _IN_THE_VAULT),
    "01/12": {"ResponseInfo.msgId": "section 8: 01/04 carries no RequestInfo whose msgId could be answered"},
    "03/05": {"result.highestSimilarity": "section 3: photos are looked up from 0.90 on; below it nothing is measured"},
    "03/09": {"resultingState.isTerminal": "section 2: REOPEN leads out of AUTO_REJECTED, which is final but not terminal"},
    "06/01": {"DogReports[0].evidence": "section 8: evidence is always the array of 02/08"},
    "06/02": {
        "DogReports[0].evidence": "section 8: evidence is always the array of 02/08",
        "DogReports[0].location.landmark": "section 1.1: free text does not bind, and 02/07 sends no landmark",
        "DogReports[0].reporter": "section 1.5: officers get no reporter field and no selfie",
    },
    "08/03": {"account_number": "section 1.5: privacy wins, bank data are sealed with the exact bytes that were sent"},
    "10/02": {
        "DogReports[0].evidence": "section 8: evidence is always the array of 02/08",
        "DogReports[0].location.landmark": "section 1.1: free text does not bind, and 02/07 sends no landmark",
    },
}


@dataclass(frozen=True)
class Verdict:
    """One line of the table."""

    packet: str
    name: str
    kind: Kind
    expected: str
    got: str
    differences: tuple[Difference, ...] = ()
    ruling: str | None = None


def judge(packet: str, name: str, expected: str, got: str, differences: Sequence[Difference]) -> Verdict:
    """Match, or a ruling where every difference stands under one, or a difference."""
    rulings = RULINGS.get(packet, {})
    covered = {d: next((text for prefix, text in rulings.items() if prefix == "$" or d.path.startswith(prefix)), None) for d in differences}
    if not differences:
        return Verdict(packet, name, "match", expected, got)
    if all(covered.values()):
        texts = sorted({text for text in covered.values() if text})
        return Verdict(packet, name, "ruling", expected, got, tuple(differences), "; ".join(texts))
    return Verdict(packet, name, "differs", expected, got, tuple(d for d, text in covered.items() if text is None))


def not_ours(packet: str, name: str, why: str) -> Verdict:
    """A packet that names none of our endpoints, topics or transitions."""
    return Verdict(packet, name, "not ours", why, "-")
