"""The identity repository: identities and their numbers, and which partners are to have a credential of which."""
