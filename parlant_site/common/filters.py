"""Filters of lists."""

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django_filters import CharFilter


class TextFilter(CharFilter):
    """A filter on text for which the empty text is a value like any other.

    django-filter takes `?customer_id=` for no filter at all, which would make `DELETE /sessions?customer_id=` delete
    everything. `narrow(rows, value)` answers the rows that match.
    """

    def __init__(self, narrow: Callable[[QuerySet[Any], str], QuerySet[Any]], **options: Any) -> None:
        super().__init__(**{"strip": False, **options})
        self.narrow = narrow

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Answer the rows that match; all rows when the parameter is absent."""
        names = [name for name, filter_ in self.parent.filters.items() if filter_ is self]
        return self.narrow(qs, value or "") if names[0] in self.parent.data else qs
