"""The manner of articulation of a phone, whichever alphabet it is written in.

Three alphabets are known: ARPAbet (with or without stress digits, in either case), SAMPA and IPA.
Some letters mean different phones in two of them (``T`` and ``D`` are stops in ARPAbet, fricatives
in SAMPA), so the alphabet is told from a whole inventory of symbols.
"""

from __future__ import annotations

from collections.abc import Iterable

CLASSES = ("vowel", "approximant", "nasal", "fricative", "affricate", "stop", "silence", "other")

SILENCE = "sil sp spn pau h# # <sil> _ silence breath br ssil <p:>"
ARPABET = {
    "vowel": "aa ae ah ao aw ax axr ay eh el em en er ey ih ix iy ow oy uh uw ux",
    "approximant": "l r w y wh",
    "nasal": "m n ng nx eng",
    "fricative": "f v th dh s z sh zh hh hv h",
    "affricate": "ch jh",
    "stop": "p t k b d g q dx pcl tcl kcl bcl dcl gcl",
    "silence": f"{SILENCE} epi",
}
SAMPA_AND_IPA = {
    "vowel": "a A { V E e I i O o Q U u Y y 2 9 3 6 @ M 7 8 1 } & aI aU OY OI eI oU @U I@ e@ U@ "
    "ɑ æ ʌ ɐ ɛ ɜ ə ɪ ɔ ʊ ʏ ø œ ɒ ɨ ʉ ɯ ɤ ɚ ɝ aɪ aʊ ɔʏ ɔɪ eɪ oʊ əʊ ɪə eə ʊə l= m= n= r=",
    "approximant": "l L r R j w W r\\ K 4 ɹ ɻ ʁ ʀ ɾ ʎ ɫ ɥ ʋ",
    "nasal": "m n N J F ŋ ɲ ɱ ɳ",
    "fricative": "f v T D s z S Z C x X G h H h\\ B p\\ θ ð ʃ ʒ ç χ ɣ ɦ β ɸ ħ ʕ ɕ ʑ",
    "affricate": "ts tS dz dZ pf t_S tʃ dʒ t͡ʃ d͡ʒ t͡s p͡f ʧ ʤ ʦ",
    "stop": "p b t d k g q ? ɡ ʔ c ɟ",
    "silence": SILENCE,
}


def _table(classes: dict[str, str]) -> dict[str, str]:
    return {symbol: name for name, symbols in classes.items() for symbol in symbols.split()}


_ARPABET, _SAMPA_AND_IPA = _table(ARPABET), _table(SAMPA_AND_IPA)


def _of_arpabet(symbol: str) -> str:
    return _ARPABET.get(symbol.lower().rstrip("012"), "other")


def _of_sampa_and_ipa(symbol: str) -> str:
    if symbol.lower() in SILENCE.split():
        return "silence"
    plain = symbol.strip("ˈˌ'\"%").removesuffix("_h").rstrip("ʰ:ːˑ~̩")
    return _SAMPA_AND_IPA.get(plain, "other")


def phone_classes(inventory: Iterable[str]) -> dict[str, str]:
    """Return the class of every symbol of an inventory, one of `CLASSES`.

    The alphabet is the one that knows more of the symbols, SAMPA or IPA where both know as many.
    An empty symbol is silence.
    """
    symbols = {text: text.strip() for text in inventory}
    candidates = [
        {text: of(symbol) if symbol else "silence" for text, symbol in symbols.items()}
        for of in (_of_sampa_and_ipa, _of_arpabet)
    ]
    return min(candidates, key=lambda classes: list(classes.values()).count("other"))
