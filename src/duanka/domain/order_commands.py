"""Commands that move an order, as typed: errors and pages take them from here.

Keys are kind and event of an order, as in permissions. An order is named by its id and never by a number: error texts
are masked, and a masked number would not work as a command.
"""

from __future__ import annotations

_HOW = "orders stop {id} --how {event} --reason … --reason-en …"
_TYPED = {
    "verification.begin": "orders begin {id} --why …",
    "verification.submit": "orders submit {id} --why …",
    "verification.pass": "orders pass {id} --why …",
    "verification.fail": "orders fail {id} --why …",
    "verification.to_counter": "orders to-counter {id} --why …",
    "verification.to_fraud_centre": "orders to-fraud-centre {id} --why …",
    "verification.extend": "orders extend {id} --hardship … --why …",
    "verification.withdraw": "orders withdraw {id} --why …",
    "restriction.bar_outgoing": _HOW,
    "restriction.lifeline": _HOW,
    "restriction.suspend": _HOW,
    "restriction.punish": _HOW + " --until …",
    "restriction.cancel": _HOW,
    "restriction.ease": "orders ease {id} --why …",
    "restriction.ease_to_lifeline": "orders ease-to-lifeline {id} --why …",
    "restriction.restore": "orders restore {id} --why …",
    "restriction.police_stop": "orders police-stop {id} --case … --why …",
    "restriction.police_release": "orders police-release {id} --case … --why …",
    "objection.accept": "objections accept {id} --why …",
    "objection.uphold": "objections uphold {id} --why …",
    "objection.reject": "objections reject {id} --why …",
    "objection.to_fraud_centre": "objections pass-on {id} --why …",
    "objection.withdraw": "objections withdraw {id} --why …",
    "disavowal.confirm": "counter not-mine {id} …",
    "disavowal.discard": "counter reject {id} --why …",
    "disavowal.withdraw": "counter mine {id} …",
}


def typed(kind: str, event: str, order_id: str) -> str:
    """Return the command in back quotes; `the clock` if no person causes the event."""
    command = _TYPED.get(f"{kind}.{event}")
    return f"`duanka {command.format(id=order_id, event=event)}`" if command else "the clock"


def only_the_police(order_id: str) -> str:
    """Say what to do about a card stopped by the police; `order_id`: of the stop."""
    return f"only the police lift it: {typed('restriction', 'police_release', order_id)}"
