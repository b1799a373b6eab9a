"""REST: customers."""

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from customers.models import GUEST_ID, Customer
from customers.serializers import CustomerBody, CustomerChange, NewCustomer
from parlant_site.common.pagination import PageQuery, page_of
from parlant_site.common.personal import sight
from parlant_site.common.schema import answers
from parlant_site.common.serializers import TextMetadataPatch
from parlant_site.common.views import ContractViewSet
from tags.models import Tag


class CustomerViewSet(ContractViewSet):
    """Customers are anyone who interacts with an agent; `guest` stands for everybody who is not registered."""

    queryset = Customer.objects.prefetch_related("tag_links")
    serializer_class = CustomerBody
    needs: ClassVar[dict[str, str]] = {
        "list": "customers.view_customer",
        "retrieve": "customers.view_customer",
        "create": "customers.add_customer",
        "partial_update": "customers.change_customer",
        "destroy": "customers.delete_customer",
    }

    @extend_schema(parameters=[PageQuery], responses=answers(200, page_of(CustomerBody, "Customer")))
    def list(self, request: Request) -> Response:
        """List customers: the guest first, then by creation."""
        page = self.page(self.filter_queryset(self.get_queryset()), first=GUEST_ID)
        return Response(page.render(CustomerBody(page.rows, many=True).data))

    @extend_schema(request=NewCustomer, responses=answers(201, CustomerBody, refusals=(404,)))
    def create(self, request: Request) -> Response:
        """Register a customer; 404 for an unknown tag, 422 when the id is taken."""
        given = self.body(NewCustomer)
        tags = Tag.objects.with_ids(given.pop("tags", []))
        return Response(CustomerBody(Customer.register(tags=tags, **given)).data, status=201)

    @extend_schema(responses=answers(200, CustomerBody, refusals=(404,)))
    def retrieve(self, request: Request, id: str) -> Response:
        """Read a customer; the id of one who was merged answers with the customer into whom she was merged."""
        return Response(CustomerBody(Customer.at(id, self.get_queryset())).data)

    @extend_schema(request=CustomerChange, responses=answers(200, CustomerBody, refusals=(404,)))
    def partial_update(self, request: Request, id: str) -> Response:
        """Change a customer, all or nothing; 404 for an unknown tag and for one to remove that she does not bear."""
        customer = Customer.at(id)
        given = self.body(CustomerChange)
        changes = TextMetadataPatch.changes(given.get("metadata"))
        changes["set_metadata"] = sight().without_masks(changes["set_metadata"])
        customer.amend(
            name=given.get("name"),
            **changes,
            **given.get("tags", {}),
        )
        return Response(CustomerBody(customer).data)

    @extend_schema(responses=answers(204, refusals=(404,)))
    def destroy(self, request: Request, id: str) -> Response:
        """Delete a customer; the sessions stay. 422 for the guest."""
        self.find(Customer.objects.all(), id).remove()
        return Response(status=204)
