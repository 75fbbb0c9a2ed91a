"""Which families each model reads; training configs name these keys."""

from features.bills import BILLS
from features.calls import CALLS
from features.contacts import CONTACTS
from features.contracts import CONTRACTS
from features.graph import GRAPH
from features.lines import LINES
from features.neighbours import NEIGHBOURS
from features.offers import OFFERS
from features.rivals import RIVALS, SETTLEMENT
from features.segments import SEGMENTS
from features.shape import SHAPE
from features.tickets import TICKETS
from features.usage import USAGE
from features.wallet import WALLET

SETS = {
    "churn": [
        CALLS,
        SHAPE,
        RIVALS,
        SETTLEMENT,
        NEIGHBOURS,
        GRAPH,
        USAGE,
        BILLS,
        CONTRACTS,
        TICKETS,
        CONTACTS,
        LINES,
        SEGMENTS,
        WALLET,
    ],
    # For marketing: no settlement.
    "next_product": [
        CALLS,
        RIVALS,
        USAGE,
        BILLS,
        CONTRACTS,
        TICKETS,
        LINES,
        SEGMENTS,
    ],
    "offers": [OFFERS],
}
