"""How suspicious is a report: rules over features, a score and a recommendation that a verifier understands.

Rules are master data; each condition type is one file in conditions/. This room judges and records, and changes no state.
"""
