"""The policy table: which scope and which roles an operation needs. What has no row does not start.

An operation is the name of its route function, which is also its operationId and SDK method. A call passes when its
token holds the scope AND the caller's membership, read live, holds one of the roles. Scopes cap what a client may do,
roles what a person may do. `own` lists roles that reach only what is their own: experts by row-level security, staff
by the guard of the operation. Four eyes (nobody approves their own) stands with the object's own rules.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a member of an organisation may be; DOMAIN words, spelled the same on the wire."""

    ADMIN = "admin"
    PROCUREMENT = "procurement"
    LEAD = "lead"
    SPONSOR = "sponsor"
    CHAMPION = "champion"
    EVANGELIST = "evangelist"
    MEMBER = "member"
    LEGAL = "legal"
    DATA_OWNER = "data_owner"
    FINANCE = "finance"
    EXPERT = "expert"
    AUDITOR = "auditor"
    DASHBOARD = "dashboard"


SCOPES: dict[str, str] = {
    "organisations:read": "Read the organisation, its units, people and policy",
    "organisations:write": "Change people and announce departures",
    "programmes:read": "Read programmes, sponsors and charters",
    "programmes:write": "Draft programmes and charters, commit and endorse as a sponsor",
    "experts:read": "Read experts, their claims and vetting",
    "experts:write": "Register and vet experts",
    "engagements:read": "Read engagements",
    "engagements:write": "Draft and run engagements",
    "engagements:approve": "Approve or reject engagements",
    "onboarding:read": "Read onboarding tasks and dossiers",
    "onboarding:write": "Do and judge onboarding tasks and dossiers",
    "assignments:read": "Read assignments and deliverables",
    "assignments:write": "Scope, deliver and accept assignments",
    "contracts:read": "Read contracts",
    "contracts:write": "Draft, approve and send contracts",
    "contracts:sign": "Sign or decline contracts in one's own name",
    "confidentiality:read": "Read assets (without content), grants and the access log",
    "confidentiality:write": "Classify assets, ask for, grant and revoke access",
    "confidential:read": "Read the content of confidential assets under an NDA in force",
    "knowledge_transfer:read": "Read topics, milestones, progress, assessments and coverage",
    "knowledge_transfer:write": "Plan and log knowledge transfer, assess, and hand over",
    "reports:read": "Read reports",
    "money:read": "See amounts of money",
    "audit:read": "Read the journal of the whole organisation",
    "webhooks:manage": "Manage webhook endpoints",
    "admin": "Administer the organisation: roles, policy, clients, the sandbox clock",
}


@dataclass(frozen=True)
class Rule:
    """One row of the table. `scope` None means any valid token."""

    scope: str | None
    roles: frozenset[Role]
    own: frozenset[Role] = frozenset()

    def admits(self, roles: frozenset[str]) -> bool:
        return not roles.isdisjoint(self.roles | self.own)


R = Role
EVERYONE = frozenset(Role)
STAFF = EVERYONE - {R.EXPERT, R.DASHBOARD}
READERS = EVERYONE - {R.EXPERT}
BUYERS = frozenset({R.PROCUREMENT, R.LEAD})
DECIDERS = frozenset({R.SPONSOR, R.CHAMPION})
STEERING = DECIDERS | {R.LEAD}
# Internal people who receive knowledge, and may come to teach it.
ASSESSORS = frozenset({R.LEAD, R.SPONSOR, R.CHAMPION, R.EVANGELIST, R.MEMBER})
# Of contracts: who writes and approves them, and who signs for the client.
DRAFTERS = frozenset({R.PROCUREMENT, R.LEGAL})
SIGNATORIES = frozenset({R.SPONSOR, R.CHAMPION, R.PROCUREMENT})
NOBODY: frozenset[Role] = frozenset()
# Every amount of money, in every answer: DOMAIN's rates stay between the buyer's side and the expert they belong to.
MONEY = Rule("money:read", frozenset(STAFF - {R.MEMBER, R.EVANGELIST}) | {R.DASHBOARD}, own=frozenset({R.EXPERT}))


def rule(scope: str | None, roles: set[Role] | frozenset[Role], own: set[Role] | None = None) -> Rule:
    return Rule(scope, frozenset(roles), frozenset(own or ()))


