"""WeRoBot with its own filters, no sessions; `application` for gunicorn."""

import re

import bottle
import rules
from werobot import WeRoBot
from werobot.contrib.bottle import make_view

robot = WeRoBot(token="t0kenBench", enable_session=False)


def reply(message):
    return "答案"


def anywhere(test):
    """Its filters match from the start only."""
    if test.pattern.startswith("^"):
        return test
    return re.compile(".*?(?:%s)" % test.pattern.removeprefix("(?i)"), test.flags & re.IGNORECASE)


for kind, test in rules.load():
    if kind == "contains":
        test = anywhere(re.compile(re.escape(test)))
    elif kind == "regex":
        test = anywhere(test)
    robot.add_filter(func=reply, rules=[test])

application = bottle.Bottle()
application.route("/wechat", ["GET", "POST"], make_view(robot))
