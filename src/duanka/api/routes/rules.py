"""The catalogue of rules, with the limits in force."""

from __future__ import annotations

from duanka.api.http import auth as access
from duanka.api.http.dependencies import Here
from duanka.api.http.endpoints import Endpoints
from duanka.api.schemas.catalogue.rules import RulesShown
from duanka.domain.authority import Permission

router = Endpoints("figures")


@router.endpoint("GET /rules", "The rules, and their limits in force · 规则", Permission.READ_RULES)
def list_rules(here: Here, by: access.Caller) -> RulesShown:
    """Every rule in the order in which they run, under the policy of the installation; `runs` says which do."""
    del by
    return RulesShown.told(here.desk.policy)
