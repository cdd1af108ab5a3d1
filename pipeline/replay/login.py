"""The plays of stage 01: a real round trip through the stand-in HRMS, and each packet compared with what went over the wire.

What passes between our own rooms (01/08 to 01/11) is drawn from what the sign-in recorded, as the trace would draw it.
"""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from sqlalchemy import text

from pipeline.packets.render import render
from pipeline.packets.render.facts import RecordedFacts, View
from pipeline.replay.compare import Difference, compare
from pipeline.replay.files import PacketFile
from pipeline.replay.overheard import Exchange
from pipeline.replay.verdict import Verdict, judge, not_ours
from pipeline.replay.world import World, our_path

KNOWN, NEW = "T12345", "T30001"  # who has an account, and who gets one
CORRELATION = {"X-Correlation-Id": "mob-1734200000001"}

Play = Callable[[World, PacketFile], Verdict]

_SESSION = text("""
    SELECT l.subject_id AS session_id, l.packet, l.body, l.occurred_at FROM packet.log l
    WHERE l.subject_kind = 'SESSION' AND l.key = :account_id ORDER BY l.recorded_at DESC, l.id LIMIT 20
""")
_ACCOUNT = text("""
    SELECT id, username, tenant_id, roles, active, school_code, school_name, designation, created_at FROM access.account WHERE id = :id
""")


def auth_url(world: World, packet: PacketFile) -> Verdict:
    """01/01: the app asks where to sign in."""
    sent = packet.content["request"]
    answer = world.http.request(sent["method"], our_path(sent["url"]), params=sent["queryParams"], headers=sent["headers"])
    world.answers["01/02"] = (answer.status_code, answer.json())
    differences = [] if answer.status_code == 200 else [Difference("HTTP", "200", str(answer.status_code))]
    return judge(packet.id, packet.name, "GET /sso/v1/auth-url 200", str(answer.status_code), differences)


def auth_url_answered(world: World, packet: PacketFile) -> Verdict:
    """01/02: the provider's address, and what it asks for there."""
    status, answer = world.answers["01/02"]
    wanted = packet.content["response"]
    parts = urlsplit(str(answer.get("authUrl", "")))
    params, expected = _fields(parts.query), packet.content["authUrlParsed"]
    parsed = {"baseUrl": f"{parts.scheme}://{parts.netloc}{parts.path}", "params": params}
    differences = [] if status == wanted["status"] else [Difference("HTTP", str(wanted["status"]), str(status))]
    differences += compare(wanted["body"], answer)
    differences += compare(expected, parsed, "authUrlParsed")
    differences += _equal("authUrlParsed.params", expected["params"], params, ("response_type", "code_challenge_method", "redirect_uri"))
    return judge(packet.id, packet.name, "authUrl with PKCE, state", str(status), differences)


def signed_in_there(world: World, packet: PacketFile) -> Verdict:
    """01/03: the teacher signs in at the provider, which sends the app back with a code and our state."""
    _, begun = world.answers["01/02"]
    location = _at_the_provider(world, str(begun["authUrl"]), KNOWN)
    parts = urlsplit(location)
    came = _fields(parts.query)
    parsed_there = packet.content["redirect"]["parsed"]
    expected = {**packet.content["redirect"], "parsed": {**parsed_there, "queryParams": _with_code(parsed_there["queryParams"], came)}}
    parsed = {"scheme": parts.scheme, "host": parts.netloc, "queryParams": came}
    world.answers["01/03"] = (302, came)
    differences = list(compare(expected, {"url": location, "parsed": parsed}, "redirect"))
    differences += _equal("redirect.parsed", expected["parsed"], parsed, ("scheme", "host"))
    if came.get("state") != begun["state"]:
        differences.append(Difference("redirect.state", "the one we gave", "another"))
    return judge(packet.id, packet.name, "back with code and state", "302", differences)


def exchanged(world: World, packet: PacketFile) -> Verdict:
    """01/04: the code for our token."""
    sent, (_, came) = packet.content["request"], world.answers["01/03"]
    body = {**sent["body"], "code": came["code"], "state": came["state"]}
    answer = world.http.request(sent["method"], our_path(sent["url"]), json=body, headers=sent["headers"])
    world.answers["01/12"] = (answer.status_code, answer.json())
    differences = [] if answer.status_code == 200 else [Difference("HTTP", "200", f"{answer.status_code} {answer.text[:200]}")]
    return judge(packet.id, packet.name, "POST /sso/v1/token-exchange 200", str(answer.status_code), differences)


