"""Packets as a sequence diagram in mermaid's language. Text from anywhere is escaped, so that no title can become syntax."""

from collections.abc import Iterable
from typing import Protocol

from pipeline.packets.catalogue import Packet, catalogue

MAX_ARROWS = 200  # a diagram longer than this is no longer read; mermaid itself refuses 50,000 characters
MAX_LABEL = 80  # characters that still fit between two participants

_ARROWS = {"response": "-->>", "message": "-)", "webhook": "-)"}


class Arrow(Protocol):
    """What a diagram needs of a packet's header: catalogue id, sender and receiver by name."""

    @property
    def packet(self) -> str: ...
    @property
    def sender(self) -> str: ...
    @property
    def receiver(self) -> str: ...


def mermaid(packets: Iterable[Arrow]) -> str:
    """A sequence diagram of the packets in the order given, with a note where a stage begins; at most 200, and says so."""
    arrows = list(packets)
    shown = arrows[:MAX_ARROWS]
    known = catalogue().packets
    names = _participants(shown)
    lines = ["sequenceDiagram"]
    lines += [f"    participant {key} as {escape(name)}" for name, key in names.items()]
    stage = None
    ends = sorted({"p0", f"p{len(names) - 1}"}) if names else []
    for arrow in shown:
        packet = known.get(arrow.packet)
        if packet is not None and packet.stage != stage:
            stage = packet.stage
            lines.append(f"    Note over {','.join(ends)}: {escape(f'{stage} {_stage_title(stage)}')}")
        sign = _ARROWS.get(packet.kind, "->>") if packet else "->>"
        lines.append(f"    {names[arrow.sender]}{sign}{names[arrow.receiver]}: {escape(_label(arrow, packet))}")
    if len(arrows) > len(shown):
        lines.append(f"    Note over {','.join(ends)}: {len(arrows) - len(shown)} more packets are not drawn")
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """A text that mermaid shows and does not read: everything but letters, digits and plain punctuation as an entity code."""
    one_line = " ".join(text.split())
    short = one_line if len(one_line) <= MAX_LABEL else one_line[: MAX_LABEL - 1] + "…"
    return "".join(c if c.isalnum() or c in " /-_.,()…" or not c.isascii() else f"#{ord(c)};" for c in short)


def _label(arrow: Arrow, packet: Packet | None) -> str:
    return f"{arrow.packet} {packet.title}" if packet else arrow.packet


def _stage_title(number: str) -> str:
    return next((stage.title for stage in catalogue().stages if stage.number == number), "")


def _participants(arrows: list[Arrow]) -> dict[str, str]:
    """Mermaid's keys by name: first those of the catalogue in its order, then strangers as they appear."""
    seen = dict.fromkeys(name for arrow in arrows for name in (arrow.sender, arrow.receiver))
    order = list(catalogue().participants)
    ranked = sorted(seen, key=lambda name: order.index(name) if name in order else len(order))
    return {name: f"p{number}" for number, name in enumerate(ranked)}
