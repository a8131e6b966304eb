"""What the papers print and state: numbers, claims' checks, the audit, the ledger of deviations."""
