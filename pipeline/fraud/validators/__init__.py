"""Services outside that judge photos, positions and habits, asked before a report is validated.

Which there are, what they are sent and how their answers are read is master data (ExternalValidators); where they listen
and with which secrets is the operator's environment. A call is made by a job with no transaction open, its answer or what
is done without one is a row, and the rules read rows. Nothing here judges a report, and nothing here sends a name, a phone
or a payment address.
"""
