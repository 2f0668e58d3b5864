"""Whose flag an image shows, told by the name of its file. Pure."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Protocol

from db.flags.vocabulary import CodeKind, RecognitionMethod

# Words that say no more than that it is a flag.
_EMPTY_WORDS = frozenset({"flag", "flags", "of", "the", "icon", "national", "country"})
_CURRENT = frozenset({CodeKind.COMMITTEE, CodeKind.PARALYMPIC, CodeKind.SPECIAL, CodeKind.CUSTOM})
_CERTAIN = 1.0
_OF_ISO = 0.95
_BY_NAME = 0.9
# The letters mean one country to the Olympic movement and another to ISO: it is ours that count.
_AMBIGUOUS = 0.8
_BY_A_WORD = 0.6


class Mapping(Protocol):
    """What is known of a code."""

    pss_code: str
    ioc_code: str
    iso_code: str
    country_name: str
    other_names: list[str]
    kind: CodeKind


@dataclass(frozen=True, kw_only=True)
class Recognition:
    """Whose flag it is, by what that was found out, and how sure it is, from 0 to 1."""

    method: RecognitionMethod
    confidence: float
    ioc_code: str | None = None
    country_name: str = ""


NOT_RECOGNIZED = Recognition(method=RecognitionMethod.NONE, confidence=0.0)


class Atlas:
    """All codes and names that are known, to be looked up."""

    def __init__(self, mappings: Iterable[Mapping]) -> None:
        known = sorted(mappings, key=lambda one: (one.kind not in _CURRENT, one.pss_code))
        self._by_code: dict[str, Mapping] = {}
        self._by_iso: dict[str, Mapping] = {}
        self._by_name: dict[str, Mapping] = {}
        # Those of today come first: what is not used any more takes no name from them.
        for one in known:
            self._by_code.setdefault(one.pss_code, one)
            if one.iso_code:
                self._by_iso.setdefault(one.iso_code, one)
            for name in (one.country_name, *one.other_names):
                self._by_name.setdefault(" ".join(words_of(name)), one)

    def recognize(self, file_name: str) -> Recognition:
        """Say whose flag a file of this name shows. Case, accents and the words around a country do not matter."""
        words = words_of(PurePath(file_name).stem)
        telling = [word for word in words if word not in _EMPTY_WORDS]
        if len(telling) == 1:
            found = self._by_a_code(telling[0].upper())
            if found is not None:
                return found
        for spoken in (words, telling):
            one = self._by_name.get(" ".join(spoken))
            if one is not None:
                return _recognized(one, RecognitionMethod.COUNTRY_NAME, _BY_NAME)
        return self._by_a_word(telling)

    def country(self, ioc_code: str) -> str:
        """Return the country of a code, "" if nobody knows it."""
        one = self._by_code.get(ioc_code)
        return "" if one is None else one.country_name

    def _by_a_code(self, code: str) -> Recognition | None:
        ours, iso = self._by_code.get(code), self._by_iso.get(code)
        # Of what is not used any more ISO knows better: KHM is Cambodia on most files, and was the Khmer Republic.
        if ours is not None and (ours.kind in _CURRENT or iso is None):
            is_sure = iso is None or iso.ioc_code == ours.ioc_code
            return _recognized(ours, RecognitionMethod.IOC_CODE, _CERTAIN if is_sure else _AMBIGUOUS)
        if iso is not None:
            return _recognized(iso, RecognitionMethod.ISO_CODE, _OF_ISO if ours is None else _AMBIGUOUS)
        return None

    def _by_a_word(self, words: Sequence[str]) -> Recognition:
        """Recognise by a word that is a code, if there is one and one alone."""
        found = {one.ioc_code: one for word in words if (one := self._by_a_code(word.upper())) is not None}
        if len(found) != 1:
            return NOT_RECOGNIZED
        one = next(iter(found.values()))
        return Recognition(
            method=RecognitionMethod.CODE_IN_NAME,
            confidence=min(_BY_A_WORD, one.confidence),
            ioc_code=one.ioc_code,
            country_name=one.country_name,
        )


def words_of(text: str) -> list[str]:
    """Return the words of a name: in small letters, without accents and what stands between them."""
    bare = "".join(
        one for one in unicodedata.normalize("NFKD", text.replace("&", " and ")) if not unicodedata.combining(one)
    )
    return re.findall(r"[^\W_]+", bare.casefold().replace("'", "").replace("\N{RIGHT SINGLE QUOTATION MARK}", ""))


def _recognized(mapping: Mapping, method: RecognitionMethod, confidence: float) -> Recognition:
    return Recognition(
        method=method, confidence=confidence, ioc_code=mapping.ioc_code, country_name=mapping.country_name
    )
