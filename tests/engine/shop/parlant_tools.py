"""The application's tools. The first is the documents' own, as they write it."""

import parlant_site.sdk as p


@p.tool
async def get_customer_location(context: p.ToolContext) -> p.ToolResult:
    server = p.ToolContextAccessor(context).server

    if customer := await server.find_customer(id=context.customer_id):
        return p.ToolResult(customer.metadata.get("location", "Unknown location"))

    return p.ToolResult("Customer not found")


@p.tool(agents=["Otto"])
def restart(context: p.ToolContext, machine: str) -> str:
    """Restart a machine."""
    raise RuntimeError(f"secret of {machine}")


@p.tool(customer_tags=["VIP"])
def discount(context: p.ToolContext, percent: int = 5) -> p.ToolResult:
    """Grant a discount."""
    return p.ToolResult({"percent": percent}, metadata={"granted": True})


@p.tool
async def remind(context: p.ToolContext) -> p.ToolResult:
    """Ask later how it went."""
    server = p.ToolContextAccessor(context).server
    follow_up = await server.schedule_follow_up(context.session_id, "Ask how it went", delay=0, only_if_silent=True)
    return p.ToolResult(follow_up.id)
