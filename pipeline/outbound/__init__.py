"""Calls that leave this house: where one may go, and one HTTP call made safely. Knows no room and no database."""
