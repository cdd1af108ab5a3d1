"""Auto-validation: the five checks, measured and explained, and the transition that follows from them."""
