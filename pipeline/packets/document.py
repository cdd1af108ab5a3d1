"""Writes docs/packets.md from the catalogue: `python -m pipeline.packets.document` (or `make docs`, with the others)."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.packets.catalogue import ANY_ACTION, Packet, Stage, catalogue, stages
from pipeline.packets.diagram import mermaid

TARGET = Path(__file__).resolve().parents[2] / "docs" / "packets.md"

_INTRO = """# Packets

Made from `pipeline/packets/catalogue/` by `make docs`; a test says when it is not current.

A packet is one message of the report flow. Each leaves one header row in the packet log, written with the change that caused
it: {packets} packets in {stages} stages, which stand for all {index} entries of the flow's own index. A plus marks what the index has no
name for: steps that it leaves out, and messages of ours.

- **Body**: *stored* where the packet crosses our border (a request received, a call or webhook to or from outside), without personal
  values; *rendered* where it does not, drawn again from recorded facts; *app* where only a client app holds it and there is no header.
- **Written by**: the workflow *door* on the actions named, or a room of the pipeline. Reading leaves no header.
- **Personal**: fields that are never stored in clear; the reader's role decides what is shown in their place.

## Participants

| name | inside | what it is |
|---|---|---|
"""


@dataclass(frozen=True)
class _Drawn:
    packet: str
    sender: str
    receiver: str


def text() -> str:
    """The whole document."""
    book = catalogue()
    index = sum(len(packet.index) for packet in book.packets.values())
    parts = [_INTRO.format(packets=len(book.packets), stages=len(book.stages), index=index)]
    parts += [f"| {who.name} | {'yes' if who.ours else 'no'} | {who.what} |\n" for who in book.participants.values()]
    parts += [_stage(stage) for stage in stages()]
    parts += ["\n## Packets of a transition\n\nIn the order in which they leave.\n\n| action | packets |\n|---|---|\n"]
    for action, packets in book.actions.items():
        name = "any other action" if action == ANY_ACTION else f"`{action}`"
        parts.append(f"| {name} | {', '.join(packet.id for packet in packets)} |\n")
    return "".join(parts)


def _stage(stage: Stage) -> str:
    lines = [
        f"\n## {stage.number} {stage.title}",
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
    body = "app" if packet.client else "stored" if packet.body_stored else "rendered"
    kinds = ", ".join(dict.fromkeys(packet.personal.values()))
    return (
        f"| {packet.id}{mark} | {packet.title} (`{packet.name}`, v{packet.version}) | {packet.sender} → {packet.receiver} | {channel} "
        f"| {body} | {_writer(packet)} | {kinds} |"
    )


def _writer(packet: Packet) -> str:
    if packet.client:
        return ""
    if packet.room:
        return packet.room
    named = [f"`{action}`" for action in packet.actions if action != ANY_ACTION]
    if len(named) > 3:  # the general packets; the table at the end has them all
        return "door, most actions"
    return "door: " + ", ".join(named + (["any other action"] if ANY_ACTION in packet.actions else []))


def main() -> None:
    """Write the document."""
    TARGET.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
