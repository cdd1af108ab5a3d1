"""Master data: the tenants and rules of the programme, as JSON documents that are checked, versioned and looked up.

A setting is looked up in the tenant, then in its state, then in `common`. This room knows what the rules are; it does
not apply them, and it holds no report and no person.
"""