def token_request(world: World, packet: PacketFile) -> Verdict:
    """01/05: what we asked the provider, overheard there."""
    heard, wanted = _heard(world), packet.content["request"]
    ours = {
        "method": "POST",
        "url": "/oauth2/token",
        "headers": {"Content-Type": heard.headers.get("content-type"), "Authorization": heard.headers.get("authorization")},
        "body": heard.form,
        "bodyEncoded": heard.sent.decode(),
    }
    differences = list(compare({**wanted, "body": _with_code(wanted["body"], heard.form)}, ours, "request"))
    differences += _equal("request.body", wanted["body"], heard.form, ("grant_type", "redirect_uri"))
    return judge(packet.id, packet.name, "code and verifier to the provider", "sent by us", differences)


def token_answer(world: World, packet: PacketFile) -> Verdict:
    """01/06: what the provider answered."""
    heard, wanted = _heard(world), packet.content["response"]
    differences = [] if heard.status == wanted["status"] else [Difference("HTTP", str(wanted["status"]), str(heard.status))]
    return judge(packet.id, packet.name, "the provider's tokens", str(heard.status), [*differences, *compare(wanted["body"], heard.answer)])


def id_token(world: World, packet: PacketFile) -> Verdict:
    """01/07: the ID token, which holds by the keys that the provider publishes."""
    token = str(_heard(world).answer.get("id_token", ""))
    issuer = f"http://127.0.0.1:{world.rt.settings.hrms_port}"
    address = f"{issuer}/.well-known/jwks.json"
    keys = KeySet.import_key_set(world.http.get(address).json())
    header = json.loads(base64.urlsafe_b64decode(token.partition(".")[0] + "=="))
    try:
        payload, holds = jwt.decode(token, keys, algorithms=["RS256"]).claims, True
    except JoseError:
        payload, holds = {}, False
    ours = {
        "idToken": {"header": header, "payload": payload, "signature": "verified"},
        "jwksValidation": {"jwksUri": address, "keyId": header.get("kid"), "algorithm": header.get("alg"), "signatureValid": holds},
    }
    wanted = {name: packet.content[name] for name in ours}
    differences = list(compare(wanted, ours))
    if not holds or header.get("alg") != wanted["idToken"]["header"]["alg"]:
        differences.append(Difference("idToken", "signed with RS256", str(header.get("alg"))))
    return judge(packet.id, packet.name, "ID token holds", "verified", differences)


def user_search(world: World, packet: PacketFile) -> Verdict:
    """01/08: the question for the account."""
    body = render(packet.id, _facts(world, world.person(KNOWN).account_id))
    wanted = {name: value for name, value in packet.content["request"]["body"].items() if name != "RequestInfo"}
    return judge(packet.id, packet.name, "account asked for", "written by us", list(compare(wanted, body, "request")))


def user_found(world: World, packet: PacketFile) -> Verdict:
    """01/09: nobody at the first sign-in, the account at every later one."""
    first, later = _facts(world, _newcomer(world), first=True), _facts(world, world.person(KNOWN).account_id)
    differences = list(compare(packet.content["responseScenarioA"]["body"], render(packet.id, first), "responseScenarioA"))
    if render(packet.id, first)["user"] != []:
        differences.append(Difference("responseScenarioA.user", "nobody", "somebody"))
    differences += compare(packet.content["responseScenarioB"]["body"], render(packet.id, later), "responseScenarioB")
    return judge(packet.id, packet.name, "nobody, then the account", "written by us", differences)


def user_made(world: World, packet: PacketFile) -> Verdict:
    """01/10: the account that a new teacher's first sign-in made."""
    return _user_written(world, packet, _newcomer(world))


def user_updated(world: World, packet: PacketFile) -> Verdict:
    """01/11: the account that followed the provider."""
    return _user_written(world, packet, world.person(KNOWN).account_id)


def token_given(world: World, packet: PacketFile) -> Verdict:
    """01/12: our token, and who it is for."""
    status, answer = world.answers["01/12"]
    wanted = packet.content["response"]
    differences = [] if status == wanted["status"] else [Difference("HTTP", str(wanted["status"]), str(status))]
    if "okaxis" in json.dumps(answer):
        differences.append(Difference("body", "no UPI address", "a UPI address"))
    return judge(packet.id, packet.name, f"answer {wanted['status']}", str(status), [*differences, *compare(wanted["body"], answer)])


