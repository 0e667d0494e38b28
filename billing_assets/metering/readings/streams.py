"""Streams by what they are known by, and versions of them as they decide which counts."""

from typing import NamedTuple

from billing_assets.metering.import_engine.arrivals import Arrival
from billing_assets.metering.import_engine.messages import RegisterRead, Stream
from billing_assets.metering.readings.versions import VARIES, Version


class StreamKey(NamedTuple):
    """What a stream is known by. `register`: of register reads the meter's serial number, else empty: two meters of a
    point may have registers of one suffix, interval data of one suffix are one stream whatever the meter."""

    point: str
    suffix: str
    register: str

    @classmethod
    def of(cls, stream: Stream) -> "StreamKey":
        """Of a stream as a file names it."""
        return cls(stream.point, stream.suffix, "" if stream.length_seconds else stream.serial)


def version_of(arrival: Arrival, number: int, hashed: bytes, held: str | None) -> Version:
    """A version as it decides which counts. `number`: its id for the time being."""
    block = arrival.block
    if isinstance(block, RegisterRead):
        found = Version(number, 0, 1, 1, block.end_quality)
    else:
        runs = tuple((run.first, run.last, run.quality) for run in block.runs) if block.quality == VARIES else ()
        starts = int(block.start.timestamp())
        found = Version(number, starts, block.stream.length_seconds, len(block.values), block.quality, runs)
    return found._replace(
        made_at=arrival.made_at,
        updated_at=block.updated_at,
        loaded_at=block.loaded_at,
        content_hash=hashed,
        newest_wins=arrival.newest_wins,
        is_edit=arrival.origin == "edit",
        held=held,
    )
