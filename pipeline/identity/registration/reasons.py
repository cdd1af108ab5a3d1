"""What a person says for why: at least a word, at most what the columns take."""

from pipeline.errors import AppError

REASON_CHARS = (3, 500)  # as the columns' CHECK has it


def clean_reason(reason: str) -> str:
    """A person's words, trimmed. Raises SDCRS_INVALID_REQUEST when there are too few or too many."""
    words = " ".join(reason.split())
    if not REASON_CHARS[0] <= len(words) <= REASON_CHARS[1]:
        raise AppError("SDCRS_INVALID_REQUEST", field="reason", detail=f"must have {REASON_CHARS[0]} to {REASON_CHARS[1]} characters")
    return words
