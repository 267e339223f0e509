"""The domain: tables, their rules, their lifecycles, their queries. Nothing here awaits."""

from models import (  # noqa: F401  (fills the metadata)
    assignments,
    confidentiality,
    contracts,
    engagements,
    experts,
    idempotency,
    journal,
    knowledge_transfer,
    oauth,
    onboarding,
    organisations,
    policy,
    programmes,
    reports,
    tenancy,
)
