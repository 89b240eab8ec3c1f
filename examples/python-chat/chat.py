"""A chat with rooms and a list of who is online, behind Lineman. Start as many of these as you like, beside those in
PHP, too: the page is theirs.

    go run ./cmd/lineman start --config examples/php-chat/lineman.yaml
    python3 examples/python-chat/chat.py
    python3 -m http.server --bind 127.0.0.1 --directory examples/php-chat 8000    # page.html
"""

import os

from listener import Listener

ROOMS = ["lobby", "kitchen", "garden"]


def say(event):
    """Publishes what a page says in a room. The id has an event that comes again publish nothing twice."""
    said = event.get("data")
    room, text = (said.get("room"), said.get("text")) if isinstance(said, dict) else (None, None)
    text = text.strip() if isinstance(text, str) else ""
    if room not in ROOMS or not 0 < len(text.encode()) <= 1000:
        return  # this page is not ours
    data = {"from": event["uid"], "text": text, "at": event["time"]}
    lineman.ask("pub", to=f"room:{room}", data=data, id=f"{event['conn']} {event['seq']}")


def online(event):
    """Tells all pages who is online. The server knows it, for all listeners."""
    lineman.ask("pub", to="online", data=lineman.ask("list", to="*").get("uids", []))


def rooms(event):
    """Answers a page that asks which rooms there are, and how many pages are in each."""
    counts = lineman.ask("count", to=[f"room:{room}" for room in ROOMS])["counts"]
    answer = {"data": [{"name": room, "pages": counts[f"room:{room}"]} for room in ROOMS]}
    if event["method"] != "rooms":
        answer = {"error": "there is no such method", "code": 404}
    try:
        lineman.ask("reply", call=event["call"], **answer)
    except RuntimeError:
        pass  # the page has gone, or has its answer already: then nobody waits


lineman = Listener(
    os.environ.get("LINEMAN_SERVER", "127.0.0.1:5678"), os.environ.get("LINEMAN_KEY"),
    {"group": "chat", "events": ["message", "join", "leave", "rpc"]},
    {"message": say, "join": online, "leave": online, "sync": online, "rpc": rooms},
)
lineman.run()