def _user_written(world: World, packet: PacketFile, account_id: UUID) -> Verdict:
    facts = _facts(world, account_id)
    wanted = {"user": packet.content["request"]["body"]["user"]}
    differences = list(compare(wanted, render(packet.id, facts), "request"))
    if packet.id not in facts.login["packets"]:
        differences.append(Difference("packet log", packet.id, ", ".join(facts.login["packets"])))
    return judge(packet.id, packet.name, "account as the provider has it", "written by us", differences)


def _newcomer(world: World) -> UUID:
    """The account of somebody new, who signs in for the first time when first asked for."""
    if "newcomer" not in world.answers:
        asked = {"redirect_uri": "sdcrs://callback", "client_type": "mobile"}
        begun = world.http.get("/sso/v1/auth-url", params=asked, headers=CORRELATION).json()
        came = _fields(urlsplit(_at_the_provider(world, begun["authUrl"], NEW)).query)
        body = {**came, "redirect_uri": asked["redirect_uri"]}
        answer = world.http.post("/sso/v1/token-exchange", json=body, headers=CORRELATION)
        world.answers["newcomer"] = (answer.status_code, answer.json())
    return UUID(world.answers["newcomer"][1]["userInfo"]["uuid"])


def _at_the_provider(world: World, url: str, username: str) -> str:
    """Where the provider sends somebody who has signed in."""
    form = {"username": username, "password": world.rt.settings.demo_password}
    return str(world.http.post(url, data=form).headers.get("location", ""))


def _facts(world: World, account_id: UUID, *, first: bool = False) -> RecordedFacts:
    """What the account's last sign-in recorded, as its owner may read it. `first`: as it was before the account was made."""
    with world.rt.database.worker() as conn:
        headers = conn.execute(_SESSION, {"account_id": str(account_id)}).mappings().all()
        account: Mapping[str, Any] = dict(conn.execute(_ACCOUNT, {"id": account_id}).mappings().one())
        person = world.rt.vault.get(conn, [account_id], ("name", "phone", "email"))[account_id]
    last = [row for row in headers if row["session_id"] == headers[0]["session_id"]]
    bodies = {row["packet"]: row["body"] or {} for row in last}
    login = {
        "account": account,
        "claims": bodies["01/06"].get("claims", {}),
        "found": "01/11" in bodies and not first,
        "packets": sorted(bodies),
        "at": last[0]["occurred_at"],
    }
    return RecordedFacts(login=login, persons={str(account_id): person}, tenant={"id": account["tenant_id"]}, view=View.TEACHER)


def _equal(path: str, expected: Mapping[str, Any], got: Mapping[str, Any], names: Sequence[str]) -> list[Difference]:
    """Words of the protocol, which bind beside those of the packets."""
    return [Difference(f"{path}.{name}", str(expected[name]), str(got.get(name))) for name in names if expected[name] != got.get(name)]


def _with_code(expected: Mapping[str, Any], got: Mapping[str, Any]) -> dict[str, Any]:
    """The expected fields with our code: `code` is a word of the contract everywhere but here, where nobody could know it."""
    return {**expected, "code": got.get("code") or expected["code"]}


def _heard(world: World) -> Exchange:
    if world.hrms is None or not world.hrms.last.status:
        raise KeyError("an exchange of tokens")
    return world.hrms.last


def _fields(query: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(query).items()}


_PLAYS: dict[str, Play] = {
    "01/01": auth_url,
    "01/02": auth_url_answered,
    "01/03": signed_in_there,
    "01/04": exchanged,
    "01/05": token_request,
    "01/06": token_answer,
    "01/07": id_token,
    "01/08": user_search,
    "01/09": user_found,
    "01/10": user_made,
    "01/11": user_updated,
    "01/12": token_given,
}


def _with_the_stand_in(play: Play) -> Play:
    def run(world: World, packet: PacketFile) -> Verdict:
        if world.hrms is None:
            return not_ours(packet.id, packet.name, "sign-in with the state's own provider")
        return play(world, packet)

    return run


PLAYS: dict[str, Play] = {packet_id: _with_the_stand_in(play) for packet_id, play in _PLAYS.items()}
