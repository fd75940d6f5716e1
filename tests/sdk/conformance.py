"""Slack's own SDK for Python against the sandbox: as a client, as an app behind HTTP, and as an app in Socket Mode.

The sandbox is named by SANDBOX_URL; its tokens by SLACK_BOT_TOKEN, SLACK_APP_TOKEN, SLACK_SIGNING_SECRET.
"""

import json
import os
import socket
import sys
import threading
import time
import urllib.error
import urllib.request

from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler
from slack_sdk.web import SlackResponse

BASE = os.environ["SANDBOX_URL"]
TOKEN = os.environ["SLACK_BOT_TOKEN"]
APP_TOKEN = os.environ["SLACK_APP_TOKEN"]
SIGNING_SECRET = os.environ["SLACK_SIGNING_SECRET"]

ANA = "U0ANA00001"
BEN = "U0BEN00001"
SHOP_OPS = "C0SHOPOPS1"

web = WebClient(token=TOKEN, base_url=f"{BASE}/api/")
web.retry_handlers.append(RateLimitErrorRetryHandler(max_retry_count=2))


def control(path, body=None):
    request = urllib.request.Request(f"{BASE}/_control/{path}")
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("content-type", "application/json")
    try:
        answer = json.load(urllib.request.urlopen(request, timeout=30))
    except urllib.error.HTTPError as error:
        answer = json.load(error)
    assert answer.get("ok") is not False, f"{path}: {answer.get('error')}"
    return answer


def act(who, what, **extra):
    return control("act", {"as": who, "do": what, **extra})


def messages(who, channel):
    return control(f"messages?as={who}&channel={channel}")["messages"]


def until(what, check):
    for _ in range(200):
        if check():
            return
        time.sleep(0.05)
    raise AssertionError(f"never happened: {what}")


def plain(text):
    return {"type": "plain_text", "text": text}


BUTTON = [{"type": "actions", "block_id": "buttons", "elements": [
    {"type": "button", "action_id": "press", "text": plain("Press"), "value": "42"},
]}]
MODAL = {
    "type": "modal", "callback_id": "form", "title": plain("Open"), "submit": plain("Go"),
    "blocks": [
        {"type": "input", "block_id": "what", "label": plain("What"), "element": {"type": "plain_text_input", "action_id": "text"}},
        {"type": "input", "block_id": "team", "optional": True, "label": plain("Team"),
         "element": {"type": "external_select", "action_id": "team", "min_query_length": 0}},
    ],
}


def the_web_api():
    assert web.auth_test()["team"] == "Shopfront"
    assert web.api_test(foo="bar")["args"]["foo"] == "bar"
    made = web.conversations_create(name=f"python-{time.time_ns()}")
    channel = made["channel"]["id"]
    web.conversations_invite(channel=channel, users=[ANA, BEN])
    web.conversations_setTopic(channel=channel, topic="slow")
    web.conversations_setPurpose(channel=channel, purpose="find out why")
    posted = web.chat_postMessage(
        channel=channel, text="hello", blocks=BUTTON, metadata={"event_type": "page", "event_payload": {"n": 1}},
    )
    web.chat_update(channel=channel, ts=posted["ts"], text="hello again")
    web.chat_postMessage(channel=channel, text="in the thread", thread_ts=posted["ts"])
    assert len(web.conversations_replies(channel=channel, ts=posted["ts"])["messages"]) == 2
    history = web.conversations_history(channel=channel, include_all_metadata=True)
    found = next(one for one in history["messages"] if one["ts"] == posted["ts"])
    assert found["text"] == "hello again" and found["metadata"]["event_payload"] == {"n": 1}
    web.reactions_add(channel=channel, timestamp=posted["ts"], name="memo")
    web.pins_add(channel=channel, timestamp=posted["ts"])
    added = web.bookmarks_add(channel_id=channel, title="Page", type="link", link="https://example.com")
    web.bookmarks_edit(channel_id=channel, bookmark_id=added["bookmark"]["id"], title="The page")
    assert web.bookmarks_list(channel_id=channel)["bookmarks"][0]["title"] == "The page"
    web.chat_postEphemeral(channel=channel, user=ANA, text="only you")
    names = []
    page: SlackResponse
    for page in web.conversations_list(limit=2):
        names.extend(one["name"] for one in page["channels"])
    assert "shop-ops" in names and len(set(names)) == len(names)
    assert web.users_info(user=ANA)["user"]["tz"] == "America/New_York"
    assert web.users_lookupByEmail(email="ben@shopfront.example")["user"]["id"] == BEN
    assert len(web.users_list()["members"]) == 10
    assert web.usergroups_users_list(usergroup="S0DEVTEAM1")["users"][0] == BEN
    uploaded = web.files_upload_v2(channel=channel, filename="a.txt", content="some text", initial_comment="see")
    assert uploaded["file"]["name"] == "a.txt"
    canvas = web.conversations_canvases_create(channel_id=channel, document_content={"type": "markdown", "markdown": "# One"})
    change = {"operation": "insert_at_end", "document_content": {"type": "markdown", "markdown": "two"}}
    web.canvases_edit(canvas_id=canvas["canvas_id"], changes=[change])
    web.conversations_archive(channel=channel)
    try:
        web.conversations_create(name=made["channel"]["name"])
        raise AssertionError("the name is taken")
    except SlackApiError as error:
        assert error.response["error"] == "name_taken"
    control("faults", {"clear": True, "add": [
        {"on": "api", "method": "auth.test", "nth": 1, "fault": "rate_limited", "retry_after": 1},
    ]})
    assert web.auth_test()["ok"]
    installed = WebClient(base_url=f"{BASE}/api/").oauth_v2_access(
        client_id="1000000000.2000000000", client_secret="sandbox-client-secret", code="1",
    )
    assert installed["access_token"] == TOKEN


