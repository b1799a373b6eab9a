"""The console's template filters."""

from django import template

from parlant_site.common.console import markup

register = template.Library()
register.filter("ago", markup.ago)
register.filter("age", markup.age)
register.filter("page_of", markup.page_of)
register.filter("thousands", lambda count: f"{count:,}")
