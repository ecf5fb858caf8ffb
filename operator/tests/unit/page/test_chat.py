"""The chat box: who is asked, within which bounds, and that it ends when the person goes."""

import asyncio
import json
from typing import Any

import pytest

from e2e.page.invented import Invented, Pod
from tests.unit.page.conftest import SERVES, Serving, Site, eventually

SOURCE = "hf://Qwen/Qwen3-8B"
ONE = Invented("a", SOURCE, pods=(SERVES,))
HELLO: dict[str, Any] = {
    "namespace": "chat",
    "name": "a",
    "messages": [{"role": "user", "content": "Hello"}],
}
LOCKED = Invented(
    "a",
    SOURCE,
    pods=(SERVES,),
    spec={"model": {"source": SOURCE}, "chat": {"apiKeySecretRef": {"name": "door"}}},
)


async def ask(site: Site, **change: Any) -> tuple[int, list[dict[str, Any]]]:
    async with site.client.post("/api/chat", json=HELLO | change) as answer:
        lines = (await answer.text()).splitlines()
        return answer.status, [json.loads(each) for each in lines]


async def test_an_answer_comes_piece_by_piece_with_its_length_at_the_end(site: Serving) -> None:
    async with site(ONE, chat=True) as found:
        status, pieces = await ask(found, maxTokens=7, temperature=0.5)
        ((address, question),) = found.talker.asked
    assert status == 200
    assert pieces == [
        {"text": "I"},
        {"text": " am"},
        {"text": " Qwen."},
        {"finish": "stop", "tokens": 3},
    ]
    assert address == "10.0.0.1"
    assert (question.model, question.key) == ("a", None)
    assert question.messages == ({"role": "user", "content": "Hello"},)
    assert question.limits == {"max_tokens": 7, "temperature": 0.5}


async def test_without_the_setting_there_is_no_chat(site: Serving) -> None:
    async with site(ONE) as found:
        async with found.client.post("/api/chat", json=HELLO) as answer:
            assert answer.status == 404
        assert found.talker.asked == []


async def test_the_pod_with_least_to_do_is_asked_and_none_that_does_not_serve(
    site: Serving,
) -> None:
    pods = (Pod((9, 8, 7)), Pod((9, 8, 7, 6), running=5), Pod((9, 8, 7, 6), running=2))
    async with site(Invented("a", SOURCE, pods=pods), chat=True) as found:
        await ask(found)
        assert [address for address, _ in found.talker.asked] == ["10.0.0.3"]


@pytest.mark.parametrize(
    ("change", "status", "word"),
    [
        ({"name": "b"}, 404, "chat/b"),
        ({"messages": []}, 400, "messages"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, 400, "last message"),
        ({"messages": [{"role": "tool", "content": "x"}]}, 400, "role"),
        ({"messages": [{"role": "user", "content": ""}]}, 400, "content"),
        ({"messages": [{"role": "user", "content": "x"}] * 129}, 400, "messages"),
        ({"maxTokens": 100000}, 400, "maxTokens"),
        ({"temperature": -1}, 400, "temperature"),
        ({"temperature": "NaN"}, 400, "temperature"),
        ({"adapter": "poet"}, 400, "adapter"),
        ({"address": "169.254.169.254"}, 400, "address"),
        ({"key": "a\r\nX: y"}, 400, "no spaces"),
        ({"key": ""}, 400, "key"),
    ],
)
async def test_what_is_no_question_is_refused_by_name(
    site: Serving, change: dict[str, Any], status: int, word: str
) -> None:
    async with site(ONE, chat=True) as found:
        code, (told,) = await ask(found, **change)
        assert (code, found.talker.asked) == (status, [])
        assert word in told["error"]


async def test_a_model_of_which_no_pod_serves_is_not_asked(site: Serving) -> None:
    waits = Invented("a", SOURCE, "ModelLoading", pods=(Pod((9, 8, 7)),))
    async with site(waits, chat=True) as found:
        code, (told,) = await ask(found)
        assert (code, told["error"]) == (409, "no pod of chat/a serves at present")