RULES: dict[str, Rule] = {
    # me
    "get_me": rule(None, EVERYONE),
    "list_my_organisations": rule(None, EVERYONE),
    # organisations
    "get_organisation": rule("organisations:read", EVERYONE),
    "update_organisation": rule("admin", {R.ADMIN}),
    "get_policy": rule("organisations:read", READERS),
    "update_policy": rule("admin", {R.ADMIN}),
    "list_business_units": rule("organisations:read", READERS),
    "create_business_unit": rule("organisations:write", {R.ADMIN, R.PROCUREMENT}),
    "get_business_unit": rule("organisations:read", READERS),
    "update_business_unit": rule("organisations:write", {R.ADMIN, R.PROCUREMENT}),
    "list_people": rule("organisations:read", STAFF),
    "create_person": rule("organisations:write", {R.ADMIN, R.PROCUREMENT}),
    "get_person": rule("organisations:read", STAFF),
    "update_person": rule("organisations:write", {R.ADMIN, R.PROCUREMENT}),
    "announce_departure_person": rule("organisations:write", {R.ADMIN, R.PROCUREMENT}, own={R.SPONSOR, R.LEAD}),
    "list_memberships": rule("admin", {R.ADMIN, R.AUDITOR}),
    "update_membership": rule("admin", {R.ADMIN}),
    "get_membership": rule("admin", {R.ADMIN, R.AUDITOR}),
    "get_clock": rule("organisations:read", EVERYONE),
    "advance_clock": rule("admin", {R.ADMIN}),
    # experts
    "list_experts": rule("experts:read", READERS, own={R.EXPERT}),
    "create_expert": rule("experts:write", {R.PROCUREMENT}),
    "get_expert": rule("experts:read", READERS, own={R.EXPERT}),
    "update_expert": rule("experts:write", {R.PROCUREMENT}),
    "get_expert_transitions": rule("experts:read", STAFF),
    "start_vetting_expert": rule("experts:write", {R.PROCUREMENT}),
    "approve_expert": rule("experts:write", {R.PROCUREMENT}),
    "suspend_expert": rule("experts:write", {R.PROCUREMENT}),
    "reinstate_expert": rule("experts:write", {R.PROCUREMENT}),
    "block_expert": rule("experts:write", {R.PROCUREMENT}),
    "list_expertise_claims": rule("experts:read", STAFF, own={R.EXPERT}),
    "create_expertise_claim": rule("experts:write", {R.PROCUREMENT}, own={R.EXPERT}),
    "get_expertise_claim": rule("experts:read", STAFF, own={R.EXPERT}),
    "verify_expertise_claim": rule("experts:write", {R.PROCUREMENT, R.LEAD}),
    "list_vetting_checks": rule("experts:read", STAFF, own={R.EXPERT}),
    "create_vetting_check": rule("experts:write", {R.PROCUREMENT}),
    "get_vetting_check": rule("experts:read", STAFF, own={R.EXPERT}),
    # programmes
    "list_programmes": rule("programmes:read", READERS, own={R.EXPERT}),
    "create_programme": rule("programmes:write", STEERING),
    "get_programme": rule("programmes:read", READERS, own={R.EXPERT}),
    "update_programme": rule("programmes:write", STEERING),
    "get_programme_transitions": rule("programmes:read", STAFF),
    "propose_programme": rule("programmes:write", STEERING),
    "activate_programme": rule("programmes:write", DECIDERS),
    "begin_closing_programme": rule("programmes:write", STEERING),
    "close_programme": rule("programmes:write", DECIDERS),
    "cancel_programme": rule("programmes:write", STEERING),
    "list_participations": rule("programmes:read", READERS),
    "create_participation": rule("programmes:write", STEERING),
    "get_participation": rule("programmes:read", READERS),
    "delete_participation": rule("programmes:write", STEERING),
    "list_sponsor_commitments": rule("programmes:read", READERS),
    "create_sponsor_commitment": rule("programmes:write", STEERING),
    "get_sponsor_commitment": rule("programmes:read", READERS),
    "get_sponsor_commitment_transitions": rule("programmes:read", STAFF),
    "commit_sponsor_commitment": rule("programmes:write", {R.SPONSOR}),
    "decline_sponsor_commitment": rule("programmes:write", {R.SPONSOR}),
    "announce_departure_sponsor_commitment": rule("programmes:write", STEERING),
    "end_sponsor_commitment": rule("programmes:write", STEERING),
    "list_charters": rule("programmes:read", READERS),
    "create_charter": rule("programmes:write", STEERING),
    "get_charter": rule("programmes:read", READERS),
    "update_charter": rule("programmes:write", STEERING),
    "get_charter_transitions": rule("programmes:read", STAFF),
    "submit_charter": rule("programmes:write", STEERING),
    "endorse_charter": rule("programmes:write", DECIDERS),
    "revise_charter": rule("programmes:write", STEERING),
    "list_objectives": rule("programmes:read", READERS),
    "create_objective": rule("programmes:write", STEERING),
    "get_objective": rule("programmes:read", READERS),
    "update_objective": rule("programmes:write", STEERING),
    "judge_objective": rule("programmes:write", STAFF - {R.AUDITOR}),
    # engagements
    "list_engagements": rule("engagements:read", READERS, own={R.EXPERT}),
    "create_engagement": rule("engagements:write", BUYERS),
    "get_engagement": rule("engagements:read", READERS, own={R.EXPERT}),
    "update_engagement": rule("engagements:write", BUYERS),
    "get_engagement_transitions": rule("engagements:read", STAFF, own={R.EXPERT}),
    "submit_engagement": rule("engagements:write", BUYERS),
    "approve_engagement": rule("engagements:approve", DECIDERS),
    "reject_engagement": rule("engagements:approve", DECIDERS),
    "start_onboarding_engagement": rule("engagements:write", {R.PROCUREMENT}),
    "activate_engagement": rule("engagements:write", BUYERS),
    "pause_engagement": rule("engagements:write", {R.LEAD}),
    "resume_engagement": rule("engagements:write", {R.LEAD}),
    "begin_handover_engagement": rule("engagements:write", {R.LEAD}, own={R.EXPERT}),
    "close_engagement": rule("engagements:write", {R.LEAD, R.SPONSOR}),
    "cancel_engagement": rule("engagements:write", BUYERS),
    "terminate_engagement": rule("engagements:write", {R.LEAD, R.CHAMPION}),
    "list_evaluations": rule("engagements:read", STAFF, own={R.EXPERT}),
    "create_evaluation": rule("engagements:write", {R.LEAD, R.SPONSOR}, own={R.EXPERT}),
    "get_evaluation": rule("engagements:read", STAFF, own={R.EXPERT}),
    # onboarding
    "list_onboarding_tasks": rule("onboarding:read", READERS, own={R.EXPERT}),
    "create_onboarding_task": rule("onboarding:write", BUYERS),
    "get_onboarding_task": rule("onboarding:read", READERS, own={R.EXPERT}),
    "update_onboarding_task": rule("onboarding:write", BUYERS),
    "get_onboarding_task_transitions": rule("onboarding:read", STAFF, own={R.EXPERT}),
    "submit_onboarding_task": rule("onboarding:write", STAFF - {R.AUDITOR}, own={R.EXPERT}),
    "accept_onboarding_task": rule("onboarding:write", BUYERS),
    "return_onboarding_task": rule("onboarding:write", BUYERS),
    "waive_onboarding_task": rule("onboarding:write", BUYERS),
    "list_dossiers": rule("onboarding:read", STAFF, own={R.EXPERT}),
    "create_dossier": rule("onboarding:write", NOBODY, own={R.EXPERT}),
    "get_dossier": rule("onboarding:read", STAFF, own={R.EXPERT}),
    "update_dossier": rule("onboarding:write", NOBODY, own={R.EXPERT}),
    "get_dossier_transitions": rule("onboarding:read", STAFF, own={R.EXPERT}),
    "submit_dossier": rule("onboarding:write", NOBODY, own={R.EXPERT}),
    "accept_dossier": rule("onboarding:write", {R.LEAD}),
    "return_dossier": rule("onboarding:write", {R.LEAD}),
    # assignments
    "list_assignments": rule("assignments:read", READERS, own={R.EXPERT}),
    "create_assignment": rule("assignments:write", BUYERS),
    "get_assignment": rule("assignments:read", READERS, own={R.EXPERT}),
    "update_assignment": rule("assignments:write", BUYERS),
    "get_assignment_transitions": rule("assignments:read", STAFF, own={R.EXPERT}),
    "agree_assignment": rule("assignments:write", {R.LEAD}),
    "start_assignment": rule("assignments:write", {R.LEAD}, own={R.EXPERT}),
    "deliver_assignment": rule("assignments:write", NOBODY, own={R.EXPERT}),
    "accept_assignment": rule("assignments:write", {R.LEAD}),
    "return_assignment": rule("assignments:write", {R.LEAD}),
    "cancel_assignment": rule("assignments:write", {R.LEAD}),
    "list_deliverables": rule("assignments:read", READERS, own={R.EXPERT}),
    "create_deliverable": rule("assignments:write", BUYERS),
    "get_deliverable": rule("assignments:read", READERS, own={R.EXPERT}),
    "update_deliverable": rule("assignments:write", BUYERS),
    "get_deliverable_transitions": rule("assignments:read", STAFF, own={R.EXPERT}),
    "submit_deliverable": rule("assignments:write", NOBODY, own={R.EXPERT}),
    "accept_deliverable": rule("assignments:write", {R.LEAD}),
    "reject_deliverable": rule("assignments:write", {R.LEAD}),
    # contracts
    "list_contracts": rule("contracts:read", READERS, own={R.EXPERT}),
    "create_contract": rule("contracts:write", DRAFTERS),
    "get_contract": rule("contracts:read", STAFF, own={R.EXPERT}),
    "update_contract": rule("contracts:write", DRAFTERS),
    "get_contract_transitions": rule("contracts:read", STAFF, own={R.EXPERT}),
    "submit_contract": rule("contracts:write", DRAFTERS),
    "approve_contract": rule("contracts:write", DRAFTERS),
    "send_contract": rule("contracts:write", DRAFTERS),
    "sign_contract": rule("contracts:sign", SIGNATORIES, own={R.EXPERT}),
    "decline_contract": rule("contracts:sign", SIGNATORIES, own={R.EXPERT}),
    "revise_contract": rule("contracts:write", DRAFTERS),
    "void_contract": rule("contracts:write", DRAFTERS),
    "terminate_contract": rule("contracts:write", DRAFTERS),
    "list_contract_versions": rule("contracts:read", READERS, own={R.EXPERT}),
    "get_contract_version": rule("contracts:read", STAFF, own={R.EXPERT}),
    "list_signatures": rule("contracts:read", STAFF, own={R.EXPERT}),
    "get_signature": rule("contracts:read", STAFF, own={R.EXPERT}),
    # confidentiality
    "list_assets": rule("confidentiality:read", STAFF, own={R.EXPERT}),
    "create_asset": rule("confidentiality:write", {R.DATA_OWNER}),
    "get_asset": rule("confidentiality:read", STAFF, own={R.EXPERT}),
    "update_asset": rule("confidentiality:write", {R.DATA_OWNER}),
    "get_asset_content": rule("confidential:read", {R.DATA_OWNER}, own={R.EXPERT}),
    "replace_asset_content": rule("confidentiality:write", {R.DATA_OWNER}),
    "list_access_grants": rule("confidentiality:read", STAFF, own={R.EXPERT}),
    "create_access_grant": rule("confidentiality:write", {R.LEAD}, own={R.EXPERT}),
    "get_access_grant": rule("confidentiality:read", STAFF, own={R.EXPERT}),
    "get_access_grant_transitions": rule("confidentiality:read", STAFF, own={R.EXPERT}),
    "grant_access_grant": rule("confidentiality:write", {R.DATA_OWNER}),
    "reject_access_grant": rule("confidentiality:write", {R.DATA_OWNER}),
    "revoke_access_grant": rule("confidentiality:write", {R.DATA_OWNER, R.CHAMPION}),
    "list_access_log": rule("confidentiality:read", {R.DATA_OWNER, R.AUDITOR}, own={R.EXPERT}),
    "list_return_certificates": rule("confidentiality:read", STAFF, own={R.EXPERT}),
    "create_return_certificate": rule("confidentiality:write", NOBODY, own={R.EXPERT}),
    "get_return_certificate": rule("confidentiality:read", STAFF, own={R.EXPERT}),
    # knowledge_transfer
    "list_topics": rule("knowledge_transfer:read", READERS, own={R.EXPERT}),
    "create_topic": rule("knowledge_transfer:write", {R.LEAD}),
    "get_topic": rule("knowledge_transfer:read", READERS, own={R.EXPERT}),
    "update_topic": rule("knowledge_transfer:write", {R.LEAD}),
    "get_programme_coverage": rule("knowledge_transfer:read", READERS, own={R.EXPERT}),
    "list_assessments": rule("knowledge_transfer:read", STAFF, own={R.EXPERT}),
    "create_assessment": rule("knowledge_transfer:write", ASSESSORS, own={R.EXPERT}),
    "get_assessment": rule("knowledge_transfer:read", STAFF, own={R.EXPERT}),
    "list_milestones": rule("knowledge_transfer:read", READERS, own={R.EXPERT}),
    "create_milestone": rule("knowledge_transfer:write", {R.LEAD}),
    "get_milestone": rule("knowledge_transfer:read", READERS, own={R.EXPERT}),
    "update_milestone": rule("knowledge_transfer:write", {R.LEAD}),
    "get_milestone_transitions": rule("knowledge_transfer:read", STAFF, own={R.EXPERT}),
    "progress_milestone": rule("knowledge_transfer:write", NOBODY, own={R.EXPERT}),
    "submit_milestone": rule("knowledge_transfer:write", NOBODY, own={R.EXPERT}),
    "confirm_milestone": rule("knowledge_transfer:write", ASSESSORS),
    "accept_milestone": rule("knowledge_transfer:write", {R.LEAD}),
    "return_milestone": rule("knowledge_transfer:write", {R.LEAD}),
    "waive_milestone": rule("knowledge_transfer:write", {R.CHAMPION}),
    "list_progress_entries": rule("knowledge_transfer:read", READERS, own={R.EXPERT}),
    "get_progress_entry": rule("knowledge_transfer:read", READERS, own={R.EXPERT}),
    "list_handover_certificates": rule("knowledge_transfer:read", READERS, own={R.EXPERT}),
    "create_handover_certificate": rule("knowledge_transfer:write", NOBODY, own={R.EXPERT}),
    "get_handover_certificate": rule("knowledge_transfer:read", READERS, own={R.EXPERT}),
    "update_handover_certificate": rule("knowledge_transfer:write", NOBODY, own={R.EXPERT}),
    "get_handover_certificate_transitions": rule("knowledge_transfer:read", STAFF, own={R.EXPERT}),
    "submit_handover_certificate": rule("knowledge_transfer:write", NOBODY, own={R.EXPERT}),
    "accept_handover_certificate": rule("knowledge_transfer:write", {R.LEAD, R.SPONSOR}),
    "reject_handover_certificate": rule("knowledge_transfer:write", {R.LEAD, R.SPONSOR}),
    "list_handover_reservations": rule("knowledge_transfer:read", READERS, own={R.EXPERT}),
    "get_handover_reservation": rule("knowledge_transfer:read", READERS, own={R.EXPERT}),
    # reports
    "get_portfolio_report": rule("reports:read", READERS),
    "list_handover_progress_report": rule("reports:read", READERS),
    "list_coverage_report": rule("reports:read", READERS),
    "list_expiring_contracts_report": rule("reports:read", READERS),
    # events
    "list_events": rule("audit:read", {R.ADMIN, R.AUDITOR}),
    "list_subject_events": rule(None, EVERYONE),  # and what it takes to read the object: models/journal.py histories
}


def useful_scopes(roles: Iterable[str]) -> frozenset[str]:
    """The scopes that at least one of these roles could ever use."""
    held = frozenset(roles)
    return frozenset(rule.scope for rule in (*RULES.values(), MONEY) if rule.scope and rule.admits(held))
