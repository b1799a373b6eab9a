"""What is shown of segments beside themselves: asked for all segments of a page at once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from django.contrib.admin.utils import quote
from django.db.models import Max
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from customers.models import Segment
from customers.segments.history import Cause, RunState, SegmentDay, SegmentRun
from customers.segments.past import as_of
from parlant_site.common.console.charts import sparkline
from parlant_site.common.console.markup import NOTHING, ago, badge, chip, named, page_of

DAYS = 30


class Figures:
    """Size per day, movements of today, runs and users of some segments."""

    def __init__(self) -> None:
        self.today = timezone.localdate()
        self.days: dict[str, dict[date, SegmentDay]] = {}
        self.instants: dict[str, datetime] = {}
        self.runs: dict[str, SegmentRun] = {}
        self.users: dict[str, list[Segment]] = {}

    def of(self, segments: Iterable[Segment]) -> Figures:
        """Ask for the figures of these segments; six queries, however many they are."""
        rows = list(segments)
        if not rows:
            return self
        keys = [row.pk for row in rows]
        for day in SegmentDay.objects.filter(segment__in=keys, day__gt=self.today - timedelta(days=DAYS)):
            self.days.setdefault(day.segment_id, {})[day.day] = day
        self.instants = as_of(rows)
        unfinished = SegmentRun.objects.unfinished().filter(segment__in=keys)
        self.runs = {run.segment_id: run for run in unfinished}
        newest = SegmentRun.objects.filter(
            pk__in=SegmentRun.objects.filter(segment__in=keys)
            .order_by()
            .values("segment")
            .annotate(m=Max("id"))
            .values("m")
        )
        for run in newest:
            if run.state == RunState.FAILED:
                self.runs.setdefault(run.segment_id, run)
        wanted = {*keys, *(row.published_tag_id for row in rows if row.published_tag_id)}
        for user in Segment.objects.filter(pk__in=Segment.objects.referring_to(*wanted)).order_by("name"):
            for row in rows:
                if user.pk != row.pk and {row.pk, row.published_tag_id} & set(user.refers):
                    self.users.setdefault(row.pk, []).append(user)
        return self

    def name(self, segment: Segment) -> SafeString:
        """Answer the name with what it is for."""
        kind = badge(_("List"), "plain") if segment.is_static else ""
        return format_html("{} {}", named(segment.name, segment.description, page_of(segment)), kind)

    def size(self, segment: Segment) -> SafeString:
        """Answer how many are in it."""
        return format_html('<b class="number">{}</b>', f"{segment.size:,}")

    def sizes(self, segment: Segment) -> list[tuple[date, int]]:
        """Answer the size at the end of each of the last days; days without movement are as the day before."""
        known = self.days.get(segment.pk, {})
        first = self.today - timedelta(days=DAYS - 1)
        moved = sorted(known)
        before = known[moved[0]].size - known[moved[0]].entered + known[moved[0]].left if moved else segment.size
        sizes = []
        for day in (first + timedelta(days=number) for number in range(DAYS)):
            if day in known:
                before = known[day].size
            sizes.append((day, before))
        return sizes

    def line(self, segment: Segment) -> SafeString:
        """Answer the size of the last 30 days as a line, and in words."""
        sizes = [size for _day, size in self.sizes(segment)]
        said = _("from %(first)s to %(last)s in 30 days") % {"first": f"{sizes[0]:,}", "last": f"{sizes[-1]:,}"}
        return sparkline(sizes, said)

    def moved(self, segment: Segment) -> SafeString:
        """Answer who entered and left today."""
        day = self.days.get(segment.pk, {}).get(self.today)
        if day is None or not (day.entered or day.left):
            return NOTHING
        link = f"{reverse('admin:customers_segment_history', args=[quote(segment.pk)])}?day={self.today}"
        return format_html(
            '<a class="moved" href="{}"><span class="in">+{}</span> <span class="out">−{}</span>'
            '<span class="visually-hidden"> {}</span></a>',
            link, f"{day.entered:,}", f"{day.left:,}", _("entered and left"),
        )  # fmt: skip

    def as_of(self, segment: Segment) -> SafeString:
        """Answer for which instant the members are known to be right."""
        return format_html("{} {}", self.as_of_alone(segment), self.state(segment))

    def as_of_alone(self, segment: Segment) -> SafeString:
        """Answer for which instant the members are known to be right, without the state of runs."""
        return ago(self.instants.get(segment.pk))

    def state(self, segment: Segment) -> SafeString | str:
        """Answer how far a run is that is not finished, or failed; "" for none."""
        run = self.runs.get(segment.pk)
        if run is None:
            return ""
        if run.state == RunState.FAILED:
            return badge(_("Counting failed"), "off")
        if run.state == RunState.QUEUED:
            return badge(_("Waits to be counted"), "waiting")
        return badge(_("Counting %d %%") % (run.percent or 0), "waiting")

    def used(self, segment: Segment) -> SafeString:
        """Answer the segments whose rules name it, and the tag that its members bear."""
        made = [(chip(user.name, key=user.pk, link=page_of(user)),) for user in self.users.get(segment.pk, [])]
        if segment.published_tag is not None:
            made.append((chip(_("Tag: %s") % segment.published_tag.name, key=segment.published_tag_id or ""),))
        return format_html('<span class="chips">{}</span>', format_html_join("", "{}", made)) if made else NOTHING


def cause_label(cause: str) -> Any:
    """Answer why members changed, for people."""
    return CAUSES.get(cause, cause)


CAUSES: dict[str, Any] = {
    Cause.CUSTOMER: gettext_lazy("the customer changed"),
    Cause.TIME: gettext_lazy("time passed"),
    Cause.MADE: gettext_lazy("the segment was made"),
    Cause.RULE: gettext_lazy("the rule was edited"),
    Cause.SEGMENT: gettext_lazy("another segment changed"),
    Cause.PIN: gettext_lazy("pinned"),
    Cause.UNPIN: gettext_lazy("no longer pinned"),
    Cause.LIST: gettext_lazy("the list was edited"),
    Cause.REFRESH: gettext_lazy("counted again"),
    Cause.PUBLISH: gettext_lazy("a tag was published"),
    Cause.RECONCILE: gettext_lazy("found by the nightly check"),
    Cause.DELETED: gettext_lazy("the customer was deleted"),
}
