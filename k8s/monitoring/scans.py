"""The dashboard *Scans*: do scans come back in time, and if not, where do they stay?"""

from k8s.monitoring.dashboard import Dashboard, Row
from k8s.monitoring.panel import Panel, Query

_STAGES = (
    ("store", "scintiflow_receiver_store_seconds", ""),
    ("gather", "scintiflow_keeper_gather_seconds", ""),
    ("{{stage}}", "scintiflow_router_stage_seconds", "stage"),
    ("deliver to {{destination}}", "scintiflow_sender_deliver_seconds", "destination"),
)
_ACTIVE = "and on (instance) scintiflow_keeper_active == 1"
_SCAN = "model, tracer, synthetic"
_POSITIVE_SHARE = (
    f'sum by ({_SCAN}) (increase(scintiflow_router_answers_total{{answer="positive"}}[7d]))'
    f" / sum by ({_SCAN}) (increase(scintiflow_router_answers_total[7d]))"
)
_ROUNDS = "increase(scintiflow_probe_rounds_total[1h])"
_ROUNDS_RETURNED = 'increase(scintiflow_probe_rounds_total{outcome="returned"}[1h])'
_NO_PROBE = "Empty where there is no probe: SCINTIFLOW_PROBE_INTERVAL_SECONDS."


def quantile(share: float, histogram: str, *labels: str, window: str = "10m") -> str:
    """Return the query for a quantile of a histogram over a window, by these labels."""
    by = ", ".join(filter(None, ("le", *labels)))
    return f"histogram_quantile({share}, sum by ({by}) (rate({histogram}_bucket[{window}])))"


def a_minute(counter: str, *labels: str) -> str:
    """Return the query for what a counter counts a minute, by these labels."""
    return f"60 * sum by ({', '.join(labels)}) (rate({counter}[$__rate_interval]))"


def _by_stage(share: float) -> list[Query]:
    return [Query(quantile(share, histogram, label), legend) for legend, histogram, label in _STAGES]


