"""The base of every master data model: frozen, camelCase in JSON, and a key that it does not know is an error."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

COMMON = "common"  # the tenant id of documents that hold for every tenant

Locale = Literal["en_IN", "hi_IN"]
LOCALES: tuple[Locale, ...] = ("en_IN", "hi_IN")


class Strict(BaseModel):
    """A piece of a document. Attributes are snake_case, JSON keys camelCase; nothing is coerced and nothing ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, alias_generator=to_camel)


class Coded(Strict):
    """An entry with a code and a name. An inactive one still names old records, but new ones may not use it."""

    code: str = Field(min_length=1)
    name: str = Field(min_length=1)
    description: str = ""
    active: bool = True


class Wording(Strict):
    """One text in each language."""

    en: str = Field(alias="en_IN", min_length=1)
    hi: str = Field(alias="hi_IN", min_length=1)

    def text(self, locale: str) -> str:
        """The text in `locale`; English where the locale is not one of ours."""
        return self.hi if locale == "hi_IN" else self.en
