"""For each alert, series that make it fire and series that keep it silent.

Values are in promtool's notation, a sample a minute: `1+2x3` is 1, 3, 5, 7; `0x9` is ten zeros.
"""

from dataclasses import dataclass

Series = dict[str, str]

POD = 'namespace="n",pod="p",model="m",version="1",model_name="m"'
WHO = 'namespace="n",name="q",model="m"'
OPERATOR = 'namespace="s",pod="o"'


@dataclass(frozen=True, slots=True)
class Case:
    """What an alert is tried with, and the minute at which it is looked at."""

    fires: Series
    silent: Series
    minute: int = 40


def latency(name: str, low: float, high: float) -> Case:
    """A tenth of the observations below `low`, all below `high`; silent: all below `low`."""

    def buckets(below_low: int) -> Series:
        return {
            f'{name}_bucket{{{POD},le="{low}"}}': f"0+{below_low}x60",
            f'{name}_bucket{{{POD},le="{high}"}}': "0+100x60",
            f'{name}_bucket{{{POD},le="+Inf"}}': "0+100x60",
        }

    return Case(buckets(10), buckets(100))


def passes(outcome: str, increase: int) -> Series:
    name = "qwen_operator_reconcile_duration_seconds_count"
    return {
        f'{name}{{{OPERATOR},outcome="done"}}': "0+100x60",
        f'{name}{{{OPERATOR},outcome="{outcome}"}}': f"0+{increase}x60",
    }


def requests(code: str, increase: int) -> Series:
    name = f'qwen_operator_api_requests_total{{{OPERATOR},verb="patch",kind="Service"'
    return {f'{name},code="200"}}': "0+100x60", f'{name},code="{code}"}}': f"0+{increase}x60"}


def ended(reason: str, increase: int) -> Series:
    name = f"vllm:request_success_total{{{POD},finished_reason="
    return {f'{name}"stop"}}': "0+90x60", f'{name}"{reason}"}}': f"0+{increase}x60"} | lost(
        "failed", 0
    )


def lost(cause: str, increase: int) -> Series:
    name = f"qwen_requests_refused_total{{{POD},cause="
    return {f'{name}"unavailable"}}': "0x60", f'{name}"{cause}"}}': f"0+{increase}x60"}


def replicas(ready: int, desired: int) -> Series:
    return {
        f"qwen_operator_resource_replicas_ready{{{WHO}}}": f"{ready}x60",
        f"qwen_operator_resource_replicas_desired{{{WHO}}}": f"{desired}x60",
    }


def resource(reason: str, ready: str) -> Series:
    return {
        f"qwen_operator_resource_ready{{{WHO}}}": ready,
        f'qwen_operator_resource_reason{{{WHO},reason="{reason}",suggestion="Do it."}}': "1x60",
    }


