"""The three ways to hold a packet against our code: send it, find it written by us, find its transition in our table."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

from pipeline.access.caller import Caller
from pipeline.packets.catalogue import get
from pipeline.packets.render.facts import View
from pipeline.payouts.provider import target_of
from pipeline.replay.compare import Difference, compare
from pipeline.replay.files import PacketFile
from pipeline.replay.verdict import Verdict, judge
from pipeline.replay.world import VILLE, Copy, World, our_path, translate
from pipeline.trace.dossier import load_dossier

TRANSITIONS = ("workflowTransition", "workflowConfig", "resultingState")


def exchange(
    world: World, packet: PacketFile, caller: Caller, copy: Copy | None, request: str = "request", response: str = "response"
) -> tuple[Verdict, Any]:
    """Send the packet's request and compare the answer; also returns the answer."""
    sent = packet.content[request]
    wanted = packet.content.get(response) or {}
    status, answer = world.send(sent["method"], sent["url"], sent.get("body"), caller, copy)
    expected_status = wanted.get("status", 200)
    body = wanted.get("body", wanted)
    differences = [] if status == expected_status else [Difference("HTTP", str(expected_status), _refusal(status, answer))]
    if status == expected_status:
        differences += compare(body, answer)
    differences += transition_differences(world, packet)
    return judge(packet.id, packet.name, f"{sent['method']} {our_path(sent['url'])} {expected_status}", str(status), differences), answer


def written(world: World, packet: PacketFile, copy: Copy) -> Verdict:
    """Our own jobs must have written this packet: same channel, and its body drawn from what was recorded."""
    admin = world.person("ADMIN001")
    with world.rt.database.begin(admin.scope) as conn:
        dossier = load_dossier(conn, world.rt, admin, copy.report_id, "http://localhost", View.REVIEW)
        header = next((h for h in reversed(dossier.headers) if h["packet"] == packet.id), None)
        if header is None:
            return judge(packet.id, packet.name, f"{packet.id} in the packet log", "absent", [Difference("$", "a header", "none")])
        body, _ = dossier.body(header)
    message = packet.content.get("kafkaMessage")
    differences: list[Difference] = []
    if message is not None and message["topic"] != header["topic"]:
        differences.append(Difference("topic", message["topic"], str(header["topic"])))
    for expected, got, path in _parts(packet, body):
        differences += compare(expected, got, path)
    differences += transition_differences(world, packet)
    differences += system_is_refused(world, packet, copy)
    return judge(packet.id, packet.name, message["topic"] if message else get(packet.id).title, "written by us", differences)


def system_is_refused(world: World, packet: PacketFile, copy: Copy) -> Iterator[Difference]:
    """Where the packet shows SYSTEM asking over HTTP: nobody may, however much the request says it is SYSTEM."""
    for key in ("request", "workflowUpdate", "workflowTransition"):
        sent = packet.content.get(key)
        if not isinstance(sent, dict) or "url" not in sent or not isinstance(sent.get("body"), dict):
            continue
        info = sent["body"].get("RequestInfo", {}).get("userInfo", {})
        if not any(role.get("code") == "SYSTEM" for role in info.get("roles", [])):
            continue
        status, answer = world.send(sent["method"], sent["url"], sent["body"], world.person("ADMIN001"), copy)
        if status != 403:
            yield Difference("HTTP as SYSTEM", "403", _refusal(status, answer))


def transition_differences(world: World, packet: PacketFile) -> Iterator[Difference]:
    """The packet's transition stands in our table, with at least its roles."""
    table = world.rt.masterdata.current().workflow(VILLE)
    for key in TRANSITIONS:
        wanted = packet.content.get(key)
        if not isinstance(wanted, dict) or "nextState" not in wanted:
            continue
        rows = table.transitions.get((wanted.get("currentState"), wanted["action"]), ())
        fitting = [row for row in rows if row.to_state == wanted["nextState"]]
        if not fitting:
            yield Difference(key, f"{wanted.get('currentState')} -{wanted['action']}-> {wanted['nextState']}", "not in our table")
            continue
        roles = {role for row in fitting for role in row.roles}
        missing = set(wanted.get("allowedRoles", [])) - roles
        if missing:
            yield Difference(f"{key}.allowedRoles", ", ".join(sorted(missing)), ", ".join(sorted(roles)))


def webhook(world: World, packet: PacketFile, copy: Copy) -> Verdict:
    """Deliver the packet's event, signed as the provider signs, and expect it to be taken at once."""
    sent = packet.content["webhookRequest"]
    raw = json.dumps(translate(sent["body"], world.names(copy))).encode()
    secret = target_of(world.rt.settings).webhook_secrets[0]
    event_id = translate(sent["headers"]["X-Razorpay-Event-Id"], world.names(copy)) + f"-{copy.report_id}"
    headers = {
        "Content-Type": "application/json",
        "X-Razorpay-Signature": hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest(),
        "X-Razorpay-Event-Id": event_id,
    }
    forged = world.http.post(our_path(sent["url"]), content=raw, headers={**headers, "X-Razorpay-Signature": "0" * 64})
    answer = world.http.post(our_path(sent["url"]), content=raw, headers=headers)
    differences = []
    if answer.status_code != 200:
        differences.append(Difference("HTTP", "200", str(answer.status_code)))
    if forged.status_code != 401:
        differences.append(Difference("HTTP with a forged signature", "401", str(forged.status_code)))
    return judge(packet.id, packet.name, f"POST {our_path(sent['url'])} {sent['body']['event']} 200", str(answer.status_code), differences)


def _parts(packet: PacketFile, body: dict[str, Any]) -> Iterator[tuple[Any, Any, str]]:
    """The packet's parts beside ours: a message's value, both halves of an exchange, or what stands under the same name."""
    content = packet.content
    if "kafkaMessage" in content:
        yield content["kafkaMessage"]["value"], body, ""
        return
    asked = content.get("request") or content.get("workflowUpdate")
    if isinstance(asked, dict) and "request" in body:
        yield _without_envelope(asked.get("body")), body["request"], "request"
    elif isinstance(asked, dict) and "body" in asked and "request" not in content.get("response", {}):
        yield _without_envelope(asked["body"]), body, ""
    answered = content.get("response")
    if isinstance(answered, dict) and "body" in answered:
        yield answered["body"], body.get("response", body), "response"
    for key, value in content.items():
        if key in body and key not in ("_meta", "request", "response") and isinstance(value, dict):
            ours = body[key]
            if "body" in value:
                yield _without_envelope(value["body"]), ours.get("body", ours), key
            else:
                yield value, ours, key


def _without_envelope(body: Any) -> Any:
    """What a request between rooms asks. Its RequestInfo carries made-up tokens and persons, which nobody believes (section 1)."""
    return {k: v for k, v in body.items() if k != "RequestInfo"} if isinstance(body, dict) else body


def _refusal(status: int, answer: Any) -> str:
    errors = answer.get("Errors") if isinstance(answer, dict) else None
    return f"{status} {errors[0].get('code')}: {errors[0].get('message')}" if errors else str(status)
