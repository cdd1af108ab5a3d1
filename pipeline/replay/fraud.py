"""03/06 and 03/07: an evaluation asked for over HTTP, and its answer; and the risky request that 03/07 answers without showing it."""

from typing import Any

from pipeline.replay.compare import Difference, compare
from pipeline.replay.files import PacketFile
from pipeline.replay.verdict import Verdict, judge
from pipeline.replay.world import MAIN, World


def asked(world: World, packet: PacketFile) -> Verdict:
    """03/06: our own services ask for a judgement; teachers may not."""
    sent, copy = packet.content["request"], world.copies.get(MAIN)
    refused, _ = world.send(sent["method"], sent["url"], sent["body"], world.person("T12345"), copy)
    status, answer = world.send(sent["method"], sent["url"], sent["body"], world.person("ADMIN001"), copy)
    world.answers["03/07"] = (status, answer)
    risky = _risky(sent["body"])
    world.answers["03/07 risky"] = world.send(sent["method"], sent["url"], risky, world.person("ADMIN001"), copy)
    differences = [] if status == 200 else [Difference("HTTP", "200", f"{status} {answer}")]
    if refused != 403:
        differences.append(Difference("HTTP as a teacher", "403", str(refused)))
    return judge(packet.id, packet.name, "POST /fraud/v1/_evaluateSync 200", str(status), differences)


def _risky(body: Any) -> Any:
    """03/06 turned into the risky request whose answer 03/07 shows without it: its rules tell what it held."""
    request = body["request"]
    spoilt = {
        **request,
        "applicantInfo": {**request["applicantInfo"], "deviceId": "emulator-5554"},
        "locationData": {**request["locationData"], "latitude": 28.56, "longitude": 77.10},
        "evidences": request["evidences"][:1],
        "additionalData": {**request["additionalData"], "dogCount": 15, "lifetimeReportCount": 100},
    }
    return {**body, "request": spoilt}


def answered(world: World, packet: PacketFile) -> Verdict:
    """03/07: both answers, the one to 03/06 and the risky one, whose level and recommendation must be the packet's."""
    differences = []
    for name, part in (("03/07", "responsePass"), ("03/07 risky", "responseFail")):
        status, answer = world.answers.get(name, (0, None))
        wanted = packet.content[part]
        if status != wanted["status"]:
            differences.append(Difference(f"{part} HTTP", str(wanted["status"]), str(status)))
            continue
        differences += compare(wanted["body"], answer, part)
    ours, theirs = world.answers["03/07 risky"][1], packet.content["responseFail"]["body"]
    for field in ("riskLevel", "recommendation", "totalScore"):
        if ours["response"][field] != theirs["response"][field]:
            differences.append(Difference(f"responseFail.{field}", str(theirs["response"][field]), str(ours["response"][field])))
    custom = {rule["ruleCode"]: rule["triggered"] for rule in ours["response"]["ruleResults"] if rule["conditionType"] == "CUSTOM"}
    for rule in theirs["response"]["ruleResults"]:
        if rule["conditionType"] == "CUSTOM" and custom.get(rule["ruleCode"]) != rule["triggered"]:
            differences.append(Difference(rule["ruleCode"], str(rule["triggered"]), str(custom.get(rule["ruleCode"]))))
    return judge(packet.id, packet.name, "answers 200 and 200", "200", differences)
