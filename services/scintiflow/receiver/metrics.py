"""Everything the receiver exports. Listeners count into shared files, the parent adds them up and serves them."""

from prometheus_client import Counter, Gauge, Histogram

OBJECTS = Counter("scintiflow_receiver_objects", "Objects answered, by what became of them.", ["outcome"])
BYTES = Counter("scintiflow_receiver_bytes", "Bytes made durable.")
STORE_SECONDS = Histogram(
    "scintiflow_receiver_store_seconds",
    "From an object's first byte to its answer.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
ASSOCIATIONS = Counter(
    "scintiflow_receiver_associations",
    "Associations, by how they ended: released, aborted, rejected_calling, rejected_called, rejected_limit, "
    "rejected_backlog, malformed, too_slow, protocol.",
    ["outcome"],
)
TURNED_AWAY = Counter(
    "scintiflow_receiver_turned_away",
    "Connections closed before they asked for an association, by why: probe, late, crowded, foreign, too_long, "
    "cut_short.",
    ["reason"],
)
OPEN = Gauge("scintiflow_receiver_associations_open", "Associations open now.", multiprocess_mode="livesum")
BACKLOG = Gauge(
    "scintiflow_receiver_backlog", "Work that the keeper and the router have not done.", multiprocess_mode="livemax"
)
BACKLOG_FULL = Gauge(
    "scintiflow_receiver_backlog_full", "1 while new studies are put off until it is less.", multiprocess_mode="livemax"
)
LISTENERS = Gauge("scintiflow_receiver_listeners", "Listener processes that serve.", multiprocess_mode="livesum")
UNTOLD = Counter("scintiflow_receiver_untold", "Events dropped because Redis was away too long; the disk has them.")
