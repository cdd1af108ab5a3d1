"""A stand-in for the state's HRMS, for the demo: an OpenID provider with the demo's teachers. Never part of production.

Authlib does the protocol (authorization code, PKCE, ID token); here are the register of people, the sign-in page and the process.
It listens on loopback alone, and does not run once OIDC_ISSUER is set.
"""
