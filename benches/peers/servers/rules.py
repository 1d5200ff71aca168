"""The rules that the Python peers answer by, one after the other: the first that matches."""

import json
import os
import re


def load():
    """[(kind, test)] of the file that RULES names."""
    with open(os.environ["RULES"], encoding="utf-8") as file:
        rules = json.load(file)
    return [(kind, re.compile(text) if kind == "regex" else text) for kind, text in rules]
