"""WeRoBot with its own filters, no sessions; `application` for gunicorn."""

import re

import rules
from werobot import WeRoBot
from werobot.contrib.bottle import make_view
import bottle

robot = WeRoBot(token="t0kenBench", enable_session=False)


def reply(message):
    return "答案"


for kind, test in rules.load():
    if kind == "exact":
        robot.add_filter(func=reply, rules=[test])
    elif kind == "regex":
        # Its filters match from the start only.
        robot.add_filter(func=reply, rules=[re.compile(".*(?:%s)" % test.pattern.lstrip("^")) if not test.pattern.startswith("^") else test])
    else:
        robot.add_filter(func=reply, rules=[re.compile(".*" + re.escape(test))])

application = bottle.Bottle()
application.route("/wechat", ["GET", "POST"], make_view(robot))
