"""Pause rules: before which stage a registration waits, for what fact about it, for how long, and what happens then."""

from pipeline.errors import AppError
from pipeline.identity.packet.manager import Packet
from pipeline.identity.stages.base import Registration
from pipeline.identity.stages.quality import forced_share, level
from pipeline.masterdata.identity_models import IdentityStages, PauseFact, PauseRule


def rule_for(stages: IdentityStages, one: Registration, packet: Packet) -> PauseRule | None:
    """The first rule that holds the registration before its stage; one that held it before does so no more."""
    for rule in stages.pause_rules:
        if rule.stage != one.stage or not rule.values or rule.id in one.pause_immunity:
            continue
        if _known_fact(rule.fact, stages, one, packet) in rule.values:
            return rule
    return None


def _known_fact(name: PauseFact, stages: IdentityStages, one: Registration, packet: Packet) -> str | None:
    """The same, where the packet may be unreadable: that is for its stage to say."""
    try:
        return fact(name, stages, one, packet)
    except AppError as error:
        if not error.code.startswith("SDCRS_PACKET_"):
            raise
        return None


def fact(name: PauseFact, stages: IdentityStages, one: Registration, packet: Packet) -> str | None:
    """What a rule looks at; None when the packet says nothing of it."""
    if name in ("source", "process"):
        return one.source if name == "source" else one.process
    if name in ("officerId", "supervisorId"):
        return packet.labelled("operationsData", name)
    if name == "biometricLevel":
        return level(stages.quality, forced_share(packet.meta()))
    return packet.labelled("metaData", name)
