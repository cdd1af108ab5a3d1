"""`python -m pipeline.hrms`: the stand-in HRMS as a process on loopback. Ends with a sentence where it must not run."""

import logging
import sys

import uvicorn

from pipeline.errors import AppError
from pipeline.hrms.app import build
from pipeline.runtime import open_runtime
from pipeline.settings import load

HOST = "127.0.0.1"  # nobody else's business
POOL_SIZE = 2  # as many as passwords are checked at once
SHUTDOWN_S = 2


def main() -> int:
    """Serve until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.WARNING, format="hrms: %(levelname)s %(message)s")
    try:
        settings = load()
        with open_runtime(settings, pool_size=POOL_SIZE) as rt:
            app = build(rt, f"http://{HOST}:{settings.hrms_port}")
            uvicorn.run(
                app,
                host=HOST,
                port=settings.hrms_port,
                log_level="warning",
                access_log=False,
                server_header=False,
                lifespan="off",
                timeout_graceful_shutdown=SHUTDOWN_S,
            )
    except AppError as error:
        sys.stderr.write(f"{error.code}: {error.message}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
