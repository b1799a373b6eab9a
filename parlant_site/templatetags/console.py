"""The console's template filters."""

from django import template
from django.utils.safestring import SafeString

from customers.models import Customer
from parlant_site.common.console import markup

register = template.Library()
register.filter("ago", markup.ago)
register.filter("age", markup.age)
register.filter("page_of", markup.page_of)
register.filter("thousands", lambda count: f"{count:,}")


@register.filter
def tag_chips(customer: Customer) -> SafeString | str:
    """Answer the chips of a customer's prefetched tags, each with a link to who else bears it; "" for none."""
    links = customer.tag_links.all()
    made = [(one.tag_id, one.tag.name, markup.list_of("customers_customer", tag=one.tag_id)) for one in links]
    return markup.chips(made) if made else ""
