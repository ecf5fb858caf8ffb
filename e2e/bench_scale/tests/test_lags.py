from e2e.bench_scale.audit import Request
from e2e.bench_scale.lags import lags, of


def request(name: str, received: float, completed: float, code: int = 200) -> Request:
    return Request("x", "patch", "deployments", name, received, completed, code)


def test_a_lag_ends_with_the_first_answer_after_its_cause() -> None:
    causes = [request("a", 10.0, 10.1), request("b", 11.0, 11.1), request("c", 12.0, 12.1)]
    effects = [
        request("a", 9.0, 9.5),  # of an earlier cause
        request("a", 10.2, 10.5),
        request("a", 10.3, 10.4),
        request("b", 11.5, 13.0),
    ]
    assert [round(each, 3) for each in lags(causes, effects)] == [0.4, 2.0]


def test_what_was_refused_is_no_effect() -> None:
    asked = [request("a", 1, 2, 409), request("a", 3, 4, 201)]
    assert of(asked, "patch", "deployments") == asked[1:]
    assert of(asked, "create", "deployments") == []
    assert of(asked, "patch", "services") == []
