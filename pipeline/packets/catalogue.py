"""The catalogue of packets: what each message of a flow is, from whom to whom, and who writes its header.

Two flows share it: that of a dog report, eleven stages with the door in their midst, and that of an identity, the six steps
from a registration packet to a stored credential. What speaks of a flow's stages or counts its packets names the flow.

The data is in catalogue/, one file a stage, with the participants and the packets of each workflow action beside them. It
is read once. This module knows no database and renders nothing; the docs, the trace and the door all read it.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, cast, get_args

from pipeline.errors import AppError

FOLDER = Path(__file__).parent / "catalogue"

Kind = Literal["request", "response", "exchange", "message", "webhook", "internal", "state"]
PersonalKind = Literal["name", "phone", "vpa", "email", "bank", "secret"]
Flow = Literal["reports", "identity"]
Room = Literal[
    "intake",
    "validation",
    "files",
    "access",
    "notifications",
    "payouts",
    "search",
    "webhook",
    "registration",
    "stages",
    "idrepo",
    "credentials",
    "websub",
    "ida",
]  # fmt: skip  (one line a flow)

Named = Mapping[str, tuple[str, ...]]  # packet id -> the workflow actions that write it

ANY_ACTION = "*"  # the row of actions.json for actions that no packet names
OTHER_MESSAGE = "02/15"  # the SMS of a template that no packet names
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_PATH = re.compile(r"\$(\.[A-Za-z_]+(\[\*\])?)+")


@dataclass(frozen=True, slots=True)
class Participant:
    """Somebody who sends or receives packets; `ours` when it is a room of this house."""

    name: str
    ours: bool
    what: str
    flow: Flow


@dataclass(frozen=True, slots=True)
class Packet:
    """One message of the catalogue."""

    id: str  # stage and step, such as 02/07
    flow: Flow
    stage: str
    step: int
    name: str
    version: int
    title: str
    kind: Kind  # exchange: a request with its answer; state: what a client app holds for itself
    sender: str
    receiver: str
    endpoint: str | None  # method and path
    topic: str | None
    crosses_border: bool  # one of sender and receiver is outside our house
    body_stored: bool  # else the body is rendered from recorded facts
    room: Room | None  # the room that writes the header; None: the workflow door, or nobody
    table: str | None  # where it is read from, when it is about no single subject and so has no header
    client: bool  # only a client app holds it: no header is ever written
    actions: tuple[str, ...]  # the workflow actions on which the door writes it
    renderer: str | None  # None: nothing is rendered, the flow's page shows the rows that the packet is about
    personal: Mapping[str, PersonalKind]  # paths of personal fields, from the root of a body
    previous: tuple[str, ...]
    next: tuple[str, ...]
    index: tuple[str, ...]  # the entries of the seed's index that it stands for
    templates: tuple[str, ...]  # message templates that it carries
    reason: str | None  # the reason or error code that makes this the packet, for edge cases

    @property
    def channel(self) -> str | None:
        """The topic or the endpoint, as a header names it."""
        return self.topic or self.endpoint

    @property
    def by_door(self) -> bool:
        """Whether the workflow door writes the header."""
        return bool(self.actions)


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of the flow with its packets in order of their steps."""

    number: str
    flow: Flow
    name: str
    title: str
    about: str
    packets: tuple[Packet, ...]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All that the files say, checked."""

    participants: Mapping[str, Participant]
    stages: tuple[Stage, ...]
    packets: Mapping[str, Packet]
    actions: Mapping[str, tuple[Packet, ...]]
    templates: Mapping[str, Packet]


def get(packet_id: str) -> Packet:
    """The packet of this id. Raises KeyError for an id that is not in the catalogue."""
    return catalogue().packets[packet_id]


def stages(flow: Flow = "reports") -> tuple[Stage, ...]:
    """A flow's stages in order: eleven of a report, six of an identity."""
    return tuple(stage for stage in catalogue().stages if stage.flow == flow)


def packets_of(flow: Flow) -> tuple[Packet, ...]:
    """A flow's packets in the order of its diagram."""
    return tuple(packet for stage in stages(flow) for packet in stage.packets)


def participants(flow: Flow = "reports") -> Mapping[str, Participant]:
    """A flow's senders and receivers by name, in the order in which a diagram shows them."""
    return {name: who for name, who in catalogue().participants.items() if who.flow == flow}


def for_action(action: str) -> tuple[Packet, ...]:
    """The packets of a workflow transition, in the order in which they leave; an action that no packet names gets the general pair."""
    known = catalogue().actions
    return known.get(action, known[ANY_ACTION])


def for_template(template_id: str) -> Packet:
    """The SMS packet that carries a message template; a template that no packet names travels as 02/15."""
    return catalogue().templates.get(template_id) or get(OTHER_MESSAGE)


def for_room(room: Room) -> tuple[Packet, ...]:
    """The packets whose headers a room writes itself each time; edge cases (`reason`) come by `for_reason` besides."""
    return tuple(packet for packet in catalogue().packets.values() if packet.room == room and packet.reason is None)


def for_reason(reason: str) -> Packet | None:
    """The edge-case packet (stage 11) of a reason or error code, if there is one."""
    return next((packet for packet in catalogue().packets.values() if packet.reason == reason), None)


@cache
def catalogue() -> Catalogue:
    """The shipped catalogue, read once in this process."""
    return read(FOLDER)


