"""Stamps of a CSV export as instants: by the form and the clock of its mapping, also on the days of a clock change."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from billing_assets.metering.import_engine.csv_mapping import DAY, Times, zone_of
from billing_assets.metering.import_engine.local_days import LocalDays

_EPOCH = date(1970, 1, 1).toordinal()
_KEPT = 10_000
_FIRST_YEAR, _LAST_YEAR = 1971, 2200


class NotAStampError(ValueError):
    """A text is not a stamp of the mapping's form."""


class SkippedHourError(ValueError):
    """A stamp is in an hour that the local clock skips. `instant`: where it would be without the change."""

    def __init__(self, instant: int) -> None:
        super().__init__("the local clock skips this hour")
        self.instant = instant


class Clock:
    """The clock of a mapping. `days`: its local days."""

    def __init__(self, times: Times) -> None:
        self._times = times
        self._zone = zone_of(times.zone)
        if isinstance(self._zone, ZoneInfo):
            self.days = LocalDays.of_zone(self._zone)
        else:
            offset = self._zone.utcoffset(None)
            self.days = LocalDays.of_offset(int(offset.total_seconds()) if offset else 0)
        self._stamps: dict[str, tuple[int, int]] = {}
        self._repeated: Counter[tuple[object, int, int]] = Counter()

    def instant(self, text: str, stream: object) -> int:
        """The instant of a stamp in seconds since 1970.

        Of an hour that the clock repeats, the first one that a stream has is the earlier, or the later one where its
        rows fall. Raises NotAStampError and SkippedHourError.
        """
        if self._times.stamp_has_offset:
            return self._with_offset(text)
        found = self._stamps.get(text)
        if found is None:
            if len(self._stamps) >= _KEPT:
                self._stamps.clear()
            found = self._stamps[text] = self._local(text)
        return self.at(*found, stream)

    def day(self, text: str) -> int:
        """The ordinal of a day. Raises NotAStampError."""
        found = self._stamps.get(text)
        if found is None:
            if len(self._stamps) >= _KEPT:
                self._stamps.clear()
            found = self._stamps[text] = self._local(text)
        return found[0]

    def at(self, ordinal: int, seconds: int, stream: object = None) -> int:
        """The instant of a day's local time. Raises SkippedHourError."""
        if seconds >= DAY:
            ordinal, seconds = ordinal + 1, seconds - DAY
        start = self.days.midnight(ordinal)
        if self.days.midnight(ordinal + 1) - start == DAY:
            return start + seconds
        early, late = self.both(ordinal, seconds)
        if early == late or stream is None:
            return early
        place = self._repeated[stream, ordinal, seconds]
        self._repeated[stream, ordinal, seconds] += 1
        first = place == 0
        return early if first != (self._times.order == "falling") else late

    def both(self, ordinal: int, seconds: int) -> tuple[int, int]:
        """The instants of a local time on a day of a clock change: two where the clock repeats it."""
        local = datetime.combine(date.fromordinal(ordinal), datetime.min.time()) + timedelta(seconds=seconds)
        found = []
        for fold in (0, 1):
            aware = local.replace(tzinfo=self._zone, fold=fold)
            back = aware.astimezone(UTC).astimezone(self._zone).replace(tzinfo=None)
            if back != local:
                raise SkippedHourError(int(aware.timestamp()))
            found.append(int(aware.timestamp()))
        return found[0], found[1]

    def _with_offset(self, text: str) -> int:
        found = self._parsed(text)
        if found.tzinfo is None:
            raise NotAStampError
        return int(found.timestamp())

    def _local(self, text: str) -> tuple[int, int]:
        found = self._parsed(text)
        if found.tzinfo is not None:
            raise NotAStampError
        ordinal = found.toordinal()
        return ordinal, found.hour * 3600 + found.minute * 60 + found.second

    def _parsed(self, text: str) -> datetime:
        form = self._times.form
        try:
            found = datetime.fromisoformat(text) if form == "iso" else datetime.strptime(text, form)  # noqa: DTZ007
        except ValueError:
            raise NotAStampError from None
        if found.microsecond or (not _FIRST_YEAR <= found.year <= _LAST_YEAR and not self._times.from_):
            raise NotAStampError
        return found
