"""What a peer answers when it is asked for an association, however late we look.

pynetdicom 3.0 looks whether the connection stands before it takes an answer. A rejection that has closed the connection
by then is left lying, and the peer seems to be absent; one that accepts and hangs up seems never to have accepted.
"""

from pynetdicom.association import Association
from pynetdicom.pdu_primitives import A_ASSOCIATE

ACCEPTED, REJECTED_TRANSIENT = 0, 2  # PS3.8 table 9-21


def answer_of(association: Association) -> A_ASSOCIATE | None:
    """Return the answer to our request, taken or left lying; None when there is none."""
    left = association.dul.peek_next_pdu()
    return association.acceptor.primitive or (left if isinstance(left, A_ASSOCIATE) else None)


def takes_nothing(accepted: A_ASSOCIATE) -> bool:
    """Tell whether the peer accepted the association and none of its presentation contexts (PS3.8 table 9-18)."""
    return all(context.result != ACCEPTED for context in accepted.presentation_context_definition_results_list)