CASES: dict[str, Case] = {
    "QwenModelNotReady": Case(
        resource("WaitingForGPU", "0x60"), resource("Suspended", "0x60"), minute=16
    ),
    "QwenReplicasShort": Case(replicas(1, 2), replicas(2, 2)),
    "QwenModelFlapping": Case(
        resource("EngineDead", "0 1 0 1 0 1 0 1 1x60"), resource("Serving", "0 1 0 1x60")
    ),
    "QwenEngineDead": Case(
        # promtool's time begins at 0: this heart stops beating after ten minutes.
        {
            f"qwen_engine_up{{{POD}}}": "1x60",
            f"qwen_engine_heartbeat_timestamp_seconds{{{POD}}}": "0+60x10 600x50",
        },
        {
            f"qwen_engine_up{{{POD}}}": "1x60",
            f"qwen_engine_heartbeat_timestamp_seconds{{{POD}}}": "0+60x60",
        },
        minute=14,
    ),
    "QwenModelMetricsMissing": Case(
        replicas(1, 1), replicas(1, 1) | {f"qwen_engine_up{{{POD}}}": "1x60"}
    ),
    "QwenErrorRatioHigh": Case(ended("error", 10), ended("abort", 10)),
    "QwenFirstTokenSlow": latency("vllm:time_to_first_token_seconds", 1, 10),
    "QwenFirstTokenTail": latency("vllm:time_to_first_token_seconds", 10, 40),
    "QwenInterTokenSlow": latency("vllm:inter_token_latency_seconds", 0.1, 0.5),
    "QwenInterTokenTail": latency("vllm:inter_token_latency_seconds", 0.5, 2),
    "QwenQueueWaitLong": latency("vllm:request_queue_time_seconds", 1, 10),
    "QwenQueueGrowing": Case(
        {f"vllm:num_requests_waiting{{{POD}}}": "1+3x60"},
        {f"vllm:num_requests_waiting{{{POD}}}": "30x60"},
    ),
    "QwenKVCacheFull": Case(
        {f"vllm:kv_cache_usage_perc{{{POD}}}": "0.99x60"},
        {f"vllm:kv_cache_usage_perc{{{POD}}}": "0.8 0.99 0.8x60"},
    ),
    "QwenPreemptions": Case(
        {f"vllm:num_preemptions_total{{{POD}}}": "0+30x60"},
        {f"vllm:num_preemptions_total{{{POD}}}": "0+1x60"},
    ),
    "QwenOperatorDown": Case({}, {f'qwen_operator_build_info{{{OPERATOR},version="1"}}': "1x60"}),
    "QwenOperatorNoLeader": Case(
        {f"qwen_operator_leader{{{OPERATOR}}}": "0x60"},
        {
            f"qwen_operator_leader{{{OPERATOR}}}": "0x60",
            'qwen_operator_leader{namespace="s",pod="other"}': "1x60",
        },
    ),
    "QwenOperatorTwoLeaders": Case(
        {
            f"qwen_operator_leader{{{OPERATOR}}}": "1x60",
            'qwen_operator_leader{namespace="s",pod="other"}': "1x60",
        },
        {
            f"qwen_operator_leader{{{OPERATOR}}}": "1x60",
            'qwen_operator_leader{namespace="elsewhere",pod="other"}': "1x60",
        },
    ),
    "QwenOperatorDeaf": Case(
        {f"qwen_operator_healthy{{{OPERATOR}}}": "1x30 0 1x30"},
        {f"qwen_operator_healthy{{{OPERATOR}}}": "0 1x60"},
    ),
    "QwenOperatorBehind": Case(
        {f"qwen_operator_queue_oldest_seconds{{{OPERATOR}}}": "0+30x60"},
        {f"qwen_operator_queue_oldest_seconds{{{OPERATOR}}}": "0 300 0x60"},
    ),
    "QwenReconcileErrors": Case(passes("refused", 50), passes("postponed", 50)),
    "QwenReconcileDefect": Case(passes("defect", 1), passes("defect", 0)),
    "QwenOperatorForbidden": Case(requests("403", 1), requests("404", 1)),
    "QwenOperatorApiErrors": Case(requests("503", 30), requests("409", 30)),
    "QwenScrapesFailing": Case(
        {
            f"qwen_operator_scrape_failures_total{{{OPERATOR}}}": "0+9x60",
            f"qwen_operator_scrape_duration_seconds_count{{{OPERATOR}}}": "0+10x60",
        },
        {
            f"qwen_operator_scrape_failures_total{{{OPERATOR}}}": "0+1x60",
            f"qwen_operator_scrape_duration_seconds_count{{{OPERATOR}}}": "0+10x60",
        },
    ),
    "QwenSweepsFailing": Case(
        {f'qwen_operator_sweeps_total{{{OPERATOR},outcome="failed"}}': "0+1x60"},
        {f'qwen_operator_sweeps_total{{{OPERATOR},outcome="failed"}}': "0 1x60"},
    ),
    "QwenWatchesRestarting": Case(
        {f"qwen_operator_watch_restarts_total{{{OPERATOR}}}": "0+1x60"},
        {f"qwen_operator_watch_restarts_total{{{OPERATOR}}}": "0 0 1 2 2x60"},
    ),
}
