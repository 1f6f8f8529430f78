"""What a run did, for the textfile collector of Prometheus' node exporter."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.errors import RefdeskError

if TYPE_CHECKING:
    from ingest.report import Report

GAUGES = {
    "refdesk_sync_items": "Items of the last run by what became of them.",
    "refdesk_sync_access_changed": "Items of the last run that other people than before may read.",
    "refdesk_sync_held_back": "Items that vanished, but were too many to be removed without --allow-deletions.",
    "refdesk_sync_nobodys": "Documents that nobody may read, because the source does not say who may.",
    "refdesk_sync_requests": "HTTP requests of the last run.",
    "refdesk_sync_seconds": "Wall time of the last run.",
    "refdesk_sync_up": "1 if the source was read to its end and nothing was held back, else 0.",
    "refdesk_sync_last_success_timestamp_seconds": "When the source was last read to its end.",
}


def write_metrics(report: Report, exit_code: int, file: Path) -> None:
    """Writes the file whole or not at all; its name must end in `.prom` for the collector to read it.

    Raises RefdeskError where it cannot be written.
    """
    from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

    registry = CollectorRegistry()
    gauges = {
        name: Gauge(name, text, ["source", "outcome"] if name.endswith("_items") else ["source"], registry=registry)
        for name, text in GAUGES.items()
    }
    for source in report.sources:
        for outcome, count in source.counts.items():
            gauges["refdesk_sync_items"].labels(source.source, outcome).set(count)
        gauges["refdesk_sync_access_changed"].labels(source.source).set(source.access_changed)
        gauges["refdesk_sync_held_back"].labels(source.source).set(source.held_back)
        gauges["refdesk_sync_nobodys"].labels(source.source).set(source.nobodys)
        gauges["refdesk_sync_requests"].labels(source.source).set(source.requests)
        gauges["refdesk_sync_seconds"].labels(source.source).set(source.seconds)
        gauges["refdesk_sync_up"].labels(source.source).set(source.trusted)
        if source.last_success:
            when = datetime.fromisoformat(source.last_success).timestamp()
            gauges["refdesk_sync_last_success_timestamp_seconds"].labels(source.source).set(when)
    Gauge("refdesk_library_generation", "The published state of the library.", registry=registry).set(report.generation)
    Gauge("refdesk_sync_exit_code", "How the last run ended.", registry=registry).set(exit_code)
    try:
        write_to_textfile(str(file), registry)
    except OSError as error:
        raise RefdeskError(f"The metrics cannot be written to {file}: {error.strerror}.") from error
