import json
from pathlib import Path

from e2e.bench_scale.audit import BENCH_AGENT, OPERATOR_AGENT, AuditLog
from e2e.bench_scale.figures import Row, percentile, table
from e2e.bench_scale.report import write


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(n) for n in range(100, 0, -1)]
    assert [percentile(values, share) for share in (0.5, 0.95, 0.99, 1)] == [50, 95, 99, 100]


def test_a_bar_is_met_only_below_it_and_nothing_measured_never_meets_it() -> None:
    assert Row("x", 0.049, "s", 0.05).is_met
    assert not Row("x", 0.05, "s", 0.05).is_met
    assert not Row("x", percentile([], 0.5), "s", 0.05).is_met
    assert Row("x", 0, bar=0).is_met
    assert not Row("x", 1, bar=0).is_met


def test_the_table_says_what_is_missed() -> None:
    text = table([Row("slow", 2.0, "s", 1.0), Row("free", 1234.0)])
    assert "| slow   | < 1 s | 2 s      | MISSED |" in text
    assert "1,234" in text


def event(agent: str, verb: str = "create") -> str:
    return json.dumps(
        {
            "stage": "ResponseComplete",
            "userAgent": f"{agent}/1",
            "verb": verb,
            "objectRef": {"resource": "pods", "subresource": "status", "name": "a"},
            "responseStatus": {"code": 200},
            "requestReceivedTimestamp": "2026-01-02T03:04:05.000000Z",
            "stageTimestamp": "2026-01-02T03:04:05.250000Z",
        }
    )


def test_requests_are_followed_from_one_log_file_into_the_next(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.write_text(event(OPERATOR_AGENT) + "\n")
    log = AuditLog(path)
    assert log.requests() == [], "what was there before does not count"
    with path.open("a") as file:
        file.write(event(OPERATOR_AGENT, "patch") + "\n" + event("kubelet") + "\n")
        file.write(event(BENCH_AGENT)[:20])
        file.flush()
        assert [each.verb for each in log.requests()] == ["patch"]
        file.write(event(BENCH_AGENT)[20:] + "\n")
    path.rename(tmp_path / "audit-1.log")
    path.write_text(event(OPERATOR_AGENT, "delete") + "\n")
    found = log.requests()
    log.close()
    assert [each.verb for each in found] == ["patch", "create", "delete"]
    assert found[0].resource == "pods/status"
    assert found[0].completed - found[0].received == 0.25


def test_only_what_stands_between_the_marks_is_rewritten(tmp_path: Path) -> None:
    path = tmp_path / "performance.md"
    begin, end = "<!-- bench-scale: written by make bench-scale -->", "<!-- bench-scale: end -->"
    path.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    write(path, "1 QwenDeployment; today", "| new |")
    assert (
        path.read_text() == f"before\n{begin}\n1 QwenDeployment; today.\n\n| new |\n{end}\nafter\n"
    )
