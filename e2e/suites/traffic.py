"""Requests of all kinds, for what watches them."""

import contextlib
import json
import time
import urllib.error
from concurrent.futures import ThreadPoolExecutor

from e2e.stack import clients

CLIENTS = 4


def varied_traffic(base: str, model: str, seconds: float) -> None:
    """Whole answers and streams, repeated prompts, clients' mistakes and clients who leave."""
    end = time.monotonic() + seconds

    def one_client(number: int) -> None:
        turn = 0
        while time.monotonic() < end:
            turn += 1
            sampling = json.dumps({"max_tokens": 8 + 8 * (turn % 4)})
            body = {"prompt": f"Count to {number}", "sampling_parameters": sampling}
            clients.generate(base, model, body)
            for _ in clients.stream(base, model, body):
                if turn % 3 == 0:
                    break
            with contextlib.suppress(urllib.error.HTTPError):
                clients.generate(base, model, {**body, "sampling_parameters": "{"})

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(one_client, range(CLIENTS)))
