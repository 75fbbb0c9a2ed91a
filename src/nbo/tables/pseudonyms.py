"""Phone numbers become keyed pseudonyms: HMAC-SHA256, computed by the engine in one pass.

A plain hash of a phone number is reversed by hashing every number there is, so the hash is keyed.
The key's two pads are handed over as data and never stand in a SQL text.
"""

import pyarrow as pa

from nbo.engine import Embedded
from nbo.keys import derived

PURPOSE = "pseudonym:counterparty"
PSEUDONYM_BYTES = 9
"""72 bits: among a billion numbers the chance of any two alike is 1 in 10,000, and the 12 characters
are the longest text that the engine groups by without following a pointer."""
PADS = "_pseudonym_pads"
BLOCK_BYTES = 64


def install_pads(engine: Embedded, key: bytes) -> None:
    """Give the engine what :func:`pseudonym_sql` needs; ``key`` is the workspace's."""
    block = derived(key, PURPOSE).ljust(BLOCK_BYTES, b"\0")
    pads = {
        "inner_pad": pa.array([bytes(byte ^ 0x36 for byte in block)], pa.binary()),
        "outer_pad": pa.array([bytes(byte ^ 0x5C for byte in block)], pa.binary()),
    }
    engine.register(PADS, pa.table(pads))


def pseudonym_sql(number: str) -> str:
    """The pseudonym of a number, 12 characters of base64 with ``._`` for ``+/``; null stays null."""
    inner = f"unhex(sha256((SELECT inner_pad FROM {PADS}) || encode({number})))"
    digest = f"sha256((SELECT outer_pad FROM {PADS}) || {inner})"
    return f"translate(to_base64(unhex(substr({digest}, 1, {2 * PSEUDONYM_BYTES}))), '+/', '._')"


def plain_number_sql(text: str) -> str:
    """A number without the spaces, dashes and brackets people write into it."""
    return f"translate({text}, ' -()', '')"
