"""The domain: tables, their rules, their lifecycles, their queries. Nothing here awaits."""

from models import journal, organisations, policy, tenancy  # noqa: F401  (fills the metadata)
