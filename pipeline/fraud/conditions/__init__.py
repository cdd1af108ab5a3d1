"""One condition type, one file, one signature: `evaluate(condition, case) -> Verdict`."""
