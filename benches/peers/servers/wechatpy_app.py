"""wechatpy on FastAPI, with a list of rules."""

import rules
from fastapi import FastAPI, Request, Response
from wechatpy import create_reply, parse_message
from wechatpy.exceptions import InvalidSignatureException
from wechatpy.utils import check_signature

app = FastAPI()
RULES = rules.load()


def matches(text):
    for kind, test in RULES:
        if kind == "contains" and test in text or kind == "exact" and test == text:
            return True
        if kind == "regex" and test.search(text):
            return True
    return False


@app.post("/wechat")
async def push(request: Request, signature: str, timestamp: str, nonce: str):
    try:
        check_signature("t0kenBench", signature, timestamp, nonce)
    except InvalidSignatureException:
        return Response(status_code=403)
    message = parse_message(await request.body())
    if not matches(message.content):
        return Response("success")
    return Response(create_reply("答案", message).render(), media_type="text/xml")
