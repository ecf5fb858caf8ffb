"""Alerts about the operator itself: whether what it says of models can be trusted."""

from typing import Final

from monitoring.rules.types import Alert, Severity

_FAILED = '{outcome!~"done|postponed"}'
_PASSES = "qwen_operator_reconcile_duration_seconds_count"
_LOG = "`kubectl -n qwen-system logs deployment/qwen-operator`"
_STAYS = "Models that run go on serving; nothing new is started or mended meanwhile."


def _ratio(part: str, whole: str, share: float) -> str:
    """Share of a counter's part, by the operator's namespace, and not only of one or two."""
    rates = [f"sum by (namespace) (rate({each}[10m]))" for each in (part, whole)]
    return f"{rates[0]} / {rates[1]} > {share}"


_LIFE: Final = (
    Alert(
        "QwenOperatorDown",
        Severity.CRITICAL,
        "absent(qwen_operator_build_info)",
        "5m",
        "No qwen-operator shows any metrics",
        _STAYS,
        "Prometheus scrapes no operator: none runs, or it cannot be reached.",
        ("`kubectl -n qwen-system get pods`", _LOG, "Prometheus' page of targets"),
        "If the pod crashes, its log ends with the cause. If it runs, Prometheus does not find it:"
        " docs/monitoring.md.",
    ),
    Alert(
        "QwenOperatorNoLeader",
        Severity.CRITICAL,
        "max by (namespace) (qwen_operator_leader) == 0",
        "2m",
        "No operator in {{ $labels.namespace }} leads",
        _STAYS,
        "Operators run, but none holds the Lease.",
        ("`kubectl -n qwen-system get lease qwen-operator -o yaml`: holder and renewTime", _LOG),
        "If the holder is gone and renewTime is old, the API server does not take the operators'"
        " writes: look for 401, 403 or timeouts in the log. A Lease that another program holds has"
        " to be freed by deleting it.",
    ),
    Alert(
        "QwenOperatorTwoLeaders",
        Severity.CRITICAL,
        "sum by (namespace) (qwen_operator_leader) > 1",
        "1m",
        "{{ $value }} operators in {{ $labels.namespace }} lead at once",
        "They may undo each other's work.",
        "Two operators of one namespace each say that they lead: two releases, or one runs without"
        " a lease.",
        ("`helm list -A`", "`kubectl -n qwen-system get lease`"),
        "Two releases must watch different namespaces (`watchNamespaces`); remove one, or ignore"
        " this alert by `prometheusRule.disabled`.",
    ),
    Alert(
        "QwenOperatorDeaf",
        Severity.CRITICAL,
        "min_over_time(qwen_operator_healthy[15m]) == 0",
        "0m",
        "The operator {{ $labels.pod }} was unhealthy within the last 15 minutes",
        "Its watches hear nothing, its lease is not kept, or nothing is worked on; kubelet"
        " restarts it.",
        "/healthz failed; a restart usually mends it. It fires again only if it comes back.",
        (_LOG, "`kubectl -n qwen-system get events`: the probe's words"),
        "If it comes back, the API server drops watches: look at its load and its proxies.",
    ),
    Alert(
        "QwenOperatorBehind",
        Severity.WARNING,
        "max by (namespace) (qwen_operator_queue_oldest_seconds) > 60",
        "10m",
        "A QwenDeployment has been due for {{ $value | humanizeDuration }}",
        "Statuses are old, changes of specs take effect late.",
        "The operator has more to do than it can.",
        ("the operator's dashboard: queue, duration of passes, requests to the API server",),
        "Slow requests point at the API server; a busy CPU at too small `resources` in the chart.",
    ),
)