_NOW = Row(
    "Now",
    [
        Panel(
            "In time, last hour",
            "Share of the studies due at a destination whose results were there within 60 s; what never finishes is "
            "late. The promise is 99 %.",
            "percentunit",
            [Query("1 - destination:results_late:ratio1h", "{{destination}}")],
            shows="numbers",
            width=4,
        ),
        Panel(
            "Studies read, last hour",
            "Studies that left the router with results, or with a reason why there are none.",
            "short",
            [Query("round(sum(increase(scintiflow_router_studies_total[1h])))", "studies")],
            shows="numbers",
            width=4,
        ),
        Panel(
            "Median until the result",
            "From the last needed object on disk to the last result acknowledged, of the last hour.",
            "s",
            [Query(quantile(0.5, "scintiflow_sender_end_to_end_seconds", window="1h"), "median")],
            shows="numbers",
            width=4,
            limit=60,
        ),
        Panel(
            "Work in the queues",
            "Waiting, in somebody's hands, or put off, over all queues.",
            "short",
            [Query("sum(queue:work:count)", "pieces")],
            shows="numbers",
            width=4,
        ),
        Panel(
            "Parked",
            "Studies that need a person: `scintiflow parked list`.",
            "short",
            [Query(f"max(scintiflow_keeper_parked {_ACTIVE})", "studies")],
            shows="numbers",
            width=4,
            limit=1,
        ),
        Panel(
            "Disk free",
            "Under DATA.",
            "bytes",
            [Query(f"min(scintiflow_keeper_disk_free_bytes {_ACTIVE})", "free")],
            shows="numbers",
            width=4,
        ),
    ],
)
_PROBE = Row(
    "Probe: a synthetic scan that goes round the line at an interval",
    [
        Panel(
            "Came back, last hour",
            f"Share of the probe's scans whose report came back in time. {_NO_PROBE}",
            "percentunit",
            [Query(f"sum({_ROUNDS_RETURNED}) / sum({_ROUNDS})", "came back")],
            width=6,
        ),
        Panel(
            "Scans of the last hour",
            "By what became of them: returned, late (no report in time), refused (not taken), unreachable (no "
            f"association). {_NO_PROBE}",
            "short",
            [Query(f"round(sum by (outcome) ({_ROUNDS}))", "{{outcome}}")],
            width=6,
        ),
        Panel(
            "From the scan to its report",
            "Median and 95 of 100 of the last hour, of those that came back. It goes the way of a hospital's scan; its "
            f"report comes to the probe. The line is what is promised. {_NO_PROBE}",
            "s",
            [
                Query(quantile(share, "scintiflow_probe_round_seconds", window="1h"), name)
                for share, name in ((0.5, "median"), (0.95, "95 of 100"))
            ],
            width=6,
            limit=60,
        ),
        Panel(
            "Since the last report",
            f"And three intervals of the probe, after which an alert fires. {_NO_PROBE}",
            "s",
            [
                Query("time() - max(scintiflow_probe_returned_timestamp_seconds)", "since the last report"),
                Query("3 * max(scintiflow_probe_interval_seconds)", "three intervals"),
            ],
            width=6,
        ),
    ],
)
_TRAFFIC = Row(
    "Traffic",
    [
        Panel(
            "Objects a minute",
            "C-STOREs answered, by what became of them.",
            "cpm",
            [Query(a_minute("scintiflow_receiver_objects_total", "outcome"), "{{outcome}}")],
        ),
        Panel(
            "Bytes a second",
            "What was made durable before it was acknowledged.",
            "Bps",
            [Query("sum(rate(scintiflow_receiver_bytes_total[$__rate_interval]))", "stored")],
        ),
        Panel(
            "Associations a minute",
            "By how they ended; rejections name their reason.",
            "cpm",
            [Query(a_minute("scintiflow_receiver_associations_total", "outcome"), "{{outcome}}")],
        ),
    ],
)
_LATENCY = Row(
    "Latency by stage",
    [
        Panel(
            "Until the result is at its destination",
            "From the last needed object on disk to the last result acknowledged, of the last ten minutes. The line is "
            "what is promised.",
            "s",
            [
                Query(
                    quantile(share, "scintiflow_sender_end_to_end_seconds", "destination"),
                    f"{{{{destination}}}} {name}",
                )
                for share, name in ((0.5, "median"), (0.95, "95 of 100"))
            ],
            limit=60,
        ),
        Panel(
            "Median by stage",
            "Store, gather, wait for a router, decode, classify, encode, deliver; of the last ten minutes.",
            "s",
            _by_stage(0.5),
        ),
        Panel(
            "95 of 100 by stage",
            "The same for the slow ones: the stage that grows is where studies stay.",
            "s",
            _by_stage(0.95),
        ),
    ],
)
_OUTCOMES = Row(
    "Outcomes",
    [
        Panel(
            "Studies a minute",
            "By how they left the router: reported (results go out), read, incomplete, declined, parked.",
            "cpm",
            [Query(a_minute("scintiflow_router_studies_total", "outcome"), "{{outcome}}")],
        ),
        Panel(
            "Share late",
            "Of the studies due at a destination. The line is what is promised; the alerts look at these windows.",
            "percentunit",
            [
                Query(f"destination:results_late:ratio{window}", f"{{{{destination}}}} {window}")
                for window in ("1h", "6h", "3d")
            ],
            limit=0.01,
        ),
        Panel(
            "Studies on disk",
            "By state; a study that was removed by retention keeps its state.",
            "short",
            [Query(f"max by (state) (scintiflow_keeper_studies {_ACTIVE})", "{{state}}")],
        ),
        Panel(
            "Positive answers by tracer",
            "Share of a model's answers in the last week that are positive. A step that patients do not explain is "
            "drift: a new camera, a new protocol, a new tracer.",
            "percentunit",
            [
                Query(_POSITIVE_SHARE, "{{model}}, {{tracer}}, synthetic: {{synthetic}}"),
            ],
            width=12,
        ),
        Panel(
            "Findings a minute",
            "By model, and by whether it could assess the study.",
            "cpm",
            [Query(a_minute("scintiflow_router_findings_total", "model", "status"), "{{model}} {{status}}")],
            width=12,
        ),
    ],
)
_QUEUES = Row(
    "Queues",
    [
        Panel(
            "Work by queue",
            "Events go to the keeper, ready studies to the router, results to a destination's sender.",
            "short",
            [Query("queue:work:count", "{{queue}}")],
        ),
        Panel(
            "Oldest by queue",
            "How long the oldest work waits or is in somebody's hands; what is put off does not count.",
            "s",
            [Query("queue:oldest:seconds", "{{queue}}")],
            limit=120,
        ),
        Panel(
            "Put off until a retry",
            "Work that waits because what it needs is away.",
            "short",
            [Query(f"max by (queue) (scintiflow_keeper_queue_later {_ACTIVE})", "{{queue}}")],
        ),
    ],
)
_DESTINATIONS = Row(
    "Destinations",
    [
        Panel(
            "Results a minute",
            "By destination, and by what became of them.",
            "cpm",
            [
                Query(
                    a_minute("scintiflow_sender_results_total", "destination", "outcome"), "{{destination}} {{outcome}}"
                )
            ],
        ),
        Panel(
            "Deliveries put off, last hour",
            "The destination was away or busy. They are tried again for seven days.",
            "short",
            [Query("sum by (destination) (increase(scintiflow_sender_put_off_total[1h]))", "{{destination}}")],
        ),
        Panel(
            "One delivery, 95 of 100",
            "From the request of an association to its release.",
            "s",
            [Query(quantile(0.95, "scintiflow_sender_deliver_seconds", "destination"), "{{destination}}")],
        ),
    ],
)
_MACHINE = Row(
    "Processes and disk",
    [
        Panel(
            "Processes that answer",
            "1 for each process that Prometheus reaches.",
            "short",
            [Query('up{job="scintiflow"}', "{{process}}")],
        ),
        Panel(
            "Memory",
            "Resident, by process; the receiver's listeners do not tell theirs.",
            "bytes",
            [Query('process_resident_memory_bytes{job="scintiflow"}', "{{process}}")],
        ),
        Panel(
            "Disk under DATA",
            "Free space, and the mark below which the oldest delivered studies go early.",
            "bytes",
            [
                Query(f"min(scintiflow_keeper_disk_free_bytes {_ACTIVE})", "free"),
                Query(f"max(scintiflow_keeper_disk_wanted_bytes {_ACTIVE})", "wanted"),
            ],
        ),
    ],
)

SCANS = Dashboard(
    uid="scintiflow-scans",
    title="scintiflow: Scans",
    description="Whether scans come back in time, and where they stay if they do not.",
    rows=[_NOW, _PROBE, _TRAFFIC, _LATENCY, _OUTCOMES, _QUEUES, _DESTINATIONS, _MACHINE],
)