def read(folder: Path) -> Catalogue:
    """Read and check a catalogue. Raises SDCRS_INVALID_MASTER_DATA naming file and field."""
    people = {entry["name"]: Participant(**entry) for entry in _json(folder / "participants.json")}
    plan: dict[str, list[str]] = _json(folder / "actions.json")
    named = {packet_id: tuple(action for action, ids in plan.items() if packet_id in ids) for ids in plan.values() for packet_id in ids}
    read_stages = tuple(_stage(path, people, named) for path in sorted(folder.glob("[0-9][0-9]-*.json")))
    packets: dict[str, Packet] = {}
    for stage in read_stages:
        for packet in stage.packets:
            if packet.id in packets:
                _refuse(f"{stage.number}-{stage.name}.json", packet.id, "is there twice")
            packets[packet.id] = packet
    _check_links(packets, plan)
    templates = {template: packet for packet in packets.values() for template in packet.templates}
    actions = {action: tuple(packets[packet_id] for packet_id in ids) for action, ids in plan.items()}
    return Catalogue(
        participants=MappingProxyType(people),
        stages=read_stages,
        packets=MappingProxyType(packets),
        actions=MappingProxyType(actions),
        templates=MappingProxyType(templates),
    )


def _stage(path: Path, people: Mapping[str, Participant], named: Named) -> Stage:
    document = _json(path)
    number, flow = document["stage"], document["flow"]
    if flow not in get_args(Flow):
        _refuse(path.name, "flow", f"is none of {', '.join(get_args(Flow))}")
    if path.stem != f"{number}-{document['name']}":
        _refuse(path.name, "stage", "differs from the file's name")
    packets = tuple(_packet(path.name, flow, number, entry, people, named) for entry in document["packets"])
    return Stage(number, flow, document["name"], document["title"], document["about"], packets)


def _packet(file: str, flow: Flow, stage: str, entry: dict[str, Any], people: Mapping[str, Participant], named: Named) -> Packet:
    packet_id = f"{stage}/{entry['step']:02d}"

    def demand(holds: bool, field: str, detail: str) -> None:
        if not holds:
            _refuse(file, f"{packet_id}.{field}", detail)

    demand(entry["kind"] in get_args(Kind), "kind", f"is none of {', '.join(get_args(Kind))}")
    for field in ("sender", "receiver"):
        demand(entry[field] in people, field, f"{entry[field]!r} is not a participant")
        demand(people[entry[field]].flow == flow, field, f"{entry[field]!r} is not a participant of this flow")
    sender, receiver = people[entry["sender"]], people[entry["receiver"]]
    crosses = entry["crosses_border"]
    demand(crosses == (sender.ours != receiver.ours), "crosses_border", "contradicts the participants")
    demand(bool(_SLUG.fullmatch(entry["name"])), "name", "is not a name in lower case with hyphens")
    demand(entry["version"] >= 1 and bool(entry["title"].strip()), "title", "needs a title and a version from 1")
    demand(not ("topic" in entry and "endpoint" in entry), "topic", "a packet has a topic or an endpoint, not both")
    for path, kind in entry["personal"].items():
        demand(bool(_PATH.fullmatch(path)), "personal", f"{path} is not a path")
        demand(kind in get_args(PersonalKind), "personal", f"{kind!r} is none of {', '.join(get_args(PersonalKind))}")
    writer = entry["written_by"]
    room, table, client, door = writer.get("room"), writer.get("table"), bool(writer.get("client")), bool(writer.get("door"))
    demand((room is not None) + (table is not None) + client + door == 1, "written_by", "names not exactly one writer")
    demand(room is None or room in get_args(Room), "written_by", f"{room!r} is not a room")
    demand(client == (entry["kind"] == "state"), "written_by", "states belong to client apps, and nothing else does")
    demand(door == (packet_id in named), "written_by", "and actions.json disagree about the door")
    demand(("renderer" in entry) == (flow == "reports"), "renderer", "is for the packets of a report, and for each of them")
    return Packet(
        id=packet_id,
        flow=flow,
        stage=stage,
        step=entry["step"],
        name=entry["name"],
        version=entry["version"],
        title=entry["title"],
        kind=entry["kind"],
        sender=sender.name,
        receiver=receiver.name,
        endpoint=entry.get("endpoint"),
        topic=entry.get("topic"),
        crosses_border=crosses,
        body_stored=crosses and not (entry["kind"] == "response" and sender.ours),  # our own answers are rendered again
        room=cast("Room | None", room),
        table=table,
        client=client,
        actions=named.get(packet_id, ()),
        renderer=entry.get("renderer"),
        personal=MappingProxyType(entry["personal"]),
        previous=tuple(entry["previous"]),
        next=tuple(entry["next"]),
        index=tuple(entry["index"]),
        templates=tuple(entry.get("templates", ())),
        reason=entry.get("reason"),
    )


def _check_links(packets: Mapping[str, Packet], plan: Mapping[str, list[str]]) -> None:
    for action, ids in plan.items():
        for packet_id in ids:
            if packet_id not in packets:
                _refuse("actions.json", action, f"{packet_id} is not in the catalogue")
    if ANY_ACTION not in plan:
        _refuse("actions.json", ANY_ACTION, "is missing: every action needs its packets")
    for packet in packets.values():
        for other in (*packet.previous, *packet.next):
            if other not in packets:
                _refuse(packet.stage, f"{packet.id}.next", f"{other} is not in the catalogue")


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AppError("SDCRS_INVALID_MASTER_DATA", file=path.name, field="$", detail=str(error)) from error


def _refuse(file: str, field: str, detail: str) -> None:
    raise AppError("SDCRS_INVALID_MASTER_DATA", file=f"packets/catalogue/{file}", field=field, detail=detail)
