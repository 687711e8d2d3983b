"""Words that tell whether a period ends a sentence: lower case (but `STARTERS`), without their last period."""

from __future__ import annotations

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


LEADING: Final = _words("""
    mr mrs ms mx dr prof rev gen sen rep gov capt cpt cmdr lt col sgt maj hon messrs mme mlle e.g i.e cf viz
""")
"""They stand before what they belong to and never end a sentence."""

BEFORE_NUMBER: Final = _words("""
    no nos vol fig figs p pp sec ch art eq ed jan feb mar apr jun jul aug sep sept oct nov dec
""")
"""They stand before a number: "No. 5", "Jan. 3"."""

TRAILING: Final = _words("""
    inc ltd co corp llc jr sr etc al ph.d b.sc m.sc esq dept est st mt ave blvd rd ft lb oz vs approx
""")
"""They end a sentence only where the next word begins one."""

STARTERS: Final = _words("""
    A After All Also An And Another Any Are As At Because Before But By Can Could Did Do Does Don Dr Each Even Every
    Everyone Finally First For From Good Has Have He Hello Her Here Hers Hi His How However I If In Is It Its Just
    Last Later Let Many Maybe May Meanwhile Most Mr Mrs Ms My Next No Nobody Not Now Of On Once One Or Our People
    Perhaps Please Prof She Should Since So Some Someone Sorry Still Sure Thank Thanks That The Their Then There These
    They This Those Though To Today Tomorrow Tonight Under Unfortunately Until Was We Well Were What When Where Wherever
    Which While Who Why Will With Would Yes Yesterday You Your
""")
"""Words that begin sentences far more often than names: "… the U.S. They …" against "… the U.S. Army …"."""
