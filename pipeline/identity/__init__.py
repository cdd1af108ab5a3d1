"""The identity flow: from a registration packet to a credential that the authentication side holds.

Its parts, from the ground up: numbers, packet, registration, idrepo, stages; then what makes and delivers credentials.
"""
