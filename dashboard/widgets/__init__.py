"""Parts that several views share: no SQL, no business rules."""
