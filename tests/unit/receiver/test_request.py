"""Association requests that are as large as may be, and larger than anybody has reason for."""

from itertools import islice

import pytest
from pynetdicom import AllStoragePresentationContexts, build_context
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE, SCP_SCU_RoleSelectionNegotiation

from scintiflow.receiver.listener import TRANSFER_SYNTAXES
from scintiflow.receiver.lobby import LONGEST_REQUEST
from scintiflow.receiver.request import understood
from tests.raw_peer import association_request


def role(sop_class: str) -> SCP_SCU_RoleSelectionNegotiation:
    """Return a wish to be both user and provider."""
    item = SCP_SCU_RoleSelectionNegotiation()
    item.sop_class_uid, item.scu_role, item.scp_role = sop_class, True, True
    return item


def test_the_largest_request_that_makes_sense_is_understood() -> None:
    """128 presentation contexts with every transfer syntax and a role each."""
    classes = [str(context.abstract_syntax) for context in islice(AllStoragePresentationContexts, 128)]
    contexts = [build_context(sop_class, [*TRANSFER_SYNTAXES, *TRANSFER_SYNTAXES]) for sop_class in classes]
    for number, context in enumerate(contexts):
        context.context_id = 2 * number + 1
    small = A_ASSOCIATE_RQ()
    small.decode(association_request("PACS", "SCINTIFLOW", *map(role, classes)))
    primitive: A_ASSOCIATE = small.to_primitive()
    primitive.presentation_context_definition_list = contexts
    decoded = understood(bytearray(A_ASSOCIATE_RQ(primitive).encode()))
    assert decoded is not None
    assert len(decoded.to_primitive().presentation_context_definition_list) == len(classes)


def test_a_request_without_user_information_can_be_answered() -> None:
    """A peer that says nothing of itself takes PDUs of any length."""
    decoded = A_ASSOCIATE_RQ()
    decoded.decode(association_request())
    decoded.variable_items.remove(decoded.user_information)
    silent = understood(bytearray(decoded.encode()))
    assert silent is not None
    assert silent.to_primitive().maximum_length_received == 0


def items(*kinds: int) -> list[bytes]:
    """Return the items of a usual request that are of these kinds (DICOM PS3.8 9.3.2), as bytes."""
    request, found, at = association_request(), [], 74
    while at < len(request):
        end = at + 4 + int.from_bytes(request[at + 2 : at + 4], "big")
        found += [request[at:end]] * (request[at] in kinds)
        at = end
    return found


APPLICATION, PRESENTATION, USER = 0x10, 0x20, 0x50


@pytest.mark.parametrize(
    ("parts", "is_understood"),
    [
        pytest.param(items(APPLICATION, PRESENTATION, USER), True, id="as usual"),
        pytest.param(items(PRESENTATION, USER), False, id="no application context"),
        pytest.param(items(APPLICATION) * 2 + items(PRESENTATION, USER), False, id="two application contexts"),
        pytest.param(items(APPLICATION, USER), False, id="no presentation context"),
        pytest.param(items(APPLICATION) + items(PRESENTATION) * 2 + items(USER), False, id="two of one number"),
    ],
)
def test_a_request_has_what_belongs_to_one(parts: list[bytes], is_understood: bool) -> None:
    """One application context, and presentation contexts of which each has its own number; else it is malformed."""
    body = association_request()[6:74] + b"".join(parts)
    request = bytearray(b"\1\0" + len(body).to_bytes(4, "big") + body)
    assert (understood(request) is not None) == is_understood


@pytest.mark.parametrize(
    "crowd",
    [
        pytest.param(b"\x20\0\0\4\1\0\0\0" * 30_000, id="presentation contexts"),
        pytest.param(b"\x50\0\0\0" * 60_000, id="user information"),
        pytest.param((b"\x20\0\xff\xf9\1\xff\xff\xff" + b"\x40\0\0\1\x31" * 13_105) * 3, id="transfer syntaxes"),
        pytest.param((b"\x50\0\xff\xf8" + b"\x51\0\0\4\0\0\0\1" * 8191) * 3, id="maximum lengths"),
    ],
)
def test_a_request_of_very_many_items_is_not_looked_at(crowd: bytes) -> None:
    """A quarter of a megabyte of empty items would cost the library seconds."""
    request = association_request()
    crowded = bytearray(request + crowd)
    crowded[2:6] = (len(crowded) - 6).to_bytes(4, "big")
    assert len(crowded) <= LONGEST_REQUEST
    assert understood(crowded) is None
