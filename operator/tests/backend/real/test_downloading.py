"""A model that comes from a hub: the download is a phase of its own, and told while it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from e2e.tiny_qwen.folder import write_model
from tests.backend.real.hub import REPOSITORY, hub
from tests.backend.real.recipes import Recipe
from tests.backend.real.server import serving, until, wait_until_ready

if TYPE_CHECKING:
    from pathlib import Path

    from tests.backend.real.servers import Servers


def test_a_download_is_told_while_it_goes_on_and_how_long_it_took(
    servers: Servers, tmp_path: Path
) -> None:
    there = tmp_path / "hub"
    write_model(there, seed=0)
    seen: set[str] = set()
    amounts: list[dict[str, int]] = []
    with hub(there) as endpoint:
        environment = {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": endpoint, "HF_HUB_DISABLE_XET": "1"}
        recipe = Recipe(engine={"model": REPOSITORY}, environment=environment)
        servers.begin_next()
        with serving(tmp_path / "served", recipe) as triton:

            def is_loading() -> bool:
                _, body = triton.health()
                seen.update((str(body.get("status")), str(body.get("phase"))))
                if "download" in body:
                    amounts.append(dict(body["download"]))
                return body.get("phase") in {"loading", "warming", "opening", "serving"}

            until(is_loading, 120, "the weights are here")
            assert {"loading", "downloading"} <= seen, triton.log_text()[-2000:]
            # Of a model of one file nobody tells the total; its config.json is here before it.
            assert amounts[-1]["bytes"] > 0
            assert "total" not in amounts[-1]
            wait_until_ready(triton)
            body: Any = triton.health()[1]
            phases = body["phases"]
            assert phases["loading"] - phases["downloading"] >= 4
            order = ["starting", "importing", "downloading", "loading", "warming", "opening"]
            assert [name for name in phases if name in order] == order
            status, _ = triton.generate({"text_input": "hi", "parameters": {"max_tokens": 2}})
            assert status == 200
