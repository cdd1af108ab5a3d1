"""`python -m pipeline.payouts.sandbox`: the provider's stand-in as a process. Says on stdout where it listens."""

import logging
import os
import signal
import socket
import sys
import threading

import uvicorn
from sqlalchemy.exc import DBAPIError

from pipeline.payouts.sandbox import config as config_room
from pipeline.payouts.sandbox import courier as courier_room
from pipeline.payouts.sandbox import life
from pipeline.payouts.sandbox.app import App
from pipeline.payouts.sandbox.box import open_box
from pipeline.payouts.sandbox.courier import Courier
from pipeline.payouts.sandbox.wire import CuttableProtocol

log = logging.getLogger("sandbox")
BACKLOG = 128  # connections that wait to be accepted
KEEP_ALIVE_S = 60  # longer than a worker's pause between two payouts, so that its connection is still there
SHUTDOWN_S = 5  # a slow answer does not hold up the end


def report(where: str, error: Exception) -> None:
    """A database that fails is worth one line, not a stack."""
    log.warning("%s: %s", where, str(getattr(error, "orig", None) or error).strip().splitlines()[0])


def listen(host: str, port: int) -> socket.socket:
    """The listening socket. Raises OSError when the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(BACKLOG)
    return listener


def main() -> int:
    """Serve until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="sandbox: %(levelname)s %(message)s")
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # cut answers are meant, not errors
    config = config_room.read(sys.argv[1:], os.environ)
    try:
        listener = listen(config.host, config.port)
    except OSError as error:
        log.error("cannot listen on %s port %s: %s", config.host, config.port, error.strerror)
        return 1
    try:
        box = open_box(config)
    except DBAPIError as error:
        report("cannot open the books", error)
        return 1
    courier = Courier(box)
    app = App(box, courier, report)
    threads = [
        threading.Thread(target=life.ticker, args=(box, report), name="ticker"),
        threading.Thread(target=courier_room.run, args=(box, courier, report), name="courier"),
    ]
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http=CuttableProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=SHUTDOWN_S,
        )
    )
    crashed: list[str] = []

    def crash(fault: threading.ExceptHookArgs) -> None:
        """A provider without its ticker or courier would look alive and do nothing: rather end, loudly."""
        where = fault.thread.name if fault.thread else "a thread"
        log.error("%s failed", where, exc_info=(fault.exc_type, fault.exc_value or fault.exc_type(), fault.exc_traceback))
        crashed.append(where)
        server.should_exit = True

    threading.excepthook = crash
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # the server catches them, ends, and raises them again: that is not to kill us
    host, port = listener.getsockname()[:2]
    sys.stdout.write(f"sandbox: listening on http://{host}:{port} (no money moves here)\n")
    sys.stdout.flush()
    for thread in threads:
        thread.start()
    try:
        server.run(sockets=[listener])
    finally:
        box.stop()
        for thread in threads:
            thread.join()
        app.close()
        courier.close()
        box.engine.dispose()
    return 1 if crashed else 0


if __name__ == "__main__":
    sys.exit(main())
