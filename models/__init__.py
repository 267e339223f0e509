"""The domain: tables, their rules, their lifecycles, their queries. Nothing here awaits."""

from models import experts, idempotency, journal, oauth, organisations, policy, tenancy  # noqa: F401  (fills the metadata)
