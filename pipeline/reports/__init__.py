"""Reports from intake to the field visit: numbering, limits, the one door for a report's state, assignment, visits.

Nobody here knows of payouts, messages or charts: those follow from the rows and packets left behind.
"""
