"""The named points at which a process of the line can be made to die.

A point is a call, and whether death comes before or after it. `where` is a function of `os`, or `module:function` of
the product; `role` is the process; `holds` must be part of what the call is about (paths, keys, events).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """One place in one process."""

    name: str
    role: str
    where: str
    when: str
    holds: str = ""
    linger: float = 0.0
    """Seconds that the other threads may go on before the process dies."""


POINTS = (
    Point("object written, not synced", "listener", "os.fsync", "before", "/incoming/listener-"),
    Point("object synced, not in its place", "listener", "os.rename", "before", "/objects/"),
    Point("object in its place, folder not synced", "listener", "os.rename", "after", "/objects/"),
    Point("object durable, 0000 not sent", "listener", "scintiflow.receiver.association:Visit.store", "after"),
    Point("0000 sent, keeper not told", "listener", "scintiflow.stream:Stream.publish_all", "before", "stored:", 0.05),
    Point("keeper told", "listener", "scintiflow.stream:Stream.publish_all", "after", "stored:"),
    Point("association over, keeper not told", "listener", "scintiflow.stream:Stream.publish_all", "before", "ended:"),
    Point("event heard, nothing decided", "keeper", "scintiflow.keeper.gather:gather", "before"),
    Point("decision written, not synced", "keeper", "os.fsync", "before", "events.jsonl"),
    Point("decision noted, study not queued", "keeper", "scintiflow.stream:Stream.publish", "before", "ready "),
    Point("study queued, event not acknowledged", "keeper", "scintiflow.stream:Stream.publish", "after", "ready "),
    Point("study leased, nothing read", "router", "scintiflow.router.read:Router.read", "before"),
    Point("reading noted, not decoded", "router", "scintiflow.decode:decode", "before"),
    Point("decoded, not classified", "router", "scintiflow.decode:decode", "after"),
    Point("finding written, nothing encoded", "router", "scintiflow.store:Store.put_once", "after", "/findings/"),
    Point("a result encoded, not written", "router", "scintiflow.store:Store.put_once", "before", "/results/"),
    Point("one result of two written", "router", "scintiflow.store:Store.put_once", "after", "-report.dcm"),
    Point("a result linked, folder not synced", "router", "os.link", "after", "/results/"),
    Point("results on disk, not noted", "router", "scintiflow.records:note", "before", "reported"),
    Point("results noted, not queued", "router", "scintiflow.stream:Stream.publish", "before", "results:"),
    Point("results queued, study not acknowledged", "router", "scintiflow.stream:Stream.publish", "after", "results:"),
    Point("in the middle of decoding", "decoder", "scintiflow.decode.pixels:counts_of", "before"),
    Point("counts decoded, not answered", "decoder", "scintiflow.decode.pixels:counts_of", "after"),
    Point("in the middle of an inference", "classifier", "scintiflow.inference.engine:Engine.run", "before"),
    Point("inference done, not answered", "classifier", "scintiflow.inference.engine:Engine.run", "after"),
    Point("results leased, nothing sent", "sender", "scintiflow.dicom.c_store:c_store", "before"),
    Point("C-STORE answered, no marker", "sender", "scintiflow.dicom.c_store:c_store", "after"),
    Point("marker linked, folder not synced", "sender", "os.link", "after", "/delivered/"),
    Point("one marker of two written", "sender", "scintiflow.store:Store.put_once", "after", "-report.json"),
    Point("all sent, not acknowledged", "sender", "scintiflow.sender.deliver:Sender.deliver", "after"),
)