def install(app):
    """Handlers that both kinds of app share; what they saw is in the returned dictionary."""
    seen = {"events": []}

    @app.command("/incident")
    def on_command(ack, command, client, respond):
        seen["command"] = command
        if command["text"] == "form":
            ack()
            seen["view"] = client.views_open(trigger_id=command["trigger_id"], view=MODAL)["view"]["id"]
        else:
            ack("Noted.")
            respond("And more.")

    @app.action("press")
    def on_press(ack, action, body, respond):
        ack()
        seen["action"] = (action["value"], body["user"]["id"])
        respond(text="Pressed.", replace_original=True)

    @app.options("team")
    def on_options(ack, payload):
        ack(options=[{"text": plain(f"Team {payload['value']}"), "value": "db"}])

    @app.view("form")
    def on_form(ack, view, body):
        what = view["state"]["values"]["what"]["text"]["value"]
        if what == "x":
            ack(response_action="errors", errors={"what": "Say more."})
            return
        ack()
        seen["submitted"] = (what, body["user"]["id"])

    @app.shortcut("add_to_timeline")
    def on_shortcut(ack, shortcut):
        ack()
        seen["shortcut"] = shortcut["message"]["text"]

    @app.event("message")
    def on_message(event):
        if event.get("text"):
            seen["events"].append(event["text"])

    @app.event("app_mention")
    def on_mention(event):
        seen["mention"] = event["text"]

    @app.event("app_home_opened")
    def on_home(event, client):
        client.views_publish(user_id=event["user"], view={"type": "home", "blocks": [{"type": "divider"}]})

    return seen


def a_day(seen, way):
    act(ANA, "command", channel=SHOP_OPS, text="/incident open <b> for @ben")
    assert seen["command"]["text"] == "open &lt;b&gt; for <@U0BEN00001|ben>"
    until("the second answer", lambda: any(one["text"] == "And more." for one in messages(ANA, SHOP_OPS)))
    assert any(one["text"] == "Noted." and one["ephemeral"] for one in messages(ANA, SHOP_OPS))

    posted = web.chat_postMessage(channel=SHOP_OPS, text=f"press {way}", blocks=BUTTON)
    container = {"type": "message", "channel": SHOP_OPS, "ts": posted["ts"]}
    act(BEN, "action", container=container, block_id="buttons", action_id="press")
    until("the press", lambda: seen.get("action") == ("42", BEN))
    until("the replacement", lambda: any(
        one["ts"] == posted["ts"] and one["text"] == "Pressed." for one in messages(ANA, SHOP_OPS)))

    act(ANA, "command", channel=SHOP_OPS, text="/incident form")
    until("the form", lambda: "view" in seen)
    offered = act(ANA, "options", container={"type": "view", "view_id": seen["view"]}, block_id="team", action_id="team", value="d")
    assert offered["options"][0]["text"]["text"] == "Team d"

    def submit(value):
        values = {"what": {"text": {"type": "plain_text_input", "value": value}}}
        return act(ANA, "submit", view_id=seen["view"], values=values)

    assert submit("x")["errors"]["what"] == "Say more."
    assert submit("db is down")["response_action"] == "close"
    until("the submission", lambda: seen.get("submitted") == ("db is down", ANA))

    ts = act(BEN, "message", channel=SHOP_OPS, text=f"hello {way}, @firebell")["ts"]
    until("the mention", lambda: way in seen.get("mention", ""))
    until("the message", lambda: any(text.startswith(f"hello {way}") for text in seen["events"]))
    act(ANA, "shortcut", callback_id="add_to_timeline", channel=SHOP_OPS, ts=ts)
    until("the shortcut", lambda: seen.get("shortcut", "").startswith(f"hello {way}"))
    act(ANA, "open_home")
    until("the home tab", lambda: (control(f"home?as={ANA}")["view"] or {}).get("blocks", [{}])[0].get("type") == "divider")
    control("settle", {})


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def the_app_behind_http():
    app = App(client=WebClient(token=TOKEN, base_url=f"{BASE}/api/"), signing_secret=SIGNING_SECRET)
    seen = install(app)
    port = free_port()
    threading.Thread(target=lambda: app.start(port=port, http_server_logger_enabled=False), daemon=True).start()

    def listens():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    until("the app listens", listens)
    url = f"http://127.0.0.1:{port}/slack/events"
    control("delivery", {"mode": "http", "commands_url": url, "interactions_url": url, "events_url": url})
    a_day(seen, "http")


def the_app_in_socket_mode():
    app = App(client=WebClient(token=TOKEN, base_url=f"{BASE}/api/"))
    seen = install(app)
    handler = SocketModeHandler(app, APP_TOKEN)
    control("delivery", {"mode": "socket_mode"})
    handler.connect()
    a_day(seen, "socket")
    handler.close()


for part in (the_web_api, the_app_behind_http, the_app_in_socket_mode):
    control("faults", {"clear": True})
    part()
    print(f"python: {part.__name__} ok", flush=True)
control("delivery", {"mode": "off"})
complaints = control("journal?since=0&limit=1")["complaints"]
assert complaints == [], complaints
sys.exit(0)
