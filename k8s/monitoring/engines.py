"""The dashboard *GPU and engines*: how much is read and drawn, by what, and do the GPUs earn their keep?"""

from k8s.monitoring.dashboard import Dashboard, Row
from k8s.monitoring.panel import Panel, Query
from k8s.monitoring.scans import a_minute, quantile

_READ = "rate(scintiflow_classifier_batch_rows_sum[$__rate_interval])"
_DRAWN = "rate(scintiflow_synthesizer_scans_total[$__rate_interval])"
_ALL = f"(sum({_READ}) + (sum({_DRAWN}) or vector(0)))"


def _mean_rows(process: str, by: str) -> str:
    rows = f"scintiflow_{process}_batch_rows"
    return f"sum by ({by}) (rate({rows}_sum[10m])) / sum by ({by}) (rate({rows}_count[10m]))"


_NOW = Row(
    "Now",
    [
        Panel(
            "Scans read a second",
            "Rows that the classifiers' engines answered: one for each study and model.",
            "cps",
            [Query(f"sum({_READ})", "scans")],
            shows="numbers",
            width=4,
        ),
        Panel(
            "Scans drawn a second",
            "Synthetic scans that were finished.",
            "cps",
            [Query(f"sum({_DRAWN})", "scans")],
            shows="numbers",
            width=4,
        ),
        Panel(
            "Engines in use",
            "What really runs each model, as every finding says.",
            "short",
            [
                Query("scintiflow_classifier_engine_info", "{{model}}: {{engine}}, {{precision}}, {{device}}"),
                Query("scintiflow_synthesizer_engine_info", "generator: {{engine}}, {{precision}}, {{device}}"),
            ],
            shows="numbers",
            width=12,
            named=True,
        ),
        Panel(
            "Engines that stand in",
            "Models on another device than the one configured.",
            "short",
            [
                Query(
                    "sum(scintiflow_classifier_engine_stands_in) "
                    "+ (sum(scintiflow_synthesizer_engine_stands_in) or vector(0))",
                    "models",
                )
            ],
            shows="numbers",
            width=4,
            limit=1,
        ),
    ],
)
_CLASSIFIERS = Row(
    "Classifiers",
    [
        Panel(
            "Scans read a second",
            "By model.",
            "cps",
            [Query(f"sum by (model) ({_READ})", "{{model}}")],
        ),
        Panel(
            "Rows in a batch",
            "Mean of the last ten minutes, by model. A CPU answers one at a time; a GPU earns its keep with more.",
            "short",
            [Query(_mean_rows("classifier", "model"), "{{model}}")],
        ),
        Panel(
            "One batch in the engine",
            "Median and 95 of 100 of the last ten minutes, by model, engine and precision.",
            "s",
            [
                Query(
                    quantile(share, "scintiflow_classifier_inference_seconds", "model", "engine", "precision"),
                    f"{{{{model}}}}, {{{{engine}}}}, {{{{precision}}}}: {name}",
                )
                for share, name in ((0.5, "median"), (0.95, "95 of 100"))
            ],
        ),
        Panel(
            "Waiting for the engine, 95 of 100",
            "By model and lane, of the last ten minutes. It grows when more is asked than the engine answers.",
            "s",
            [Query(quantile(0.95, "scintiflow_classifier_queue_seconds", "model", "lane"), "{{model}}, {{lane}}")],
            width=12,
        ),
        Panel(
            "Requests a minute",
            "By what became of them; put_off and unavailable are told to come again.",
            "cpm",
            [Query(a_minute("scintiflow_classifier_requests_total", "outcome"), "{{outcome}}")],
            width=12,
        ),
    ],
)
_FAULTS = """
max by (uuid) (increase(scintiflow_gpu_xid_errors_total[1h]))
  or max by (uuid) (label_replace(changes(DCGM_FI_DEV_XID_ERRORS[1h]), "uuid", "$1", "UUID", "(.*)"))
""".strip()
_GPUS = Row(
    "GPUs",
    [
        Panel(
            "Busy",
            "Share of the time in which some kernel ran. High here and low in tensor cores: small batches.",
            "percentunit",
            [Query("gpu:busy:ratio", "{{uuid}}")],
        ),
        Panel(
            "Tensor cores active",
            "Share of the time in which they worked; from DCGM, or from NVML on Hopper and later.",
            "percentunit",
            [Query("gpu:tensor_active:ratio", "{{uuid}}")],
        ),
        Panel(
            "Memory bandwidth",
            "Share in use. High here and low in tensor cores: the graph waits for memory.",
            "percentunit",
            [Query("gpu:memory_bandwidth:ratio", "{{uuid}}")],
        ),
        Panel("Memory in use", "By whomever.", "bytes", [Query("gpu:memory_used:bytes", "{{uuid}}")]),
        Panel("Power", "What the GPU draws.", "watt", [Query("gpu:power:watts", "{{uuid}}")]),
        Panel(
            "Temperature",
            "A GPU that is too hot slows down by itself.",
            "celsius",
            [Query("gpu:temperature:celsius", "{{uuid}}")],
        ),
        Panel(
            "Scans a second for each GPU",
            "Read and drawn, over the number of GPUs.",
            "cps",
            [Query(f"{_ALL} / count(gpu:busy:ratio)", "scans a GPU")],
        ),
        Panel(
            "Energy a scan",
            "Power of all GPUs over the scans that were read and drawn.",
            "joule",
            [Query(f"sum(gpu:power:watts) / ({_ALL} > 0)", "joules a scan")],
        ),
        Panel(
            "Faults, last hour",
            "XID errors that the driver told. Of those that DCGM alone sees, a repeat of the latest is missing.",
            "short",
            [Query(_FAULTS, "{{uuid}}")],
            limit=1,
        ),
    ],
)
_SYNTHESIZER = Row(
    "Synthesizer jobs",
    [
        Panel(
            "Scans drawn a second",
            "By what was asked for, and by whether somebody waits (interactive) or it is a batch (bulk).",
            "cps",
            [Query(f"sum by (label, lane) ({_DRAWN})", "{{label}}, {{lane}}")],
        ),
        Panel(
            "Batches",
            "That are unfinished, on the disk that all replicas share.",
            "short",
            [Query("max(scintiflow_synthesizer_batches)", "batches")],
        ),
        Panel(
            "Scans left",
            "Of unfinished batches.",
            "short",
            [Query("max(scintiflow_synthesizer_scans_left)", "scans")],
        ),
        Panel(
            "Rows in a batch of the engine",
            "Mean of the last ten minutes.",
            "short",
            [Query(_mean_rows("synthesizer", "process"), "rows")],
        ),
        Panel(
            "One batch in the engine",
            "Median of the last ten minutes, by engine and precision.",
            "s",
            [
                Query(
                    quantile(0.5, "scintiflow_synthesizer_inference_seconds", "engine", "precision"),
                    "{{engine}}, {{precision}}",
                )
            ],
        ),
        Panel(
            "Drawn again, last hour",
            "Scans that came too close to one that the generator learnt from.",
            "short",
            [Query("sum(increase(scintiflow_synthesizer_redrawn_total[1h]))", "scans")],
        ),
    ],
)

ENGINES = Dashboard(
    uid="scintiflow-engines",
    title="scintiflow: GPU and engines",
    description="How much is read and drawn, by which engines, and whether the GPUs earn their keep.",
    rows=[_NOW, _CLASSIFIERS, _GPUS, _SYNTHESIZER],
)
