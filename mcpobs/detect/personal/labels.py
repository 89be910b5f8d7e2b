"""Determines the label of a number: the nearest word beside it that is no filler."""

from __future__ import annotations

from collections.abc import Iterable


def _words(text: str) -> frozenset[bytes]:
    return frozenset(text.encode().split())


FILLERS = _words(
    """a address alt alternate and are at be business by client contact country current customer details for from here
    her his home i in info is it its line main me my new no nr num number numbers of office old on only or our personal
    please primary private registered s secondary the their this to us user value was work your
    und ist nummer numero numéro número"""
)
PHONES = _words(
    """cell cellphone cellular fax handy landline mob mobil mobile mobilenumber mobiltelefon msisdn phone phonenumber
    phones portable tel telefax telefon telefone telefono telefonnummer telefoon telephone teléfono tél téléphone viber
    whatsapp 手机 电话 電話 電話番号"""
)
CALLING = _words("call callback calling dial message messages reach ring sms text texting")
"""Labels of a phone number even with other words between, as in `call me on`. `messages: 1234567` is a count."""
PHONES_AFTER = PHONES | _words("direct home office work")
CARDS = _words(
    """amex card cardno cardnumber cards carta carte cc ccnum ccnumber credit creditcard debit diners discover jcb karte
    kreditkarte kreditkartennummer maestro mastercard pan tarjeta visa"""
)
SSNS = _words("itin security social socialsecurity socialsecuritynumber ssn ssns tax taxid taxpayer tin")
OTHER = _words(
    """account acct amount arn article asin bbox bin bug build bytes case catalog code commit count date doi duration
    ean epoch err error fcc fips firmware gtin guid hash id identifier imei index inode invoice isbn issn issue item
    job key lat latitude limit line lon longitude lot memory mm model ms ns number offset order orderid oui page
    part patch patent pid pixel pmid po port price product qty quantity ref reference release request revision row
    rule seed seq sequence serial session sha size sku span ticket time timestamp trace tracking transaction ts txn
    udi uid upc uuid v ver version vin zip"""
)
"""Labels of numbers that are not personal data."""


def label(words: Iterable[bytes]) -> bytes:
    """Returns the first word that is no filler; empty if there is none."""
    for word in words:
        if word not in FILLERS:
            return word
    return b""
