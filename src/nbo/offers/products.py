"""The catalog's functional products as the next-product model is told them."""

import numpy as np

from nbo.models.pairs import ProductTable
from nbo.offers.catalog import Catalog


def product_table(catalog: Catalog) -> ProductTable:
    """Functional products in catalog order: family, list fee in minor units, comparability, needs."""
    products = catalog.functional
    return ProductTable(
        product_ids=tuple(product.product_id for product in products),
        families=tuple(product.family for product in products),
        monthly_fees=np.array([product.monthly_fee_amount for product in products], dtype=np.float64),
        comparability=np.array([product.comparability for product in products], dtype=np.float64),
        requires=tuple(product.requires for product in products),
    )
