"""How fraud rules change: a draft that is checked, tried on what was evaluated, and activated by a second admin.

Rules are the state's: a draft belongs to a state, and what is activated is a new version of that state's own FraudRules document. Nothing
here changes a rule in any other way, and nothing judges reports: trying a draft on the past is pipeline/validation/trial.py.
"""
