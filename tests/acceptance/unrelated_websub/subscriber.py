"""Somebody else's WebSub subscriber, driven line by line: `subscriber.py PORT HUB CERTIFICATE FOLDER`.

Reads a JSON command a line from standard input and answers each with a line: what the library returned, or all that it has
told its handlers so far. It judges nothing, the test does.
"""

import json
import sys
import threading
from pathlib import Path

from flask import Flask
from flask_websub.errors import SubscriberError
from flask_websub.subscriber import SQLite3SubscriberStorage, SQLite3TempSubscriberStorage, Subscriber
from werkzeug.serving import make_server


def main(port: str, hub: str, certificate: str, folder: str) -> None:
    app = Flask(__name__)
    app.config["SERVER_NAME"] = f"127.0.0.1:{port}"
    kept = Path(folder)
    subscriber = Subscriber(SQLite3SubscriberStorage(str(kept / "kept")), SQLite3TempSubscriberStorage(str(kept / "asked")))
    app.register_blueprint(subscriber.build_blueprint(url_prefix="/callbacks"))
    told: list[list[str]] = []
    subscriber.add_success_handler(lambda topic, callback_id, mode: told.append([mode, topic, callback_id]))
    subscriber.add_error_handler(lambda topic, callback_id, reason: told.append(["denied", topic, reason]))
    subscriber.add_listener(lambda topic, callback_id, body: told.append(["content", topic, body.decode()]))
    server = make_server("127.0.0.1", int(port), app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    trust = {"requests_opts": {"verify": certificate}}
    print(json.dumps("listening"), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        answer: object = told
        with app.app_context():
            try:
                if command["do"] == "subscribe":
                    answer = subscriber.subscribe(topic_url=command["topic"], hub_url=hub, lease_seconds=command["lease"], **trust)
                elif command["do"] == "renew":
                    request = subscriber.get_active_subscription(command["id"])
                    answer = subscriber.subscribe_impl(command["id"], **request, **trust)
                elif command["do"] == "unsubscribe":
                    request = {**subscriber.get_active_subscription(command["id"]), "mode": "unsubscribe"}
                    answer = subscriber.subscribe_impl(command["id"], **request, **trust)
            except SubscriberError as error:
                answer = {"refused": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