_WORK: Final = (
    Alert(
        "QwenReconcileErrors",
        Severity.WARNING,
        _ratio(_PASSES + _FAILED, _PASSES, 0.1),
        "10m",
        "{{ $value | humanizePercentage }} of the operator's passes fail",
        "What the specs ask for is not carried out everywhere.",
        "More than a tenth of the passes ended with an error for ten minutes.",
        (_LOG, "the operator's dashboard: passes by outcome"),
        "refused: an administrator must act (a quota, a policy, a permission; the resource's status"
        " says ApplyRefused). unreachable: the API server does not answer.",
    ),
    Alert(
        "QwenReconcileDefect",
        Severity.CRITICAL,
        f'sum by (namespace) (increase({_PASSES}{{outcome="defect"}}[15m])) > 0',
        "0m",
        "The operator met a defect of its own",
        "One QwenDeployment is not worked on until this is mended; the others are.",
        "A pass ended with an exception that nobody foresaw.",
        (f"{_LOG}: the exception and the resource's name",),
        "Report it with the exception. Until then, a change of that resource's spec may go round"
        " it.",
    ),
    Alert(
        "QwenOperatorForbidden",
        Severity.WARNING,
        'sum by (namespace, verb, kind) (rate(qwen_operator_api_requests_total{code=~"401|403"}'
        "[10m])) > 0",
        "10m",
        "The operator may not {{ $labels.verb }} {{ $labels.kind }}",
        "The API server refuses its credentials or its permissions.",
        "401 means credentials (an expired token or certificate), 403 a missing permission or a"
        " policy.",
        ("`kubectl auth can-i --list --as system:serviceaccount:qwen-system:qwen-operator`", _LOG),
        "`helm upgrade` restores the chart's roles; for 401 restart the operator, and look at the"
        " cluster's signing keys if that does not help.",
    ),
    Alert(
        "QwenOperatorApiErrors",
        Severity.WARNING,
        _ratio(
            'qwen_operator_api_requests_total{code=~"0|429|5.."}',
            "qwen_operator_api_requests_total",
            0.1,
        ),
        "10m",
        "The API server fails {{ $value | humanizePercentage }} of the operator's requests",
        _STAYS,
        "Requests end without an answer (code 0), are told to slow down (429) or fail (5xx).",
        ("the operator's dashboard: requests by code", "`kubectl get --raw /readyz?verbose`"),
        "Look at the API server and at the admission webhooks that it asks.",
    ),
    Alert(
        "QwenScrapesFailing",
        Severity.WARNING,
        "sum by (namespace) (rate(qwen_operator_scrape_failures_total[10m]))"
        " / sum by (namespace) (rate(qwen_operator_scrape_duration_seconds_count[10m])) > 0.5",
        "15m",
        "The operator cannot read {{ $value | humanizePercentage }} of the model pods' metrics",
        "It cannot tell whether those engines live: their models are MetricsStale.",
        "Readings of :8002 fail for a quarter of an hour. While models load that is normal.",
        ("`kubectl get qwen -A`: which are MetricsStale or ModelLoading", _LOG),
        "Let NetworkPolicies admit the operator to the model pods' port 8002.",
    ),
    Alert(
        "QwenSweepsFailing",
        Severity.WARNING,
        'sum by (namespace) (increase(qwen_operator_sweeps_total{outcome="failed"}[30m])) > 2',
        "0m",
        "The operator's full listings failed {{ $value | humanize }} times in 30 minutes",
        "What its watches missed stays unnoticed.",
        "Listing everything, the safety net under the watches, fails.",
        (_LOG,),
        "As for QwenOperatorForbidden and QwenOperatorApiErrors.",
    ),
    Alert(
        "QwenWatchesRestarting",
        Severity.WARNING,
        "sum by (namespace) (increase(qwen_operator_watch_restarts_total[30m])) > 5",
        "0m",
        "The operator's watches broke {{ $value | humanize }} times in 30 minutes",
        "News arrive late.",
        "Watches end with errors again and again.",
        (_LOG, "proxies between operator and API server: do they cut long requests"),
        "Give it a way to the API server that keeps connections open.",
    ),
)

OPERATOR: Final = (*_LIFE, *_WORK)
