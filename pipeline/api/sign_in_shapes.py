"""Answers of sign-in and sign-out beside packet 01/12."""

from pydantic import Field

from pipeline.api.shapes import Answer


class AuthUrlAnswer(Answer):
    """Where to sign in."""

    auth_url: str
    state: str
    expires_in: int = Field(description="seconds")


class SignedOutAnswer(Answer):
    """How many sessions ended."""

    sessions_ended: int
