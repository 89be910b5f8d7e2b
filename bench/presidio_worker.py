"""Finds personal data with presidio-analyzer, for bench/personal.py: a text a line in, findings and CPU a line out.

Runs in an environment of its own and imports nothing of mcpobs. A blank spaCy pipeline: no model is downloaded.
"""

import json
import sys
import time

import spacy
from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import SpacyNlpEngine

KINDS = {
    "EMAIL_ADDRESS": "email",
    "PHONE_NUMBER": "phone",
    "CREDIT_CARD": "card",
    "IBAN_CODE": "iban",
    "US_SSN": "ssn",
    "IP_ADDRESS": "ip",
}


class BlankEngine(SpacyNlpEngine):
    def load(self):
        self.nlp = {"en": spacy.blank("en")}


def main():
    engine = BlankEngine()
    engine.load()
    analyzer = AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])
    for line in sys.stdin:
        text = json.loads(line)
        begun = time.thread_time_ns()
        found = analyzer.analyze(text=text, language="en", entities=list(KINDS))
        spent = time.thread_time_ns() - begun
        print(json.dumps([spent, [[KINDS[each.entity_type], each.start, each.end] for each in found]]), flush=True)


main()
