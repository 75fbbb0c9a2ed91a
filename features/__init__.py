"""Feature declarations, one file per source. No data and no SQL appear here."""
