"""What a call is, how long it lasts, and what it is charged."""

import numpy as np

from nbo.world import catalog
from nbo.world.calendar import Floats
from nbo.world.columns import Ints

LOCAL, NATIONAL, HKMT, INTERNATIONAL, RIVAL_CODE, DIAL_UP, SERVICE_CALL, COMPLAINT_CALL, SALES_CALL = range(9)
"""What a call is. The first four are also destinations; a call to a rival's access code has none
(beyond the rival's gateway we do not see where it goes)."""
MEDIAN_SECONDS = np.array([55, 120, 140, 150, 115, 1500, 120, 150, 80])
SPREAD = 0.95
"""Standard deviation of a call's log duration."""
FAILED_SHARE = 0.06
MAX_SECONDS = 4 * 3600
DIAL_UP_PER_DAY = 1.1
FEES = np.array([product.fee for product in catalog.PRODUCTS])
"""Monthly fee of each product of the catalog, fen."""


def charges(
    what: Ints, outgoing: Ints, code: Ints, duration: Ints, long_distance: Floats | float = 1.0
) -> Ints:
    """Charge of each call in fen; incoming, failed and service calls are free.

    Parameters
    ----------
    what, outgoing, code, duration : int array of shape (calls,)
    long_distance : float or float array of shape (calls,)
        Factor of our long-distance rates.
    """
    minutes = -(-duration // 60)
    local = catalog.LOCAL_FIRST + catalog.LOCAL_MINUTE * np.maximum(minutes - 3, 0)
    far = np.clip(what, 0, 3)
    by_ip = np.isin(code, (catalog.OWN_IP, catalog.OWN_CARD))
    rate = np.where(by_ip, np.array(catalog.IP_MINUTE)[far], np.array(catalog.TRUNK_MINUTE)[far])
    rate = np.rint(rate * long_distance).astype(np.int64)
    charge = np.select(
        [what == LOCAL, what <= INTERNATIONAL, what == RIVAL_CODE, what == DIAL_UP],
        [local, rate * minutes, local, catalog.DIAL_UP_MINUTE * minutes],
        0,
    )
    return np.where((outgoing == 1) & (duration > 0), charge, 0)
