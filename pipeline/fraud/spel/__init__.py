"""The expressions of rules: Spring's language, read and evaluated here, for values that come from reports and validators.

An expression only reads. It reaches its variables, its root and the methods in this room's tables; no Python, no file, no clock, and
never more work than errors.py allows. evaluate() and compile() raise SpelError and nothing else; check() is for saving a rule.
"""

from pipeline.fraud.spel.check import Problem, check
from pipeline.fraud.spel.compiled import Compiled, compile, evaluate  # noqa: A004 - its name in the contract of this room
from pipeline.fraud.spel.errors import SpelError

__all__ = ["Compiled", "Problem", "SpelError", "check", "compile", "evaluate"]