async def test_a_model_that_asks_for_a_key_is_asked_with_the_person_s_key_alone(
    site: Serving,
) -> None:
    async with site(LOCKED, chat=True) as found:
        code, (told,) = await ask(found)
        assert code == 409
        assert "API key" in told["error"]
        assert (await ask(found, key="s3cret"))[0] == 200
        ((_, question),) = found.talker.asked
        assert question.key == "s3cret"
        assert "s3cret" not in repr(question)


async def test_a_question_is_told_in_the_log_without_its_words_and_the_key(
    site: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    async with site(LOCKED, chat=True) as found:
        await ask(found, key="s3cret", messages=[{"role": "user", "content": "my secret plan"}])
    assert "the page asks chat/a" in caplog.text
    assert "s3cret" not in caplog.text
    assert "plan" not in caplog.text


async def test_a_key_is_not_sent_to_a_model_that_asks_for_none(site: Serving) -> None:
    async with site(ONE, chat=True) as found:
        await ask(found, key="s3cret")
        assert found.talker.asked[0][1].key is None


async def test_a_wrong_question_s_refusal_does_not_repeat_the_key(site: Serving) -> None:
    async with site(LOCKED, chat=True) as found:
        code, told = await ask(found, key="s3 cret")
        assert code == 400
        assert "s3 cret" not in str(told)


async def test_an_adapter_is_asked_by_its_name(site: Serving) -> None:
    spec = {"model": {"source": SOURCE}, "engine": {"loraAdapters": [{"name": "poet"}]}}
    async with site(Invented("a", SOURCE, pods=(SERVES,), spec=spec), chat=True) as found:
        await ask(found, adapter="poet")
        assert found.talker.asked[0][1].model == "poet"


async def test_a_question_that_is_no_json_is_not_read(site: Serving) -> None:
    async with site(ONE, chat=True) as found:
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            body, headers = json.dumps(HELLO), {"Content-Type": kind}
            async with found.client.post("/api/chat", data=body, headers=headers) as answer:
                assert answer.status == 415
        async with found.client.post("/api/chat", data=b"{", headers=JSON) as answer:
            assert answer.status == 400
        assert found.talker.asked == []


JSON = {"Content-Type": "application/json"}


async def test_a_question_that_is_too_long_is_not_read(site: Serving) -> None:
    async with site(ONE, chat=True) as found:
        async with found.client.post("/api/chat", data=b" " * 300_000, headers=JSON) as answer:
            assert answer.status == 413
        assert found.talker.asked == []


async def test_another_site_cannot_ask(site: Serving) -> None:
    async with site(ONE, chat=True) as found:
        for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            async with found.client.post("/api/chat", json=HELLO, headers=headers) as answer:
                assert answer.status == 403
        assert found.talker.asked == []


async def test_who_goes_cancels_the_answer(site: Serving) -> None:
    async with site(ONE, chat=True) as found:
        found.talker.answer, found.talker.pause = "word " * 10_000, 0.005
        answer = await found.client.post("/api/chat", json=HELLO)
        assert await answer.content.readline()
        answer.close()
        async with asyncio.timeout(30):
            await found.talker.cancelled.wait()
        found.talker.answer, found.talker.pause = "well", 0
        assert (await ask(found))[0] == 200


async def test_who_goes_before_the_first_word_cancels_the_question(site: Serving) -> None:
    async with site(ONE, chat=True) as found:
        found.talker.pause = 3600
        asking = asyncio.create_task(found.client.post("/api/chat", json=HELLO))

        async def asked() -> bool:
            return bool(found.talker.asked)

        await eventually(asked)
        asking.cancel()
        async with asyncio.timeout(30):
            await found.talker.cancelled.wait()


async def test_a_ninth_answer_at_once_is_refused_and_one_after_them_is_not(site: Serving) -> None:
    async with site(ONE, chat=True) as found:
        found.talker.answer, found.talker.pause = "word " * 10_000, 0.01
        open_ones = []
        for _ in range(8):
            open_ones.append(await found.client.post("/api/chat", json=HELLO))
            await open_ones[-1].content.readline()
        assert (await ask(found))[0] == 429
        for each in open_ones:
            each.close()
        found.talker.answer, found.talker.pause = "well", 0

        async def answered() -> bool:
            return (await ask(found))[0] == 200

        await eventually(answered)
