"""Writes docs/packets.md from the catalogue: `python -m pipeline.packets.document` (or `make docs`, with the others)."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.packets.catalogue import ANY_ACTION, Flow, Packet, Stage, catalogue, packets_of, participants, stages
from pipeline.packets.diagram import mermaid

TARGET = Path(__file__).resolve().parents[2] / "docs" / "packets.md"

_INTRO = """# Packets

Made from `pipeline/packets/catalogue/` by `make docs`; a test says when it is not current.

A packet is one message of a flow. Each leaves one header row in the packet log, written with the change that caused it. There are
two flows, each with its participants:

- the **report flow**, from a teacher's sign-in to the payout:
  {reports};
- the **identity flow**, from a registration packet to a credential that the authentication side has stored:
  {identity}.

A plus marks what the index has no name for: steps that it leaves out, and messages of ours.

- **Body**: *stored* where the packet crosses our border (a request received, a call or webhook to or from outside), without personal
  values; *rendered* where it does not, drawn again from recorded facts; *app* where only a client app holds it and there is no header;
  *rows* where the page shows the rows that the packet is about (identity flow).
- **Written by**: the workflow *door* on the actions named, or a room of the pipeline. A table's name stands where a packet is about
  no single subject: it has no header and is read from there. Reading leaves no header.
- **Personal**: fields that are never stored in clear; the reader's role decides what is shown in their place.
- A header of the identity flow is about the registration, from its announcement on. From the moment that a request id is chosen
  it is also the header's correlation: a registration has several credentials, and each its own run of the stages 23 to 26.
"""

_FLOWS: tuple[tuple[Flow, str], ...] = (("reports", "Report flow"), ("identity", "Identity flow"))
_PARTICIPANTS = "\n### Participants\n\n| name | inside | what it is |\n|---|---|---|\n"


@dataclass(frozen=True)
class _Drawn:
    packet: str
    sender: str
    receiver: str


def text() -> str:
    """The whole document."""
    book = catalogue()
    parts = [_INTRO.format(**{flow: _counted(flow) for flow, _ in _FLOWS})]
    for flow, title in _FLOWS:
        parts += [f"\n## {title}\n", _PARTICIPANTS]
        parts += [f"| {who.name} | {'yes' if who.ours else 'no'} | {who.what} |\n" for who in participants(flow).values()]
        parts += [_stage(stage) for stage in stages(flow)]
    parts += ["\n## Packets of a transition\n\nIn the order in which they leave.\n\n| action | packets |\n|---|---|\n"]
    for action, packets in book.actions.items():
        name = "any other action" if action == ANY_ACTION else f"`{action}`"
        parts.append(f"| {name} | {', '.join(packet.id for packet in packets)} |\n")
    return "".join(parts)


def _counted(flow: Flow) -> str:
    packets = packets_of(flow)
    index = sum(len(packet.index) for packet in packets)
    return f"{len(packets)} packets in {len(stages(flow))} stages, which stand for all {index} entries of its own index"


def _stage(stage: Stage) -> str:
    lines = [
        f"\n### {stage.number} {stage.title}",
        "",
        stage.about,
        "",
        "| id | packet | from → to | channel | body | written by | personal |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [_row(packet) for packet in stage.packets]
    arrows = [_Drawn(packet.id, packet.sender, packet.receiver) for packet in stage.packets]
    return "\n".join([*lines, "", "```mermaid", mermaid(arrows).rstrip(), "```", ""])


def _row(packet: Packet) -> str:
    mark = "" if packet.index else " +"
    channel = f"`{packet.channel}`" if packet.channel else ""
    drawn = "rendered" if packet.renderer else "rows"
    body = "app" if packet.client else "stored" if packet.body_stored else drawn
    kinds = ", ".join(dict.fromkeys(packet.personal.values()))
    return (
        f"| {packet.id}{mark} | {packet.title} (`{packet.name}`, v{packet.version}) | {packet.sender} → {packet.receiver} | {channel} "
        f"| {body} | {_writer(packet)} | {kinds} |"
    )


def _writer(packet: Packet) -> str:
    if packet.client:
        return ""
    if packet.room or packet.table:
        return packet.room or f"`{packet.table}`"
    named = [f"`{action}`" for action in packet.actions if action != ANY_ACTION]
    if len(named) > 3:  # the general packets; the table at the end has them all
        return "door, most actions"
    return "door: " + ", ".join(named + (["any other action"] if ANY_ACTION in packet.actions else []))


def main() -> None:
    """Write the document."""
    TARGET.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
